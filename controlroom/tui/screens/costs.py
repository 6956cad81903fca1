"""What was spent, by whom and when, and what is left of budgets and limits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Resize

from controlroom.domain.display.spans import By, Span, SpendRow, history, spend_rows, total
from controlroom.domain.keys.action import Action
from controlroom.domain.keys.keymap import shown
from controlroom.domain.money.costs import CostRow
from controlroom.tui.context import RunAction
from controlroom.tui.engine_client import Source, unless_lost
from controlroom.tui.screens.base import Motion, RoomScreen
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.view_state import Engine, ViewState
from controlroom.tui.widgets.footer import Item, Keys, StatusMessage
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.headings import Rule, Tab, Tabs
from controlroom.tui.widgets.limits import LimitsInFull
from controlroom.tui.widgets.lines import set_lines
from controlroom.tui.widgets.rows import Rows
from controlroom.tui.widgets.spend import SpendSummary, SpendTable

_SPANS = {str(number): span for number, span in enumerate(Span, 1)}
_IN = {Span.TODAY: "today", Span.WEEK: "this week", Span.MONTH: "this month", Span.THIRTY: "in 30 days"}
_ROWS = 8
"""Lines that a second table must have to be worth showing."""


class CostsScreen(RoomScreen):
    """The ledger is asked when it opens, when something else is wanted, and when a minute has passed."""

    where = "costs"

    def __init__(self) -> None:
        super().__init__()
        self.span, self.by = Span.TODAY, By.AGENT
        self.full = False
        """Whether budgets and limits have the screen for themselves."""
        self._found: dict[str, Sequence[CostRow]] = {}
        """What the ledger said of this span, by what was asked for."""
        self._ran: dict[str, Mapping[str, int]] = {}
        """How long agents ran, as it says with that."""
        self._made: dict[By, list[SpendRow]] = {}
        """Rows made of it."""
        self._asked: set[str] = set()
        self._asked_at = 0
        self._since = self._until = 0
        """What the answers are about, UTC milliseconds."""
        self._problem = ""
        self._seen = ViewState()

    def on_mount(self) -> None:
        """Borders, too, are of the set of signs that is asked for."""
        self.set_class(self.palette.glyphs.plain, "-plain")
        super().on_mount()

    def compose(self) -> ComposeResult:
        """Tabs and sums, then the table and the limits, under or beside each other."""
        yield Gauges(id="gauges")
        yield Rule("costs", id="costs-rule")
        yield Tabs(id="tabs")
        yield SpendSummary(id="summary")
        with Horizontal(id="spent"):
            with Vertical(id="spent-left"):
                yield Rule(id="spent-rule")
                yield SpendTable(id="spend")
                yield Rule(id="other-rule")
                yield SpendTable(cursor=False, id="other")
            with Vertical(id="limits-side"):
                yield LimitsInFull(id="limits")
        yield StatusMessage(id="says")
        yield Keys(id="keys")

    @property
    def table(self) -> SpendTable:
        """The rows."""
        return self.query_one("#spend", SpendTable)

    # ------------------------------------------------------------------ asking

    def _ask(self) -> None:
        """Ask for what is not known yet of what is shown; all of it once a minute."""
        source, now = self.context.source, self.view.now
        if source is None:
            return
        if now != self._asked_at:
            self._asked_at, self._asked = now, set()
        wanted = {By.AGENT.asked, By.HOUR.asked, self.by.asked} - self._asked
        if wanted:
            self._asked |= wanted
            self.run_worker(unless_lost(self._fetch(source, self.span, sorted(wanted), now)))

    async def _fetch(self, source: Source, span: Span, wanted: Sequence[str], now: int) -> None:
        since = span.since(now, self.view.room_zone)
        for by in wanted:
            answer = await source.costs(by, since, now)
            if span is not self.span:
                return
            self._problem = answer.reason
            if not answer.reason:
                self._found[by], self._ran[by] = answer.rows, answer.ran
                self._since, self._until, self._made = since, now, {}
        self._show_spent()

    def turn_span(self, span: Span) -> None:
        """Look at another span."""
        if span is not self.span:
            self.span, self._found, self._made, self._asked_at = span, {}, {}, 0
            self.see(self.view)

    def turn_by(self, by: By | None = None) -> None:
        """Group by something else; None: the next thing."""
        each = list(By)
        self.by = by or each[(each.index(self.by) + 1) % len(each)]
        self.see(self.view)

    def turn_full(self) -> None:
        """Show budgets and limits alone, or the costs again."""
        self.full = not self.full
        self.see(self.view)

    # ------------------------------------------------------------------ showing

    def see(self, view: ViewState) -> None:
        """Show this from now on."""
        if self.on_top:
            self.context.logs.show({})
            self._ask()
        self._seen = view
        down = shown(self.context.keys.motion(self.where, "down").keys[0])
        self.query_one(LimitsInFull).show(view, down if self.full else self.context.keys.shown("costs_limits"))
        self._show_spent()
        super().see(view)

    def news(self, view: ViewState) -> None:
        """Sums do not change with the fleet: only budgets, limits and another minute are looked at."""
        before, fleet = self._seen, view.fleet
        same = fleet.budgets is before.fleet.budgets and fleet.headroom is before.fleet.headroom
        if same and replace(before, fleet=fleet) == view:
            self._seen = view
            super().see(view)
        else:
            self.see(view)

    def _show_spent(self) -> None:
        table = self.table
        if not self.is_attached:
            return
        self.query_one(Tabs).show(self._tabs(), (str(self.span), str(self.by)))
        rows = self._rows(self.by)
        past = self._found.get(By.HOUR.asked, ())
        short = self.span is Span.TODAY
        drawn = history(past, self._since, self._until, self.view.room_zone, short) if past else []
        agents = self._rows(By.AGENT)
        self.query_one(SpendSummary).show(None if agents is None else total(agents), drawn, "hour" if short else "day")
        table.by, table.empty_lines = self.by, self._nothing(rows)
        table.show(rows or [])
        self.query_one("#spent-rule", Rule).show(f"by {self.by}", str(len(rows)) if rows else "")
        self._show_other()
        self._say_age()
        self._share_out()
        self.show_keys()

    def _show_other(self) -> None:
        """Show when it was spent beside who spent it, where there is room for both."""
        other = By.AGENT if self.by in (By.HOUR, By.DAY) else By.HOUR if self.span is Span.TODAY else By.DAY
        table = self.query_one("#other", SpendTable)
        table.by = other
        table.show(self._rows(other) or [])
        self.query_one("#other-rule", Rule).show(f"by {other}")

    def _tabs(self) -> tuple[list[Tab], list[Tab]]:
        groups = [(str(by), self._key(by), str(by)) for by in By]
        return [(str(span), key, str(span)) for key, span in _SPANS.items()], groups

    def _key(self, by: By) -> str:
        return shown("".join(self.context.keys.motion(self.where, f"by_{by}").keys[:1]))

    def _rows(self, by: By) -> list[SpendRow] | None:
        costs = self._found.get(by.asked)
        if costs is None:
            return None
        if by not in self._made:
            zone, ran = self.view.room_zone, self._ran.get(by.asked, {})
            self._made[by] = spend_rows(costs, by, self._since, self._until, zone, ran)
        return self._made[by]

    def _nothing(self, rows: list[SpendRow] | None) -> list[Line]:
        palette = self.palette
        words, style = f"Nothing was spent {_IN[self.span]}. Agents that run Claude are metered.", palette.quiet
        if self._problem:
            words, style = self._problem, palette.danger
        elif rows is None:
            words = "reading the ledger…" if self.context.source else "no reading"
        return [styled.line((f"  {part}", style)) for part in styled.wrap(words, self.size.width - 4)]

    def _say_age(self) -> None:
        words = f"as of {self.view.clock(self._until)}" if self._found else ""
        old = bool(self._found) and self.view.engine is not Engine.HERE
        self.query_one("#costs-rule", Rule).show("costs", words, style=self.palette.warn if old else None)

    def _share_out(self) -> None:
        """Limits stand beside the table, or under it; where there is no room for both they have the screen in turn."""
        width, height = self.size
        limits, side, left = self.query_one(LimitsInFull), self.query_one("#limits-side"), self.query_one("#spent-left")
        beside, under = width >= 160, 100 <= width < 160 and height >= 30
        left.display, side.display = not self.full, self.full or beside or under
        left.styles.width = "60%" if beside and not self.full else "100%"
        side.styles.width = "1fr" if beside else "100%"
        most = min(limits.lines_wanted(width), height * 2 // 5)
        side.styles.height = most if under and not self.full else "1fr"
        self.query_one("#spent").styles.layout = "horizontal" if beside else "vertical"
        self._share_left(beside, height)
        tabs, summary = self.query_one(Tabs), self.query_one(SpendSummary)
        set_lines(tabs, tabs.lines_wanted(width) if not self.full and height >= 10 else 0)
        set_lines(summary, 0 if self.full else summary.lines_wanted(width) if height >= 16 else 1)
        self.query_one("#costs-rule").display = not self.full and height >= 12
        self.query_one("#spent-rule").display = height >= 14

    def _share_left(self, wide: bool, height: int) -> None:
        """Size the second table: what the first one leaves, if that is enough."""
        other, table = self.query_one("#other", SpendTable), self.table
        least = min(_ROWS, len(other.rows) + 1)
        left = height - 7 - max(len(table.rows) + 1, _ROWS)
        both = wide and bool(other.rows) and left >= least
        table.styles.height = max(len(table.rows) + 1, _ROWS) if both else "1fr"
        for part in ("#other-rule", "#other"):
            self.query_one(part).display = both

    def on_resize(self, event: Resize) -> None:
        """The size is another one."""
        self.call_after_refresh(self.see, self.view)

    # ------------------------------------------------------------------ doing

    def agent_here(self) -> str | None:
        """The agent under the cursor, where rows are agents."""
        row = self._row()
        return row.key if row is not None and self.by is By.AGENT and row.key in self.view.fleet.agents else None

    def _row(self) -> SpendRow | None:
        table = self.table
        return table.rows[table.place()] if table.rows and not self.full else None

    def reason_against(self, action: Action) -> str | None:
        """Only agents that are still there can be opened."""
        if action.name != "open" or self.agent_here():
            return super().reason_against(action)
        row = self._row()
        if self.by is not By.AGENT or row is None:
            return f"only agents can be opened: {self._key(By.AGENT)} lists them"
        return f"{row.name} is no longer there"

    def items(self) -> list[Item]:
        """What `l` leads to depends on what is shown."""
        titles = {"costs_limits": "costs"} if self.full else {}
        left_out = {"open", "costs_by"} if self.full else {"next"} if self.size.width < 60 else set()
        shown = [item for item in super().items() if item.action.name not in left_out]
        return [replace(item, title=titles.get(item.action.name, item.title)) for item in shown]

    def step_back(self) -> bool:
        """From the limits to the costs, before leaving."""
        if not self.full:
            return False
        self.turn_full()
        return True

    def motions(self) -> list[Motion]:
        """Keys that choose what is looked at, and move the cursor."""
        spans = [Motion(key, f"What was spent: {span}.", partial(self.turn_span, span)) for key, span in _SPANS.items()]
        page = max(1, self.table.size.height - 2)
        return [
            self.motion("down", partial(self._move, 1)),
            self.motion("up", partial(self._move, -1)),
            self.motion("page_down", partial(self._move, page)),
            self.motion("page_up", partial(self._move, -page)),
            *(self.motion(f"by_{by}", partial(self.turn_by, by)) for by in By),
            *spans,
        ]

    def _move(self, rows: int) -> None:
        if self.full:
            self.query_one(LimitsInFull).move(rows)
        else:
            self.table.move(rows)

    @on(Tabs.Taken)
    def _tab_taken(self, event: Tabs.Taken) -> None:
        event.stop()
        if event.tab_name in map(str, Span):
            self.turn_span(Span(event.tab_name))
        else:
            self.turn_by(By(event.tab_name))

    @on(Rows.Chosen)
    def _chosen(self, event: Rows.Chosen) -> None:
        event.stop()
        self.show_keys()

    @on(Rows.Tapped)
    def _tapped_row(self, event: Rows.Tapped) -> None:
        """A second tap on an agent opens it."""
        event.stop()
        if event.again and self.agent_here():
            self.app.post_message(RunAction("open"))
