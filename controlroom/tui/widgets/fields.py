"""Text entry: the fields of a form."""

import re
from collections.abc import Sequence

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, TextArea

from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.lines import Lines

_LABEL = 9
_MORE = "…"


_UNSAID = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def sayable(text: str) -> str:
    """Keep what can be shown of something that comes from elsewhere: no control but newlines and tabs, no other order
    of reading, no half of a character.
    """
    return _UNSAID.sub("", text)


class Label(Lines):
    """The name of a field."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self.styles.width = _LABEL + 1

    def ground(self) -> Style:
        """Part of a sheet."""
        return self.palette.panel

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One line."""
        return (styled.line((styled.right(self._text, _LABEL) + " ", self.palette.quiet)),)


class Field(Horizontal):
    """A label and something to fill in."""

    DEFAULT_CSS = "Field { height: 1; }"

    @dataclass(eq=False, repr=False)
    class Move(Message):
        """Another field is wanted."""

        field: "Field"

    class Onward(Move):
        """Filled: go on; after the last field the form is sent."""

    class Downward(Move):
        """Go to the field after this one, if there is one."""

    class Backward(Move):
        """Go back to the field before."""

    class Leaving(Move):
        """Leave the form."""

    class Changed(Move):
        """Something else was chosen."""

    def __init__(self, name: str) -> None:
        super().__init__(classes="field")
        self.name_of = name

    @property
    def value(self) -> str:
        """What was filled in."""
        raise NotImplementedError

    def fill(self, text: str) -> None:
        """Put this in."""
        raise NotImplementedError

    def enter(self) -> None:
        """Go on here."""
        self.screen.set_focus(self.children[-1])

    def on_click(self, event: events.Click) -> None:
        """A tap on its name, too, goes on here."""
        event.stop()
        self.enter()

    def on_key(self, event: events.Key) -> None:
        """Move between fields."""
        moves: dict[str, type[Field.Move]] = {
            "escape": Field.Leaving,
            "up": Field.Backward,
            "down": Field.Downward,
            "tab": Field.Downward,
            "shift+tab": Field.Backward,
        }
        if event.key in moves:
            event.stop()
            event.prevent_default()
            self.post_message(moves[event.key](self))


class _Input(Input):
    """Goes back when Backspace finds nothing to take away."""

    def on_key(self, event: events.Key) -> None:
        """Textual goes on with the base class by itself unless the default is prevented."""
        field = self.parent
        if event.key == "backspace" and not self.value and isinstance(field, Field):
            event.stop()
            event.prevent_default()
            self.post_message(Field.Backward(field))

    def on_paste(self, event: events.Paste) -> None:
        """Take no control character; the base class puts the text in."""
        event.text = sayable(event.text)


class OneLine(Field):
    """A line of text."""

    def __init__(self, name: str, value: str, hint: str = "", *, unseen: bool = False) -> None:
        """`unseen`: what is typed stands there as dots."""
        super().__init__(name)
        self._input = _Input(value, placeholder=hint, password=unseen, compact=True, select_on_focus=False)
        self._input.cursor_blink = False

    def compose(self) -> ComposeResult:
        """Label and line."""
        yield Label(self.name_of)
        yield self._input

    @property
    def value(self) -> str:
        """What stands there."""
        return self._input.value

    def fill(self, text: str) -> None:
        """Put this in."""
        self._input.value = text

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes on."""
        event.stop()
        self.post_message(Field.Onward(self))


class _Choosing(Lines):
    """The choices in a line: the chosen one stands out, digits and j k choose."""

    DEFAULT_CSS = "_Choosing { width: 1fr; }"
    can_focus = True

    def __init__(self, choices: Sequence[str], chosen: str, empty: str) -> None:
        super().__init__()
        self.choices = list(choices)
        self.chosen = chosen
        self._empty = empty
        self._places: list[tuple[int, int, str]] = []

    def ground(self) -> Style:
        """Part of a sheet."""
        return self.palette.panel

    def build(self, width: int, height: int) -> Sequence[Line]:
        """From the chosen one's neighbourhood as many as fit; what is left out at a side is marked there."""
        palette, last = self.palette, len(self.choices) - 1
        self._places = []
        if not self.choices:
            return (styled.line((f" {self._empty} ", palette.quiet)),)
        index = self.choices.index(self.chosen) if self.chosen in self.choices else 0
        start = next((place for place in range(index) if self._cells(place, index) <= width), index)
        end = next((place for place in range(last, index, -1) if self._cells(start, place) <= width), index)
        runs: list[tuple[str, Style | None]] = [(_MORE if start else "", palette.quiet)]
        self._places, at = [], styled.width(runs[0][0])
        for place in range(start, end + 1):
            text = self._shown(place)
            chosen = self.choices[place] == self.chosen
            style = (
                (palette.key + Style(reverse=self.has_focus, underline=not self.has_focus)) if chosen else palette.quiet
            )
            self._places.append((at, at + styled.width(text), self.choices[place]))
            at += styled.width(text) + 1
            runs += [(text, style), (" ", None)]
        runs.append((_MORE if end < last else "", palette.quiet))
        return (styled.clip(styled.line(*runs), width),)

    def _cells(self, start: int, end: int) -> int:
        """Measure the choices from one place to another, with the marks of what is left out."""
        marks = (start > 0) + (end < len(self.choices) - 1)
        return sum(styled.width(self._shown(place)) + 1 for place in range(start, end + 1)) + marks

    def _shown(self, place: int) -> str:
        number = f"{place + 1} " if len(self.choices) > 1 and place < 9 else ""
        return f" {number}{self.choices[place] or self._empty} "

    def choose(self, place: int) -> None:
        """Choose by place, wrapping around."""
        if self.choices:
            self.chosen = self.choices[place % len(self.choices)]
            self.redraw()
            if isinstance(self.parent, Field):
                self.post_message(Field.Changed(self.parent))

    def offer(self, choices: Sequence[str]) -> None:
        """Have these to choose from; what was chosen stays so, where it is among them."""
        self.choices = list(choices)
        self.chosen = self.chosen if self.chosen in self.choices else next(iter(self.choices), "")
        self.redraw()

    def on_key(self, event: events.Key) -> None:
        """Choose, go on, go back, leave."""
        place = self.choices.index(self.chosen) if self.chosen in self.choices else 0
        field = self.parent
        if event.key in ("j", "right", "space", "l"):
            self.choose(place + 1)
        elif event.key in ("k", "left", "h"):
            self.choose(place - 1)
        elif event.character and event.character.isdigit() and 0 < int(event.character) <= len(self.choices):
            self.choose(int(event.character) - 1)
        elif isinstance(field, Field) and event.key in ("enter", "backspace", "q"):
            moves: dict[str, type[Field.Move]] = {
                "enter": Field.Onward,
                "backspace": Field.Backward,
                "q": Field.Leaving,
            }
            self.post_message(moves[event.key](field))
        else:
            return
        event.stop()

    def on_click(self, event: events.Click) -> None:
        """Choose by tapping."""
        event.stop()
        self.screen.set_focus(self)
        for start, end, choice in self._places:
            if start <= event.x < end:
                self.choose(self.choices.index(choice))

    def watch_has_focus(self, has_focus: bool) -> None:
        """Stand out, or back: Textual calls `on_focus` before `has_focus` is set."""
        super().watch_has_focus(has_focus)
        self.redraw()


class Choice(Field):
    """One of a few."""

    def __init__(self, name: str, choices: Sequence[str], chosen: str, empty: str = "none") -> None:
        super().__init__(name)
        self._choosing = _Choosing(choices, chosen or (choices[0] if choices else ""), empty)

    def compose(self) -> ComposeResult:
        """Label and choices."""
        yield Label(self.name_of)
        yield self._choosing

    @property
    def value(self) -> str:
        """What is chosen."""
        return self._choosing.chosen

    def offer(self, choices: Sequence[str]) -> None:
        """Have these to choose from; what was chosen stays so, where it is among them."""
        self._choosing.offer(choices)

    def fill(self, text: str) -> None:
        """Choose this."""
        self._choosing.chosen = text


class _Area(TextArea):
    """Enter sends, a backslash before it begins a new line; Backspace in an empty one goes back."""

    def on_key(self, event: events.Key) -> None:
        """Textual goes on with the base class by itself unless the default is prevented."""
        field = self.parent
        if not isinstance(field, Field):
            return
        move = self._move(event.key)
        if move is None and event.key in ("up", "down"):
            event.stop()
            event.prevent_default()
            self.action_cursor_up() if event.key == "up" else self.action_cursor_down()
        elif move is not None:
            event.stop()
            event.prevent_default()
            self.post_message(move(field))
        elif event.key == "enter":
            event.stop()
            event.prevent_default()
            self.action_delete_left()
            self.insert("\n")
        elif event.key in ("shift+enter", "ctrl+j", "alt+enter"):
            event.stop()
            event.prevent_default()
            self.insert("\n")

    def _move(self, key: str) -> type[Field.Move] | None:
        row, column = self.cursor_location
        at = self.wrapped_document.location_to_offset(self.cursor_location).y
        if key == "enter":
            return None if self.document.get_line(row)[:column].endswith("\\") else Field.Onward
        if key == "escape":
            return Field.Leaving
        if key == "tab" or (key == "down" and at == self.wrapped_document.height - 1):
            return Field.Downward
        if key == "shift+tab" or (key == "backspace" and not self.text) or (key == "up" and at == 0):
            return Field.Backward
        return None

    def on_paste(self, event: events.Paste) -> None:
        """Take no control character; the base class puts the text in."""
        event.text = sayable(event.text)


class Prose(Field):
    """A text of any length."""

    DEFAULT_CSS = "Prose { height: auto; }"

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(name)
        self._area = _Area(
            "", placeholder=hint, compact=True, soft_wrap=True, show_line_numbers=False, tab_behavior="focus"
        )
        self._area.cursor_blink = False

    def compose(self) -> ComposeResult:
        """Label and text."""
        yield Label(self.name_of)
        yield self._area

    @property
    def value(self) -> str:
        """What is written."""
        return self._area.text

    def fill(self, text: str) -> None:
        """Put this in, as far as it can be shown, and stand at its end."""
        self._area.text = sayable(text)
        self._area.move_cursor(self._area.document.end)
