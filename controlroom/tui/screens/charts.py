"""What would rather be looked at than read: a host over time, how work flows, and money with the windows of plans."""

from collections.abc import Hashable, Sequence
from functools import partial
from typing import Generic, TypeVar

from textual import on
from textual.app import ComposeResult

from controlroom.domain.display.bars import gauges
from controlroom.domain.display.charts import (
    ChartSpan,
    agent_charts,
    host_charts,
    spend_charts,
    task_charts,
    window_chart,
    window_span,
)
from controlroom.domain.display.spans import By, Span, each_moment, whole_moments
from controlroom.domain.display.tasks import flow_lines
from controlroom.domain.figures import Figures
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.history import ROOM, Point
from controlroom.domain.money.costs import CostRow
from controlroom.tui.engine_client import Source, unless_lost
from controlroom.tui.screens.base import Motion, RoomScreen
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.charts import Charts
from controlroom.tui.widgets.footer import Keys, StatusMessage
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.headings import Rule, Tab, Tabs
from controlroom.tui.widgets.lines import Lines, set_lines

S = TypeVar("S", ChartSpan, Span)


class ChartsScreen(RoomScreen, Generic[S]):
    """Charts over a span that digits choose. The ledger is asked when another thing is looked at, and once a minute."""

    def __init__(self, spans: Sequence[S], span: S) -> None:
        super().__init__()
        self.spans: Sequence[S] = spans
        self.span: S = span
        self._asked: tuple[Hashable, int, int] | None = None
        self._answered = False
        self._problem = ""

    def compose(self) -> ComposeResult:
        """The spans to choose from, then the charts."""
        yield Gauges(id="gauges")
        yield Rule(id="charts-rule")
        yield Tabs(id="spans")
        yield Charts(id="charts")
        yield StatusMessage(id="says")
        yield Keys(id="keys")

    # ------------------------------------------------------------------ what subclasses say

    def subject(self) -> Hashable:
        """Name what is looked at: when it is another, what was known is not shown any more."""
        raise NotImplementedError

    async def fetch(self, source: Source, now: int) -> str:
        """Ask for what is shown, and keep it; returns why there is nothing."""
        raise NotImplementedError

    def forget(self) -> None:
        """Drop what was fetched: something else is looked at."""
        raise NotImplementedError

    def draw(self, charts: Charts) -> None:
        """Show what was fetched."""
        raise NotImplementedError

    # ------------------------------------------------------------------ asking and showing

    def see(self, view: ViewState) -> None:
        """Show this from now on."""
        if self.on_top:
            self.context.logs.show({})
            self._ask()
        self._show()
        super().see(view)

    def news(self, view: ViewState) -> None:
        """A chart does not change with the fleet: the next minute brings what is new."""
        if self._asked != self._wanted():
            self.see(view)
        else:
            super().see(view)

    def turn_span(self, span: S) -> None:
        """Look at another span."""
        self.span = span
        self.see(self.view)

    def _wanted(self) -> tuple[Hashable, int, int]:
        return self.subject(), self.view.now, self.query_one(Charts).chart_width

    def _ask(self) -> None:
        source, wanted = self.context.source, self._wanted()
        if self._asked is None or self._asked[0] != wanted[0]:
            self.forget()
            self._asked, self._answered, self._problem = None, False, ""
        if source is None or self._asked == wanted or not self.query_one(Charts).size.width:
            return
        self._asked = wanted
        self.run_worker(unless_lost(self._fetch(source, wanted)))

    async def _fetch(self, source: Source, wanted: tuple[Hashable, int, int]) -> None:
        problem = await self.fetch(source, wanted[1])
        if self._asked == wanted:
            self._answered, self._problem = True, problem
            self._show()

    def _show(self) -> None:
        if not self.is_attached:
            return
        tabs = self.query_one(Tabs)
        tabs.show([[_tab(number, span) for number, span in enumerate(self.spans, 1)]], (str(self.span),))
        set_lines(tabs, 1 if self.size.height >= 10 else 0)
        self.draw(self.query_one(Charts))

    def instead(self, nothing: str) -> str:
        """Say why there is no chart; `nothing`: where nothing is known."""
        if self._problem or self._answered:
            return self._problem or nothing
        return "reading the ledger…" if self.context.source else "no reading"

    def motions(self) -> list[Motion]:
        """Digits choose the span."""
        return [
            Motion(str(number), f"Over: {span}.", partial(self.turn_span, span))
            for number, span in enumerate(self.spans, 1)
        ]

    @on(Tabs.Taken)
    def _tab_taken(self, event: Tabs.Taken) -> None:
        event.stop()
        self.turn_span(next(span for span in self.spans if str(span) == event.tab_name))

    def on_resize(self) -> None:
        """The size is another one."""
        self.call_after_refresh(self.see, self.view)


def _tab(number: int, span: ChartSpan | Span) -> Tab:
    return str(span), str(number), str(span)


class HostCharts(ChartsScreen[ChartSpan]):
    """One host: CPU, memory, disk and network."""

    where = "host_charts"

    def __init__(self, host: str) -> None:
        super().__init__(tuple(ChartSpan), ChartSpan.DAY)
        self.host = host
        self._points: Sequence[Point] = ()
        self._until = 0
        """The moment that the points reach to, UTC milliseconds."""

    def host_here(self) -> str | None:
        """The host on show; none when it has just been removed."""
        return self.host if self.host in self.view.fleet.hosts else None

    def turn_host(self, step: int) -> None:
        """Look at the next host, or the one before."""
        hosts = list(self.view.fleet.hosts)
        if hosts:
            place = hosts.index(self.host) + step if self.host in hosts else 0
            self.host = hosts[place % len(hosts)]
            self.see(self.view)

    def subject(self) -> Hashable:
        """The host and the span."""
        return self.host, self.span

    async def fetch(self, source: Source, now: int) -> str:
        """Ask for its figures."""
        subject, width = self.subject(), self.query_one(Charts).chart_width
        answer = await source.history(self.host, now - self.span.length, now, width)
        if subject == self.subject():
            self._points, self._until = answer.points, now
        return answer.reason

    def forget(self) -> None:
        """Its figures are not those of another."""
        self._points, self._until = (), 0

    def draw(self, charts: Charts) -> None:
        """The machine at the left, its network at the right."""
        words = "filled: mean · shaded: peak" if self.size.width >= 80 else ""
        self.query_one("#charts-rule", Rule).show(self.host, words, strong=True)
        until = self._until or self.view.now
        drawn = host_charts(self._points, until - self.span.length, until, charts.chart_width) if self._points else []
        nothing = f"Nothing is known of {self.host} in this time: a host is looked at while it is connected."
        charts.show(drawn[:3], drawn[3:], self.view.room_zone, self.instead(nothing))

    def motions(self) -> list[Motion]:
        """Keys that choose the host, too."""
        hosts = [
            self.motion("down", partial(self.turn_host, 1)),
            self.motion("up", partial(self.turn_host, -1)),
        ]
        return [*hosts, *super().motions()]


class _FlowText(Lines):
    """The figures of now in words, in a third of the screen at most."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._said: Sequence[str] = ()

    def show(self, said: Sequence[str], width: int) -> None:
        """Show these lines from now on."""
        self._said = [part for line in said for part in styled.wrap(line, max(8, width - 4))]
        self.display = bool(self._said)
        set_lines(self, min(len(self._said), max(2, self.screen.size.height // 3)))
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """As many lines as fit."""
        return [styled.line((f"  {part}", self.palette.text)) for part in self._said[:height]]


class FlowCharts(ChartsScreen[ChartSpan]):
    """How work flows: agents and the API, tasks and how long they wait; above them the figures of now."""

    where = "figures"

    def __init__(self) -> None:
        super().__init__(tuple(ChartSpan), ChartSpan.DAY)
        self._points: Sequence[Point] = ()
        self._figures: Figures | None = None
        self._until = 0
        """The moment that the points reach to, UTC milliseconds."""

    def compose(self) -> ComposeResult:
        """The figures of now stand between the spans and the charts."""
        for widget in super().compose():
            if isinstance(widget, Charts):
                yield _FlowText(id="flow")
            yield widget

    def subject(self) -> Hashable:
        """The span."""
        return self.span

    async def fetch(self, source: Source, now: int) -> str:
        """Ask for the figures, and for those of the span."""
        span, width = self.span, self.query_one(Charts).chart_width
        figures = await source.figures()
        answer = await source.history(ROOM, now - span.length, now, width)
        if span is self.span:
            self._points, self._figures, self._until = answer.points, figures.figures, now
        return figures.reason or answer.reason

    def forget(self) -> None:
        """Another span: what was in it is not known yet; the figures of now stay."""
        self._points, self._until = (), 0

    def draw(self, charts: Charts) -> None:
        """Tasks at the left, agents and the API at the right."""
        words = "filled: mean · shaded: peak; of answers: median, 95 of 100" if self.size.width >= 80 else ""
        self.query_one("#charts-rule", Rule).show("figures", words, strong=True)
        self.query_one(_FlowText).show(flow_lines(self._figures) if self._figures else (), self.size.width)
        until = self._until or self.view.now
        drawn = self._points, until - self.span.length, until, charts.chart_width
        nothing = "Nothing is known of this time: figures are kept while an engine runs."
        if self._points:
            charts.show(task_charts(*drawn), agent_charts(*drawn), self.view.room_zone)
        else:
            charts.show((), (), self.view.room_zone, self.instead(nothing))


class MoneyCharts(ChartsScreen[Span]):
    """What was spent, the tokens, and the use of each plan's window with where it leads to."""

    where = "money_charts"

    def __init__(self, span: Span = Span.TODAY) -> None:
        super().__init__(tuple(Span), span)
        self._spent: Sequence[CostRow] = ()
        self._windows: dict[str, Sequence[Point]] = {}
        self._since = self._until = 0
        """The span that is shown, UTC milliseconds."""

    def subject(self) -> Hashable:
        """The span."""
        return self.span

    def _plan_windows(self) -> list[Headroom]:
        return [window for window in self.view.fleet.headroom.values() if window.kind is LimitKind.WINDOW]

    async def fetch(self, source: Source, now: int) -> str:
        """Ask what was spent, and how full the windows were."""
        span, width = self.span, self.query_one(Charts).chart_width
        since = span.since(now, self.view.room_zone)
        windows: dict[str, Sequence[Point]] = {}
        for window in self._plan_windows():
            begin, _ = window_span(window, now)
            windows[window.key] = (await source.history(window.key, begin, now, width)).points
        answer = await source.costs(By.HOUR.asked, since, now)
        if span is self.span:
            self._spent, self._windows, self._since, self._until = answer.rows, windows, since, now
        return answer.reason

    def forget(self) -> None:
        """Another span: what was spent in it is not known yet; windows stay."""
        self._spent, self._until = (), 0

    def draw(self, charts: Charts) -> None:
        """Money at the left, windows at the right."""
        words = "shaded: at this pace" if self.size.width >= 80 and self._windows else ""
        self.query_one("#charts-rule", Rule).show("costs", words, strong=True)
        width, view = charts.chart_width, self.view
        if not self._until:
            charts.show((), (), self.view.room_zone, self.instead(""))
            return
        short = self.span is Span.TODAY
        rows = each_moment(self._spent, self._since, self._until, self.view.room_zone, short)
        whole = whole_moments(self._since, self._until, self.view.room_zone, short)
        spent = spend_charts(rows, *whole, width, "hour" if short else "day")
        labels = {gauge.name: gauge.label for gauge in gauges(view.fleet, view.now, view.clock)}
        windows = [
            window_chart(
                window,
                labels.get(f"limit {window.key}", window.name),
                self._windows.get(window.key, ()),
                view.now,
                width,
                view.clock,
            )
            for window in self._plan_windows()
        ]
        charts.show(spent, windows, self.view.room_zone)
