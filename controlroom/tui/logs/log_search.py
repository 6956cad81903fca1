"""A search through all of one agent's log, as its host does it: newest first, piece by piece, as far as is wanted."""

from collections.abc import Callable

from controlroom.domain.display.loglines import LogHit, Matches
from controlroom.domain.model import LogPlace
from controlroom.tui.engine_client import Source

AHEAD = 100
"""Hits beyond the chosen one that are looked for before anybody asks for them."""
PIECE = 100
"""Hits of one answer."""
EXPRESSION = "re:"
"""What a regular expression begins with."""


class LogSearch:
    """One text, or an expression, in one agent's log. Hits are numbered from the newest."""

    def __init__(self, agent: str, epoch: int, text: str) -> None:
        self.agent, self.wanted = agent, text
        self.regex = text.startswith(EXPRESSION)
        self.text = text.removeprefix(EXPRESSION).strip() if self.regex else text
        self.hits: list[LogHit] = []
        self.at = -1
        """The chosen hit."""
        self.done = False
        """Whether the very first line has been searched."""
        self.reason = ""
        """Why it cannot go on."""
        self.back_to = 0
        """When the line was written up to which it was searched, UTC ms."""
        self.begun = self.busy = self.over = False
        """Whether it is searched for on the host; whether that goes on now; whether nobody wants it any more."""
        self.eager = False
        """Whether the next hit is to be chosen as soon as there is one."""
        self._epoch, self._place = epoch, LogPlace(epoch, -1, 0)
        self._marks: dict[LogPlace, tuple[str, ...]] = {}

    # ------------------------------------------------------------------ searching

    @property
    def wants_more(self) -> bool:
        """Whether it should be searched on."""
        return not (self.done or self.reason or self.over) and len(self.hits) <= self.at + AHEAD

    async def piece(self, source: Source) -> None:
        """Search a piece further back."""
        before = None if self._place.segment < 0 else self._place
        terms = (self.agent, self._epoch, self.text)
        self.take(await source.search(*terms, regex=self.regex, before=before, count=PIECE))

    def take(self, found: Matches) -> None:
        """Take what a piece has found."""
        if found.reason and not found.done:
            self.reason = found.reason
            return
        self.hits += found.hits
        self._marks |= {hit.place: hit.marks for hit in found.hits}
        self.back_to = found.at or self.back_to
        self._place = found.place
        if found.done and self._epoch > 1:
            self._epoch -= 1
            self._place = LogPlace(self._epoch, -1, 0)
        elif found.done:
            self.done = True
            self.reason = found.reason if not self.hits else ""

    # ------------------------------------------------------------------ choosing

    def choose(self, step: int) -> LogHit | None:
        """Choose the next older hit (`step` 1) or the next newer one (-1), if it is known."""
        if not 0 <= self.at + step < len(self.hits):
            return None
        self.at += step
        return self.hits[self.at]

    def chosen(self, place: LogPlace) -> bool:
        """Whether the chosen hit stands at a place."""
        return 0 <= self.at < len(self.hits) and self.hits[self.at].place == place

    def words(self, clock: Callable[[int], str]) -> str:
        """How far it has come. `clock` writes a time."""
        if not self.begun:
            return f"{self.wanted}: Enter searches all of it"
        far = f", back to {clock(self.back_to)}" if self.back_to and not self.done else ""
        if self.hits and self.at >= 0:
            return f"{self.wanted}: {self.at + 1} of {len(self.hits)}{'' if self.done else '+'}{far}"
        if self.reason:
            return f"{self.wanted}: {self.reason}"
        return f"{self.wanted}: not in the log" if self.done else f"{self.wanted}: searching{far}…"

    @property
    def looks(self) -> tuple[object, ...]:
        """What the look of lines depends on."""
        return self.wanted, self.at, len(self.hits) if self.regex else 0

    def marks_at(self, place: LogPlace) -> tuple[str, ...]:
        """The texts to mark in the lines at a place."""
        return self._marks.get(place, ()) if self.regex else (self.text,)
