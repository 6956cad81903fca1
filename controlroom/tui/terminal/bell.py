"""The bell and the title of the terminal: a question that comes while somebody does something else."""

from controlroom.domain.model import Fleet

PAUSE = 10.0
"""Seconds between two rings at least."""

_LOOK = 0.5
"""Seconds between two looks at what is asked."""

KEEP_TITLE, GIVE_BACK = "\x1b[22;2t", "\x1b[23;2t"
"""xterm's stack of titles (xterm's ctlseqs, XTWINOPS): ours is put on top, and taken away in the end."""


class Bell:
    """Says when to ring and what the title is. Rings for questions that come, not for those it finds at the start."""

    def __init__(self) -> None:
        self._known: frozenset[str] | None = None
        self._rang = -PAUSE
        self._title = ""
        self._looked = -_LOOK

    def hear(self, fleet: Fleet, now: float) -> str:
        """What to write to the terminal, mostly nothing; `now` counts seconds.

        A fleet is another one fifty times a second, and this costs a pass over all of it: it rests in between.
        """
        if now - self._looked < _LOOK:
            return ""
        self._looked = now
        return "\x07" * self.rings(fleet, now) + self.title(fleet)

    def rings(self, fleet: Fleet, now: float) -> bool:
        """Take note of what is asked; `now` counts seconds."""
        asked = frozenset(question.id for _, question in fleet.questions())
        before, self._known = self._known, asked
        if before is None or asked <= before or now - self._rang < PAUSE:
            return False
        self._rang = now
        return True

    def title(self, fleet: Fleet) -> str:
        """What sets the title, "" when it is set already. Nothing in it comes from a host."""
        waiting = len(fleet.questions())
        title = f"({waiting}) control room" if waiting else "control room"
        if title == self._title:
            return ""
        self._title = title
        return f"\x1b]2;{title}\x07"
