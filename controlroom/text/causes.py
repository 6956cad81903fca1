"""Why an agent is paused or has failed, where something follows from that. One set, from its runner to home."""

from enum import Enum

from controlroom.text.states import State


class Cause(str, Enum):
    """What a runner says beside its words, which are for people alone."""

    UNSAID = ""
    """Nobody has said: runners did not before they knew this."""
    NONE = "none"
    """None of these."""
    BUDGET = "budget"
    """What it was granted is used up, has ended, or cannot be metered."""
    NO_LOGIN = "no-login"
    """Claude is not logged in."""
    LOGIN_REFUSED = "login-refused"
    """The login was refused."""

    def __str__(self) -> str:
        return self.value


_OLDER = (
    (State.PAUSED, "budget", Cause.BUDGET),
    (State.FAILED, "not logged in", Cause.NO_LOGIN),
    (State.FAILED, "the login was refused", Cause.LOGIN_REFUSED),
)
"""How the words begin of runners that say no cause: they run on through an upgrade."""


def read_cause(said: str, state: str, detail: str) -> Cause:
    """Take what a status says of its cause; one that this version does not know is none."""
    try:
        cause = Cause(said)
    except ValueError:
        return Cause.NONE
    if cause is not Cause.UNSAID:
        return cause
    words = detail.removeprefix("paused: ")
    return next((of for when, begins, of in _OLDER if state == when and words.startswith(begins)), Cause.UNSAID)
