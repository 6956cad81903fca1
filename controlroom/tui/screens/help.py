"""Help for the screen one was on, made from the table of actions and the screen's own motions. Leads to the manual."""

from collections.abc import Sequence

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.domain.display.views import MEANINGS, ORDER
from controlroom.domain.keys.groups import GROUPS, OTHER_WORDS
from controlroom.domain.keys.keymap import shown
from controlroom.tui.context import Level, Say
from controlroom.tui.screens.base import Motion, plain_key
from controlroom.tui.screens.dialogs import Choices, ReadingSheet
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.lines import ScrollableText

_KEY = 14

Entry = tuple[str, str, Style, str]
"""Keys or a sign, words, the style of the first, and the name of the action that it is about, if it is about one."""


class HelpText(ScrollableText):
    """Keys and what they do; moves by lines."""

    DEFAULT_CSS = "HelpText { height: 1fr; }"

    def __init__(self, where: str, motions: Sequence[Motion]) -> None:
        super().__init__()
        self._where, self._motions = where, motions
        self.wanted = ""
        """Only entries that hold this are shown; empty: all."""

    def seek(self, wanted: str) -> None:
        """Show only what holds this, from the top."""
        self.wanted, self._top = wanted, 0
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The part that fits."""
        return self.part(self._all(width), height)

    def _all(self, width: int) -> list[Line]:
        palette, drawn = self.palette, list[Line]()
        keys = self.context.keys
        here = {action.name: action for action in keys.on_screen(self._where, watching=self.context.view.read_only)}
        for group, names in GROUPS.items():
            entries = [
                (f"  {' '.join(map(shown, here[name].keys)) or keys.shown(name)}", here[name].help, palette.key, name)
                for name in names.split()
                if name in here
            ]
            drawn += self._part(group, entries, width)
        moving = [(f"  {_keys(motion.keys)}", motion.help, palette.key, "") for motion in self._motions if motion.help]
        drawn += self._part("move", [entry for entry in moving if entry[0].strip()], width)
        states = [
            (f"  {palette.glyphs.states[state]} {state.value}", MEANINGS[state], palette.states[state], "")
            for state in ORDER
        ]
        drawn += self._part("states", states, width)
        return drawn or [styled.line(("  nothing matches", palette.quiet))]

    def _part(self, title: str, entries: Sequence[Entry], width: int) -> list[Line]:
        """A heading, and those entries under it that are wanted, by their own words or by those of the palette."""
        wanted = self.wanted.lower().split()
        fitting = [
            (label, words, style)
            for label, words, style, name in entries
            if all(word in f"{title} {label} {words} {name} {OTHER_WORDS.get(name, '')}".lower() for word in wanted)
        ]
        if not fitting:
            return []
        lines = [line for label, words, style in fitting for line in self._entry(label, words, width, style)]
        return [styled.line((f" {title}", self.palette.strong)), *lines, ()]

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
        self._typing = False

    def compose(self) -> ComposeResult:
        """The keys, from the top."""
        with Vertical(classes="page"):
            yield Rule(id="heading")
            yield HelpText(self._where, self._motions)
            yield Choices([("q", "back"), ("/", "search"), ("m", "manual"), ("j k", "down, up")])

    def on_mount(self) -> None:
        """Name the screen."""
        self._say()

    def _say(self) -> None:
        searched = f"/{self.query_one(HelpText).wanted}{'▏' * self._typing}" if self._searching else ""
        self.query_one(Rule).show(f"keys of this screen: {self._where}", searched, strong=True)

    @property
    def _searching(self) -> bool:
        return self._typing or bool(self.query_one(HelpText).wanted)

    def _seek(self, wanted: str, typing: bool) -> None:
        self._typing = typing
        self.query_one(HelpText).seek(wanted)
        self._say()

    def on_key(self, event: events.Key) -> None:
        """Type what is searched for, or open the manual; the way out leads first out of a search. The rest moves."""
        if self._takes(event, plain_key(event)):
            event.stop()
            event.prevent_default()  # Textual would go on to the base class

    def _takes(self, event: events.Key, key: str) -> bool:
        wanted = self.query_one(HelpText).wanted
        if self._typing and key in ("enter", "escape"):
            self._seek(wanted if key == "enter" else "", False)
        elif self._typing and key == "backspace":
            self._seek(wanted[:-1], bool(wanted))
        elif self._typing and event.is_printable:
            self._seek(wanted + (event.character or ""), True)
        elif key == "/":
            self._seek("", True)
        elif key in self.WAYS_OUT and self._searching:
            self._seek("", False)
        elif key == "m":
            self._open_manual()
        else:
            return False
        return True

    def on_choices_taken(self, event: Choices.Taken) -> None:
        """A tap is as good as a key."""
        if event.key in ("/", "m"):
            event.prevent_default()
            if event.key == "/":
                self._seek("", True)
            else:
                self._open_manual()

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
