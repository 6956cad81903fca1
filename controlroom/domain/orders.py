"""An order: what is asked of a host, from the decision to what became of it."""

from dataclasses import dataclass

STARTS = frozenset({"spawn", "reassign", "resume"})
"""Verbs that begin a new run of an agent."""

ROWS = STARTS | {"kill", "forget"}
"""Verbs whose order shows in the row of their agent."""


@dataclass(frozen=True)
class Order:
    """One order. While it is open, the row of its agent shows it, and what it starts counts against limits."""

    op: int
    """Names it for ever."""
    verb: str
    """`spawn`, `kill`, `reassign`, `resume`, `move`, `forget`, `answer`, `message`, `host take` and so on."""
    host: str
    agent: str
    """Name of the agent on its host; empty: it is about the host itself."""
    epoch: int
    at: int
    """When it was given: UTC milliseconds."""
    who: str = ""
    """Who gave it, and from where."""
    task: str = ""
    """The first characters of the task, of one that has a task."""

    @property
    def subject(self) -> str:
        """Id of its agent, or the name of its host."""
        return f"{self.host}/{self.agent}" if self.agent else self.host
