"""The sheet that chooses the live panes: of whom, and how many. Each key acts at once, on the screen above it."""

from dataclasses import replace

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.domain.display.layout import MOST, Panes, Pick
from controlroom.domain.display.views import ORDER
from controlroom.tui.screens.base import plain_key
from controlroom.tui.screens.dialogs import Choices, Sheet
from controlroom.tui.screens.overview import Overview
from controlroom.tui.widgets.headings import Rule


class PanesSheet(Sheet):
    """Of whom, how many."""

    def __init__(self, overview: Overview) -> None:
        super().__init__()
        self._overview = overview

    def compose(self) -> ComposeResult:
        """What is chosen now, and what can be."""
        with Vertical(classes="sheet"):
            yield Rule(id="heading")
            yield Choices([], id="whom")
            yield Choices([], id="many")

    def on_mount(self) -> None:
        """Begin with what is so."""
        self._say()

    def _say(self) -> None:
        """Bring the sheet up to date."""
        grid = self._overview.grid
        wish = grid.wish
        title = f"live panes: {wish.words()}{f', {wish.count}' if wish.pick not in (Pick.CHOSEN, Pick.HAND) else ''}"
        self.query_one("#heading", Rule).show(title, f"room for {grid.fitting}", strong=True)
        host, state = self._following(Pick.HOST), self._following(Pick.STATE)
        pinned = [("p", f"pinned {len(wish.pinned)}")] if wish.pinned else []
        here = [("h", host)] * bool(host) + [("s", state)] * bool(state)
        self.query_one("#whom", Choices).show([("c", "chosen one"), ("a", "active"), *here, *pinned])
        numbers = [("1-9", "so many"), ("0", str(MOST)), ("+", "more"), ("-", "fewer")]
        self.query_one("#many", Choices).show([*numbers, ("Enter", "done")])

    def _following(self, pick: Pick) -> str:
        """The host (or state) that its key leads to: that of the chosen agent, then the next one."""
        overview, wish = self._overview, self._overview.grid.wish
        fleet = overview.view.fleet
        agents = [fleet.agents[agent] for agent in overview.arranged.ids if agent in fleet.agents]
        if not agents:
            return ""
        if pick is Pick.HOST:
            there = sorted({agent.host for agent in agents})
        else:
            states = {fleet.state_of(agent) for agent in agents}
            there = [state.value for state in ORDER if state in states]
        if wish.pick is pick and wish.of in there:
            return there[(there.index(wish.of) + 1) % len(there)]
        chosen = fleet.agents.get(overview.agent_here() or "", agents[0])
        return chosen.host if pick is Pick.HOST else fleet.state_of(chosen).value

    def on_key(self, event: events.Key) -> None:
        """Choose, or leave."""
        event.stop()
        self._take(plain_key(event))

    def on_choices_taken(self, event: Choices.Taken) -> None:
        """A tap is as good as a key."""
        self._take("enter" if event.key == "Enter" else event.key)

    def _take(self, key: str) -> None:
        if key in ("enter", "q", "g", "backspace", "escape"):
            self.dismiss()
            return
        wanted = self._wanted(key, self._overview.grid.wish)
        if wanted is not None:
            self._overview.want_panes(wanted)
            self._say()

    def _wanted(self, key: str, wish: Panes) -> Panes | None:
        """What a key makes of the choice; None: nothing."""
        picks = {"c": Pick.CHOSEN, "a": Pick.ACTIVE, "h": Pick.HOST, "s": Pick.STATE}
        if key in picks:
            of = self._following(picks[key]) if key in "hs" else ""
            return replace(wish, pick=picks[key], of=of)
        if key == "p" and wish.pinned:
            return replace(wish, pick=Pick.HAND)
        if key not in set("0123456789+-"):
            return None
        count = {"+": wish.count + 1, "-": wish.count - 1, "0": MOST}.get(key) or int(key)
        alone = wish.pick in (Pick.CHOSEN, Pick.HAND)
        return replace(wish, count=max(1, min(count, MOST)), pick=Pick.ACTIVE if alone else wish.pick)
