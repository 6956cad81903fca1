"""What a node holds about each agent: its status file as last read, and what other sources say beside it."""

import os
import time
from dataclasses import dataclass, field, replace

from controlroom.node import agent_folders
from controlroom.node.agent_folders import Entry, is_live
from controlroom.node.ending import ended, from_order
from controlroom.node.observation.evidence import Said
from controlroom.runner.folder import STATUS
from controlroom.text.states import State
from controlroom.wire.lines import PeerError
from controlroom.wire.messages import AgentSeen, EvidenceSeen


@dataclass
class AgentRecord:
    """The newest epoch of one agent, as it is seen now."""

    entry: Entry
    boot: str = ""
    """The boot that the agent was started in."""
    status: AgentSeen | None = None
    problem: str = ""
    """Why the status cannot be used."""
    verdict: str = ""
    """Why the agent has ended, though its status does not say so."""
    verdict_at: int = 0
    runner: int = 0
    """The runner's pid, 0 when it is not known."""
    met: float = 0.0
    """When its status was first seen, in seconds on a clock that never jumps."""
    stopped: str = ""
    """What keeps its process, or its runner, from running."""
    stopped_at: int = 0
    """When that was seen first, UTC ms."""
    loose: str = ""
    """Why it cannot be as its folder says: its runner lives, though it says that it has ended, or nothing any more."""
    loose_at: int = 0
    missed: int = 0
    """How often in a row the runner was looked for and not found."""
    _signature: tuple[int, ...] | None = None
    _said: dict[str, tuple[Said, int]] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Whether its process may run, as far as its status says."""
        return not self.problem and is_live(self.status)

    def refresh(self) -> bool:
        """Read the status again when it was replaced; tell whether it was."""
        signature = agent_folders.signature(os.path.join(self.entry.folder, STATUS))
        if signature == self._signature or (not signature and self._signature is None):
            return False
        self._signature = signature
        try:
            self.status, self.problem = agent_folders.read_status(self.entry), ""
        except PeerError as error:
            self.status, self.problem = None, str(error)
        self.met = self.met or time.monotonic()
        if not self.boot:
            boot = agent_folders.read_order(self.entry).get("boot")
            self.boot = boot if isinstance(boot, str) else ""
        if not self.live:
            self._said.clear()
        return True

    def stop(self, words: str, at: int) -> None:
        """Take what keeps it from running, "" for nothing."""
        self.stopped_at = 0 if not words else self.stopped_at or at
        self.stopped = words

    def let_loose(self, words: str, at: int) -> None:
        """Take why it cannot be as its folder says, "" for nothing."""
        self.loose_at = 0 if not words else self.loose_at or at
        self.loose = words

    def hear(self, source: str, said: Said | None, at: int) -> None:
        """Take what a source says; its time stays that of the first time it said so."""
        if said is None:
            self._said.pop(source, None)
        elif source not in self._said or self._said[source][0] != said:
            self._said[source] = said, at

    def seen(self) -> AgentSeen:
        """Put together what is known of the agent."""
        seen = self.status or from_order(self.entry)
        if self.loose:
            state, at = State.UNKNOWN.value, self.loose_at
            seen = replace(seen, state=state, since=at, ended=0, question=None, detail=self.loose[:500])
        elif self.problem:
            detail = f"its status.json cannot be used: {self.problem}"[:500]
            seen = replace(seen, state=State.UNKNOWN.value, detail=detail)
        elif self.verdict and (self.live or not self.status):
            seen = ended(seen, State.FAILED, self.verdict, self.verdict_at)
        elif self.stopped and self.live:
            seen = replace(seen, state=State.PAUSED.value, since=self.stopped_at, detail=self.stopped[:500])
        beside = tuple(
            EvidenceSeen(source, said.state or seen.state, said.value, at) for source, (said, at) in self._said.items()
        )
        return replace(seen, evidence=seen.evidence + beside)
