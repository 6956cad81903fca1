"""Claudes of others that begin, however soon they end, and whose each is: what it spends is then read like theirs.

A Claude that an agent of others has started is a part of that agent, and so is one in a tmux session; any other is an
agent of its own, named after its folder, though it may never be seen at work.
"""

import hashlib
import os
import time
from collections.abc import Iterable, Mapping, Sequence

from controlroom.node.adopted.claudes import Running
from controlroom.node.adopted.names import adopted_name
from controlroom.node.observation import processes
from controlroom.node.observation.loads import Member
from controlroom.runner import process_tree
from controlroom.runner.claude.nested import Nested, NestedClaude
from controlroom.runner.claude.transcript import find_transcript
from controlroom.runner.folder import TAG

_MOST = 500


def run_of(session: str, pid: int, start: int) -> str:
    """Name the run of a Claude of others for ever: its process, and the session it is in."""
    return hashlib.sha256(f"{session} {('claude', pid, start)}".encode()).hexdigest()[:15]


class Starts:
    """Those that have begun since this was made. Its methods may be called from one thread at a time."""

    def __init__(self, environ: Mapping[str, str], home: str) -> None:
        """`environ`: the user's, `home`: the user's; a Claude that has another one is somebody else's affair."""
        self._home = os.path.realpath(home)
        self._nested = Nested({"HOME": home, **environ}, home, self._is_of_others)
        self._over: list[NestedClaude] = []
        """Those that are read to their ends, and are yet to be told of."""
        self._names: dict[str, str] = {}
        """By session, the agents that those still known here were listed as."""

    @property
    def wakes_at(self) -> float:
        """When to look again, on the clock of `look`."""
        return self._nested.wakes_at

    def notice(self) -> None:
        """Something was created where they create something."""
        self._nested.notice()

    def look(self, now: float) -> None:
        """See who has begun and ended. Reads files, so it may take its time."""
        self._over = [*self._over, *(one for one in self._nested.look(now) if one.session)][-_MOST:]

    def close(self) -> None:
        """Watch nothing any more."""
        self._nested.close()

    def running(self, listed: Sequence[Running], members: Iterable[Member]) -> list[Running]:
        """Give those that are `listed` as agents already, and all others that are at work or have been; these once.

        `members`: the processes of each agent that is listed.
        """
        owners = {pid: member.name for member in members for pid in member.roots}
        known = {one.session: one for one in [*self._over, *self._nested.alive.values()] if one.session}
        self._over = []
        listed_as = {one.session: one.name for one in listed}
        self._names = {session: name for session, name in {**self._names, **listed_as}.items() if session in known}
        found = [_known_better(one, known.pop(one.session, None)) for one in listed]
        sessions = {one.name: one.session for one in listed}
        rest = (_running(one, owners, sessions, self._names.get(one.session, "")) for one in known.values())
        found += [running for running in rest if running]
        return found

    def _is_of_others(self, environ: Mapping[str, str], above: Sequence[int]) -> bool:
        """Tell whether neither a Claude nor what it descends from carries the tag of an agent."""
        tagged = TAG in environ or any(TAG in process_tree.environment(pid) for pid in above)
        return not tagged and os.path.realpath(environ.get("HOME", self._home)) == self._home


def _known_better(listed: Running, begun: NestedClaude | None) -> Running:
    """Add to what is known of an agent what was seen at its beginning."""
    if begun is None:
        return listed
    return listed._replace(fresh=begun.fresh, billing=begun.billing())


def _running(
    one: NestedClaude, owners: Mapping[int, str], sessions: Mapping[str, str], listed_as: str
) -> Running | None:
    """Say what one that is no agent of its own is a part of; None while it has no transcript.

    One that was `listed_as` an agent before it ended stays it: what runs beside it then has no part in it.
    """
    transcript = find_transcript(one.config, one.cwd, one.session)
    if not transcript:
        return None
    pid, start = one.process.pid, int(one.process.started)
    owner = listed_as or next((owners[each] for each in (pid, *one.above) if each in owners), "")
    name = owner or adopted_name(os.path.basename(one.cwd) or "claude", ())
    return Running(
        name,
        one.session,
        run_of(one.session, pid, start),
        _now() - 1000 * (processes.now() - start) // processes.TICKS,
        transcript,
        busy=True,
        fresh=one.fresh,
        billing=one.billing(),
        part_of="" if listed_as else sessions.get(owner, ""),
    )


def _now() -> int:
    return time.time_ns() // 1_000_000
