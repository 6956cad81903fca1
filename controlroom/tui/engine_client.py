"""What the screen needs of a client of the engine. `client.client.Client` fits; so does a client that tests hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # nothing of this is needed to run, and the first frame does not wait for it
    from controlroom.client.attach import Attachment
    from controlroom.client.client import AgentScreen, DiffLines, LogPage
    from controlroom.domain.display.loglines import Matches
    from controlroom.domain.intents import Intent
    from controlroom.domain.model import Fleet, LogPlace
    from controlroom.domain.orders import Result
    from controlroom.protocol.branches import WorkTold, WorktreesTold
    from controlroom.protocol.messages import AgentChanges, Attached, Costs, Flowing, History, HostChecked, TaskText
    from controlroom.protocol.rule_messages import Rules
    from controlroom.text.changes import ChangedFile


class Source(Protocol):
    """A client of the engine, connected. Its methods raise `client.transport.EngineUnavailable` when it is gone."""

    @property
    def fleet(self) -> Fleet:
        """The newest fleet."""

    @property
    def ahead(self) -> int:
        """Milliseconds that the engine's clock is ahead of this machine's, as of its last word."""

    @property
    def connected(self) -> bool:
        """Whether the engine is there."""

    @property
    def stopped(self) -> bool:
        """Whether the engine ended in order: nobody should start it again unasked."""

    @property
    def where(self) -> str:
        """The machine that the engine is on, as one gives it to ssh; "" is this one."""

    @property
    def read_only(self) -> bool:
        """Whether the engine shows what there is and does nothing for us."""

    async def changed(self) -> object:
        """Wait until `fleet` or `connected` has changed since the last call."""

    async def attachment(self, agent: str, *, read_only: bool = False) -> Attachment:
        """Prepare to hand the terminal to an agent's session. Raises `client.client.NoAttachment` with the reason."""

    async def screen(self, agent: str) -> AgentScreen:
        """Look at an agent's terminal as it is now."""

    async def submit(self, intent: Intent, *, wait: bool = True, deadline: float = 60) -> Result:
        """Ask for something, and say what became of it."""

    async def follow(self, places: Mapping[str, LogPlace | None]) -> object:
        """Name all logs to follow from now on: agent id -> where from (None: from its end)."""

    async def show_lines(self, agents: Collection[str] | None) -> None:
        """Name the agents whose newest lines are on show: those of others may come seldom. None: all."""

    def pages(self) -> AsyncIterator[LogPage]:
        """The pages of followed logs, as they come."""

    async def fetch(
        self, agent: str, epoch: int, before: LogPlace | None = None, count: int = 200, after: LogPlace | None = None
    ) -> LogPage:
        """Read older text: `count` records before a place (None: the end), or those after `after`."""

    async def search(
        self,
        agent: str,
        epoch: int,
        text: str,
        *,
        regex: bool = False,
        before: LogPlace | None = None,
        after: LogPlace | None = None,
        count: int = 100,
    ) -> Matches:
        """Search a piece of one run's log on its host: back from a place (None: the end), or on from `after`."""

    async def changes(self, agent: str, epoch: int) -> AgentChanges:
        """Ask which files a run of an agent has changed."""

    async def diff(self, agent: str, epoch: int, file: ChangedFile, start: int = 0) -> DiffLines:
        """Read what a run has changed in a file: some lines from number `start` on."""

    async def work(self, agent: str, epoch: int) -> WorkTold:
        """Ask what an agent has done, and committed."""

    async def worktrees(self, host: str) -> WorktreesTold:
        """Ask which worktrees lie on a host. It may take a minute: all of them are measured."""

    async def check(self, host: str) -> HostChecked:
        """See whether a host has all that agents need."""

    async def history(self, subject: str, since: int, until: int, points: int) -> History:
        """Ask what a host did, or how full a window was, in at most so many points of each metric."""

    async def figures(self) -> Flowing:
        """Ask how well work flows."""

    async def costs(self, by: str, since: int, until: int) -> Costs:
        """Ask what was spent between two moments (UTC ms), by one of `domain.money.costs.BY`."""

    async def task_text(self, task: str) -> TaskText:
        """Read the whole text of a task."""

    async def rules(self) -> Rules:
        """Ask how the rules stand that answer questions."""

    async def attached(self) -> Attached:
        """Ask who is attached to the engine."""

    async def stop_engine(self) -> object:
        """Stop the engine; agents live on."""

    async def close(self) -> object:
        """Leave the engine alone."""


Connect = Callable[[bool], Awaitable[Source]]
"""Reaches the engine; True: starting it where there is none."""


async def unless_lost(work: Awaitable[None]) -> None:
    """Do work that needs the engine; losing the engine ends it and is no error: the link shows it, and comes back."""
    from controlroom.client.client import EngineUnavailable

    try:
        await work
    except EngineUnavailable:
        return
