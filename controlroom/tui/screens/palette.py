"""The palette: every action, agent, host, task and theme, found by typing a part of its name."""

from collections.abc import Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.fuzzy import Matcher
from textual.message import Message

from controlroom.domain.display.tasks import rows as task_rows
from controlroom.domain.display.views import agent_rows, host_rows
from controlroom.domain.keys.action import Action
from controlroom.domain.keys.groups import OTHER_WORDS
from controlroom.domain.keys.keymap import shown
from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.context import OpenAgent, OpenHosts, OpenTasks, OpenThemes, RunAction
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.screens.dialogs import Sheet
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.rows import Rows
from controlroom.tui.widgets.type_line import TypeLine


@dataclass(frozen=True)
class Find:
    """Something that can be found. `reason`: why it cannot be done now."""

    name: str
    sign: str
    title: str
    words: str
    reason: str
    message: Message
    """Leads there."""
    other_words: str = ""

    def score(self, text: str, matcher: Matcher) -> float:
        """How well it fits `text`, 0 for not at all: by title, other words for it, sentence, then by letters."""
        title, wanted = self.title.lower(), text.lower().strip()
        if title.startswith(wanted):
            return 6
        if wanted in title:
            return 5
        if any(word.startswith(wanted) for word in self.other_words.split()):
            return 4
        if all(word in f"{title} {self.words} {self.other_words}".lower() for word in wanted.split()):
            return 3
        score = matcher.match(title)
        return 2 - 1 / score if score > 1 else score


class Finds(Rows[Find]):
    """What was found."""

    DEFAULT_CSS = "Finds { height: 1fr; }"

    def name_of(self, row: Find) -> str:
        """Its kind and name."""
        return row.name

    def empty(self, width: int) -> Sequence[Line]:
        """Nothing was found."""
        return ((), styled.line(("  nothing matches", self.palette.quiet)))

    def draw(self, row: Find, width: int, chosen: bool) -> Line:
        """Sign, title, words; grey with the reason when it cannot be done."""
        palette = self.palette
        mark = (palette.glyphs.cursor if chosen else " ", palette.accent)
        sign = (f"{styled.left(row.sign, 5)} ", palette.quiet if row.reason else palette.key)
        title = (
            styled.left(row.title, 16 if width < 60 else 24) + " ",
            palette.quiet if row.reason else palette.strong,
        )
        return styled.line(mark, sign, title, (styled.cut(row.reason or row.words, max(0, width - 24)), palette.quiet))


class PaletteScreen(Sheet):
    """Type, choose, Enter."""

    def __init__(self, screen: RoomScreen) -> None:
        super().__init__()
        self._screen = screen
        self._finds: list[Find] = []

    def compose(self) -> ComposeResult:
        """The line to type into, then what it finds."""
        with Vertical(classes="page"):
            yield _Ask(id="ask")
            yield Finds(id="finds")

    def on_mount(self) -> None:
        """Gather everything there is."""
        context = self.context
        here = {action.name for action in self._screen.actions()}
        actions = (action for action in context.keys.actions if action.name in here and action.name != "palette")
        self._finds = [self._action(action) for action in actions]
        self._finds += [
            Find(
                f"agent {row.id}",
                self.palette.glyphs.states[row.state],
                row.name,
                " · ".join(filter(None, (row.host, row.state, row.line))),
                "",
                OpenAgent(row.id),
            )
            for row in agent_rows(context.fleet, context.view.now)
        ]
        self._finds += [
            Find(f"host {row.name}", "host", row.name, row.address, "", OpenHosts(row.name))
            for row in host_rows(context.fleet, context.view.now, context.view.counts)
        ]
        self._finds += [
            Find(
                f"task {row.id}",
                row.glyph,
                f"{row.id} {row.title}",
                " · ".join(filter(None, (row.state, row.line))),
                "",
                OpenTasks(row.id),
            )
            for row in task_rows(context.fleet, context.view.now)
        ]
        self._finds += [
            Find(f"theme {name}", "theme", name, "colours of the screen", "", OpenThemes(name))
            for name in context.themes.names()
        ]
        self.query_one(Finds).show(self._finds)
        self.set_focus(self.query_one(TypeLine))

    def _action(self, action: Action) -> Find:
        reason = self._screen.reason_against(action) or ""
        key = shown(action.key)
        also = OTHER_WORDS.get(action.name, "")
        return Find(f"action {action.name}", key, action.title, action.help, reason, RunAction(action.name), also)

    @on(TypeLine.Changed)
    def _typed(self, event: TypeLine.Changed) -> None:
        event.stop()
        matcher = Matcher(event.text.strip())
        scores = {find.name: find.score(event.text, matcher) for find in self._finds}
        fitting = [find for find in self._finds if scores[find.name]]
        self.query_one(Finds).show(sorted(fitting, key=lambda find: -scores[find.name]))

    @on(TypeLine.Entered)
    def _entered(self, event: TypeLine.Entered) -> None:
        event.stop()
        chosen = self.query_one(Finds).chosen
        self._take(next((find for find in self.query_one(Finds).rows if find.name == chosen), None))

    @on(TypeLine.Left)
    def _left(self, event: TypeLine.Left) -> None:
        event.stop()
        self.dismiss()

    @on(Rows.Tapped)
    def _tapped(self, event: Rows.Tapped) -> None:
        event.stop()
        self._take(next((find for find in self._finds if find.name == event.row_name), None))

    def _take(self, find: Find | None) -> None:
        """Go there; then keys that were typed ahead are for whatever is on top."""
        if find is not None:
            self.dismiss()
            self.app.post_message(find.message)
        self.app.call_later(self.context.keyboard.go_on)

    def on_key(self, event: events.Key) -> None:
        """Arrows choose."""
        if event.key in ("down", "up"):
            event.stop()
            self.query_one(Finds).move(1 if event.key == "down" else -1)


class _Ask(TypeLine):
    prompt = ":"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.hint = "an action, an agent or a host; Enter goes there, Backspace leaves"

    def on_key(self, event: events.Key) -> None:
        """After Enter keys are for the place that it leads to."""
        if self.context.keyboard.waiting:
            event.stop()
            event.prevent_default()
            self.app.post_message(events.Key(event.key, event.character))
        elif event.key == "enter":
            self.context.keyboard.waiting = True
