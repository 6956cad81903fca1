"""What Claudes of others did on this host while no node was connected.

A node keeps in its state folder when it last looked, who was at work then, and in which folders transcripts lie. The
next one reads on where those have ended, and finds the sessions that were written to since: whole runs that nobody has
seen. A session that an agent of any room is metered from is left to its runner. Who paid for a run that nobody has seen
is not known. What cannot be found is told as a gap, for a day. All of it may be anybody's writing, so it is bounded.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from controlroom.metering.usage import moment
from controlroom.node.adopted.claudes import RunningClaude, Transcript, adopted_name, end_of
from controlroom.node.adopted.metered import MeteredBySession
from controlroom.node.agent_folders import signature
from controlroom.runner.files import make_private, read_piece, read_regular, why, write_atomic
from controlroom.text.json_fields import text
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern
from controlroom.text.states import Uncounted
from controlroom.wire.codec import decode, encode
from controlroom.wire.lines import PeerError, from_line, to_line
from controlroom.wire.messages import AgentSeen, EvidenceSeen
from controlroom.wire.records import FORMAT
from controlroom.wire.usage import UsageGap

_LIMIT = 1024 * 1024
_PAUSE = 10.0
"""Seconds between two times at which it is written down, unless others are at work."""

_QUIET = 5_000
"""Milliseconds for which nothing was added to a transcript of one that has ended: a runner may yet note its session."""

_DAY = 86_400_000
_MOST_FILES, _MOST_FOUND, _MOST_OVER, _MOST_GAPS, _MOST_PROJECTS = 50_000, 1_000, 500, 20, 50
_HEAD = 64 * 1024
_NAME = pattern(r"([0-9a-fA-F-]{8,64})\.jsonl")


class _Kept(NamedTuple):
    """What one node leaves to the next."""

    looked: int
    """UTC ms."""
    offset: int
    """How far the clock was before one that never jumps, in this run of the machine; milliseconds."""
    boot: str
    claudes: tuple[RunningClaude, ...] = ()
    """Who was at work, or not yet read to the end."""
    agents: tuple[AgentSeen, ...] = ()
    """Those of them that were shown."""
    over: tuple[str, ...] = ()
    """Sessions that were read to their ends."""
    projects: tuple[str, ...] = ()
    """Folders of all projects' transcripts."""
    gaps: tuple[UsageGap, ...] = ()


class LastLook:
    """What the node before left, and what this one leaves."""

    def __init__(
        self,
        state: str,
        room: str,
        boot: str,
        metered: Callable[[], MeteredBySession],
        *,
        read_only: bool = False,
    ) -> None:
        """`metered` reads which sessions agents are metered from."""
        self._state, self._boot, self._metered, self._read_only = state, boot, metered, read_only
        self._path = os.path.join(state, f"adopted-{hashlib.sha256(room.encode()).hexdigest()[:12]}.json")
        self._before: _Kept | None = None
        self._since = 0
        self._found: list[str] | None = None
        """Transcripts that were written to since; None: nobody has looked yet."""
        self._gaps: dict[tuple[str, str], UsageGap] = {}
        self._told: tuple[UsageGap, ...] | None = None
        self._over: dict[str, None] = {}
        self._sessions: set[str] = set()
        """Those that were written down last."""
        self._written: tuple[UsageGap, ...] | None = None
        """The gaps that were."""
        self._due = 0.0

    def missed(
        self, running: Sequence[RunningClaude], projects: Iterable[str], now: int, at: float
    ) -> list[RunningClaude]:
        """Return the runs that have ended since the last look of the node before, each once.

        `running`: who is at work; `projects`: where transcripts lie; `now`: UTC ms, `at` seconds on a clock that never
        jumps. Reads files, so it may take its time.
        """
        at_work = {claude.session for claude in running}
        if self._found is None:
            self._found = []
            if (before := self._read(now)) is None:
                return []
            self._before, self._since = before, before.looked
            if before.boot == self._boot:  # the clock may have been set since
                self._since = min(self._since, before.looked - before.offset + now - round(1000 * at))
            known = [claude for claude in before.claudes if claude.session not in at_work]
            self._over = dict.fromkeys(before.over)
            taken = at_work.union(self._metered(), (claude.session for claude in known))
            self._found = self._search({*projects, *before.projects}, now, taken)
            return [claude for claude in known if self._is_there(claude, now)]
        return self._ended(at_work, now) if self._found else []

    def ended(self, names: Iterable[str]) -> tuple[AgentSeen, ...]:
        """Return, once, what is known of the ends of agents that were shown and are there no more; not of `names`."""
        before, self._before = self._before, None
        if before is None:
            return ()
        paths = {claude.session: claude.transcript for claude in before.claudes}
        gone = [agent for agent in before.agents if agent.name not in set(names) and agent.session in paths]
        return tuple(_ended(agent, paths[agent.session]) for agent in gone)

    def gaps(self) -> tuple[UsageGap, ...] | None:
        """Return what is known to be missing, where that has changed since the last call; else None."""
        gaps = tuple(self._gaps.values())
        if gaps == self._told or (self._told is None and not gaps):
            return None
        self._told = gaps
        return gaps

    def lose(self, reason: Uncounted, where: str, since: int, until: int) -> None:
        """Something could not be counted. `until`: 0 while it goes on."""
        key = reason.value, where
        before = self._gaps.get(key)
        if before is None and len(self._gaps) >= _MOST_GAPS:
            return
        self._gaps[key] = UsageGap(min(since, before.since) if before else since, until, reason, where[:200])

    def keep(
        self,
        claudes: Sequence[RunningClaude],
        agents: Iterable[AgentSeen],
        projects: Iterable[str],
        now: int,
        at: float,
    ) -> None:
        """Write down how it is now, for the node that comes next; nothing before what the one before left was read.

        `claudes`: all that are not read to their ends.
        """
        if self._found is None:
            return
        sessions, gaps = {claude.session for claude in claudes}, tuple(self._gaps.values())
        same = sessions == self._sessions and gaps == self._written
        if self._read_only or (same and at < self._due):
            return
        self._over.update(dict.fromkeys(self._sessions - sessions))
        while len(self._over) > _MOST_OVER:
            del self._over[next(iter(self._over))]
        self._sessions, self._written, self._due = sessions, gaps, at + _PAUSE
        there = [folder for folder in sorted(set(projects)) if os.path.isdir(folder)][:_MOST_PROJECTS]
        shown = tuple(agent for agent in agents if agent.session in sessions)
        since = min([now, *([self._since] if self._found else [])])  # what still waits is found again
        offset = now - round(1000 * at)
        left = _Kept(since, offset, self._boot, tuple(claudes), shown, tuple(self._over), tuple(there), gaps)
        try:
            make_private(self._state)
            write_atomic(self._path, to_line({"format": FORMAT, **encode(left)}), durable=False)
        except (OSError, PeerError) as error:
            self.lose(Uncounted.NO_LAST_LOOK, why(error), now, 0)

    # ------------------------------------------------------------------ what the one before has left

    def _read(self, now: int) -> _Kept | None:
        try:
            value = from_line(read_regular(self._path, _LIMIT))
            if value.get("format") != FORMAT:
                raise PeerError("it is of another version")
            before = decode(_Kept, value)
        except FileNotFoundError:
            return None
        except (OSError, PeerError) as error:
            self.lose(Uncounted.NO_LAST_LOOK, why(error), 0, now)
            return None
        self._gaps = {(gap.why.value, gap.where): gap for gap in before.gaps if (gap.until or now) > now - _DAY}
        return before

    def _is_there(self, claude: RunningClaude, now: int) -> bool:
        if signature(claude.transcript):
            return True
        self.lose(Uncounted.GONE, claude.transcript, self._since, now)
        return False

    def _search(self, projects: Iterable[str], now: int, taken: set[str]) -> list[str]:
        """Find the transcripts that were written to since, of sessions that are not `taken`."""
        found: list[str] = []
        seen = 0
        for folder in sorted(projects):
            for path, modified in self._transcripts(folder, now):
                seen += 1
                if seen > _MOST_FILES or len(found) >= _MOST_FOUND:
                    self.lose(Uncounted.TOO_MANY, folder, self._since, now)
                    return found
                if modified >= self._since and _session_of(path) not in taken:
                    found.append(path)
        return found

    def _transcripts(self, projects: str, now: int) -> Iterator[tuple[str, int]]:
        """Yield the transcripts of all projects, each with when it was written to, UTC ms."""
        try:
            folders = [entry.path for entry in os.scandir(projects) if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            if self._before and projects in self._before.projects:
                self.lose(Uncounted.GONE, projects, self._since, now)
            return
        except OSError as error:
            self.lose(Uncounted.UNREADABLE, why(error), self._since, now)
            return
        for folder in folders:
            try:
                for entry in os.scandir(folder):
                    status = entry.stat(follow_symlinks=False)
                    if _NAME.fullmatch(entry.name) and stat.S_ISREG(status.st_mode):
                        yield entry.path, status.st_mtime_ns // 1_000_000
            except OSError as error:
                self.lose(Uncounted.UNREADABLE, why(error), self._since, now)

    def _ended(self, at_work: set[str], now: int) -> list[RunningClaude]:
        """Return the runs that nobody has seen, of those transcripts that are quiet by now."""
        taken = at_work.union(self._metered())  # for good: an agent may be forgotten once it has ended
        quiet, self._found = [], [path for path in self._found or () if _session_of(path) not in taken]
        for path in self._found[:]:
            status = signature(path)
            if not status or abs(now - status[1] // 1_000_000) > _QUIET:
                self._found.remove(path)
                quiet.append(path)
        return [self._unseen(path) for path in quiet]

    def _unseen(self, path: str) -> RunningClaude:
        """Return the run that nobody has seen: all of a session that began since, or what was added to an older one."""
        session = _session_of(path)
        began, cwd = _beginning(path)
        fresh = began >= self._since and session not in self._over
        run = hashlib.sha256(f"unseen {session} {'' if fresh else self._since}".encode()).hexdigest()[:15]
        name = adopted_name(os.path.basename(cwd) or "claude", ())
        return RunningClaude(name, session, run, self._since, path, busy=True, fresh=fresh)


def _session_of(path: str) -> str:
    return os.path.basename(path).removesuffix(".jsonl")


def _beginning(path: str) -> tuple[int, str]:
    """Return when a session began, UTC ms, and in which folder; 0 and empty where its first lines do not say."""
    began, cwd = 0, ""
    for line in read_piece(path, 0, _HEAD).split(b"\n"):
        try:
            event = from_line(line)
        except PeerError:
            continue
        began, cwd = began or moment(event.get("timestamp")), cwd or text(event.get("cwd"), 4096)
        if began and cwd:
            break
    return began, cwd


def _ended(agent: AgentSeen, path: str) -> AgentSeen:
    """Describe the end of an agent of which a transcript is left."""
    transcript = Transcript(path)
    transcript.read()
    state, detail, until = end_of(transcript, None)
    written = signature(path)
    ended = written[1] // 1_000_000 if written else agent.since
    return replace(
        agent,
        state=state.value,
        since=ended,
        ended=ended,
        detail=detail[:300],
        limited_until=until,
        model=transcript.model or agent.model,
        pid=0,
        pane="",
        evidence=(EvidenceSeen("transcript", state.value, transcript.ending, ended),),
    )
