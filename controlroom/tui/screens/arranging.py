"""The part of the overview that arranges: order, groups, panes, what is folded. All of it is remembered."""

from textual import on

from controlroom.domain.display.arrange import Arrangement, Group, Sort, following
from controlroom.domain.display.layout import Layout
from controlroom.domain.display.panes import Panes, pin
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.widgets.filter import FilterLine
from controlroom.tui.widgets.panes import PaneGrid
from controlroom.tui.widgets.rule import Rule

_PARTS = {"sort": "sort", "by": "group", "panes": "panes", "agents": "group"}
"""First words on the rule above the agents -> what a tap on them does."""


class ArrangingScreen(RoomScreen):
    """A screen whose parts can be put another way."""

    def arrange_anew(self) -> None:
        """Somebody wants it another way."""
        raise NotImplementedError

    @property
    def layout_now(self) -> Layout:
        """How it is arranged."""
        return self.room.layouts.now

    @property
    def arrangement(self) -> Arrangement:
        """How the agents are to be arranged, and which of them are to be on show."""
        return Arrangement(self.layout_now.sort, self.layout_now.group, self.query_one(FilterLine).text)

    @property
    def unusual(self) -> bool:
        """Whether agents stand in another order than that of need, or in groups."""
        return (self.layout_now.sort, self.layout_now.group) != (Sort.NEED, Group.NONE)

    @property
    def grid(self) -> PaneGrid:
        """The live panes."""
        return self.query_one(PaneGrid)

    def _change(self, **changes: object) -> None:
        self.room.layouts.change(**changes)
        self.arrange_anew()

    def turn_sort(self) -> None:
        """Order the rows by the next thing."""
        self._change(sort=following(self.layout_now.sort))

    def turn_group(self) -> None:
        """Group the rows by the next thing."""
        self._change(group=following(self.layout_now.group))

    def fold_hosts(self) -> None:
        """Fold the hosts into one line, or open them again."""
        self._change(fold_hosts=not self.layout_now.fold_hosts)

    def fold_limits(self) -> None:
        """Fold budgets and limits into one line, or open them again."""
        self._change(fold_limits=not self.layout_now.fold_limits)

    def want_panes(self, panes: Panes) -> None:
        """Show these panes from now on."""
        self.grid.wish = panes
        self._change(panes=panes)

    def pin(self) -> None:
        """Pin the pane of the chosen agent, or of the marked ones; or unpin it."""
        agents = self.marked() or [agent for agent in [self.agent_here()] if agent]
        self.want_panes(pin(self.grid.wish, agents))

    def said(self) -> list[str]:
        """Say how the agents are arranged, part by part."""
        layout, grid = self.layout_now, self.grid
        words = [f"sort: {layout.sort}"]
        words += [f"by {layout.group}"] * (layout.group is not Group.NONE)
        return words + [f"panes: {grid.wish.words()}"] * grid.many

    # ------------------------------------------------------------------ taps

    def filter_by(self, words: str) -> None:
        """Show only what contains this; again: all of it."""
        line = self.query_one(FilterLine)
        line.write("" if line.text == words else words)

    @on(Rule.Tapped, "#hosts-rule")
    def _tapped_hosts(self, event: Rule.Tapped) -> None:
        event.stop()
        self.room.do("fold_hosts")

    @on(Rule.Tapped, "#agents-rule")
    def _tapped_agents(self, event: Rule.Tapped) -> None:
        """Each part of the rule is tapped for what it says."""
        event.stop()
        first = event.part.replace(":", " ").partition(" ")[0]
        if first in _PARTS:
            self.room.do(_PARTS[first])
        elif event.part.endswith("marked"):
            self.unmark(self.marked())
        elif "“" in event.part:
            self.filter_by(self.query_one(FilterLine).text)

    @on(Rule.Tapped, "#panes-rule")
    def _tapped_panes(self, event: Rule.Tapped) -> None:
        event.stop()
        self.room.do("panes")
