"""The words for what an agent is doing. One set, from the runner on a host to the row on a screen."""

from enum import Enum


class State(str, Enum):
    """What an agent does now. `waiting`: a person is asked; `limited`: stopped by a limit, with the time it ends."""

    STARTING = "starting"
    WORKING = "working"
    WAITING = "waiting"
    LIMITED = "limited"
    IDLE = "idle"
    DONE = "done"
    FAILED = "failed"
    PAUSED = "paused"
    LOST = "lost"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


LIVE = frozenset({State.STARTING, State.WORKING, State.WAITING, State.LIMITED, State.IDLE})
"""States in which the agent's process may be running on its host."""

ENDED = frozenset({State.DONE, State.FAILED, State.PAUSED})
"""States that an agent leaves only by a new epoch."""
