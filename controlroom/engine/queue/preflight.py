"""Looks at hosts before agents are started there, so that many do not die alike of one cause."""

from collections.abc import Callable
from dataclasses import replace

from controlroom.domain.display.checkup import preflight
from controlroom.domain.model import Host, LinkState
from controlroom.domain.tasks import Preflight, TaskState
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.hosts.inquiries import Inquiries, Unanswered
from controlroom.engine.hosts.translate import to_check
from controlroom.engine.queue.task_book import TaskBook
from controlroom.engine.store import FleetStore
from controlroom.wire import inquiries as wire

AGAIN = 60_000
"""Milliseconds until a host that lacks something is looked at again."""

PATIENCE = 10.0
"""Seconds for a host to answer; one that does not keeps nobody from being started there."""


class HostPreflights:
    """What hosts lack. All methods are called on the event loop."""

    def __init__(self, store: FleetStore, book: TaskBook, inquiries: Inquiries, wake: Callable[[], None]) -> None:
        """`wake`: have the queue look at its tasks soon."""
        self._store, self._book, self._inquiries, self._wake = store, book, inquiries, wake
        self._looks = BackgroundTasks("a preflight")

    @property
    def busy(self) -> bool:
        """Whether a host is being looked at."""
        return len(self._looks) > 0

    async def wait_idle(self) -> None:
        """Wait until no host is being looked at."""
        await self._looks.wait_idle()

    def close(self) -> None:
        """Look at no host any more."""
        self._looks.close()

    def look(self) -> int:
        """Look at the hosts that are wanted and not known, or lacked something; the next moment for that, 0: none."""
        fleet, now = self._store.fleet, self._store.clock()
        up = {name: host for name, host in fleet.hosts.items() if host.link is LinkState.UP}
        seen = {name: found for name, found in fleet.queue.preflights.items() if name in up}
        wanted = self._is_wanted()
        due = [name for name, host in up.items() if self._is_due(host, seen.get(name), wanted=wanted, now=now)]
        for name in due:
            seen[name] = replace(seen.get(name, Preflight()), looking=True)
        self._show(seen)
        for name in due:
            self._looks.begin(self._look_at(name))
        again = [found.at + AGAIN for found in seen.values() if _lacks(found) and not found.looking]
        return min(again, default=0)

    def _is_wanted(self) -> bool:
        """Whether anything may be started soon without anybody looking."""
        fleet = self._store.fleet
        waits = any(task.state is TaskState.WAITING for task in fleet.tasks.values())
        return waits or any(profile.restarts.starts_any for profile in fleet.profiles.values())

    def _is_due(self, host: Host, found: Preflight | None, *, wanted: bool, now: int) -> bool:
        if host.facts is None or not host.facts.owned:
            return False
        if found is None:
            return wanted
        return not found.looking and _lacks(found) and now - found.at >= AGAIN

    async def _look_at(self, name: str) -> None:
        try:
            checked = await self._inquiries.ask(name, wire.Check(self._store.new_id()), wire.Checked, PATIENCE)
            found = preflight(to_check(checked, self._store.clock()), self._store.clock())
        except Unanswered:
            found = Preflight(self._store.clock())
        host = self._store.fleet.hosts.get(name)
        if host is not None and host.link is LinkState.UP:
            self._show({**self._store.fleet.queue.preflights, name: found})
        self._wake()

    def _show(self, preflights: dict[str, Preflight]) -> None:
        queue = self._store.fleet.queue
        if preflights != queue.preflights:
            self._book.show((), replace(queue, preflights=preflights))


def _lacks(found: Preflight) -> bool:
    return bool(found.machine or found.claude or found.login)
