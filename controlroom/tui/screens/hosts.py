"""The hosts: figures and links of all, everything known of one, and the questions that hosts ask."""

from collections.abc import Sequence
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.domain.model import Host
from controlroom.domain.views import host_rows
from controlroom.domain.words import since, size
from controlroom.tui import ink
from controlroom.tui.ink import Line
from controlroom.tui.picture import Picture
from controlroom.tui.screens.base import Motion, RoomScreen
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.hosts import HostTable
from controlroom.tui.widgets.keys import Keys
from controlroom.tui.widgets.lines import Lines
from controlroom.tui.widgets.question import QuestionPanel
from controlroom.tui.widgets.rows import Rows
from controlroom.tui.widgets.rule import Rule
from controlroom.tui.widgets.says import Says


class HostFacts(Lines):
    """Everything known of one host."""

    DEFAULT_CSS = "HostFacts { height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._picture = Picture()
        self._host: Host | None = None

    def show(self, picture: Picture, host: Host | None) -> None:
        """Show this host from now on."""
        self._picture, self._host = picture, host
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One fact a line: what is the matter first."""
        if self._host is None:
            return ()
        palette = self.palette
        drawn: list[Line] = []
        for label, words in _facts(self._picture, self._host):
            style = palette.warn if label == "why" else palette.text
            for index, part in enumerate(ink.wrap(words, max(8, width - 12))):
                drawn.append(ink.line((f"  {label if index == 0 else '':<8} ", palette.quiet), (part, style)))
        return drawn


def _facts(picture: Picture, host: Host) -> list[tuple[str, str]]:
    facts, sample = host.facts, host.sample
    found = [("why", host.reason), ("notice", host.notice), ("address", host.address)]
    found.append(("link", f"{host.link} {since(picture.since(host.since))}" if host.since else str(host.link)))
    if sample:
        memory = f"{size(sample.memory_used)} of {size(sample.memory_total)}"
        swap = f"{size(sample.swap_used)} of {size(sample.swap_total)}" if sample.swap_total else "none"
        found += [
            ("memory", f"{memory}, swap {swap}"),
            ("disk", f"{size(sample.disk_free)} free of {size(sample.disk_total)}"),
        ]
        found.append(("load", "no reading" if sample.load_1m is None else f"{sample.load_1m:.2f}"))
    if facts:
        found += [
            ("machine", f"{facts.hostname} · {facts.platform} · {facts.cores} cores · {size(facts.memory_total)}")
        ]
        found += [
            ("has", f"Python {facts.python} · {'tmux ' + facts.tmux if facts.tmux else 'no tmux: install it there'}")
        ]
        found.append(("owner", "this control room" if facts.owned else "another control room: look, do not touch"))
        if abs(facts.clock_offset) > 2000:
            found.append(("clock", f"{facts.clock_offset / 1000:+.0f} s from ours"))
    return [(label, words) for label, words in found if words]


class HostsScreen(RoomScreen):
    """All hosts, and the one under the cursor in full."""

    where = "hosts"

    def __init__(self, chosen: str | None = None) -> None:
        super().__init__()
        self._first = chosen

    def compose(self) -> ComposeResult:
        """The table, then the chosen one."""
        yield Gauges(id="gauges")
        with Vertical(id="body"):
            yield Rule("hosts", id="hosts-rule")
            yield HostTable(id="all-hosts")
            yield Rule(id="host-rule")
            yield QuestionPanel(("allow", "deny"), id="question")
            yield HostFacts(id="facts")
        yield Says(id="says")
        yield Keys(id="keys")

    @property
    def table(self) -> HostTable:
        """The hosts."""
        return self.query_one(HostTable)

    def turn_to(self, host: str) -> None:
        """Put the cursor on a host."""
        self.table.choose(host)
        self.see(self.picture)

    def see(self, picture: Picture) -> None:
        """Show this from now on."""
        if self.room.screen is self:
            self.room.read_logs({})
        palette, table = self.room.palette, self.table
        table.empty_lines = [
            ink.line(
                ("  No hosts yet. ", palette.strong), ("a", palette.key), (" adds one: user@address", palette.quiet)
            )
        ]
        table.show(host_rows(picture.fleet, picture.now))
        if self._first:
            table.choose(self._first)
            self._first = None
        wanted = max(1, min(len(table.rows), max(2, self.size.height // 3)))
        if table.styles.height is None or table.styles.height.value != wanted:
            table.styles.height = wanted
        self._see_host(picture)
        super().see(picture)

    def _see_host(self, picture: Picture) -> None:
        host = picture.fleet.hosts.get(self.table.chosen or "")
        self.query_one("#host-rule", Rule).show(host.name if host else "", strong=True)
        question = host.question if host else None
        most = max(3, self.size.height - self.table.size.height - 6)
        self.query_one(QuestionPanel).show(question, host.name if host else "", picture.now, most)
        self.query_one(HostFacts).show(picture, host)

    def on_resize(self) -> None:
        """The size is another one."""
        self.call_after_refresh(self.see, self.picture)

    # ------------------------------------------------------------------ doing

    def host_here(self) -> str | None:
        """The host under the cursor."""
        return self.table.chosen if self.table.rows else None

    def question_here(self) -> QuestionPanel | None:
        """Its question."""
        return self.query_one(QuestionPanel)

    def motions(self) -> list[Motion]:
        """Keys that move the cursor."""
        table = self.table
        numbers = [Motion(str(number), "", partial(self._choose_number, number)) for number in range(1, 10)]
        return [
            Motion("j down", "Next host.", lambda: table.move(1)),
            Motion("k up", "Host before.", lambda: table.move(-1)),
            Motion("space pagedown", "More of a long question.", self.query_one(QuestionPanel).turn),
            *numbers,
        ]

    def _choose_number(self, number: int) -> None:
        self.table.choose_number(number)

    @on(Rows.Chosen)
    def _chosen(self, event: Rows.Chosen) -> None:
        event.stop()
        self._see_host(self.picture)
        self.show_keys()

    @on(Rows.Tapped)
    def _tapped_row(self, event: Rows.Tapped) -> None:
        event.stop()
