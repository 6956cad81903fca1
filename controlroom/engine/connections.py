"""Who is attached now. Each conversation says when it begins and when it ends; nothing of it is kept afterwards."""

from dataclasses import replace

from controlroom.domain.attached import FrontEnd, in_order
from controlroom.domain.clock_set import later


class Connections:
    """The front ends that are there, by their conversations."""

    def __init__(self) -> None:
        self._there: dict[object, FrontEnd] = {}

    def came(self, conversation: object, front_end: FrontEnd) -> None:
        """It has said who it is, and was let in."""
        self._there[conversation] = front_end

    def left(self, conversation: object) -> None:
        """It is gone; one that never came is fine."""
        self._there.pop(conversation, None)

    def clock_set(self, by: int) -> None:
        """Our clock was set: they have been there as long as they had."""
        self._there = {key: replace(one, since=later(one.since, by)) for key, one in self._there.items()}

    def seen_by(self, conversation: object) -> tuple[FrontEnd, ...]:
        """Give all that are there, the one that asks marked as such."""
        marked = (replace(one, asks=key is conversation) for key, one in self._there.items())
        return in_order(marked)
