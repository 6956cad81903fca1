"""The part of the app that reads logs for what is on show, and searches in them."""

from collections.abc import Callable, Mapping

from controlroom.domain.model import Agent
from controlroom.tui.engine_client import Source
from controlroom.tui.logs.follow import Reader
from controlroom.tui.logs.log_buffer import LogBuffer
from controlroom.tui.logs.log_search import LogSearch
from controlroom.tui.room import Level, Room
from controlroom.tui.widgets.log import LogView


class ReadingApp(Room):
    """Holds what is held of logs."""

    def reading_begin(self, monotonic: Callable[[], float]) -> None:
        """Read from now on; `monotonic` gives seconds."""
        self._reader = Reader(self.work, self.log_grown, monotonic)

    def read_logs(self, wanted: Mapping[str, int]) -> None:
        """Follow these logs from now on: agent id -> epoch."""
        self._reader.show(wanted)

    def book(self, agent: Agent | None) -> LogBuffer | None:
        """Give what is held of an agent's log."""
        return self._reader.book(agent.id, agent.epoch) if agent else None

    def on_log_view_wanted(self, event: LogView.Wanted) -> None:
        """A view needs text that is not held."""
        if not event.over:
            self._reader.want(event.book, event.which)

    def on_log_view_jumped(self, event: LogView.Jumped) -> None:
        """A view is to stand where nothing is held."""
        self._reader.jump(event.book, event.place)

    def search(self, log_search: LogSearch, found: Callable[[LogSearch], None]) -> None:
        """Search on as far as is wanted; `found` is told of every piece."""
        if self.source is None:
            self.say("not now: the engine is not here", Level.DANGER)
        elif log_search.wants_more and not log_search.busy:
            self.work(self._search(self.source, log_search, found))

    async def _search(self, source: Source, log_search: LogSearch, found: Callable[[LogSearch], None]) -> None:
        log_search.busy = True
        try:
            while log_search.wants_more and source is self.source:
                await log_search.piece(source)
                found(log_search)
        finally:
            log_search.busy = False

    def log_grown(self, book: LogBuffer) -> None:
        """More of a log is held."""
