"""What a front end may do: decided by which of the engine's two sockets it came in at, and by nothing that it says.

At the operators' socket there is an `Operator` behind a conversation, at the watchers' a `Watcher`. Only an `Operator`
holds anything that acts: a conversation with a watcher has nothing that it could call.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from controlroom.domain.intents import Intent
from controlroom.fleet.orders import Asked
from controlroom.fleet.protocol import (
    ALL,
    LOOK,
    AskAudit,
    AskCosts,
    FetchLog,
    LookAtScreen,
    Question,
    SearchLog,
)

LOOK_ONLY = "a watcher may look, and change nothing"

MAY_ASK = (FetchLog, SearchLog, LookAtScreen, AskCosts, AskAudit)
"""The questions that a watcher may ask. What is not named here it may not: also what is yet to be invented.

Not among them: a check-up, for which a host runs programs, and the care of the ledger, which writes or takes minutes.
"""


@dataclass(frozen=True)
class Operator:
    """May do everything."""

    submit: Callable[[Intent, str], Awaitable[Asked]]
    """Decides an intent; the text says who wants it."""
    stop: Callable[[], None]
    """Ends the engine."""
    name = ALL
    roles = ("tui", "cli", "stop")
    open_requests = 64
    """Requests that may wait for an answer, or answers to be taken; it is not read further before."""

    def refuses(self, question: Question) -> str:
        """Say why a question is not answered; "": it is."""
        return ""


@dataclass(frozen=True)
class Watcher:
    """May look."""

    name = LOOK
    roles = ("tui", "cli", "watch")
    open_requests = 8

    def refuses(self, question: Question) -> str:
        """Say why a question is not answered; "": it is."""
        return "" if isinstance(question, MAY_ASK) else LOOK_ONLY


Rights = Operator | Watcher
