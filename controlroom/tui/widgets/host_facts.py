"""Everything known of one host: what is the matter first, then figures with what was before, then what it is."""

from collections.abc import Sequence

from rich.style import Style
from textual import events

from controlroom.domain.display.views import HostRow, host_row
from controlroom.domain.keys.keymap import shown
from controlroom.domain.model import Host, HostSample
from controlroom.domain.words import history, percent, since, size
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.host_figures import (
    Figure,
    clock_words,
    disk,
    iowait,
    load,
    memory,
    network_bars,
    share,
    swap,
)
from controlroom.tui.widgets.scrollable_text import Wheeled

_LABEL = 8


class HostFacts(Wheeled):
    """Everything known of one host."""

    DEFAULT_CSS = "HostFacts { height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._view = ViewState()
        self._host: Host | None = None
        self._top = self._most = 0

    def show(self, view: ViewState, host: Host | None) -> None:
        """Show this host from now on."""
        if host is None or self._host is None or host.name != self._host.name:
            self._top = 0
        self._view, self._host = view, host
        self.redraw()

    def turn(self) -> None:
        """Show what did not fit; after the last line the first one again."""
        self._top += max(1, self.size.height - 1)
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """A tap shows what did not fit."""
        event.stop()
        self.turn()

    def wheel(self, lines: int) -> None:
        """Move by lines."""
        self._top = max(0, min(self._top + lines, self._most))
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One fact a line."""
        if self._host is None:
            return ()
        host, palette = self._host, self.palette
        lines = [*self._said("why", host.reason, width, palette.warn), *self._said("notice", host.notice, width)]
        lines += self._figures(host, width)
        for label, words in _facts(self._view, host):
            lines += self._said(label, words, width)
        self._most = max(0, len(lines) - height)
        self._top = self._top if self._top < len(lines) and len(lines) > height else 0
        below = len(lines) - self._top - height
        if below <= 0:
            return lines[self._top :]
        key = shown(self.room.keys.motion("hosts", "page_down").keys[0])
        more = self._fact("", (f"{key}: {below + 1} more", palette.key))
        return [*lines[self._top : self._top + height - 1], more]

    def _said(self, label: str, words: str, width: int, style: Style | None = None) -> list[Line]:
        """Draw words, broken where they must be."""
        parts = styled.wrap(words, max(8, width - _LABEL - 4)) if words else []
        return [self._fact(label if part is parts[0] else "", (part, style or self.palette.text)) for part in parts]

    def _fact(self, label: str, *runs: tuple[str, Style | None]) -> Line:
        return styled.line((f"  {label:<{_LABEL}} ", self.palette.quiet), *runs)

    def _figures(self, host: Host, width: int) -> list[Line]:
        """Draw what is measured; nothing before the first reading."""
        palette, sample = self.palette, host.sample
        row = host_row(self._view.fleet, host, self._view.now, self._view.counts)
        if sample is None:
            return [self._fact("figures", ("no reading", palette.quiet))]
        past = max(0, min(30, width - 30))
        cores = f"of {row.cores} cores" if row.cores else ""
        held = f"{size(sample.memory_used)} of {size(sample.memory_total)}"
        return [
            self._figure(
                "cpu", Figure(percent(sample.cpu_percent), palette.text), history(row.cpu_history, past), cores
            ),
            self._figure("ram", memory(palette, row), history(row.memory_history, past), held),
            self._figure("wait", iowait(palette, sample), history(row.iowait_history, past), "for disks"),
            self._network(row, sample, past, width),
            self._figure("swap", swap(palette, sample), "", _swap_words(sample)),
            self._figure("disk", disk(palette, sample), "", f"free of {size(sample.disk_total)}{_free(sample)}"),
            self._figure("load", load(palette, sample, row.cores), "", _loads(sample)),
        ]

    def _figure(self, label: str, figure: Figure, past: str, more: str) -> Line:
        palette, known = self.palette, figure.words != "–"
        words, style = (styled.right(figure.words, 5), figure.style) if known else ("no reading", palette.quiet)
        runs = [(f" {past} " if known and past else " ", palette.bar), (more if known else "", palette.quiet)]
        return self._fact(label, (words, style), *runs)

    def _network(self, row: HostRow, sample: HostSample, past: int, width: int) -> Line:
        palette = self.palette
        if sample.network_in is None or sample.network_out is None:
            return self._fact("network", ("no reading", palette.quiet))
        total = Figure(size(sample.network_in + sample.network_out), palette.text)
        way = f"in {size(sample.network_in)}/s  out {size(sample.network_out)}/s"
        if width < 70:
            return self._fact("network", (f"  {way}", palette.text))
        return self._figure("network", total, network_bars(row.network_history, past), way)


def _swap_words(sample: HostSample) -> str:
    return f"{size(sample.swap_used)} of {size(sample.swap_total)}" if sample.swap_total else "there is none"


def _free(sample: HostSample) -> str:
    free = share(sample.disk_free, sample.disk_total)
    return "" if free is None else f", {percent(free)}"


def _loads(sample: HostSample) -> str:
    if sample.load_5m is None or sample.load_15m is None:
        return "in a minute"
    return f"{sample.load_5m:.2f}  {sample.load_15m:.2f}  in 1, 5, 15 min"


def _facts(view: ViewState, host: Host) -> list[tuple[str, str]]:
    facts = host.facts
    link = f"{host.link} {since(view.since(host.since))}" if host.since else str(host.link)
    found = [("agents", _agents(view, host)), ("address", host.address), ("link", link)]
    if facts:
        tmux = facts.tmux_problem or facts.tmux_words + ("" if facts.tmux else ": install it there")
        found += [
            ("owner", "this control room" if facts.owned else "another control room: look, do not touch"),
            ("clock", _clock(facts.clock_offset)),
            ("machine", f"{facts.hostname} · {facts.platform} · {facts.cores} cores · {size(facts.memory_total)}"),
            ("has", f"Python {facts.python} · {tmux}"),
        ]
    return found


def _agents(view: ViewState, host: Host) -> str:
    agents = list(view.fleet.agents_on(host.name))
    live = [agent.name for agent in agents if not agent.has_ended]
    names = ", ".join(live[:8]) + (", …" if len(live) > 8 else "")
    return f"{len(live)} of {len(agents)} live{': ' if names else ''}{names}"


def _clock(offset: int) -> str:
    words = clock_words(offset)
    return f"{words} from ours: times of its agents are off by that" if words else "as ours"
