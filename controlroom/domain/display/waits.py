"""Why a host takes no work now, in words."""

from collections.abc import Mapping

from controlroom.domain.waits import HostWait, WaitReason
from controlroom.domain.words import age, size

_HOST_WAITS: Mapping[WaitReason, str] = {
    WaitReason.HOST_UNKNOWN: "{host} is not in the room",
    WaitReason.HOST_DOWN: "{host} cannot be reached",
    WaitReason.HOST_FOREIGN: "{host} belongs to another control room",
    WaitReason.HOST_FULL: "{host} has {has} of at most {needs} agents",
    WaitReason.HOST_TMUX: "{host} has no tmux",
    WaitReason.HOST_UNFIT: "{host} is not fit for it: {about}",
    WaitReason.HOST_MEMORY: "{host} has {size} left to give, an agent needs {least}",
    WaitReason.HOST_DISK: "{host} has {size} of disk free, {least} is the least",
    WaitReason.FOLDER: "{about} works in its folder",
    WaitReason.LOGIN: "on {host} what its profile logs in with fails or is not there: one task tries again{until}",
    WaitReason.HOST_DRAINING: "{host} is drained by {about}",
    WaitReason.HOST_LABELS: "{host} lacks the label {about}",
    WaitReason.HOST_LOAD: "{host} has a load of {has} % per core, {needs} % is the most",
    WaitReason.HOST_NAME: "on {host} an agent is at work as {about} that nobody ordered: end it, or see to whose it is",
    WaitReason.HOST_OTHER: "{host} is not where it must run",
}

_UNSEEN = "{host} is being looked at: whether it has what agents need"
_UNREAD = "{host} has not said yet how much memory is free"


def host_words(wait: HostWait, now: int) -> str:
    """Why a host takes a task not now, in words."""
    words = _HOST_WAITS.get(wait.reason, f"{{host}}: {wait.reason}")
    if wait.reason is WaitReason.HOST_MEMORY and not wait.needs:
        words = _UNREAD
    if wait.reason is WaitReason.HOST_UNFIT and not wait.about:
        words = _UNSEEN
    figures = {"has": wait.has, "needs": wait.needs, "size": size(wait.has), "least": size(wait.needs)}
    return words.format(host=wait.host, about=wait.about, until=in_words(wait.until, now), **figures)


def in_words(moment: int, now: int) -> str:
    """In how long a moment is, after a comma; nothing when it is past."""
    return f", {soon_words(moment - now)}" if moment > now else ""


def soon_words(milliseconds: int) -> str:
    """In how long something is to be."""
    return f"in {age(milliseconds)}" if milliseconds >= 60_000 else "within a minute"
