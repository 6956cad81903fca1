"""Help for the screen one was on, made from the table of actions and the screen's own motions. Leads to the manual."""

from collections.abc import Sequence

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.domain.display.views import MEANINGS, ORDER
from controlroom.domain.keys.keymap import shown
from controlroom.tui.context import Level, Say
from controlroom.tui.screens.base import Motion, plain_key
from controlroom.tui.screens.dialogs import Choices, ReadingSheet
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.lines import ScrollableText

_KEY = 14


class HelpText(ScrollableText):
    """Keys and what they do; moves by lines."""

    DEFAULT_CSS = "HelpText { height: 1fr; }"

    def __init__(self, where: str, motions: Sequence[Motion]) -> None:
        super().__init__()
        self._where, self._motions = where, motions

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The part that fits."""
        return self.part(self._all(width), height)

    def _all(self, width: int) -> list[Line]:
        palette, drawn = self.palette, list[Line]()
        keys = self.context.keys
        for action in sorted(keys.on_screen(self._where, watching=self.context.view.read_only), key=keys.actions.index):
            key = " ".join(map(shown, action.keys)) or keys.shown(action.name)
            drawn += self._entry(f"  {key}", action.help, width, palette.key)
        drawn += [(), styled.line(("  moving", palette.quiet))]
        for motion in self._motions:
            if motion.help and motion.keys:
                drawn += self._entry(f"  {_keys(motion.keys)}", motion.help, width, palette.key)
        drawn += [(), styled.line(("  states", palette.quiet))]
        for state in ORDER:
            label = f"  {palette.glyphs.states[state]} {state.value}"
            drawn += self._entry(label, MEANINGS[state], width, palette.states[state])
        return drawn

    def _entry(self, label: str, words: str, width: int, style: Style) -> list[Line]:
        """A label in its style, and words beside it on as many lines as they need."""
        parts = styled.wrap(words, max(8, width - _KEY - 2))
        return [
            styled.line((styled.left(label if index == 0 else "", _KEY), style), (part, self.palette.text))
            for index, part in enumerate(parts)
        ]


def _keys(keys: str) -> str:
    names = {"down": "↓", "up": "↑", "home": "Home", "end": "End", "pagedown": "PgDn", "pageup": "PgUp"}
    names |= {"left": "←", "right": "→", "space": "Space"}
    return " ".join(names.get(key, key) for key in keys.split())


class HelpScreen(ReadingSheet):
    """Explains the screen one was on."""

    WAYS_OUT = (*ReadingSheet.WAYS_OUT, "?")

    def __init__(self, where: str, motions: Sequence[Motion]) -> None:
        super().__init__()
        self._where, self._motions = where, motions

    def compose(self) -> ComposeResult:
        """The keys, from the top."""
        with Vertical(classes="page"):
            yield Rule(id="heading")
            yield HelpText(self._where, self._motions)
            yield Choices([("q", "back"), ("m", "manual"), ("j k", "down, up")])

    def on_mount(self) -> None:
        """Name the screen."""
        self.query_one(Rule).show(f"keys of this screen: {self._where}", strong=True)

    def on_key(self, event: events.Key) -> None:
        """Move, open the manual, or go back."""
        if plain_key(event) != "m":
            super().on_key(event)
            return
        event.stop()
        self._open_manual()

    def on_choices_taken(self, event: Choices.Taken) -> None:
        """A tap is as good as a key."""
        if event.key == "m":
            self._open_manual()
        else:
            super().on_choices_taken(event)

    def _open_manual(self) -> None:
        from controlroom.client.manual import contents
        from controlroom.tui.screens.manual import ManualScreen

        try:
            pages = contents()
        except OSError as error:
            self.dismiss()
            self.app.post_message(Say(f"the manual cannot be read, install again: {error}", Level.DANGER))
            return
        if not self.gone:
            self.app.push_screen(ManualScreen(pages))
