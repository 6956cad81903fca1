"""Text entry in one line of a screen: a prompt, and the filter."""

from collections.abc import Sequence

from rich.style import Style
from textual import events
from textual.message import Message

from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.lines import Lines

LONGEST = 200


def typed(text: str) -> str:
    """Keep what can be shown of something typed or pasted, as one line."""
    return "".join(character for character in " ".join(text.split("\n")) if character.isprintable())


class TypeLine(Lines):
    """A prompt and what was typed after it. The end is where typing happens."""

    can_focus = True

    @dataclass(eq=False, repr=False)
    class Changed(Message):
        """What is typed is another text."""

        text: str

    class Entered(Message):
        """Enter was pressed."""

    class Left(Message):
        """Backspace on an empty line, or Esc."""

    prompt = "/"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.text = ""
        self.hint = ""

    def ground(self) -> Style:
        """It is a panel, like the footer that it covers."""
        return self.palette.panel

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The prompt, the end of the text, a cursor; a hint while there is no text."""
        palette = self.palette
        text = self.text
        while styled.width(text) > max(1, width - len(self.prompt) - 4):
            text = text[1:]
        cursor = styled.line((" ", Style(reverse=True) if self.has_focus else None))
        hint = styled.line((f" {self.hint}" if not self.text else "", palette.quiet))
        return (
            styled.clip(
                (*styled.line((f" {self.prompt} ", palette.key), (text, palette.strong)), *cursor, *hint), width
            ),
        )

    def write(self, text: str) -> None:
        """Put this in place of what was typed."""
        self.text = typed(text)[:LONGEST]
        self.redraw()
        self.tell(self.Changed(self.text))

    def on_click(self, event: events.Click) -> None:
        """A tap is for typing."""
        event.stop()
        self.screen.set_focus(self)

    def watch_has_focus(self, has_focus: bool) -> None:
        """Show the cursor, or hide it."""
        super().watch_has_focus(has_focus)
        self.redraw()

    def on_paste(self, event: events.Paste) -> None:
        """Take pasted text as one line."""
        event.stop()
        self.write(self.text + event.text)

    def on_key(self, event: events.Key) -> None:
        """Type."""
        if self.screen.focused is not self:
            event.stop()
            self.app.post_message(events.Key(event.key, event.character))  # typed ahead of leaving this line
            return
        if event.key == "enter":
            self.tell(self.Entered())
        elif event.key == "escape" or (event.key == "backspace" and not self.text):
            self.tell(self.Left())
        elif event.key == "backspace":
            self.write(self.text[:-1])
        elif event.key in ("ctrl+u", "ctrl+w"):
            self.write("" if event.key == "ctrl+u" else " ".join(self.text.split(" ")[:-1]))
        elif event.is_printable and event.character:
            self.write(self.text + event.character)
        else:
            return
        event.stop()


class FilterLine(TypeLine):
    """The filter of a screen: open while it is typed, then it works unseen until it is cleared."""

    DEFAULT_CSS = "FilterLine { display: none; dock: bottom; height: 1; }"

    class Kept(Message):
        """What was typed is to stay."""

    def __init__(self, hint: str = "Enter keeps it, Backspace leaves", *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.hint = hint

    def open(self) -> None:
        """Show the line and type into it."""
        self.display = True
        self.screen.set_focus(self)  # at once: what is typed next is for this line
        self.redraw()

    def close(self) -> None:
        """Hide the line; its text goes on working."""
        self.display = False
        self.screen.set_focus(None)

    def on_type_line_entered(self, event: TypeLine.Entered) -> None:
        """Keep the filter."""
        event.stop()
        self.close()
        self.tell(self.Kept())

    def on_type_line_left(self, event: TypeLine.Left) -> None:
        """Give the filter up."""
        event.stop()
        self.write("")
        self.close()
