"""Help for the screen one was on, made from the table of actions and the screen's own motions."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.domain.keys.keymap import shown
from controlroom.domain.model import State
from controlroom.tui.screens.base import Motion
from controlroom.tui.screens.dialogs import Choices, ReadingSheet
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.rule import Rule
from controlroom.tui.widgets.scrollable_text import ScrollableText

_STATES = (
    (State.WAITING, "asks for a person: open it and answer"),
    (State.WORKING, "is at work"),
    (State.LIMITED, "stopped by a rate or plan limit, with the time it ends"),
    (State.FAILED, "ended badly; its line says how"),
    (State.LOST, "its host cannot be reached: what is shown is old, with its age"),
    (State.UNKNOWN, "no source says what it does"),
    (State.IDLE, "waits for a message"),
    (State.STARTING, "is being started"),
    (State.PAUSED, "stopped by a budget, to be resumed; or its process is, by a signal"),
    (State.DONE, "has ended well"),
)
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
        keys = self.room.keys
        for action in sorted(keys.on_screen(self._where, watching=self.room.view.read_only), key=keys.actions.index):
            drawn += self._entry(" ".join(map(shown, action.keys)) or keys.shown(action.name), action.help, width)
        drawn += [(), styled.line(("  moving", palette.quiet))]
        for motion in self._motions:
            if motion.help and motion.keys:
                drawn += self._entry(_keys(motion.keys), motion.help, width)
        drawn += [(), styled.line(("  states", palette.quiet))]
        for state, words in _STATES:
            style = palette.states[state]
            start = styled.line((f"  {palette.glyphs.states[state]} {state.value:<{_KEY - 6}}", style))
            drawn += [
                (*start, *line) for line in [styled.line((f"  {styled.cut(words, width - _KEY - 2)}", palette.text))]
            ]
        return drawn

    def _entry(self, key: str, words: str, width: int) -> list[Line]:
        palette = self.palette
        parts = styled.wrap(words, max(8, width - _KEY - 2))
        return [
            styled.line((styled.left(f"  {key if index == 0 else ''}", _KEY), palette.key), (part, palette.text))
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
            yield Choices([("q", "back"), ("j k", "down, up")])

    def on_mount(self) -> None:
        """Name the screen."""
        self.query_one(Rule).show(f"keys of this screen: {self._where}", strong=True)
