"""All logs in one: what agents on all hosts say, in the order in which they said it."""

import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from textual import on
from textual.app import ComposeResult

from controlroom.domain.display.timeline import exported, wish_of
from controlroom.domain.patch import changed_rows
from controlroom.tui.context import Level, RunAction
from controlroom.tui.logs.timeline import AGENTS, Timeline, newest_failed, read_of
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.base import Motion, RoomScreen
from controlroom.tui.terminal.throttle import NARROW, frame_of
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.footer import Item, Keys, StatusMessage
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.timeline import TimelineView
from controlroom.tui.widgets.type_line import FilterLine

_PACE = 0.2
"""Seconds between two paintings of what arrives; a phone has more."""


class TimelineScreen(RoomScreen):
    """The marked agents' logs, or those of the agents that failed or spoke last."""

    where = "timeline"

    def __init__(self, agents: list[str]) -> None:
        super().__init__()
        self._agents = agents
        self.timeline = Timeline()
        self.read: dict[str, int] = {}
        self._late = False
        self._seen = ViewState()

    def compose(self) -> ComposeResult:
        """One list between gauges and footer."""
        yield Gauges(id="gauges")
        yield Rule("log", id="timeline-rule")
        yield TimelineView(id="timeline")
        yield StatusMessage(id="says")
        yield FilterLine("agent:… host:… level:error mark:… words or re:…", id="filter")
        yield Keys(id="keys")

    def on_unmount(self) -> None:
        """Let its lines go at once: what else is left of a screen is freed later, of several together."""
        self.timeline.moments.clear()

    @property
    def timeline_view(self) -> TimelineView:
        """The list."""
        return self.query_one(TimelineView)

    def see(self, view: ViewState) -> None:
        """Read the logs of whom it is about."""
        self.timeline_view.clock = lambda at: self._clock(view, at)
        if self.app.screen is self:
            self.read = self._choose(view)
            self.context.logs.show(self.read)
            self.timeline.only(self.read)
            for agent in self.read:
                self._take(agent)
        self._paint()
        super().see(view)

    def _choose(self, view: ViewState) -> dict[str, int]:
        """Stay with those that are read while all are there and no other fails: who spoke last changes all the time."""
        agents = view.fleet.agents
        stand = self.read and all(key in agents and agents[key].epoch == epoch for key, epoch in self.read.items())
        more = len(agents) > len(self.read) < AGENTS and not self._agents
        fails = not self._agents and any(agent.id not in self.read for agent in newest_failed(agents.values()))
        return self.read if stand and not more and not fails else read_of(view.fleet, self._agents)

    def news(self, view: ViewState) -> None:
        """Lines come by themselves; here only who is there matters."""
        before, self._seen = self._seen, view
        if replace(view, fleet=before.fleet) != before or changed_rows(before.fleet, view.fleet) is None:
            self.see(view)

    def _clock(self, view: ViewState, at: int) -> str:
        """The time of a line; to the second where there is room, with the day where that is another one."""
        then = datetime.fromtimestamp(at / 1000, view.zone)
        if then.date() != datetime.fromtimestamp(view.now / 1000, view.zone).date():
            return then.strftime("%d %H:%M" if self.size.width < NARROW else "%a %H:%M:%S")
        return then.strftime("%H:%M" if self.size.width < NARROW else "%H:%M:%S")

    def log_grown(self, agent: str) -> None:
        """Take in what came; paint it soon."""
        if (self._take(agent) or not self.timeline_view.moments) and not self._late:
            self._late = True
            self.set_timer(max(_PACE, frame_of(self.app.size.width)), self._paint)

    def _take(self, agent: str) -> bool:
        agent_now = self.view.fleet.agents.get(agent)
        book = self.context.logs.book(agent_now) if agent_now else None
        if agent_now is None or book is None or not book.loaded:
            return False
        facts = self.view.fleet.hosts[agent_now.host].facts
        return self.timeline.take(book, facts.clock_offset if facts else 0)

    def _trouble(self) -> str:
        """Why no log can be read, where all have the same reason."""
        agents, logs = self.view.fleet.agents, self.context.logs
        books = [logs.book(agents[agent]) for agent in self.read if agent in agents]
        troubles = {book.trouble if book is not None else "" for book in books}
        return troubles.pop() if len(troubles) == 1 else ""

    def _paint(self) -> None:
        self._late = False
        wanted = self.query_one(FilterLine).text.strip()
        wish = wish_of(wanted)
        self.timeline_view.trouble = self._trouble()
        self.timeline_view.show(self.timeline, wish)
        count = len(self.read)
        whom = f"{count} agent{'s' * (count != 1)}" + (f" of {len(self.view.fleet.agents)}" if count else "")
        state = wish.problem or ("following" if self.timeline_view.following else "standing still")
        title = "log" if wanted and self.size.width < NARROW else f"log of {whom}"
        self.query_one(Rule).show(title, f"{state} · with “{wanted}”" if wanted and not wish.problem else state)

    def agent_here(self) -> str | None:
        """The agent of the line under the cursor."""
        return self.timeline_view.chosen.agent if self.timeline_view.chosen else None

    def line_here(self) -> str:
        """The line under the cursor."""
        return self.timeline_view.chosen.line.text if self.timeline_view.chosen else ""

    # ------------------------------------------------------------------ doing

    def items(self) -> list[Item]:
        """Back first ends a filter."""
        filtered = bool(self.query_one(FilterLine).text)
        word = "show all" if filtered else "back"
        return [replace(item, title=word) if item.action.name == "back" else item for item in super().items()]

    def motions(self) -> list[Motion]:
        """Keys that move the cursor."""
        view = self.timeline_view
        return [
            self.motion("down", lambda: view.step(1)),
            self.motion("up", lambda: view.step(-1)),
            self.motion("page_down", lambda: view.page(1)),
            self.motion("page_up", lambda: view.page(-1)),
            self.motion("first", view.to_start),
            self.motion("last", view.to_end),
        ]

    def open_here(self) -> None:
        """Open the agent of the line under the cursor, at that line."""
        moment = self.timeline_view.chosen
        if moment is not None and moment.agent in self.view.fleet.agents:
            self.app.push_screen(AgentScreen(moment.agent, None if self.timeline_view.following else moment.place))

    def bookmark(self) -> None:
        """Keep the line under the cursor, or let it go."""
        if self.timeline_view.chosen is not None:
            kept = self.timeline.keep(self.timeline_view.chosen)
            self.timeline_view.redraw()
            keys = self.context.keys
            back = f"{keys.shown('bookmark_older')} and {keys.shown('bookmark_newer')} lead to it"
            self.say(f"bookmarked: {back}" if kept else "bookmark removed")

    def to_bookmark(self, step: int) -> None:
        """Go to the next older (-1) or newer (1) line that was kept."""
        if not self.timeline_view.to_kept(step):
            where = "before this one" if step < 0 else "after this one"
            self.say(f"there is no bookmark {where}" if self.timeline.kept else "there is no bookmark yet")

    def export(self) -> None:
        """Write what is on show into a file of its own in the home of whoever sits here."""
        now = datetime.fromtimestamp(self.view.now / 1000, self.view.zone)
        moments = list(self.timeline_view.moments)
        path = write_new(Path.home(), f"controlroom-log-{now:%Y%m%d-%H%M%S}", map(exported, moments))
        lines = f"{len(moments)} line{'s' * (len(moments) != 1)}"
        if path:
            self.say(f"{lines} written to {path}", Level.DONE)
        else:
            self.say(f"nothing was written: {Path.home()} takes no new file", Level.DANGER)

    @on(Rule.Tapped)
    def _to_end(self, event: Rule.Tapped) -> None:
        event.stop()
        self.timeline_view.to_end()

    @on(TimelineView.Tapped)
    def _tapped_line(self, event: TimelineView.Tapped) -> None:
        event.stop()
        self.app.post_message(RunAction("open"))

    @on(TimelineView.Moved)
    def _moved(self, event: TimelineView.Moved) -> None:
        event.stop()
        self._paint()

    @on(FilterLine.Changed)
    def _typed(self, event: FilterLine.Changed) -> None:
        event.stop()
        self._paint()
        self.show_keys()


def write_new(folder: Path, name: str, lines: Iterable[str]) -> Path | None:
    """Write lines into a file that was not there, readable only by its user; None when that cannot be done."""
    for number in range(100):
        path = folder / f"{name}{f'-{number}' if number else ''}.tsv"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            continue
        except OSError:
            return None
        with open(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(f"{line}\n" for line in lines)
        return path
    return None
