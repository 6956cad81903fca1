"""The part of the app that reads logs for what is on show, and searches in them."""

from collections.abc import Callable, Mapping

from controlroom.domain.model import Agent
from controlroom.tui.logs.follow import Reader
from controlroom.tui.logs.hunt import Hunt
from controlroom.tui.logs.logbook import LogBook
from controlroom.tui.room import Level, Room
from controlroom.tui.source import Source
from controlroom.tui.widgets.log import LogView


class ReadingApp(Room):
    """Holds what is held of logs."""

    def reading_begin(self, monotonic: Callable[[], float]) -> None:
        """Read from now on; `monotonic` gives seconds."""
        self._reader = Reader(self.work, self.log_grown, monotonic)

    def read_logs(self, wanted: Mapping[str, int]) -> None:
        """Follow these logs from now on: agent id -> epoch."""
        self._reader.show(wanted)

    def book(self, agent: Agent | None) -> LogBook | None:
        """Give what is held of an agent's log."""
        return self._reader.book(agent.id, agent.epoch) if agent else None

    def on_log_view_wanted(self, event: LogView.Wanted) -> None:
        """A view needs text that is not held."""
        if not event.over:
            self._reader.want(event.book, event.which)

    def on_log_view_jumped(self, event: LogView.Jumped) -> None:
        """A view is to stand where nothing is held."""
        self._reader.jump(event.book, event.place)

    def search(self, hunt: Hunt, found: Callable[[Hunt], None]) -> None:
        """Search on as far as is wanted; `found` is told of every piece."""
        if self.source is None:
            self.say("not now: the engine is not here", Level.DANGER)
        elif hunt.wants_more and not hunt.busy:
            self.work(self._search(self.source, hunt, found))

    async def _search(self, source: Source, hunt: Hunt, found: Callable[[Hunt], None]) -> None:
        hunt.busy = True
        try:
            while hunt.wants_more and source is self.source:
                await hunt.piece(source)
                found(hunt)
        finally:
            hunt.busy = False

    def log_grown(self, book: LogBook) -> None:
        """More of a log is held."""
