"""Looks at hosts before agents are started there, so that many do not die alike of one cause."""

from collections.abc import Callable
from dataclasses import replace

from controlroom.domain.display.checkup import preflight
from controlroom.domain.model import Host, LinkState, Profile
from controlroom.domain.tasks import Preflight, TaskState
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.hosts.inquiries import Inquiries, Unanswered
from controlroom.engine.hosts.translate import to_check
from controlroom.engine.queue.task_book import TaskBook
from controlroom.engine.store import FleetStore
from controlroom.text.states import AgentKind
from controlroom.wire import inquiries as wire

AGAIN, SELDOM = 60_000, 600_000
"""Milliseconds until a host that lacks something is looked at again: while that keeps anything out, and else."""

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
        seen = {name: result for name, result in fleet.queue.preflights.items() if name in up}
        needs = self._needs()
        seen = {name: replace(result, blocking=_blocking(result, needs)) for name, result in seen.items()}
        due = [name for name, host in up.items() if self._is_due(host, seen.get(name), wanted=bool(needs), now=now)]
        for name in due:
            seen[name] = replace(seen.get(name, Preflight()), looking=True)
        self._show(seen)
        for name in due:
            self._looks.begin(self._look_at(name))
        again = [result.at + _pause(result) for result in seen.values() if _lacks(result) and not result.looking]
        return min(again, default=0)

    def _needs(self) -> set[str]:
        """What the agents need that may be started soon without anybody looking: parts of `Preflight`."""
        fleet = self._store.fleet
        names = {task.profile for task in fleet.tasks.values() if task.state is TaskState.WAITING}
        names |= {name for name, profile in fleet.profiles.items() if profile.restarts.starts_any}
        needs: set[str] = set()
        for profile in (fleet.profiles.get(name, Profile("")) for name in names):
            if profile.kind is not AgentKind.COMMAND:
                needs.add("machine")
                if not profile.command:
                    needs |= {"claude"} if profile.own_login else {"claude", "login"}
        return needs

    def _is_due(self, host: Host, result: Preflight | None, *, wanted: bool, now: int) -> bool:
        if host.facts is None or not host.facts.owned:
            return False
        if result is None:
            return wanted
        return not result.looking and _lacks(result) and now - result.at >= _pause(result)

    async def _look_at(self, name: str) -> None:
        try:
            checked = await self._inquiries.ask(name, wire.Check(self._store.new_id()), wire.Checked, PATIENCE)
            result = preflight(to_check(checked, self._store.clock()), self._store.clock())
        except Unanswered:
            result = Preflight(self._store.clock())
        host = self._store.fleet.hosts.get(name)
        if host is not None and host.link is LinkState.UP:
            result = replace(result, blocking=_blocking(result, self._needs()))
            self._show({**self._store.fleet.queue.preflights, name: result})
        self._wake()

    def _show(self, preflights: dict[str, Preflight]) -> None:
        queue = self._store.fleet.queue
        if preflights != queue.preflights:
            self._book.show((), replace(queue, preflights=preflights))


def _blocking(result: Preflight, needs: set[str]) -> str:
    """What a host lacks of what is needed, in words."""
    return "; ".join(filter(None, (getattr(result, part) for part in ("machine", "claude", "login") if part in needs)))


def _pause(result: Preflight) -> int:
    return AGAIN if result.blocking else SELDOM


def _lacks(result: Preflight) -> bool:
    return bool(result.machine or result.claude or result.login)
