"""What a front end may do, decided by the socket it came in at and by nothing that it says but the token of a lead.

A session at the operators' socket holds an `Operator`, one at the watchers' a `Watcher`, one at the leads' what its
token stands for. Only what is `Acting` holds anything that acts: a watcher's session has nothing to call.
"""

import asyncio
from collections.abc import Awaitable, Callable

from controlroom.domain.changes import Changes
from controlroom.domain.intents import Intent
from controlroom.domain.model import Fleet
from controlroom.domain.orders import Result
from controlroom.engine.frontends.turns import Turns
from controlroom.engine.hosts.inquiries import Rank
from controlroom.protocol.messages import (
    ALL,
    MAX_REQUEST,
    Answer,
    FollowedAgent,
    Hello,
    Page,
    Question,
)
from controlroom.text.lazy_dataclass import dataclass

LOOK_ONLY = "a watcher may look, and change nothing"


class NotAdmitted(Exception):
    """A front end is not let in; the text says why."""


class Rights:
    """What is shown as it is, and every question answered: what watchers are not shown they say themselves."""

    name: str
    rank: Rank
    roles: tuple[str, ...]
    longest_request: int
    """Bytes of one request at most."""
    open_requests: int
    """Requests that may wait for an answer, or answers to be taken; it is not read further before."""
    turns: Turns
    """Those of all front ends at the same socket."""
    who = ""
    """What the audit calls it; empty: as the front end says who sits there."""

    def admitted(self, hello: Hello) -> "Rights":
        """Return what whoever says hello may do. Raises `NotAdmitted`."""
        return self

    def instead(self, question: Question) -> Answer | None:
        """Return what is told instead of an answer; None: it is answered."""
        return None

    def fleet(self, fleet: Fleet, changes: Changes | None = None) -> Fleet:
        """Return the fleet as it is shown; `changes`: what changed since somebody asked before. None: all is new."""
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


@dataclass(eq=False)
class Acting(Rights):
    """May have something done."""

    submit: Callable[[Intent, str], Awaitable[Result]]
    """Decides an intent; the text says who wants it."""
    result_of: "Callable[[int], asyncio.Future[Result] | None]"
    """What will become of an order by its number; None: it is concluded."""


@dataclass(eq=False)
class Operator(Acting):
    """May do everything."""

    stop: Callable[[], None]
    """Ends the engine."""
    turns: Turns
    name = ALL
    rank = Rank.OPERATOR
    roles = ("tui", "cli", "stop")
    longest_request = MAX_REQUEST
    open_requests = 64
