"""The agent table, one agent a row: what needs a person comes first. Without agents it says what to do next."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from rich.style import Style

from controlroom.domain.display.arrange import Arranged, Change, Group, GroupRow, TableRow
from controlroom.domain.display.views import AgentRow
from controlroom.domain.model import Fleet, State
from controlroom.domain.words import percent, size
from controlroom.tui.context import Context
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.view_state import Engine, ViewState
from controlroom.tui.widgets.rows import Rows

_WORD, _AGE, _RSS, _CPU, _TASK, _LINE = 8, 4, 4, 4, 28, 36
_TASK_LEAST, _WIDEST = 20, 400
HEADED_FROM = 3
"""Lines of height from which the columns have names above them."""


class Columns(NamedTuple):
    """Cells of each column; 0: not shown. The line takes what is left."""

    gap: int
    name: int
    word: int
    host: int
    model: int
    rss: int
    cpu: int
    cost: int
    task: int
    line: int


def columns(width: int, widths: "Widths", hosts: bool = True) -> Columns:
    """Fit columns into `width`: name and line always, then state, host, memory, CPU, what was spent, model, task.

    Where all agents are on one host nobody needs to be told which at each of them; nor where headings say it (`hosts`).
    """
    narrow = width < 60
    gap = 1 if narrow else 2
    name = max(6, min(widths.widest("name"), 12 if narrow else 22))
    least = 26 if narrow else 24
    left = width - (3 + name + gap + _AGE + gap + 1)
    several = hosts and len(widths.hosts) > 1
    wanted = {
        "word": _WORD,
        "host": max(4, min(widths.widest("host"), 12)) if several else 0,
        "rss": max(_RSS, widths.widest("memory")),
        "cpu": _CPU,
        "cost": min(widths.widest("cost"), 9),
        "model": min(widths.widest("model") if widths.hosts else 5, 14),
    }
    cells_of = dict.fromkeys(wanted, 0)
    for column, cells in wanted.items():
        if cells and left - cells - gap >= least:
            cells_of[column] = cells
            left -= cells + gap
    task = min(widths.widest("task"), _TASK, left - gap - _LINE)
    if task < _TASK_LEAST or not cells_of["model"]:
        return Columns(gap, name, task=0, line=max(0, left), **cells_of)
    return Columns(gap, name, task=task, line=left - task - gap, **cells_of)


def natural_width(widths: "Widths") -> int:
    """The cells that a table with all its columns needs, in steps: a longer name does not move everything."""
    made = columns(_WIDEST, widths)
    return -(-(_WIDEST - made.line + _LINE) // 8) * 8


_WIDE = ("name", "host", "memory", "cost", "model", "task")
"""Columns that are as wide as what stands in them."""


class Widths:
    """How long the texts in columns are, and on how many hosts rows are: kept as rows become others."""

    def __init__(self) -> None:
        self._lengths: dict[str, Counter[int]] = {column: Counter() for column in _WIDE}
        self.hosts: Counter[str] = Counter()

    def follow(self, rows: Sequence[TableRow], changes: Sequence[Change] | None) -> None:
        """Take the rows that are on show now, by way of those that have become others; None: all may have."""
        if changes is None:
            self._lengths, self.hosts = {column: Counter() for column in _WIDE}, Counter()
            changes = [(None, row) for row in rows if isinstance(row, AgentRow)]
        for before, after in changes:
            if before is not after:
                self._count(before, -1)
                self._count(after, 1)

    def widest(self, column: str) -> int:
        """The length of the longest text in a column."""
        return max(self._lengths[column], default=0)

    def _count(self, row: AgentRow | None, sign: int) -> None:
        if row is None:
            return
        for column, lengths in self._lengths.items():
            length = len(getattr(row, column))
            lengths[length] += sign
            if not lengths[length]:
                del lengths[length]
        self.hosts[row.host] += sign
        if not self.hosts[row.host]:
            del self.hosts[row.host]


class AgentTable(Rows[TableRow]):
    """All agents, or those that a filter left, with headings where they stand in groups."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._widths = Widths()
        self._columns = columns(80, self._widths)
        self._fitted = 0
        """The width that the columns were fitted to; 0: they are to be fitted anew."""
        self._table = Arranged()
        self.until: Mapping[str, str] = {}
        """Agent id -> when its limit ends, as hours and minutes."""

    def name_of(self, row: TableRow) -> str:
        """An agent is named by its id."""
        return row.id

    def lends(self, row: TableRow) -> object:
        """Columns fit all rows; limits are kept beside them."""
        return self._columns, self.until.get(row.id)

    def heads(self, row: TableRow) -> bool:
        """Groups have headings."""
        return isinstance(row, GroupRow)

    def follow(self, table: Arranged, changes: Sequence[Change] | None, *, by_hand: bool = False) -> None:
        """Show a table from now on, of which these rows have become others; None: all may have."""
        self._table = table
        self._widths.follow(table, changes)
        self._fitted = 0
        self.show(table, by_hand=by_hand)

    def renew(self, ids: Collection[str], changes: Sequence[Change]) -> None:
        """Show the rows of these agents, which say something else in the places that they had."""
        self._widths.follow(self._table, changes)
        self.redraw_rows(ids)

    def index(self, rows: Sequence[TableRow]) -> None:
        """The table itself knows where its rows are."""

    def place_of(self, name: str) -> int | None:
        """Where an agent stands; None: nowhere."""
        ids = self._table.ids
        return self._table.place_of(ids.index(name)) if name in ids else None

    def stops_before(self, place: int) -> int:
        """Count the agents before a place."""
        return self._table.agents_before(place)

    def stop(self, number: int) -> int:
        """The place of an agent, counted from 0."""
        return self._table.place_of(number)

    @property
    def stops(self) -> int:
        """How many agents there are."""
        return len(self._table.ids)

    def needy(self, rows: range) -> int:
        """Count the agents that wait for a person."""
        return self._table.waiting(rows)

    @property
    def agents(self) -> list[AgentRow]:
        """The rows of agents, in order."""
        return [row for row in self.rows if isinstance(row, AgentRow)]

    @property
    def natural_width(self) -> int:
        """The cells that all columns need."""
        return natural_width(self._widths)

    def begin(self, width: int, height: int) -> Sequence[Line]:
        """Fit the columns, and name them where there is room."""
        if self._fitted != width:
            by_host = self._table.arrangement.group is Group.HOST
            self._fitted, self._columns = width, columns(width, self._widths, not by_host)
        if height < HEADED_FROM or width < 60:
            return ()
        made, quiet = self._columns, self.palette.quiet
        space = " " * made.gap
        heads = [f"   {styled.left('agent', made.name)}"]
        heads += [styled.left(title, cells) for title, cells in (("state", made.word), ("host", made.host)) if cells]
        heads += [styled.right("age", _AGE)]
        heads += [styled.left("model", made.model)] * bool(made.model)
        figures = (("ram", made.rss), ("cpu", made.cpu), ("cost", made.cost))
        heads += [styled.right(title, cells) for title, cells in figures if cells]
        heads += [styled.left("task", made.task)] * bool(made.task)
        return (styled.line((space.join([*heads, "now"]), quiet)),)

    def draw(self, row: TableRow, width: int, chosen: bool) -> Line:
        """Draw one agent, or a heading."""
        return self._heading(row, width) if isinstance(row, GroupRow) else self._agent(row, width, chosen)

    def _heading(self, row: GroupRow, width: int) -> Line:
        palette, glyphs = self.palette, self.palette.glyphs
        counts = [(f"  {glyphs.states[state]} {number}", palette.states[state]) for state, number in row.counts]
        start = styled.line(
            (f"{glyphs.rule} ", palette.rule),
            (f"{row.title} ", palette.strong),
            (f" {row.count}", palette.quiet),
            *counts,
        )
        rest = glyphs.rule * max(0, width - styled.length(start) - 1)
        return styled.clip((*start, *styled.line((f" {rest}", palette.rule))), width)

    def _agent(self, row: AgentRow, width: int, chosen: bool) -> Line:
        made, palette = self._columns, self.palette
        state, space = palette.states[row.state], " " * made.gap
        quiet = palette.text if chosen else palette.quiet
        runs: list[tuple[str, Style | None]] = [
            (self.sign(row.id, chosen), palette.accent),
            (palette.glyphs.states[row.state], state),
            ("?" if row.doubted else " ", palette.warn),
            (styled.left(row.name, made.name), palette.strong),
        ]
        if made.word:
            word = row.pending or str(row.state)
            runs.append((space + styled.left(word, made.word), state))
        if made.host:
            runs.append((space + styled.left(row.host, made.host), quiet))
        if width < 60:
            return styled.spread(
                styled.line(
                    *runs, (space + styled.cut(self._told(row, narrow=True), made.line), self._line_style(row))
                ),
                styled.line((styled.right(row.age, _AGE) + " ", quiet)),
                width,
            )
        runs.append((space + styled.right(row.age, _AGE), quiet))
        runs += [(space + styled.left(row.model, made.model), quiet)] * bool(made.model)
        runs += [(space + styled.right(palette.glyphs.drawn(row.memory), made.rss), palette.text)] * bool(made.rss)
        runs += [(space + styled.right(percent(row.cpu_percent), made.cpu), palette.text)] * bool(made.cpu)
        runs += [(space + styled.right(palette.glyphs.drawn(row.cost or "–"), made.cost), palette.text)] * bool(
            made.cost
        )
        runs += [(space + styled.left(row.task, made.task), quiet)] * bool(made.task)
        runs.append((space + styled.cut(self._told(row), made.line), self._line_style(row)))
        return styled.line(*runs)

    def _line_style(self, row: AgentRow) -> Style:
        alarmed = row.state in (State.WAITING, State.FAILED)
        return self.palette.states[row.state] if alarmed else self.palette.text

    def _told(self, row: AgentRow, narrow: bool = False) -> str:
        """The line; where the word of a state has no room, a state that stands still says it first."""
        until = self.until.get(row.id)
        if until:
            return f"limited until {until}" if narrow else f"until {until}: {row.line}"
        if row.pending and narrow:
            return row.pending
        telling = row.state in (State.WAITING, State.FAILED, State.WORKING, State.STARTING) and row.line
        if not narrow or telling or row.line.startswith(row.state):
            return row.line
        return f"{row.state}: {row.line}".rstrip(": ")


_SHOWN = 3
"""Machines that are described."""


def no_agents(context: Context, view: ViewState, wanted: str, cells: int) -> list[Line]:
    """What to read where no agent is shown: what to do next. `wanted`: the filter; `cells`: the width there is."""
    fleet, palette, keys = view.fleet, context.palette, context.keys.shown
    quiet, key = palette.quiet, palette.key
    add = ((keys("hosts"), key), (" then ", quiet), (keys("host_add"), key))
    if view.engine is not Engine.HERE and not view.known:
        words = view.reason or "starting the engine…"
        return [(), *(styled.line((f"  {part}", quiet)) for part in styled.wrap(words, cells))]
    if wanted:
        return [
            (),
            styled.line(("  no agent matches.  ", quiet), (keys("filter"), key), (" changes the filter", quiet)),
        ]
    if view.read_only:
        return [(), styled.line((f"  No {'agents' if fleet.hosts else 'hosts'} yet.", palette.strong))]
    if not fleet.hosts:
        return [
            (),
            styled.line(("  No hosts yet.", palette.strong)),
            styled.line(("  Press ", quiet), *add, (" to add one,", quiet)),
            styled.line(("  or: controlroom host add user@address", quiet)),
        ]
    return [
        (),
        styled.line(("  No agents yet.", palette.strong)),
        *(styled.line((styled.cut(f"  {words}", cells), quiet)) for words in _machines(fleet)),
        (),
        styled.line(("  Press ", quiet), (keys("spawn"), key), (" to start one: write its task,", quiet)),
        styled.line(("  then Enter. ", quiet), (keys("help"), key), (" explains every key.", quiet)),
        styled.line(("  ", quiet), *add, (" adds another machine;", quiet)),
        styled.line(("  in a shell: controlroom init", quiet)),
        (),
        styled.line(("  tmux sessions and Claudes that you", quiet)),
        styled.line(("  started elsewhere show up by themselves.", quiet)),
    ]


def _machines(fleet: Fleet) -> list[str]:
    """What the first hosts are, as far as they have been met."""
    met = [(host.name, host.facts) for host in fleet.hosts.values() if host.facts]
    return [
        f"{name}: {facts.cores} cores, {size(facts.memory_total)}, {facts.tmux_words}" for name, facts in met[:_SHOWN]
    ]
