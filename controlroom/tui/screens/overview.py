"""The overview: hosts, agents and live panes at a glance, arranged as the person likes it."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Resize

from controlroom.domain.display.arrange import RESTLESS, Arranged, Arrangement, Change
from controlroom.domain.display.layout import Layout, PaneSize, Pick
from controlroom.domain.display.views import host_rows, limit_end
from controlroom.domain.keys.action import Action
from controlroom.domain.keys.availability import unavailable
from controlroom.tui.context import RunAction
from controlroom.tui.screens.arranging import ArrangingScreen
from controlroom.tui.screens.base import Motion
from controlroom.tui.terminal.throttle import ThrottledHosts
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.agents import AgentTable, no_agents
from controlroom.tui.widgets.footer import Item, Keys, StatusMessage
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.hosts import HostSummary, HostTable
from controlroom.tui.widgets.limits import Meters
from controlroom.tui.widgets.lines import set_lines
from controlroom.tui.widgets.notices import AbsenceLine, AlarmLine, QueueLine, halt_lines
from controlroom.tui.widgets.panes import SIDE, AgentPane, PaneGrid
from controlroom.tui.widgets.question import QuestionPanel
from controlroom.tui.widgets.rows import Rows
from controlroom.tui.widgets.type_line import FilterLine

_PANE = 70
"""Columns that panes beside the table keep, whatever that could use."""
_ROWS = 5
"""Lines that agents keep whatever else wants to be seen."""
_PANE_LINES = 4
"""Lines below its heading without which no pane stands under a narrow table."""


class Wishes(NamedTuple):
    """What there is to show."""

    meters: int
    """Lines that gauges of budgets and limits want."""
    alarms: int
    hosts: int
    agents: int
    """Rows of the table, those of groups too."""
    many_panes: bool
    arranged: bool
    """Whether agents stand in an unusual order, or some are marked."""
    fold_hosts: bool = False
    panes: PaneSize = PaneSize.FITTED
    """`HIDDEN`: there is nothing to show in them, too."""


class Shares(NamedTuple):
    """Lines of each part; what has none is not shown."""

    meters: int
    alarm: bool
    hosts: int
    host_line: bool
    """All hosts in one line."""
    agents_rule: bool
    left: int
    """Lines of hosts and agents together where panes stand under them; 0: all there are."""
    under: bool = False
    """Whether panes stand under a table that is short, though there is room for them beside it."""
    below: bool = False
    """Whether panes take what a narrow table leaves."""


def folded(wish: Wishes, layout: Layout) -> Wishes:
    """What is still wanted where something is folded."""
    meters = min(wish.meters, 1) if layout.fold_limits else wish.meters
    return wish._replace(meters=meters, fold_hosts=layout.fold_hosts)


def beside(width: int, height: int) -> bool:
    """Whether there is room for panes beside the table, or under it."""
    return width >= SIDE or (width >= 100 and height >= 24)


def share(width: int, height: int, wish: Wishes) -> Shares:
    """Share a screen of this size out."""
    alarm = bool(wish.alarms) and height >= 12
    spare = height - 2 - _ROWS - alarm
    meters = max(0, min(wish.meters, spare))
    body = height - meters - alarm
    most = 0 if width < 60 or body < 16 else max(1, min(8, (body - 8) // 4))
    hosts = 0 if wish.fold_hosts else min(wish.hosts, most)
    host_line = bool(wish.hosts) and not hosts and body >= 8 and (width >= 60 or not wish.fold_hosts)
    agents_rule = (width >= 60 or wish.arranged) and body >= 10
    left, used, rows = 0, 4 + (hosts + 1 if hosts else 0), max(3, wish.agents + 1)
    shown = wish.panes is not PaneSize.HIDDEN and beside(width, height)
    under = shown and width >= SIDE and 2 * (used + rows) <= body
    if under or (shown and width < SIDE):
        room = (body - used) * (2 if wish.many_panes else 3) // (12 if wish.panes is PaneSize.LARGE else 6)
        fits = under and wish.panes is PaneSize.FITTED
        left = used - 3 + (rows if fits else min(rows, max(6, room)))
    elif not shown and width >= 60 and wish.agents and wish.panes is not PaneSize.HIDDEN:
        rows = min(rows, max(_ROWS, (body - used) // 3)) if wish.panes is PaneSize.LARGE else rows
        if body - used - rows >= _PANE_LINES:
            return Shares(meters, alarm, hosts, host_line, agents_rule, used - 3 + rows, below=True)
    return Shares(meters, alarm, hosts, host_line, agents_rule, left, under)


_REST = 5.0
"""Seconds that the order of rows rests where it follows such figures."""


class Overview(ArrangingScreen):
    """Everything at a glance."""

    where = "overview"

    def __init__(self) -> None:
        super().__init__()
        self._hosts = ThrottledHosts()
        self._seen = ViewState()
        self.arranged = Arranged()
        self._ordered_at = 0.0
        self._over = self._below = False
        self._answered: dict[str, str] = {}
        """Agent id -> the question of it that was answered last; what it asks may still be on show."""

    def compose(self) -> ComposeResult:
        """From the top; what is beside what follows from the width, in the style sheet."""
        yield Gauges(id="gauges")
        yield Meters(id="meters")
        yield AbsenceLine(id="absence")
        yield QueueLine(id="queue")
        with Vertical(id="glance"):
            with Vertical(id="left"):
                yield HostSummary(id="host-line")
                yield Rule("hosts", id="hosts-rule")
                yield HostTable(cursor=False, id="hosts")
                yield Rule("agents", id="agents-rule")
                yield AgentTable(id="agents")
            yield Rule("panes", id="panes-rule")
            yield PaneGrid(self.layout_now.panes, id="panes")
        yield AlarmLine(id="alarm-line")
        yield StatusMessage(id="says")
        yield FilterLine(id="filter")
        yield Keys(id="keys")

    def on_mount(self) -> None:
        """Borders, too, are of the set of signs that is asked for."""
        self.set_class(self.palette.glyphs.plain, "-plain")

    @cached_property
    def table(self) -> AgentTable:
        """The agents."""
        return self.query_one(AgentTable)

    @property
    def pane(self) -> AgentPane:
        """The pane of the chosen agent; where it has none, the first."""
        return self.grid.of(self.table.chosen) or self.grid.panes[0]

    @property
    def _beside(self) -> bool:
        """Whether panes stand beside the table, or under it."""
        return (beside(*self.size) or self.small_pane) and self._pane_size is not PaneSize.HIDDEN

    @property
    def small_pane(self) -> bool:
        """Whether a pane takes what a narrow table leaves; panes may take the place of that table instead."""
        return self._below and not self._over

    @property
    def _pane_size(self) -> PaneSize:
        """How much room panes have; where there is no agent they have none."""
        return self.layout_now.pane_size if self.view.fleet.agents else PaneSize.HIDDEN

    @property
    def covered(self) -> bool:
        """Whether the panes stand in the place of the table."""
        return self._over and not self._beside

    @property
    def pane_shown(self) -> bool:
        """Whether live panes are on show."""
        return self._beside or self._over

    # ------------------------------------------------------------------ showing

    def see(self, view: ViewState) -> None:
        """Show this from now on."""
        self._seen = view
        self.query_one(Meters).show(view, self.context.monotonic())
        self.query_one(AlarmLine).show(view)
        self.query_one(QueueLine).show(view)
        self._see_absence(view)
        self._see_hosts(view)
        self._see_agents(view)
        self._arrange()
        super().see(view)

    def news(self, view: ViewState) -> None:
        """Lines and loads come many times a second: where nothing else came, nothing else is looked at."""
        from controlroom.domain.patch import changed_rows  # the first frame does not wait for it

        before = self._seen
        changed = changed_rows(before.fleet, view.fleet) if replace(view, fleet=before.fleet) == before else None
        moves = self.layout_now.sort in RESTLESS or bool(self.query_one(FilterLine).text)
        if changed is None or moves or self.grid.wish.pick is Pick.ACTIVE:
            super().news(view)
            return
        self._seen = view
        if view.fleet.hosts is not before.fleet.hosts or self._hosts.late:
            self._see_hosts(view)
        if changed:
            self.table.renew(changed, self.arranged.renew(view.fleet, changed))

    def _see_absence(self, view: ViewState) -> None:
        before = self.context.last_look.before(view.now) if view.known else None
        if before is None:
            self.query_one(AbsenceLine).show("", "")
            return
        from controlroom.domain.news import happened_since

        self.query_one(AbsenceLine).show(view.clock(before.at), happened_since(view.fleet, before, view.now))

    def _see_hosts(self, view: ViewState) -> None:
        rows = host_rows(view.fleet, view.now, view.counts)
        hosts = self._hosts.shown(rows, self.size.width, self.context.monotonic())
        self.query_one(HostSummary).show(hosts)
        self.query_one("#hosts", HostTable).show(hosts)

    def _see_agents(self, view: ViewState, *, by_hand: bool = False) -> None:
        wanted = self.query_one(FilterLine).text
        changes = self._follow(view, self.arrangement)
        cells = max(20, self.table.size.width - 4)
        self.table.empty_lines = no_agents(self.context, view, wanted, cells)
        agents = view.fleet.agents
        limited = view.counts.after(agents).limited
        ends = {name: limit_end(agents[name], view.now) for name in limited}
        self.table.until = {name: view.clock(end) for name, end in ends.items() if end}
        self.table.mark(self.table.marks.without([name for name in self.table.marks.names if name not in agents]))
        self.table.follow(self.arranged, changes, by_hand=by_hand)
        self._see_rule(view, wanted)
        self._see_panes()

    def _follow(self, view: ViewState, wanted: Arrangement) -> list[Change] | None:
        """Arrange the rows; an order by figures that always move rests for a while."""
        now = self.context.monotonic()
        same = wanted == self.arranged.arrangement
        hold = same and wanted.sort in RESTLESS and now - self._ordered_at < _REST
        if not hold:
            self._ordered_at = now
        return self.arranged.follow(view.fleet, view.now, wanted, hold=hold)

    def _see_rule(self, view: ViewState, wanted: str) -> None:
        """Show how the table is arranged, and how many agents it holds."""
        total, shown = len(view.fleet.agents), len(self.arranged.ids)
        parts, marks = self.arranged_parts(), self.mark_parts()
        parts = [*marks[:-1], *parts, *marks[-1:]] if self.marked() else [*marks, *parts]
        if wanted:
            parts.append((f"{shown} of {total} with “{wanted}”", lambda: self.filter_by(wanted)))
        else:
            parts.append((str(total), lambda: None))
        self.rule_parts = parts if total else []
        style = self.palette.warn if wanted or self.table.marks.names else None
        self.query_one("#agents-rule", Rule).show("agents", *(words for words, _ in self.rule_parts), style=style)

    def _see_panes(self) -> None:
        grid, view = self.grid, self.view
        grid.seat(view, self.arranged.ids, self.agent_here())
        if self.covered and grid.live and self.agent_here() not in grid.live:
            self.table.came_to(grid.live[0])  # what keys act on is on show
        chosen, live = self.agent_here(), grid.live if self.pane_shown else ()
        if self.on_top:
            self.context.logs.show({agent: view.fleet.agents[agent].epoch for agent in live})
        self._look_at_lines()
        if self.pane_shown:
            grid.show(view, chosen, self.context.logs.book)
        number = f"{grid.seats.index(chosen) + 1} of " if chosen in grid.seats and grid.many else ""
        title = f"panes: {grid.wish.words()}" if grid.many else "pane"
        self.query_one("#panes-rule", Rule).show(title, f"{number}{len(grid.seats) if grid.many else ''}")

    def _arrange(self) -> None:
        """Share the height out, and show what has a part of it."""
        size, meters, left = self.size, self.query_one(Meters), self.query_one("#left")
        arranged = self.unusual or bool(self.table.marks.names)
        fleet, wanted = self.view.fleet, meters.lines_wanted(*size)
        many, rows = self.grid.many, len(self.table.rows)
        wishes = Wishes(wanted, len(fleet.alarms), len(fleet.hosts), rows, many, arranged, panes=self._pane_size)
        wishes = folded(wishes, self.layout_now)
        taken = self.query_one(QueueLine).display + halt_lines(self.view, size.width)
        shares = share(size.width, size.height - taken, wishes)
        self._below = shares.below
        set_lines(meters, shares.meters)
        set_lines(self.query_one("#hosts"), shares.hosts)
        for part, shown in (
            ("#alarm-line", shares.alarm),
            ("#host-line", shares.host_line),
            ("#hosts-rule", bool(shares.hosts)),
            ("#agents-rule", shares.agents_rule),
            ("#panes-rule", self.covered and size.height >= 10),
        ):
            self.query_one(part).display = shown
        left.display, self.grid.display = not self.covered, self.pane_shown
        left.styles.height = shares.left or "1fr"
        left.styles.width = "1fr" if shares.under else self._left_width(size.width, many)
        self.set_class(shares.under, "-under")

    def _left_width(self, width: int, many: bool) -> int | str:
        """The columns of the table: those that it needs, for as long as panes beside it have enough."""
        if width < SIDE or not self._beside:
            return "1fr"
        large = self._pane_size is PaneSize.LARGE
        most = width // 3 if large else width * 2 // 5 if many else width - _PANE
        return max(64, min(self.table.natural_width, most))

    def on_resize(self, event: Resize) -> None:
        """The size is another one: arrange anew, as is remembered for terminals of this kind."""
        self.context.layouts.fit(event.size.width)
        self.grid.wish = self.layout_now.panes
        self.call_after_refresh(self.see, self.view)

    @on(PaneGrid.Resized)
    def _other_room(self, event: PaneGrid.Resized) -> None:
        event.stop()
        if self.made:
            self._see_panes()

    def log_grown(self, agent: str) -> None:
        """Paint what came if it is of a pane."""
        pane = self.grid.of(agent)
        if pane is not None and pane.made and pane.agent is not None:
            pane.log_view.show(self.context.logs.book(pane.agent))
            pane.log_view.grown()

    # ------------------------------------------------------------------ arranging

    def arrange_anew(self) -> None:
        """Arrange everything anew, as somebody has just asked for."""
        self._see_agents(self.view, by_hand=True)
        self._arrange()
        self.show_keys()

    def cover(self, over: bool = True) -> None:
        """Put the panes in the place of the table, where there is no room for both; or take them away again."""
        self._over = over
        self._arrange()
        self._see_panes()
        self.show_keys()

    def step_back(self) -> bool:
        """Back from what is filtered, from the panes to the table, from marks to none; says whether that was a step."""
        if self.covered and not self.query_one(FilterLine).text:
            self.cover(False)
            return True
        return super().step_back()

    def _escape(self) -> None:
        """Go a step back; out of the app leads another key, which nobody presses once too often."""
        if not self.step_back():
            self.say(f"{self.context.keys.shown('back')} leaves; agents and engine live on")

    @property
    def ids(self) -> Sequence[str]:
        """The agents on show, in order."""
        return self.arranged.ids

    def reason_at(self, action: Action, name: str) -> str | None:
        """Why an action cannot be done to one agent, or None."""
        return unavailable(action, self.view.fleet, name)

    # ------------------------------------------------------------------ where the cursor goes

    def on_screen_resume(self) -> None:
        """Show what came meanwhile, and go on at the agent that was looked at."""
        super().on_screen_resume()
        agent, self.context.looked_at = self.context.looked_at, ""
        if agent in self.view.fleet.agents:
            self._go_to(agent)

    def _go_to(self, agent: str) -> None:
        """Put the cursor on an agent, and have it on show: neither a filter nor other panes hide it."""
        line = self.query_one(FilterLine)
        if agent not in self.arranged.ids and line.text:
            self.say(f"all agents are shown again: {agent} does not match “{line.text}”")
            line.write("")
            self.arrange_anew()
        self.table.choose(agent)
        if self.covered and agent not in self.grid.live:
            self.cover(False)

    def answered(self, subjects: Collection[str]) -> None:
        """Go from an agent whose question is being answered to the next one that asks something."""
        agents, ids = self.view.fleet.agents, self.arranged.ids
        asked = {agent: question.id for agent in ids if (question := agents[agent].question) is not None}
        self._answered |= {subject: asked[subject] for subject in subjects if subject in asked}
        self._answered = {agent: id_ for agent, id_ in self._answered.items() if asked.get(agent) == id_}
        open_ = [agent for agent in asked if agent not in self._answered]
        here = self.agent_here()
        if here not in subjects or not open_:
            return
        place = ids.index(here)
        after = [agent for agent in open_ if ids.index(agent) > place]
        self.table.choose((after or open_)[0])

    # ------------------------------------------------------------------ doing

    def items(self) -> list[Item]:
        """Back means out here, which on a phone is left to the key; while there is a filter it takes that away."""
        filtered, marked = bool(self.query_one(FilterLine).text), bool(self.table.marks.names)
        word = "show all" if filtered else "back" if self.covered else "unmark" if marked else "quit"
        left_out = {"back"} if word == "quit" and self.size.width < 60 else set()
        shown = [item for item in super().items() if item.action.name not in left_out]
        return [replace(item, title=word) if item.action.name == "back" else item for item in shown]

    def agent_here(self) -> str | None:
        """The agent under the cursor."""
        return self.table.chosen if self.arranged.ids else None

    def lines_here(self) -> frozenset[str] | None:
        """The rows and panes on show; all where any line may have what is filtered by. Seats change by the minute."""
        if self.query_one(FilterLine).text:
            return None
        rows = frozenset() if self.covered else self.table.drawn
        return rows.union(self.grid.live if self.pane_shown else ())

    def list_here(self) -> AgentTable:
        """The agents."""
        return self.table

    def question_here(self) -> QuestionPanel | None:
        """The question in the pane, where there is one."""
        pane = self.pane if self.pane_shown else None
        return pane.question if pane is not None and pane.display and pane.made else None

    def turns_to(self, panel: QuestionPanel) -> bool:
        """A tap in the pane of another agent chooses that agent."""
        self.table.choose(panel.subject)
        return super().turns_to(panel)

    def motions(self) -> list[Motion]:
        """Keys that move the cursor and the chosen pane's log."""
        far = len(self.table.rows)
        moves = [
            self.motion("down", partial(self._move, 1)),
            self.motion("up", partial(self._move, -1)),
            self.motion("first", partial(self._move, -far)),
            self.motion("last", partial(self._move, far)),
            self.motion("page_down", self._page_down),
            self.motion("page_up", self._page_up),
            Motion("escape backspace", "Clear the filter, then the marks; leaves nothing else.", self._escape),
            Motion(
                "1",
                "The pane with that number, up to 9 (0: the tenth); with one pane, that row.",
                partial(self._number, 1),
            ),
        ]
        numbers = [Motion(str(number % 10), "", partial(self._number, number)) for number in range(2, 11)]
        return moves + numbers

    def _move(self, steps: int) -> None:
        """Move through the table; where the panes cover it, from pane to pane."""
        seats, chosen = self.grid.seats, self.agent_here()
        if not (self.covered and self.grid.many and seats):
            self.table.move(steps)
            return
        index = seats.index(chosen) + steps if chosen in seats else 0
        self.table.choose(seats[max(0, min(index, len(seats) - 1))])

    def _page_down(self) -> None:
        question = self.question_here()
        if question is not None and question.long:
            question.turn()
        elif self.pane_shown and self.pane.made:
            self.pane.log_view.scroll_pages(1)

    def _page_up(self) -> None:
        if self.pane_shown and self.pane.made:
            self.pane.log_view.scroll_pages(-1)

    def _number(self, number: int) -> str | None:
        """Choose a pane or a row; a row is opened where no pane shows it."""
        if self.pane_shown and self.grid.many:
            if number <= len(self.grid.seats):
                self.table.choose(self.grid.seats[number - 1])
        elif self.table.choose_number(number) and not self.pane_shown:
            return "open"
        return None

    @on(AgentPane.Tapped)
    def _pane_tapped(self, event: AgentPane.Tapped) -> None:
        event.stop()
        again = event.agent == self.agent_here()
        if self.table.choose(event.agent) and again:
            self.app.post_message(RunAction("open"))

    @on(HostSummary.Tapped)
    def _hosts_tapped(self, event: HostSummary.Tapped) -> None:
        """What is folded opens; where there is no room for a table the hosts have a screen."""
        event.stop()
        self.app.post_message(
            RunAction("fold_hosts" if self.layout_now.fold_hosts and self.size.width >= 60 else "hosts")
        )

    @on(Rows.Chosen)
    def _chosen(self, event: Rows.Chosen) -> None:
        event.stop()
        self._see_panes()
        self.show_keys()

    @on(Rows.Scrolled)
    def _scrolled(self, event: Rows.Scrolled) -> None:
        event.stop()
        self._look_at_lines()

    def _look_at_lines(self) -> None:
        if self.on_top:
            self.context.logs.look_at(self.lines_here())

    @on(Rows.Tapped)
    def _row_tapped(self, event: Rows.Tapped) -> None:
        event.stop()
        if isinstance(event.rows, HostTable):
            self.app.post_message(RunAction("hosts"))
        elif event.again or not self.pane_shown:
            self.app.post_message(RunAction("open"))
