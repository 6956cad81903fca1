"""Looks at hosts before agents are started there, so that many do not die alike of one cause."""

from collections.abc import Callable
from dataclasses import field, replace
from operator import attrgetter
from typing import NamedTuple

from controlroom.domain.display.checkup import preflight
from controlroom.domain.model import Fleet, Host, HostFacts, LinkState, Profile
from controlroom.domain.preconditions import unfit_folder
from controlroom.domain.queue.restarts import slot_names
from controlroom.domain.tasks import Preflight, TaskState
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.hosts.inquiries import Inquiries, Unanswered
from controlroom.engine.hosts.translate import to_check, to_folders
from controlroom.engine.queue.task_book import TaskBook
from controlroom.engine.store import FleetStore
from controlroom.text.host_sample import FolderCheck
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import AgentKind, Cause
from controlroom.wire import inquiries as wire

PATIENCE = 10.0
"""Seconds for a host to answer; one that does not keeps nobody from being started there."""

_OF_THE_HOST = frozenset(
    {Cause.NO_LOGIN, Cause.LOGIN_REFUSED, Cause.NEVER_STARTED, Cause.RUNNER_FAILED, Cause.DISK_FULL}
)
"""Ends of agents after which their host is looked at again: it may not be any more what it was found to be."""


class Work(NamedTuple):
    """What decides which folder of a host an agent works in, and what it must have."""

    profile: str
    cwd: str
    worktree: str


@dataclass
class Needs:
    """What the agents need that may be started soon without anybody looking."""

    parts: set[str] = field(default_factory=set)
    """Parts of `Preflight`."""
    work: dict[Work, set[str]] = field(default_factory=dict)
    """The hosts that alone may take it, by kind of work; empty: anywhere."""

    @property
    def folders(self) -> set[str]:
        """Where they are to work."""
        return {work.cwd for work in self.work if work.cwd}


def needs_of(fleet: Fleet) -> Needs:
    """What tasks that wait need, and agents that are started without being asked."""
    needs, names = Needs(), set[str]()
    for name, cwd, tree, host in {_WORK(task) for task in fleet.tasks.values() if task.state is TaskState.WAITING}:
        names.add(name)
        profile = fleet.profiles.get(name, _NONE)
        needs.work.setdefault(Work(name, cwd or profile.cwd, tree or profile.worktree), set()).add(host)
    for name, profile in fleet.profiles.items():
        if profile.restarts.starts_any:
            names.add(name)
        if slot_names(profile):
            work = Work(name, profile.cwd, profile.worktree)
            needs.work.setdefault(work, set()).update(profile.restarts.hosts or ("",))
    for profile in (_profile(fleet, name) for name in names):
        if profile.kind is not AgentKind.COMMAND:
            needs.parts.add("machine")
            if not profile.command:
                needs.parts |= {"claude"} if profile.own_login else {"claude", "login"}
    return needs


def _profile(fleet: Fleet, name: str) -> Profile:
    """A profile as it is with the one of its credentials that needs the least of a host."""
    profile = fleet.profiles.get(name, _NONE)
    return replace(profile, own_login=profile.own_login or any(one.own_login for one in profile.credentials))


_NONE = Profile("")
_WORK = attrgetter("profile", "cwd", "worktree", "host")


class HostPreflights:
    """What hosts lack. All methods are called on the event loop."""

    def __init__(self, store: FleetStore, book: TaskBook, inquiries: Inquiries, wake: Callable[[], None]) -> None:
        """`wake`: have the queue look at its tasks soon."""
        self._store, self._book, self._inquiries, self._wake = store, book, inquiries, wake
        self._looks = BackgroundTasks("a preflight")
        self._facts: dict[str, HostFacts | None] = {}
        """What each host had said of itself when it was looked at."""
        self._failed: dict[str, frozenset[tuple[str, int]]] = {}
        """Runs on each host that had ended of what a look may find, when it was looked at."""

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
        needs, failed = needs_of(fleet), _failed(fleet)
        folders = needs.folders
        seen = {name: result for name, result in fleet.queue.preflights.items() if name in up}
        seen = {name: replace(result, blocking=_blocking(fleet, name, result, needs)) for name, result in seen.items()}
        again: list[int] = []
        for name, host in up.items():
            result = seen.get(name)
            if host.facts is None or not host.facts.owned or (result is None and not folders and not needs.parts):
                continue
            if result is not None and result.looking:
                continue
            changed = self._is_changed(host, failed.get(name, frozenset()))
            lacks = result is not None and _lacks(fleet, result, needs)
            new = result is not None and not result.folders.keys() >= folders
            due = result is None or changed or (lacks and now >= result.again)
            if due or new:
                self._facts[name], self._failed[name] = host.facts, failed.get(name, frozenset())
                seen[name] = replace(result or Preflight(), looking=True)
                known = seen[name].folders  # those that were looked at last come last
                wanted = sorted(folders - known.keys())
                wanted += [cwd for cwd, check in known.items() if cwd in folders and (changed or _is_amiss(check))]
                self._looks.begin(self._look_at(name, tuple(wanted[: wire.MOST_FOLDERS]), alone=not due))
            elif lacks and result is not None:
                again.append(result.again)
        self._show(seen)
        return min(again, default=0)

    def _is_changed(self, host: Host, failed: frozenset[tuple[str, int]]) -> bool:
        """Whether a host that was looked at says something else of itself, or agents have ended of what it lacks."""
        before, facts = self._facts.get(host.name), host.facts
        if before is None or facts is None:
            return False
        return replace(before, clock_offset=facts.clock_offset) != facts or not failed <= self._failed[host.name]

    async def _look_at(self, name: str, folders: tuple[str, ...], *, alone: bool) -> None:
        before = self._store.fleet.queue.preflights.get(name, Preflight())
        try:
            asked = wire.Check(self._store.new_id(), folders, alone)
            checked = await self._inquiries.ask(name, asked, wire.Checked, PATIENCE)
            now = self._store.clock()
            result = replace(before, at=before.at or now) if alone else preflight(to_check(checked, now), now)
            seen = to_folders(checked, folders)
        except Unanswered:
            result, seen = before if alone else Preflight(self._store.clock()), to_folders(wire.Checked(0), folders)
        fleet = self._store.fleet
        host = fleet.hosts.get(name)
        if host is not None and host.link is LinkState.UP:
            needs = needs_of(fleet)
            earlier, needed = {cwd: check for cwd, check in before.folders.items() if cwd not in seen}, needs.folders
            kept = {cwd: check for cwd, check in {**earlier, **seen}.items() if cwd in needed}
            result = replace(result, folders=kept, looking=False)
            result = replace(result, blocking=_blocking(fleet, name, result, needs))
            self._show({**self._store.fleet.queue.preflights, name: result})
        self._wake()

    def _show(self, preflights: dict[str, Preflight]) -> None:
        queue = self._store.fleet.queue
        if preflights != queue.preflights:
            self._book.show((), replace(queue, preflights=preflights))


def _is_amiss(folder: FolderCheck) -> bool:
    """Whether a folder is to be looked at again."""
    return bool(folder.problem) or False in (folder.repository, folder.trusted, folder.worktrees_trusted)


def _failed(fleet: Fleet) -> dict[str, frozenset[tuple[str, int]]]:
    """The runs that ended of what a look at their host may find, by host."""
    failed: dict[str, set[tuple[str, int]]] = {}
    for agent in fleet.agents.values():
        if agent.cause in _OF_THE_HOST and not agent.adopted and agent.has_ended:
            failed.setdefault(agent.host, set()).add((agent.name, agent.epoch))
    return {host: frozenset(runs) for host, runs in failed.items()}


def _blocking(fleet: Fleet, name: str, result: Preflight, needs: Needs) -> str:
    """What a host lacks of what is needed, in words."""
    lacks = [getattr(result, part) for part in ("machine", "claude", "login") if part in needs.parts]
    kept_out = [
        words
        for work, hosts in needs.work.items()
        if (words := _unfit_for(fleet, result, work))
        if hosts == {name} or ((name in hosts or "" in hosts) and not _fits_elsewhere(fleet, name, work))
    ]
    return "; ".join(filter(None, dict.fromkeys([*lacks, *kept_out])))


def _unfit_for(fleet: Fleet, result: Preflight, work: Work) -> str:
    """What keeps such work out of its folder on a host; "": nothing that is known."""
    return unfit_folder(result, replace(_profile(fleet, work.profile), worktree=work.worktree), work.cwd)


def _fits_elsewhere(fleet: Fleet, name: str, work: Work) -> bool:
    """Whether another host has such a folder, as far as is known."""
    others = (seen for host, seen in fleet.queue.preflights.items() if host != name and work.cwd in seen.folders)
    return any(not _unfit_for(fleet, seen, work) for seen in others)


def _lacks(fleet: Fleet, result: Preflight, needs: Needs) -> bool:
    """Whether a host lacks anything, be it for nobody now."""
    folders = any(_unfit_for(fleet, result, work) for work in needs.work)
    return folders or bool(result.machine or result.claude or result.login)
