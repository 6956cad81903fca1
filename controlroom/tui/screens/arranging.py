"""A screen whose parts a person puts another way: order, groups, folded parts, live panes; and the taps that do it."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from textual import on

from controlroom.domain.display.arrange import Arrangement, Group, Sort, following
from controlroom.domain.display.layout import Layout, Panes, pin
from controlroom.domain.keys.action import Action
from controlroom.tui.context import RunAction
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.view_state import Marks
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.panes import PaneGrid
from controlroom.tui.widgets.rows import Rows
from controlroom.tui.widgets.type_line import FilterLine

RulePart = tuple[str, Callable[[], None]]
"""Words on the rule above the agents, and what a tap on them does."""


_NAMED = 3
"""Marked rows out of sight that are named."""


def listed(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(name.rpartition("/")[2] for name in names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


class MarkingScreen(RoomScreen):
    """A screen with a table that is sorted and filtered, and whose rows are marked to be acted on together."""

    rule_parts: Sequence[RulePart] = ()
    """What stands on the rule above the table."""

    @property
    def ids(self) -> Sequence[str]:
        """The rows on show at which the cursor may stand, in order."""
        raise NotImplementedError

    def list_here(self) -> Rows[Any]:
        """The table."""
        raise NotImplementedError

    def arrange_anew(self) -> None:
        """Arrange everything anew, as somebody has just asked for."""
        raise NotImplementedError

    def reason_at(self, action: Action, name: str) -> str | None:
        """Why an action cannot be done to one row, or None."""
        raise NotImplementedError

    @property
    def layout_now(self) -> Layout:
        """How it is arranged."""
        return self.context.layouts.now

    def _change(self, **changes: object) -> None:
        self.context.layouts.change(**changes)
        self.arrange_anew()

    def turn_sort(self) -> None:
        """Order the rows by the next thing."""
        raise NotImplementedError

    def step_back(self) -> bool:
        """Back from what is filtered, then from marks to none; says whether that was a step."""
        if super().step_back():
            return True
        marked = bool(self.list_here().marks.names)
        if marked:
            self._mark(Marks())
        return marked

    def mark(self) -> None:
        """Mark the chosen row, or take its mark away, and go on to the next one."""
        table = self.list_here()
        if name := table.chosen if self.ids else None:
            table.move(1)
            self._mark(table.marks.toggled(name))

    def mark_all(self) -> None:
        """Mark all rows on show; where all of them are marked, take all marks away."""
        self._mark(self.list_here().marks.all_or_none(self.ids))

    def unmark(self, names: Collection[str]) -> None:
        """Take the marks of these rows away."""
        self._mark(self.list_here().marks.without(names))

    def _mark(self, marks: Marks) -> None:
        self.list_here().mark(marks)
        self.arrange_anew()

    def marked(self) -> list[str]:
        """The marked rows of the table, in its order."""
        return self.list_here().marks.shown(self.ids)

    def hidden_marks(self) -> list[str]:
        """The marked rows that the filter hides."""
        return self.list_here().marks.hidden(self.ids)

    def reason_against(self, action: Action) -> str | None:
        """What can be done to one of the marked can be done."""
        marked = self.marked()
        if not (action.many and marked):
            return super().reason_against(action)
        reasons = [self.reason_at(action, name) for name in marked]
        return None if None in reasons else f"none of the {len(marked)} marked: {reasons[0]}"

    def mark_parts(self) -> list[RulePart]:
        """What is said of the marks on the rule above the table: those out of sight first."""
        marked, hidden = self.marked(), self.hidden_marks()
        parts: list[RulePart] = []
        if hidden:
            parts.append((f"marks out of sight: {listed(hidden)}", partial(self.unmark, hidden)))
        if marked:
            parts.append((f"{len(marked)} marked", partial(self.unmark, marked)))
        return parts

    def filter_by(self, words: str) -> None:
        """Show only what contains this; again: all of it."""
        line = self.query_one(FilterLine)
        line.write("" if line.text == words else words)

    def tap_rule(self, part: int | None) -> None:
        """A part of the rule was tapped: do what stands behind its words."""
        if part is not None and 0 <= part < len(self.rule_parts):  # fewer, if rows have gone since
            self.rule_parts[part][1]()

    def post_action(self, name: str) -> None:
        """Run an action of the table."""
        self.app.post_message(RunAction(name))

    @on(FilterLine.Changed)
    def _filtered(self, event: FilterLine.Changed) -> None:
        event.stop()
        self.arrange_anew()


class ArrangingScreen(MarkingScreen):
    """A screen whose parts can be put another way."""

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

    # ------------------------------------------------------------------ taps

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
        else:
            self.tap_rule(event.part)

    @on(Rule.Tapped, "#panes-rule")
    def _tapped_panes(self, event: Rule.Tapped) -> None:
        event.stop()
        self.post_action("panes")
