"""What a front end may do, decided by the socket it came in at and by nothing that it says.

A session at the operators' socket holds an `Operator`, one at the watchers' a `Watcher`. Only an `Operator` holds
anything that acts: a watcher's session has nothing to call.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from controlroom.domain.changes import Changes
from controlroom.domain.intents import Intent
from controlroom.domain.model import Fleet
from controlroom.domain.orders import Result
from controlroom.engine.frontends.turns import Turns
from controlroom.engine.frontends.watcher_view import WatcherView
from controlroom.engine.hosts.inquiries import Rank
from controlroom.protocol.messages import (
    ALL,
    LOOK,
    MAX_REQUEST,
    Answer,
    Answered,
    AskAttached,
    AskAudit,
    AskComparison,
    AskCosts,
    AskHistory,
    AskRunways,
    FetchLog,
    FollowedAgent,
    LookAtScreen,
    Page,
    Question,
    SearchLog,
)
from controlroom.text.states import Outcome

LOOK_ONLY = "a watcher may look, and change nothing"

MAY_ASK = (FetchLog, SearchLog, LookAtScreen, AskCosts, AskHistory, AskComparison, AskAudit, AskAttached, AskRunways)
"""The questions that a watcher may ask. What is not named here it may not: also what is yet to be invented.

Not among them: a check-up, for which a host runs programs, and the care of the ledger, which writes or takes minutes.
"""


@dataclass(frozen=True)
class Operator:
    """May do everything."""

    submit: Callable[[Intent, str], Awaitable[Result]]
    """Decides an intent; the text says who wants it."""
    result_of: "Callable[[int], asyncio.Future[Result] | None]"
    """What will become of an order by its number; None: it is concluded."""
    stop: Callable[[], None]
    """Ends the engine."""
    turns: Turns
    name = ALL
    rank = Rank.OPERATOR
    roles = ("tui", "cli", "stop")
    longest_request = MAX_REQUEST
    """Bytes of one request at most."""
    open_requests = 64
    """Requests that may wait for an answer, or answers to be taken; it is not read further before."""

    def instead(self, question: Question) -> Answer | None:
        """Return what is told instead of an answer: nothing, it is answered."""
        return None

    def fleet(self, fleet: Fleet, changes: Changes | None = None) -> Fleet:
        """Return the fleet as it is shown."""
        return fleet

    def changes(self, changes: Changes, held: Fleet, shown: Fleet) -> Changes:
        """Return what may be another in the fleet as it is shown."""
        return changes

    def followed(self, logs: tuple[FollowedAgent, ...]) -> tuple[FollowedAgent, ...]:
        """Return the logs that may be followed."""
        return logs

    def page(self, page: Page) -> Page:
        """Return records of a log as they are shown."""
        return page

    def asked(self, question: Question) -> Question:
        """Return the question that is to be answered."""
        return question

    def told(self, answer: Answer, question: Question) -> Answer:
        """Return an answer as it is shown."""
        return answer


@dataclass(frozen=True)
class Watcher:
    """May look, at what the watcher view leaves."""

    watcher_view: WatcherView
    turns: Turns
    """Those of all watchers."""
    name = LOOK
    rank = Rank.WATCHER
    roles = ("tui", "cli", "watch")
    longest_request = 128 * 1024
    open_requests = 8

    def instead(self, question: Question) -> Answer | None:
        """Return what is told instead of an answer; None: it is answered."""
        if not isinstance(question, MAY_ASK):
            return Answered(question.id, Result(Outcome.REFUSED, LOOK_ONLY))
        return self.watcher_view.instead(question)

    def fleet(self, fleet: Fleet, changes: Changes | None = None) -> Fleet:
        """Return the fleet as it is shown; `changes`: what changed since somebody asked before. None: all is new."""
        return self.watcher_view.fleet(fleet, changes)

    def changes(self, changes: Changes, held: Fleet, shown: Fleet) -> Changes:
        """Return what may be another in the fleet as it is shown."""
        return self.watcher_view.changes(changes, held, shown)

    def followed(self, logs: tuple[FollowedAgent, ...]) -> tuple[FollowedAgent, ...]:
        """Return the logs that may be followed."""
        return self.watcher_view.followed(logs)

    def page(self, page: Page) -> Page:
        """Return records of a log as they are shown."""
        return self.watcher_view.page(page)

    def asked(self, question: Question) -> Question:
        """Return the question that is to be answered."""
        return self.watcher_view.asked(question)

    def told(self, answer: Answer, question: Question) -> Answer:
        """Return an answer as it is shown."""
        return self.watcher_view.told(answer, question)


Rights = Operator | Watcher
