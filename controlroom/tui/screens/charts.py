"""A host over an hour, a day, a week or a month: CPU, memory, disk and network as charts."""

from collections.abc import Sequence
from functools import partial

from textual import on
from textual.app import ComposeResult

from controlroom.domain.display.charts import ChartSpan
from controlroom.domain.host_history import Point
from controlroom.text.time_zones import zone_of
from controlroom.tui.engine_client import Source, unless_lost
from controlroom.tui.screens.base import Motion, RoomScreen
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.charts import Charts
from controlroom.tui.widgets.footer import Keys, StatusMessage
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.headings import Rule, Tabs
from controlroom.tui.widgets.lines import set_lines

_SPANS = {str(number): span for number, span in enumerate(ChartSpan, 1)}

_Asked = tuple[str, ChartSpan, int, int]
"""Host, span, moment and number of points."""


class ChartsScreen(RoomScreen):
    """The charts of one host. The ledger is asked when something else is looked at, and once a minute."""

    where = "charts"

    def __init__(self, host: str) -> None:
        super().__init__()
        self.host, self.span = host, ChartSpan.DAY
        self._asked: _Asked | None = None
        self._points: Sequence[Point] = ()
        self._answered = False
        self._until = 0
        """The moment that the points reach to, UTC milliseconds."""
        self._problem = ""

    def compose(self) -> ComposeResult:
        """The spans to choose from, then the charts."""
        yield Gauges(id="gauges")
        yield Rule(id="charts-rule")
        yield Tabs(id="spans")
        yield Charts(id="charts")
        yield StatusMessage(id="says")
        yield Keys(id="keys")

    def host_here(self) -> str | None:
        """The host on show; none when it has just been removed."""
        return self.host if self.host in self.view.fleet.hosts else None

    def see(self, view: ViewState) -> None:
        """Show this from now on."""
        if self.on_top:
            self.context.logs.show({})
            self._ask()
        self._show()
        super().see(view)

    def news(self, view: ViewState) -> None:
        """A chart does not change with the fleet: the next minute brings what is new."""
        if self._asked is None or self._asked != self._wanted():
            self.see(view)
        else:
            super().see(view)

    def turn_span(self, span: ChartSpan) -> None:
        """Look at another span."""
        self.span = span
        self.see(self.view)

    def turn_host(self, step: int) -> None:
        """Look at the next host, or the one before."""
        hosts = list(self.view.fleet.hosts)
        if hosts:
            place = hosts.index(self.host) + step if self.host in hosts else 0
            self.host = hosts[place % len(hosts)]
            self.see(self.view)

    def _wanted(self) -> _Asked:
        return self.host, self.span, self.view.now, self.query_one(Charts).points_wanted

    def _ask(self) -> None:
        source, wanted = self.context.source, self._wanted()
        if source is None or self._asked == wanted or not self.query_one(Charts).size.width:
            return
        if self._asked is None or self._asked[:2] != wanted[:2]:
            self._points, self._answered, self._problem = (), False, ""
        self._asked = wanted
        self.run_worker(unless_lost(self._fetch(source, wanted)))

    async def _fetch(self, source: Source, wanted: _Asked) -> None:
        host, span, now, points = wanted
        answer = await source.history(host, now - span.length, now, points)
        if self._asked == wanted:
            self._answered, self._points, self._problem, self._until = True, answer.points, answer.reason, now
            self._show()

    def _show(self) -> None:
        if not self.is_attached:
            return
        tabs, width = self.query_one(Tabs), self.size.width
        tabs.show([[(str(span), key, str(span)) for key, span in _SPANS.items()]], (str(self.span),))
        set_lines(tabs, 1 if self.size.height >= 10 else 0)
        zone = zone_of(self.view.fleet.limits.zone) or self.view.zone
        until = self._until or self.view.now
        words = "filled: mean · shaded: peak" if width >= 80 else ""
        self.query_one("#charts-rule", Rule).show(self.host, words, strong=True)
        self.query_one(Charts).show(self._points, until - self.span.length, until, zone, self._instead())

    def _instead(self) -> str:
        if self._problem:
            return self._problem
        if not self._answered:
            return "asking the ledger…" if self.context.source else "no reading"
        return f"Nothing is known of {self.host} in this time: a host is looked at while it is connected."

    def motions(self) -> list[Motion]:
        """Keys that choose the span and the host."""
        spans = [Motion(key, f"The last {span}.", partial(self.turn_span, span)) for key, span in _SPANS.items()]
        return [
            self.motion("down", partial(self.turn_host, 1)),
            self.motion("up", partial(self.turn_host, -1)),
            *spans,
        ]

    @on(Tabs.Taken)
    def _tab_taken(self, event: Tabs.Taken) -> None:
        event.stop()
        self.turn_span(ChartSpan(event.tab_name))

    def on_resize(self) -> None:
        """The size is another one."""
        self.call_after_refresh(self.see, self.view)
