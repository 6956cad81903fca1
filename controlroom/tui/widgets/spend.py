"""What was spent: a table with a bar a row, and the sum of it above."""

from collections.abc import Sequence
from dataclasses import replace

from rich.style import Style

from controlroom.domain.display.bars import cells
from controlroom.domain.display.spans import By, SpendRow, remarks, total
from controlroom.domain.words import count, dollars, history, percent
from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.limits import packed
from controlroom.tui.widgets.lines import Lines
from controlroom.tui.widgets.rows import Rows

Run = tuple[str, Style | None]

_TOKENS = ("in", "out", "write", "read")
_SHARE = 5
"""Cells of a part in per cent."""
_LONGEST = 40
"""Cells of a bar at most."""


def money(row: SpendRow, covered: bool) -> str:
    """Write what keys paid, or what is covered; nothing where there is none of it."""
    micro = row.covered if covered else row.billed
    return "" if micro is None else f"{'≈' * covered}{'~' * row.about[covered]}{dollars(micro)}"


def hits(row: SpendRow) -> str:
    """Write the share of prompts that came out of the cache."""
    rate = row.all.hit_rate
    return "" if rate is None else percent(100 * rate)


def tokens(row: SpendRow) -> tuple[str, str, str, str]:
    """Write tokens by kind: input that was not cached, output, written to the cache, read from it."""
    used = row.all
    if not used.messages:
        return "", "", "", ""
    return (
        count(used.input),
        count(used.output),
        count(used.cache_write_5m + used.cache_write_1h),
        count(used.cache_read),
    )


@dataclass(frozen=True)
class _Columns:
    """Cells of each column; 0: it is not there."""

    name: int
    where: int
    billed: int
    covered: int
    share: int
    """Behind each amount: its part of the column, in per cent."""
    bar: int
    hits: int
    per_hour: int
    messages: int
    tokens: int


class SpendTable(Rows[SpendRow]):
    """One key a row."""

    def __init__(self, *, cursor: bool = True, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._cursor = cursor
        self.by = By.AGENT
        self._columns = _Columns(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        self._top_money = 1
        self._whole = total(())

    def name_of(self, row: SpendRow) -> str:
        """Its key, and what it is grouped by."""
        return f"{self.by} {row.key}"

    def lends(self, row: SpendRow) -> object:
        """Columns are as wide as the widest, bars as long as the dearest, shares of the sum."""
        return self._columns, self._top_money, self._whole.billed, self._whole.covered

    def _draw_row(self, row: SpendRow, width: int, chosen: bool) -> Sequence[Line]:
        return super()._draw_row(row, width, chosen and self._cursor)

    def begin(self, width: int, height: int) -> Sequence[Line]:
        """Measure the columns; name them where there is room, and say what all rows are together."""
        self._whole = total(self.rows)
        self._top_money = max([1, *((row.billed or 0) + (row.covered or 0) for row in self.rows)])
        self._columns = columns = self._measured(width)
        if height < 4:
            return ()
        titles = [styled.left(f"  {self.by}", columns.name + columns.where + 3)]
        paid = (("billed", columns.billed), ("covered", columns.covered))
        share = styled.right("share", columns.share) + " " if columns.share else ""
        titles += [f"{styled.right(title, wide)} {share}" for title, wide in paid if wide]
        titles += [" " * (columns.bar + 1)] * bool(columns.bar)
        titles += [styled.right("cache", columns.hits)] * bool(columns.hits)
        titles += [styled.right("an hour", columns.per_hour)] * bool(columns.per_hour)
        titles += [styled.right("msgs", columns.messages)] * bool(columns.messages)
        titles += [styled.right(kind, columns.tokens) for kind in _TOKENS] * bool(columns.tokens)
        drawn = [styled.line(("".join(titles), self.palette.quiet))]
        if height >= 8 and len(self.rows) > 1:
            drawn.append(self.draw(self._whole, width, False))
        return drawn

    def _measured(self, width: int) -> _Columns:
        """Share the width out: names and money first, bars what is left."""

        def widest(words: Sequence[str], least: int = 0) -> int:
            longest = max(map(styled.width, words), default=0)
            return max(longest, least) if longest else 0

        name = min(widest([row.name for row in self.rows], 8), 14 if width < 60 else 28)
        where = min(widest([f"{row.where} " for row in self.rows if row.where]), 7 if width < 60 else 15)
        billed = widest([money(row, False) for row in (*self.rows, self._whole)], 6)
        covered = widest([money(row, True) for row in (*self.rows, self._whole)], 7)
        rated = any(row.per_hour for row in self.rows)
        columns = _Columns(
            name,
            where,
            billed,
            covered,
            0,
            0,
            6,
            9 * (rated and width >= 80),
            7 * (width >= 100),
            7 * (width >= 116),
        )
        used = 3 + name + where + (billed + 1) * bool(billed) + (covered + 1) * bool(covered)
        used += columns.hits + columns.per_hour + columns.messages + 4 * columns.tokens
        shares = (_SHARE + 1) * (bool(billed) + bool(covered))
        share = _SHARE if used + shares <= width - 2 else 0
        room = max(0, min(_LONGEST, width - used - 2 - shares * bool(share)))
        return replace(columns, share=share, bar=room if room >= 4 else 0)

    def draw(self, row: SpendRow, width: int, chosen: bool) -> Line:
        """Draw one row."""
        palette, columns = self.palette, self._columns
        runs: list[Run] = [
            (palette.glyphs.cursor if chosen else " ", palette.accent),
            (f" {styled.left(row.name, columns.name)}", palette.strong if row.dearest else palette.quiet),
            (f" {styled.left(row.where, columns.where - 1)} " if columns.where else " ", palette.quiet),
        ]
        for covered, wide in enumerate((columns.billed, columns.covered)):
            runs += [(styled.right(money(row, bool(covered)), wide) + " ", palette.text)] if wide else []
            share = self._share(row, bool(covered))
            part = "" if share is None else percent(share)
            runs += [(styled.right(part, columns.share) + " ", palette.quiet)] if wide and columns.share else []
        runs += self._bar(row)
        quiet = [(hits(row), columns.hits), (row.per_hour, columns.per_hour)]
        quiet += [(count(row.all.messages) if row.all.messages else "", columns.messages)]
        quiet += [(kind, columns.tokens) for kind in tokens(row)]
        runs += [(styled.right(words, wide), palette.text) for words, wide in quiet if wide]
        return styled.line(*runs)

    def _share(self, row: SpendRow, covered: bool) -> float | None:
        """What a row is of all that keys paid, or of all that is covered, in per cent; None: nothing of it."""
        part, whole = (row.covered, self._whole.covered) if covered else (row.billed, self._whole.billed)
        return 100 * part / whole if part and whole else None

    def _bar(self, row: SpendRow) -> list[Run]:
        """One bar for both: what is billed as a line, then what is covered as a broken one."""
        palette, room = self.palette, self._columns.bar
        if not room:
            return []
        if not row.dearest or row is self._whole:
            return [(" " * (room + 1), None)]
        covered = max(row.covered / self._top_money, 1 / room) if row.covered else 0.0  # however little, it shows
        drawn = cells((row.billed or 0) / self._top_money, covered, None, room)
        return [*((signs, palette.rule if kind == "rest" else palette.bar) for kind, signs in drawn), (" ", None)]


class SpendSummary(Lines):
    """The sum of a span: money by who pays, tokens by kind, the share of the cache, what an agent-hour costs."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._whole: SpendRow | None = None
        self._past: Sequence[int] = ()
        self._each = ""

    def show(self, whole: SpendRow | None, past: Sequence[int], each: str) -> None:
        """Show this from now on. `past`: what was spent in each `each` (`hour`, `day`), oldest first."""
        self._whole, self._past, self._each = whole, past, each
        self.redraw()

    def lines_wanted(self, width: int) -> int:
        """The lines that show all of it."""
        return len(self.build(width, 0))

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Money first; what does not fit into one line goes to the next."""
        palette, whole = self.palette, self._whole
        if whole is None:
            return (styled.line((" reading the ledger…", palette.quiet)),)
        parts = [self._money(whole), self._tokens(whole), self._rates(whole)]
        lines, line = list[Line](), styled.line((" ", None))
        for part in parts:
            if styled.length(line) > 1 and styled.length(line) + styled.length(part) > width:
                lines.append(line)
                line = styled.line((" ", None))
            line = (*line, *part)
        lines.append(line)
        lines += [styled.line((f" {words}", palette.note)) for words in packed(remarks(whole.all), width - 2)]
        room = width - max(map(styled.length, lines[:1])) - 12
        if room >= 12 and any(self._past):
            lines[0] = styled.spread(lines[0], self._history(room), width)
        return lines

    def _history(self, room: int) -> Line:
        palette, past = self.palette, list(self._past)[-room:]
        drawn = history(past, len(past), max([1, *past]))
        return styled.line((f"by {self._each} ", palette.quiet), (f"{drawn} ", palette.bar))

    def _money(self, whole: SpendRow) -> Line:
        palette = self.palette
        if whole.billed is None and whole.covered is None:
            return styled.line(("nothing was spent   ", palette.quiet))
        runs: list[Run] = []
        if whole.billed is not None:
            runs += [(money(whole, False), palette.strong), (" billed   ", palette.quiet)]
        if whole.covered is not None:
            runs += [(money(whole, True), palette.strong), (" covered   ", palette.quiet)]
        return styled.line(*runs)

    def _tokens(self, whole: SpendRow) -> Line:
        runs: list[Run] = []
        for kind, words in zip(_TOKENS, tokens(whole), strict=True):
            runs += [(f"{kind} ", self.palette.quiet), (f"{words}  ", self.palette.text)] if words else []
        return styled.line(*runs)

    def _rates(self, whole: SpendRow) -> Line:
        palette, runs = self.palette, list[Run]()
        if words := hits(whole):
            runs += [("cache ", palette.quiet), (f"{words}  ", palette.text)]
        if whole.all.messages:
            runs += [(count(whole.all.messages), palette.text), (" msgs  ", palette.quiet)]
        if whole.per_hour:
            runs += [(whole.per_hour, palette.text), (" an agent-hour  ", palette.quiet)]
        return styled.line(*runs)
