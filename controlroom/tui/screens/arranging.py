"""A screen whose parts a person puts another way: order, groups, folded parts, live panes; and the taps that do it."""

from collections.abc import Callable, Sequence
from functools import partial

from textual import on

from controlroom.domain.display.arrange import Arrangement, Group, Sort, following
from controlroom.domain.display.layout import Layout, Panes, pin
from controlroom.tui.context import RunAction
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.panes import PaneGrid
from controlroom.tui.widgets.type_line import FilterLine

RulePart = tuple[str, Callable[[], None]]
"""Words on the rule above the agents, and what a tap on them does."""


class ArrangingScreen(RoomScreen):
    """A screen whose parts can be put another way."""

    rule_parts: Sequence[RulePart] = ()
    """What stands on the rule above the agents."""

    def arrange_anew(self) -> None:
        """Arrange everything anew."""
        raise NotImplementedError

    @property
    def layout_now(self) -> Layout:
        """How it is arranged."""
        return self.context.layouts.now

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
        self.context.layouts.change(**changes)
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

    def turn_pane_size(self) -> None:
        """Enlarge the panes, hide them, or show them as they were."""
        self._change(pane_size=following(self.layout_now.pane_size))

    def want_panes(self, panes: Panes) -> None:
        """Show these panes from now on."""
        self.grid.wish = panes
        self._change(panes=panes)

    def pin(self) -> None:
        """Pin the pane of the chosen agent, or of the marked ones; or unpin it."""
        agents = self.marked() or [agent for agent in [self.agent_here()] if agent]
        self.want_panes(pin(self.grid.wish, agents))

    def arranged_parts(self) -> list[RulePart]:
        """How the agents are arranged, part by part."""
        layout, grid = self.layout_now, self.grid
        parts: list[RulePart] = [(f"sort: {layout.sort}", partial(self.post_action, "sort"))]
        if layout.group is not Group.NONE:
            parts.append((f"by {layout.group}", partial(self.post_action, "group")))
        if grid.many:
            parts.append((f"panes: {grid.wish.words()}", partial(self.post_action, "panes")))
        return parts

    def post_action(self, name: str) -> None:
        """Run an action of the table."""
        self.app.post_message(RunAction(name))

    # ------------------------------------------------------------------ taps

    def filter_by(self, words: str) -> None:
        """Show only what contains this; again: all of it."""
        line = self.query_one(FilterLine)
        line.write("" if line.text == words else words)

    @on(Rule.Tapped, "#hosts-rule")
    def _tapped_hosts(self, event: Rule.Tapped) -> None:
        event.stop()
        self.post_action("fold_hosts")

    @on(Rule.Tapped, "#agents-rule")
    def _tapped_agents(self, event: Rule.Tapped) -> None:
        """Each part of the rule is tapped for what it says, its title for groups."""
        event.stop()
        if event.part == -1:
            self.post_action("group")
        elif event.part is not None and event.part < len(self.rule_parts):  # fewer, if agents have gone since
            self.rule_parts[event.part][1]()

    @on(Rule.Tapped, "#panes-rule")
    def _tapped_panes(self, event: Rule.Tapped) -> None:
        event.stop()
        self.post_action("panes")
