"""Many agents' logs as one, in the order in which things happened: moments, and what somebody wants to see of them.

Times are UTC milliseconds of our clock: what a host's own clock is ahead was taken out.
"""

import re
from collections.abc import Iterable
from dataclasses import field
from datetime import datetime, timezone

from controlroom.domain.display.loglines import KINDS, LogLine
from controlroom.domain.model import LogPlace
from controlroom.text.lazy_dataclass import dataclass

LEVELS = {
    "error": ("error", "err"),
    "ask": ("ask",),
    "say": ("say", "done"),
    "tool": ("tool", "result"),
    "out": ("out",),
    "note": ("note", "input"),
    "think": ("think",),
}
"""Names of levels, each with the kinds of lines that it holds."""

LONGEST = 200
"""Characters of an expression at most."""

SEARCHED = 2000
"""Characters of a line that an expression is held against."""


@dataclass(frozen=True, order=True)
class Moment:
    """One line of one agent's log, at its time. `number` tells lines of one time apart."""

    at: int
    agent: str
    number: int
    part: int = 0
    line: LogLine = field(compare=False, default_factory=lambda: LogLine(0, "out", ()))
    place: LogPlace = field(compare=False, default_factory=lambda: LogPlace(0, 0, 0))

    @property
    def key(self) -> tuple[str, LogPlace, int]:
        """What names it for good."""
        return self.agent, self.place, self.part


@dataclass(frozen=True)
class TimelineWish:
    """What somebody wants to see: all of what is named must fit, of several names of one kind any."""

    text: str = ""
    """Must stand in the line, capital or small; `re:` before it makes it an expression."""
    agents: tuple[str, ...] = ()
    """Parts of agents' names."""
    hosts: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    mark: str = ""
    """Is marked wherever it stands, and filters nothing."""
    problem: str = ""
    """Why it cannot be understood; then everything is shown."""

    @property
    def sifts(self) -> bool:
        """Whether it leaves lines out."""
        return not self.problem and bool(self.text or self.agents or self.hosts or self.levels)

    @property
    def expression(self) -> re.Pattern[str] | None:
        """What its text is when that is an expression."""
        is_expression = not self.problem and self.text.startswith("re:")
        return re.compile(self.text[3:], re.IGNORECASE) if is_expression else None

    @property
    def marks(self) -> tuple[str, ...]:
        """What is marked in a line, beside what an expression finds."""
        return tuple(text for text in (self.mark, "" if self.text.startswith("re:") else self.text) if text)


def wish_of(typed: str) -> TimelineWish:
    """Read what was typed: `agent:api host:vm1 level:error mark:timeout` and words, in any order."""
    named: dict[str, list[str]] = {"agent": [], "host": [], "level": [], "mark": []}
    words: list[str] = []
    parts = typed.split(" ")
    for index, word in enumerate(parts):
        if word.startswith("re:"):
            words = [" ".join(parts[index:])]
            break
        name, sign, value = word.partition(":")
        if sign and name in named:
            named[name] += [part for part in value.split(",") if part]
        elif word:
            words.append(word)
    text = " ".join(words)
    return TimelineWish(
        text,
        tuple(named["agent"]),
        tuple(named["host"]),
        tuple(named["level"]),
        " ".join(named["mark"]),
        _problem(text, named["level"]),
    )


def _problem(text: str, levels: Iterable[str]) -> str:
    unknown = [level for level in levels if level not in LEVELS and level not in KINDS]
    if unknown:
        return f"there is no level {unknown[0][:20]}: use {', '.join(LEVELS)}"
    if not text.startswith("re:"):
        return ""
    if len(text) > LONGEST:
        return f"an expression has at most {LONGEST} characters"
    try:
        re.compile(text[3:])
    except (re.error, RecursionError) as error:
        return f"the expression does not fit: {error}"[:80]
    return ""


class Sieve:
    """Says which moments a wish is about."""

    def __init__(self, wish: TimelineWish) -> None:
        self._wish = TimelineWish() if wish.problem else wish
        self._expression = self._wish.expression
        self._text = self._wish.text.lower()
        names = self._wish.levels
        self._kinds = frozenset(kind for name in names for kind in LEVELS.get(name, (name,)))

    def keeps(self, moment: Moment) -> bool:
        """Whether it is to be seen."""
        wish = self._wish
        host, _, name = moment.agent.partition("/")
        if wish.hosts and host not in wish.hosts:
            return False
        if wish.agents and not any(part in name for part in wish.agents):
            return False
        if self._kinds and moment.line.kind not in self._kinds:
            return False
        if self._expression is not None:
            return self._expression.search(moment.line.text[:SEARCHED]) is not None
        return self._text in moment.line.text.lower()


def exported(moment: Moment) -> str:
    """A moment as a line of a file: time in UTC, agent, kind, text, with tabs between."""
    when = datetime.fromtimestamp(moment.at / 1000, timezone.utc)
    stamp = f"{when:%Y-%m-%dT%H:%M:%S}.{moment.at % 1000:03}Z"
    return "\t".join((stamp, moment.agent, moment.line.kind, moment.line.text))
