"""The first screen: counts, hosts, agents, and the chosen agent live where there is room."""

from dataclasses import replace
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Resize

from controlroom.domain.model import State
from controlroom.domain.views import HostRow, agent_rows, host_rows
from controlroom.tui import ink
from controlroom.tui.ink import Line
from controlroom.tui.picture import Engine, Picture
from controlroom.tui.screens.base import Motion, RoomScreen
from controlroom.tui.widgets.agents import AgentTable
from controlroom.tui.widgets.filter import FilterLine
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.hosts import HostSummary, HostTable
from controlroom.tui.widgets.keys import Item, Keys
from controlroom.tui.widgets.pane import AgentPane
from controlroom.tui.widgets.question import QuestionPanel
from controlroom.tui.widgets.rows import Rows
from controlroom.tui.widgets.rule import Rule
from controlroom.tui.widgets.says import Says

_PACES = ((100, 1.0), (60, 5.0), (0, 15.0))
"""Columns -> seconds between two readings of CPU and memory on show: each one wakes a phone's radio."""


class Overview(RoomScreen):
    """Everything at a glance."""

    where = "overview"

    def __init__(self) -> None:
        super().__init__()
        self._hosts: list[HostRow] = []
        self._known_hosts: list[HostRow] = []
        self._hosts_at = 0.0

    def compose(self) -> ComposeResult:
        """From the top; what is beside what follows from the width, in the style sheet."""
        yield Gauges(id="gauges")
        with Vertical(id="glance"):
            with Vertical(id="left"):
                yield HostSummary(id="host-line")
                yield Rule("hosts", id="hosts-rule")
                yield HostTable(cursor=False, id="hosts")
                yield Rule("agents", id="agents-rule")
                yield AgentTable(id="agents")
            yield AgentPane(id="pane")
        yield Says(id="says")
        yield FilterLine(id="filter")
        yield Keys(id="keys")

    def on_mount(self) -> None:
        """Borders, too, are of the set of signs that is asked for."""
        self.set_class(self.room.palette.glyphs.plain, "-plain")

    @property
    def table(self) -> AgentTable:
        """The agents."""
        return self.query_one(AgentTable)

    @property
    def pane(self) -> AgentPane:
        """The chosen agent, live."""
        return self.query_one(AgentPane)

    @property
    def pane_shown(self) -> bool:
        """Whether there is room for the live pane."""
        return self.size.width >= 100

    # ------------------------------------------------------------------ showing

    def see(self, picture: Picture) -> None:
        """Show this from now on."""
        hosts = self._paced(host_rows(picture.fleet, picture.now))
        self.query_one(HostSummary).show(hosts)
        self.query_one("#hosts", HostTable).show(hosts)
        self._see_agents(picture)
        self._arrange()
        super().see(picture)

    def _paced(self, rows: list[HostRow]) -> list[HostRow]:
        """Let figures that always move be as they were for a while: what else is known of hosts shows at once."""
        pace = next(seconds for width, seconds in _PACES if self.size.width >= width)
        known = [replace(row, cpu_percent=None, cpu_history=(), memory_used=0, memory_history=()) for row in rows]
        now = self.room.monotonic()
        if known != self._known_hosts or now - self._hosts_at >= pace:
            self._known_hosts, self._hosts_at, self._hosts = known, now, rows
        return self._hosts

    def _see_agents(self, picture: Picture) -> None:
        wanted = self.query_one(FilterLine).text
        rows = agent_rows(picture.fleet, picture.now, wanted)
        self.table.empty_lines = self._nothing(picture, wanted)
        limited = (
            agent for agent in picture.fleet.agents.values() if agent.limited_until and agent.state is State.LIMITED
        )
        self.table.until = {agent.id: picture.clock(agent.limited_until) for agent in limited}
        self.table.show(rows)
        total = len(picture.fleet.agents)
        word = f"{len(rows)} of {total} with “{wanted}”" if wanted else str(total) if total else ""
        self.query_one("#agents-rule", Rule).show("agents", word, self.room.palette.warn if wanted else None)
        self._see_pane()

    def _see_pane(self) -> None:
        picture = self.picture
        agent = picture.fleet.agents.get(self.table.chosen or "") if self.table.rows else None
        shown = agent if self.pane_shown else None
        if self.room.screen is self:
            self.room.read_logs({shown.id: shown.epoch} if shown else {})
        self.pane.show(picture, shown, self.room.book(shown))

    def _nothing(self, picture: Picture, wanted: str) -> list[Line]:
        """What stands where the agents would stand: what to do next."""
        palette, fleet = self.room.palette, picture.fleet
        quiet, key = palette.quiet, palette.key
        if picture.engine is not Engine.HERE and not picture.known:
            words = picture.reason or "starting the engine…"
            cells = max(20, self.table.size.width - 4)
            return [(), *(ink.line((f"  {part}", quiet)) for part in ink.wrap(words, cells))]
        if wanted:
            return [(), ink.line(("  no agent has that.  ", quiet), ("/", key), (" changes the filter", quiet))]
        if not fleet.hosts:
            return [
                (),
                ink.line(("  No hosts yet.", palette.strong)),
                ink.line(("  Press ", quiet), ("h", key), (" then ", quiet), ("a", key), (" to add one,", quiet)),
                ink.line(("  or: controlroom host add user@address", quiet)),
            ]
        return [
            (),
            ink.line(("  No agents yet.", palette.strong)),
            ink.line(("  Press ", quiet), ("s", key), (" to start one: write its task,", quiet)),
            ink.line(("  then Enter. ", quiet), ("?", key), (" explains every key.", quiet)),
        ]

    def _arrange(self) -> None:
        """Share the height out: hosts as many lines as they need and there is room for, the agents the rest."""
        width, height = self.size
        hosts = len(self.picture.fleet.hosts)
        most = 0 if width < 60 or height < 16 else max(1, min(8, (height - 8) // 4))
        lines = min(hosts, most)
        self.query_one("#host-line").display = bool(hosts) and not lines and height >= 8
        for part in ("#hosts-rule", "#hosts"):
            self.query_one(part).display = bool(lines)
        _set_height(self.query_one("#hosts"), max(1, lines))
        self.query_one("#agents-rule").display = width >= 60 and height >= 10
        stacked = 100 <= width < 160
        self.query_one("#pane").display = self.pane_shown and (not stacked or height >= 24)
        if stacked:
            used = 4 + (lines + 1 if lines else 0)
            wanted = max(4, len(self.table.rows) + 2)
            _set_height(self.query_one("#left"), used - 3 + min(wanted, max(6, (height - used) // 2)))
        else:
            self.query_one("#left").styles.height = "1fr"

    def on_resize(self, event: Resize) -> None:
        """The size is another one: arrange anew."""
        self.call_after_refresh(self.see, self.picture)

    def log_grown(self, agent: str) -> None:
        """Paint what came if it is the pane's."""
        pane = self.pane
        if pane.agent is not None and pane.agent.id == agent:
            pane.log_view.show(self.room.book(pane.agent))
            pane.log_view.grown()

    # ------------------------------------------------------------------ doing

    def items(self) -> list[Item]:
        """Back means out here; on a phone that is left to the key."""
        shown = [item for item in super().items() if item.action.name != "back" or self.size.width >= 60]
        return [replace(item, title="quit") if item.action.name == "back" else item for item in shown]

    def agent_here(self) -> str | None:
        """The agent under the cursor."""
        return self.table.chosen if self.table.rows else None

    def keep_choice(self) -> None:
        """What one has acted on stays under the cursor."""
        self.table.keep_choice()

    def question_here(self) -> QuestionPanel | None:
        """The question in the pane, where there is one."""
        return self.pane.question if self.pane.display else None

    def motions(self) -> list[Motion]:
        """Keys that move the cursor and the pane's log."""
        table, log = self.table, self.pane.log_view
        moves = [
            Motion("j down", "Next agent.", lambda: table.move(1)),
            Motion("k up", "Agent before.", lambda: table.move(-1)),
            Motion("o home", "First agent.", lambda: table.move(-len(table.rows))),
            Motion("l end", "Last agent.", lambda: table.move(len(table.rows))),
            Motion("space pagedown", "More of the question or log beside.", self._page_down),
            Motion("b pageup", "Earlier lines of the log beside.", lambda: log.scroll_pages(-1)),
        ]
        numbers = [Motion(str(number), "", partial(self._number, number)) for number in range(1, 10)]
        return moves + numbers

    def _page_down(self) -> None:
        if self.pane.display and self.pane.question.long:
            self.pane.question.turn()
        else:
            self.pane.log_view.scroll_pages(1)

    def _number(self, number: int) -> None:
        if self.table.choose_number(number) and not self.pane_shown:
            self.room.do("open")

    @on(Rows.Chosen)
    def _chosen(self, event: Rows.Chosen) -> None:
        event.stop()
        self._see_pane()
        self.show_keys()

    @on(Rows.Tapped)
    def _row_tapped(self, event: Rows.Tapped) -> None:
        event.stop()
        if isinstance(event.rows, HostTable):
            self.room.do("hosts")
        elif event.again or not self.pane_shown:
            self.room.do("open")

    @on(FilterLine.Changed)
    def _filtered(self, event: FilterLine.Changed) -> None:
        event.stop()
        self._see_agents(self.picture)


def _set_height(widget: object, lines: int) -> None:
    styles = widget.styles  # type: ignore[attr-defined]
    if styles.height is None or styles.height.value != lines or styles.height.unit.name != "CELLS":
        styles.height = lines
