"""One agent: what it is, why its state is what it is, what it asks, and its whole log."""

from collections.abc import Sequence
from dataclasses import replace

from textual import on
from textual.app import ComposeResult

from controlroom.domain.display.loglines import log_lines
from controlroom.domain.model import LogPlace
from controlroom.tui.context import Level
from controlroom.tui.logs.log_search import LogSearch
from controlroom.tui.screens.base import Motion, RoomScreen
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.footer import Item, Keys, StatusMessage
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.log import LogView
from controlroom.tui.widgets.panes import AgentPane
from controlroom.tui.widgets.question import QuestionPanel
from controlroom.tui.widgets.type_line import FilterLine

_OF_SEARCH = ("match_older", "match_newer")
"""Actions that there are while a log is searched."""


class AgentScreen(RoomScreen):
    """One agent, as long as it is looked at."""

    where = "agent"

    def __init__(self, agent: str, place: LogPlace | None = None) -> None:
        """`place`: where in its log to begin; None: at the end."""
        super().__init__()
        self.agent_id = agent
        self._place = place
        self.log_search: LogSearch | None = None
        """What is searched for in its log."""

    def compose(self) -> ComposeResult:
        """The pane takes everything between gauges and footer."""
        yield Gauges(id="gauges")
        yield AgentPane(full=True, id="full")
        yield StatusMessage(id="says")
        yield FilterLine("Enter searches all of the log; re: begins an expression", id="filter")
        yield Keys(id="keys")

    @property
    def pane(self) -> AgentPane:
        """The agent."""
        return self.query_one(AgentPane)

    @property
    def log_view(self) -> LogView:
        """Its log."""
        return self.pane.log_view

    def turn_to(self, agent: str) -> None:
        """Look at another agent."""
        if agent != self.agent_id:
            self.agent_id = agent
            self.query_one(FilterLine).write("")
        self.see(self.view)

    def see(self, view: ViewState) -> None:
        """Show this from now on; the last known of an agent that is no longer there stays."""
        self.context.looked_at = self.agent_id
        agent = view.fleet.agents.get(self.agent_id)
        if agent is not None:
            if self.app.screen is self:
                self.context.logs.show({agent.id: agent.epoch})
            self.pane.show(view, agent, self.context.logs.book(agent))
            self._begin_at_place()
        self.query_one(Gauges).display = self.size.height >= 12
        super().see(view)

    def _begin_at_place(self) -> None:
        """Go to the line that the screen was opened at, as soon as there is a log."""
        if self._place is not None and self.log_view.book is not None and self.log_view.book.loaded:
            place, self._place = self._place, None
            self.log_view.go_to(place)

    def log_grown(self, agent: str) -> None:
        """Paint what came."""
        if agent == self.agent_id and self.pane.agent is not None:
            self.log_view.show(self.context.logs.book(self.pane.agent))
            self.log_view.grown()
            self._begin_at_place()

    def on_resize(self) -> None:
        """The size is another one."""
        self.call_after_refresh(self.see, self.view)

    # ------------------------------------------------------------------ doing

    def lead_to(self, subjects: Sequence[str]) -> bool:
        """Look at the first of these that is an agent."""
        if following := next((subject for subject in subjects if subject in self.view.fleet.agents), None):
            self.turn_to(following)
        return following is not None

    def agent_here(self) -> str | None:
        """The agent that is looked at."""
        return self.agent_id

    def line_here(self) -> str:
        """The line at the top of its log where that stands still; the newest while it follows."""
        log, book = self.log_view, self.log_view.book
        if book is None or not len(book):
            return ""
        number = book.after_last - 1 if log.following or log.top is None else log.top
        return "\n".join(line.text for line in log_lines(book.entry(number)))

    def items(self) -> list[Item]:
        """What is done to this agent comes before what is done anywhere; back ends a search before it leaves."""
        items = [item for item in super().items() if self.log_search or item.action.name not in _OF_SEARCH]
        items.sort(key=lambda item: item.action.name == "spawn" and self.size.width < 100)
        items.sort(key=lambda item: item.action.name not in _OF_SEARCH)
        word = "end" if self.log_search else "back"
        return [replace(item, title=word) if item.action.name == "back" else item for item in items]

    def question_here(self) -> QuestionPanel | None:
        """Its question."""
        return self.pane.question

    def motions(self) -> list[Motion]:
        """Keys that move through the log."""
        log = self.log_view
        offered = 0 if self.view.read_only else self.pane.question.offered
        numbers = range(1, offered + 1)
        answers = [Motion(str(number), "Choose this answer.", answer=number) for number in numbers]
        return [
            *answers,
            self.motion("down", lambda: log.scroll_rows(1)),
            self.motion("up", lambda: log.scroll_rows(-1)),
            self.motion("page_down", self._page_down),
            self.motion("page_up", lambda: log.scroll_pages(-1)),
            self.motion("first", log.to_start),
            self.motion("last", log.to_end),
            self.motion("wrap", log.toggle_wrap),
            self.motion("right", lambda: log.pan(1)),
            self.motion("left", lambda: log.pan(-1)),
        ]

    def _page_down(self) -> None:
        if self.pane.question.long:
            self.pane.question.turn()
        else:
            self.log_view.scroll_pages(1)

    # ------------------------------------------------------------------ searching

    @on(FilterLine.Changed)
    def _typed(self, event: FilterLine.Changed) -> None:
        """Mark what is typed where it is on show."""
        event.stop()
        self._log_search(event.text.strip())

    @on(FilterLine.Kept)
    def _search(self, event: FilterLine.Kept) -> None:
        """Search all of the log for it, on its host."""
        event.stop()
        if self.log_search is not None and self.log_search.text:
            self.log_search.begun = self.log_search.eager = True
            self._go_on()

    def _log_search(self, text: str) -> None:
        if self.log_search is not None:
            self.log_search.over = True
        agent = self.pane.agent
        self.log_search = LogSearch(agent.id, agent.epoch, text) if text and agent else None
        self.log_view.mark(self.log_search)
        self.pane.title()
        self.show_keys()

    def to_match(self, step: int) -> None:
        """Go to the next older match (1) or the next newer one (-1)."""
        log_search = self.log_search
        if log_search is None or not log_search.begun:
            self.say(f"search first: {self.context.keys.shown('search')} and a text")
        elif hit := log_search.choose(step):
            log_search.eager = False
            self.log_view.go_to(hit.place)
            self._go_on()
        elif step < 0 and log_search.hits:
            self._again(log_search)
        elif log_search.done or log_search.reason:
            none = f"{log_search.wanted} is not in the log"
            self.say(log_search.reason or ("that is the first match in the log" if log_search.hits else none))
        else:
            log_search.eager = True
            self._go_on()

    def _again(self, log_search: LogSearch) -> None:
        """Beyond the newest match: search anew, from the end as it is now."""
        self._log_search(log_search.wanted)
        if self.log_search is not None:
            self.log_search.begun = self.log_search.eager = True
            self._go_on()

    def _go_on(self) -> None:
        if self.log_search is not None and not self.context.logs.search(self.log_search, self._found):
            self.say("not now: the engine is not here", Level.DANGER)
        self.log_view.mark(self.log_search)

    def _found(self, log_search: LogSearch) -> None:
        """A piece has been searched."""
        if log_search is not self.log_search:
            return
        if log_search.eager and (hit := log_search.choose(1)):
            log_search.eager = False
            self.log_view.go_to(hit.place)
        self.log_view.mark(log_search)
