"""The hosts: figures and links of all, everything known of one, and the questions that hosts ask."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.domain.display.views import HostRow, host_rows
from controlroom.tui.screens.base import Motion, RoomScreen
from controlroom.tui.theme import styled
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.footer import Item, Keys, StatusMessage
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.host_figures import HostFacts, HostFigures
from controlroom.tui.widgets.question import QuestionPanel
from controlroom.tui.widgets.rows import Rows


class HostsScreen(RoomScreen):
    """All hosts, and the one under the cursor in full."""

    where = "hosts"

    def __init__(self, chosen: str | None = None) -> None:
        super().__init__()
        self._first = chosen
        self.alone = False
        """Whether the chosen host has the screen for itself."""

    def compose(self) -> ComposeResult:
        """The table, then the chosen one."""
        yield Gauges(id="gauges")
        with Vertical(id="body"):
            yield Rule("hosts", id="hosts-rule")
            yield HostFigures(id="all-hosts")
            yield Rule(id="host-rule")
            yield QuestionPanel(("allow", "deny"), where="hosts", id="question")
            yield HostFacts(id="facts")
        yield StatusMessage(id="says")
        yield Keys(id="keys")

    @property
    def table(self) -> HostFigures:
        """The hosts."""
        return self.query_one(HostFigures)

    def turn_to(self, host: str) -> None:
        """Put the cursor on a host."""
        self.table.choose(host)
        self.see(self.view)

    def see(self, view: ViewState) -> None:
        """Show this from now on."""
        if self.app.screen is self:
            self.context.logs.show({})
        palette, table = self.palette, self.table
        key = self.context.keys.shown("host_add")
        adds = () if view.read_only else ((key, palette.key), (" adds one: user@address", palette.quiet))
        table.empty_lines = [styled.line(("  No hosts yet. ", palette.strong), *adds)]
        table.show(host_rows(view.fleet, view.now, view.counts))
        if self._first:
            table.choose(self._first)
            self._first = None
        self._share_out()
        self._see_host(view)
        super().see(view)

    def _share_out(self) -> None:
        """Size the table: all of the screen but for what a host's facts need, or nothing."""
        table, height = self.table, self.size.height
        most = max(2, height - 16 if height >= 34 else height // 2 - 1)
        wanted = min(table.lines_wanted(self.size.width), most)
        if table.styles.height is None or table.styles.height.value != wanted:
            table.styles.height = wanted
        self.alone = self.alone and bool(table.rows)
        for part in (table, self.query_one("#hosts-rule")):
            part.display = not self.alone

    def open_host(self, alone: bool) -> None:
        """Show the chosen host alone, or the table again."""
        self.alone = alone
        self.see(self.view)

    def step_back(self) -> bool:
        """From one host to all of them, before leaving."""
        if not self.alone:
            return super().step_back()
        self.open_host(False)
        return True

    def list_here(self) -> Rows[HostRow]:
        """The hosts."""
        return self.table

    def _see_host(self, view: ViewState) -> None:
        host = view.fleet.hosts.get(self.table.chosen or "")
        self.query_one("#host-rule", Rule).show(host.name if host else "", strong=True)
        question = host.question if host else None
        most = max(3, self.size.height - self.table.size.height - 6)
        self.query_one(QuestionPanel).show(question, host.name if host else "", view.now, most)
        self.query_one(HostFacts).show(view, host)

    def on_resize(self) -> None:
        """The size is another one."""
        self.call_after_refresh(self.see, self.view)

    # ------------------------------------------------------------------ doing

    def lead_to(self, subjects: Sequence[str]) -> bool:
        """Put the cursor on the first of these that is a host."""
        if following := next((subject for subject in subjects if subject in self.view.fleet.hosts), None):
            self.turn_to(following)
        return following is not None

    def host_here(self) -> str | None:
        """The host under the cursor; none when it has just been removed."""
        return self.table.chosen if self.table.chosen in self.view.fleet.hosts else None

    def question_here(self) -> QuestionPanel | None:
        """Its question."""
        return self.query_one(QuestionPanel)

    def items(self) -> list[Item]:
        """Enter leads back when one host has the screen; only what is away is tried, only what others own is taken."""
        back = {"host_open": "all hosts"} if self.alone else {}
        sometimes = ("host_take", "host_retry")
        items = [
            item
            for item in super().items()
            if item.action.name not in sometimes or self.reason_against(item.action) is None
        ]
        return [replace(item, title=back.get(item.action.name, item.title)) for item in items]

    def motions(self) -> list[Motion]:
        """Keys that move the cursor."""
        table = self.table
        numbers = [Motion(str(number), "", partial(self._choose_number, number)) for number in range(1, 10)]
        return [
            self.motion("down", lambda: table.move(1)),
            self.motion("up", lambda: table.move(-1)),
            self.motion("page_down", self._more),
            *numbers,
        ]

    def _more(self) -> None:
        question = self.query_one(QuestionPanel)
        (question.turn if question.long else self.query_one(HostFacts).turn)()

    def _choose_number(self, number: int) -> None:
        self.table.choose_number(number)

    @on(Rows.Chosen)
    def _chosen(self, event: Rows.Chosen) -> None:
        event.stop()
        self._see_host(self.view)
        self.show_keys()

    @on(Rows.Tapped)
    def _tapped_row(self, event: Rows.Tapped) -> None:
        """A second tap on a host opens it."""
        event.stop()
        if event.again:
            self.open_host(True)
