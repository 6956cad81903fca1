"""A list with a cursor that follows its row, not its place: rows may move, what is chosen stays chosen."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.message import Message

from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.view_state import Cursor, Marks
from controlroom.tui.widgets.lines import Wheeled

Row = TypeVar("Row")

_EDGED = 3
"""Rows of room above which the first and the last line say what is out of sight."""


class Rows(Wheeled, Generic[Row]):
    """Rows of one kind. Subclasses say how a row is named and drawn."""

    ALLOW_SELECT: ClassVar[bool] = False
    WHEEL: ClassVar[int] = 1

    @dataclass(eq=False, repr=False)
    class Chosen(Message):
        """Another row is under the cursor."""

        rows: "Rows[Any]"
        row_name: str

    @dataclass(eq=False, repr=False)
    class Scrolled(Message):
        """Other rows are on show."""

        rows: "Rows[Any]"

    @dataclass(eq=False, repr=False)
    class Tapped(Message):
        """A row was tapped. `again`: it was the chosen one already."""

        rows: "Rows[Any]"
        row_name: str
        again: bool

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.rows: Sequence[Row] = ()
        self.cursor = Cursor()
        self.marks = Marks()
        """The rows that are acted on together, by name."""
        self.came_at = float("-inf")
        """When the cursor came to another row by itself last, in seconds of the room's monotonic clock."""
        self.per_row = 1
        """Lines of a row; `begin` may set it."""
        self.empty_lines: Sequence[Line] = ()
        """What the screen found to say when there is no row."""
        self._places: dict[str, int] = {}
        """The rows by name, with the places they have."""
        self._place = 0
        """Where the cursor's row was last."""
        self._kept: dict[str, tuple[tuple[object, ...], Sequence[Line]]] = {}
        """Rows on show as they were drawn last, each with all that its drawing depends on."""
        self._stops: Sequence[int] = ()
        """Where the cursor may stand."""
        self._drawn_at: dict[str, tuple[int, int]] = {}
        """The rows that were drawn last, each with its place and its first line."""
        self._top = 0

    @property
    def drawn(self) -> frozenset[str]:
        """The names of the rows that were drawn last."""
        return frozenset(self._drawn_at)

    @property
    def chosen(self) -> str | None:
        """The name of the row under the cursor."""
        return self.cursor.name

    # ------------------------------------------------------------------ what subclasses say

    def name_of(self, row: Row) -> str:
        """What names a row for good."""
        raise NotImplementedError

    def index(self, rows: Sequence[Row]) -> None:
        """Take note of where rows stand, and which of them are headings."""
        self._places = {self.name_of(row): place for place, row in enumerate(rows)}
        self._stops = [place for place, row in enumerate(rows) if not self.heads(row)]

    def place_of(self, name: str) -> int | None:
        """Where a row stands; None: nowhere."""
        return self._places.get(name)

    def stops_before(self, place: int) -> int:
        """Count the rows before a place at which the cursor may stand."""
        return bisect_left(self._stops, place)

    def stop(self, number: int) -> int:
        """The place of the row at which the cursor may stand that has this number, counted from 0."""
        return self._stops[number]

    @property
    def stops(self) -> int:
        """How many rows there are at which the cursor may stand."""
        return len(self._stops)

    def draw(self, row: Row, width: int, chosen: bool) -> Line:
        """Draw one row."""
        raise NotImplementedError

    def lends(self, row: Row) -> object:
        """What else a row's drawing depends on: one that is as it was is not drawn again."""
        return ()

    def heads(self, row: Row) -> bool:
        """Whether a row is a heading: the cursor passes it by."""
        return False

    def needy(self, rows: range) -> int:
        """Count the rows in a stretch that need a person."""
        return 0

    def draw_more(self, row: Row, width: int) -> Sequence[Line]:
        """Draw the other lines of a row, where each has `per_row` of them."""
        return ()

    def begin(self, width: int, height: int) -> Sequence[Line]:
        """The lines above the rows; called before the rows are drawn."""
        return ()

    def empty(self, width: int) -> Sequence[Line]:
        """What to read when there is no row."""
        return self.empty_lines

    # ------------------------------------------------------------------ what is shown

    def show(self, rows: Sequence[Row], *, by_hand: bool = False) -> None:
        """Show these rows from now on; the cursor stays with its row, or with the place where that was.

        `by_hand`: a person asked for other rows, and looks where the cursor is now.
        """
        before = self.chosen
        self.rows = rows
        self.index(rows)
        self.cursor = self.cursor.among(self._has, self._stop_at(0), self._stop_at(self._place))
        if self.chosen != before and before is not None and not by_hand:
            self.came_at = self.context.monotonic()
        self._place = self.place()
        self.redraw()

    def place(self) -> int:
        """The index of the chosen row; 0 when there is none."""
        return (self.place_of(self.chosen) or 0) if self.chosen is not None else 0

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw the part around the cursor that fits."""
        before = self._drawn_at.keys()
        lines = self._built_lines(width, height)
        if self._drawn_at.keys() != before:
            self.tell(self.Scrolled(self))
        return lines

    def _built_lines(self, width: int, height: int) -> Sequence[Line]:
        self._drawn_at = {}
        if not self.rows:
            return self.empty(width)
        above = list(self.begin(width, height))
        room = max(1, (height - len(above)) // self.per_row)
        self._bring_into_view(self.place(), room)
        shown = range(self._top, min(len(self.rows), self._top + room))
        if len(self._kept) > 4 * height:
            self._kept.clear()
        drawn = [self._drawn_row(index, width) for index in shown]
        over, under = self._edges(room)
        if over:
            drawn[0] = self._hidden(range(self._top + 1), " above")
        if under:
            drawn[-1] = self._hidden(range(shown[-1], len(self.rows)), "")
        first = len(above) - shown.start * self.per_row
        whole = shown[over : len(shown) - under]
        self._drawn_at = {self.name_of(self.rows[index]): (index, first + index * self.per_row) for index in whole}
        return [*above, *(line for lines in drawn for line in lines)]

    def mark(self, marks: Marks) -> None:
        """Show these marks from now on."""
        if marks != self.marks:
            self.marks = marks
            self.redraw()

    def sign(self, name: str, chosen: bool) -> str:
        """What stands before a row: the cursor, a mark, both, or nothing."""
        glyphs = self.palette.glyphs
        if name in self.marks.names:
            return glyphs.marked_cursor if chosen else glyphs.marked
        return glyphs.cursor if chosen else " "

    def redraw_rows(self, names: Collection[str]) -> None:
        """Draw these rows anew where they stand; nothing else is to have changed, nor their order."""
        lines: dict[int, Line] = {}
        for name in self._drawn_at.keys() & names:
            index, first = self._drawn_at[name]
            lines |= dict(enumerate(self._drawn_row(index, self.size.width), first))
        self.redraw_lines(lines)

    def _edges(self, room: int) -> tuple[bool, bool]:
        """Whether the first and the last line say what is above and below, where the list has so much room."""
        hides = room > _EDGED
        return hides and self._top > 0, hides and self._top + room < len(self.rows)

    def _hidden(self, rows: range, where: str) -> Sequence[Line]:
        """Say how many rows are out of sight, and how many of them need a person."""
        count = self.stops_before(rows.stop) - self.stops_before(rows.start)
        needy = self.needy(rows)
        words = f", {needy} need{'s' * (needy == 1)} you" if needy else ""
        line = styled.line((f"   … {count} more{where}", self.palette.quiet), (words, self.palette.warn))
        return [line, *[()] * (self.per_row - 1)]

    def _drawn_row(self, index: int, width: int) -> Sequence[Line]:
        row = self.rows[index]
        name = self.name_of(row)
        look = (row, width, name == self.chosen, name in self.marks.names, self.palette, self.lends(row))
        known = self._kept.get(name)
        if known is None or known[0] != look:
            known = self._kept[name] = look, self._draw_row(row, width, name == self.chosen)
        return known[1]

    def _draw_row(self, row: Row, width: int, chosen: bool) -> Sequence[Line]:
        lines = [self.draw(row, width, chosen), *self.draw_more(row, width)]
        return [self.palette.selected(line, width) for line in lines] if chosen else lines

    def _bring_into_view(self, place: int, room: int) -> None:
        """Scroll as little as brings the cursor into view, beside the lines that say what is above and below."""
        last_top = max(0, len(self.rows) - room)
        spare = int(room > _EDGED)
        first = self.stops > 0 and place == self.stop(0)  # its heading, too, is to be seen
        self._top = 0 if first else max(0, min(max(self._top, place - room + 1 + spare), place - spare, last_top))

    # ------------------------------------------------------------------ moving

    def choose(self, name: str) -> bool:
        """Put the cursor on a row; says whether there is such a row."""
        place = self.place_of(name)
        if place is None:
            return False
        self._choose_at(place)
        self.redraw()
        return True

    def came_to(self, name: str) -> None:
        """Put the cursor on a row that nobody chose: only later keys are meant for it."""
        if name != self.chosen and self.choose(name):
            self.came_at = self.context.monotonic()

    def keep_choice(self) -> None:
        """Stay with the chosen row from now on, wherever it goes."""
        self.cursor = self.cursor.kept()

    def move(self, steps: int) -> None:
        """Move the cursor down (or up) by rows; headings do not count."""
        if self.stops:
            number = self.stops_before(self.place()) + steps
            self._choose_at(self.stop(max(0, min(number, self.stops - 1))))
        self.redraw()

    def choose_number(self, number: int) -> bool:
        """Put the cursor on the `number`th row on show, counted from 1; says whether there is one."""
        wanted = self.stops_before(self._top) + number - 1
        return number > 0 and wanted < self.stops and self.choose(self.name_of(self.rows[self.stop(wanted)]))

    def press(self, key: str) -> bool:
        """Move as a key of a list says; says whether it was one."""
        moves = {"j": 1, "down": 1, "space": 1, "k": -1, "up": -1}
        if key in moves:
            self.move(moves[key])
        elif key in set("123456789"):
            self.choose_number(int(key))
        else:
            return False
        return True

    def _has(self, name: str) -> bool:
        return self.place_of(name) is not None

    def _stop_at(self, index: int) -> str | None:
        """The row at a place, or the next one where the cursor may stand."""
        number = min(self.stops_before(index), self.stops - 1)
        return self.name_of(self.rows[self.stop(number)]) if self.stops else None

    def _choose_at(self, index: int) -> None:
        before, name = self.chosen, self._stop_at(index)
        if name is not None:
            self.cursor = self.cursor.on(name)
            self._place = self.place()
            if name != before:
                self.tell(self.Chosen(self, name))

    def on_click(self, event: events.Click) -> None:
        """Choose the tapped row; a line that stands for others brings the first of them into view."""
        event.stop()
        above = len(self.begin(*self.size)) if self.rows else 0
        line = (event.y - above) // self.per_row
        index = self._top + line
        if event.y < above or index >= len(self.rows) or self.heads(self.rows[index]):
            return
        room = max(1, (self.size.height - above) // self.per_row)
        over, under = self._edges(room)
        drawn = not (over and line == 0) and not (under and line == room - 1)
        name = self.name_of(self.rows[index])
        again = name == self.chosen
        self._choose_at(index)
        self.redraw()
        if drawn:
            self.tell(self.Tapped(self, name, again))

    def wheel(self, lines: int) -> None:
        """Move the cursor."""
        self.move(lines)
