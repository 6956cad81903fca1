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
"""States in which the agent's process may be running on its host; see `has_ended`."""

ENDED = frozenset({State.DONE, State.FAILED, State.PAUSED})
"""States that an agent leaves only by a new epoch; see `has_ended`."""


def has_ended(state: str, ended: int, pid: int | None) -> bool:
    """Tell whether an agent has ended, and goes on only by a new epoch. `ended`: when it did, 0 for not.

    `limited` and `paused` are said of processes that live (they wait for a limit, or are stopped) and of runs that
    ended in that state; `unknown` also of a run that ended nobody saw how.
    """
    if state in (State.LIMITED, State.UNKNOWN):
        return ended > 0
    if state == State.PAUSED:
        return ended > 0 or not pid
    return state in ENDED


def lives(state: str, ended: int, pid: int | None) -> bool:
    """Tell whether an agent's process may be running on its host."""
    return not has_ended(state, ended, pid) and (state in LIVE or state == State.PAUSED)
