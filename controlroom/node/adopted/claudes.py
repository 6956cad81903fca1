"""Claudes that others started: which processes they are, what they are called, and what Claude writes about them.

`CONFIG/sessions/PID.json` tells what a Claude does now, `CONFIG/projects/SLUG/SESSION.jsonl` what was said; CONFIG is
$CLAUDE_CONFIG_DIR or ~/.claude (Claude Code 2.1.332, observed). All of it may be anybody's writing: bounded, never
followed through a link, and read again only when it has changed. After SIGKILL a session file stays: it counts only
for the process that it names, pid and start.

Each Claude that begins is met, however soon it ends, and what it spends is read (`NewClaudes`). One that an agent of
others has started is a part of that agent, and so is one in a tmux session; any other is an agent of its own, named
after its folder, though it may never be seen at work.
"""

import hashlib
import os
import re
import stat
import time
import unicodedata
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import count, islice
from typing import Any

from controlroom.node.agent_folders import signature
from controlroom.node.observation import processes
from controlroom.node.observation.agent_records import SESSION_STATES, sessions_folder
from controlroom.node.observation.figures import Member
from controlroom.node.observation.processes import LINUX, Process, program
from controlroom.runner import process_tree
from controlroom.runner.claude import settings
from controlroom.runner.claude.edits import MOST_EDITED, EditCalls
from controlroom.runner.claude.nested import Nested, NestedClaude
from controlroom.runner.claude.nested import is_claude as runs_claude
from controlroom.runner.claude.result import limit_ends, login_trouble, refusal
from controlroom.runner.claude.transcripts import find_transcript
from controlroom.runner.files import open_regular, read_regular
from controlroom.runner.folder import TAG
from controlroom.text.event_text import telling_words
from controlroom.text.json_fields import table, tables, text, whole
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern
from controlroom.text.sanitize import redact
from controlroom.text.states import Cause, State, Uncounted
from controlroom.wire.lines import PeerError, from_line

NAMES = frozenset({b"claude", b"claude.exe", b"node", b"nodejs", b"bun", b"MainThread"})
"""What processes call themselves that may be a Claude: the native program, or a runtime of its script."""

_SESSION_LIMIT = 64 * 1024
_BACK = 512 * 1024
"""Bytes read of a transcript at once: the last ones. A line that repeats a request can have some 140 kB."""

_SPEAKING = (b'"type":"assistant"', b'"type":"user"', b'"promptSubmitEnding"')
"""What stands in lines in which somebody speaks, or a hook keeps him from it."""

_WRITING = 1.0
"""Seconds that a session file which makes no sense is taken to be half written."""

_SESSION = pattern(r"[A-Za-z0-9-]{8,64}")


def is_claude(process: Process) -> bool:
    """Return whether a process of this user runs Claude Code."""
    if process.name not in NAMES:
        return False
    running = program(process.pid)
    return running is not None and runs_claude(running.path, running.argv)


class Session(NamedTuple):
    """What a session file says of its process."""

    state: State
    words: str
    """Its own words: `busy`, `waiting: permission prompt`, …"""
    waits_for: str = ""
    id: str = ""
    cwd: str = ""
    since: int = 0
    """UTC ms; 0: it does not say."""


class Trouble(NamedTuple):
    """The error of the API that a transcript ends with, or why a hook refused its last prompt."""

    words: str
    limited: bool
    until: int
    """When the limit ends, UTC ms; 0: it does not say."""
    cause: Cause
    """What the login has to do with it."""


class RunningClaude(NamedTuple):
    """A Claude of others at work on a session."""

    name: str
    """The agent's."""
    session: str
    run: str
    """Names this process and session for ever (`metering.usage_file`)."""
    began: int
    """UTC ms."""
    transcript: str
    busy: bool
    billing: str = ""
    """Who pays (`runner.claude.login`)."""
    fresh: bool = False
    """It is known to have begun with its process, so that all that stands in it is its own."""
    part_of: str = ""
    """The session of the agent that has started it; empty: its own."""


class SessionFile:
    """The session file of one process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        folder = sessions_folder(process.pid)
        self.path = os.path.join(folder, f"{process.pid}.json")
        self.projects = os.path.join(os.path.dirname(folder), "projects")
        self._signature: tuple[int, ...] = ()
        self._session: Session | None = None

    def read(self) -> Session | None:
        """Return what it says now; None when there is none."""
        current = signature(self.path)
        if current != self._signature:
            self._signature = current
            self._session = self._fresh() if current else None
        return self._session

    @property
    def missing(self) -> bool:
        """Whether there was none when it was read last."""
        return not self._signature

    def _fresh(self) -> Session | None:
        try:
            value = from_line(read_regular(self.path, _SESSION_LIMIT))
        except FileNotFoundError:
            return None
        except (OSError, PeerError) as error:
            if self._session and self._session.state is not State.UNKNOWN and self._half_written():
                self._signature = (0,)
                return self._session
            return Session(State.UNKNOWN, f"cannot be read: {error}"[:300])
        if LINUX and str(value.get("procStart", self._process.start)) != str(self._process.start):
            return Session(State.UNKNOWN, "stale: of an earlier process")
        return _session(value)

    def _half_written(self) -> bool:
        """Return whether it is being written just now."""
        try:
            status = os.stat(self.path, follow_symlinks=False)
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and abs(time.time() - status.st_mtime) < _WRITING


def _session(value: dict[str, Any]) -> Session | None:
    status = text(value.get("status"), 40)
    if not status:
        return None
    waits_for = text(value.get("waitingFor"), 200) if status == "waiting" else ""
    state = SESSION_STATES.get(status, State.UNKNOWN)
    ident = text(value.get("sessionId"), 100)
    return Session(
        state,
        f"{status}: {waits_for}" if waits_for else status,
        waits_for,
        ident if _SESSION.fullmatch(ident) else "",
        text(value.get("cwd"), 1000),
        whole(value.get("statusUpdatedAt")) or whole(value.get("startedAt")),
    )


def session_transcript(projects: str, session: Session) -> str:
    """Return the path of a session's transcript, "" while there is none.

    It lies in the folder of the project it began in, which is named after the folder's real path.
    """
    if not session.id:
        return ""
    if transcript := likely_transcript(projects, session):
        return transcript
    name = f"{session.id}.jsonl"
    try:
        folders = os.listdir(projects)
    except OSError:
        return ""
    paths = (os.path.join(projects, folder, name) for folder in folders)
    return next((path for path in paths if signature(path)), "")


def likely_transcript(projects: str, session: Session) -> str:
    """Return the path of a session's transcript if it began in the folder that it is in now, "" while there is none."""
    folder = re.sub("[^A-Za-z0-9]", "-", os.path.realpath(session.cwd))
    path = os.path.join(projects, folder, f"{session.id}.jsonl")
    return path if session.id and signature(path) else ""


class Transcript:
    """The end of one transcript: the newest words and the model, from what was added since the last look."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.model = self.words = ""
        self.at = 0
        """When the newest words were said, UTC ms."""
        self.trouble: Trouble | None = None
        self.turn_over: bool | None = None
        """Whether the last turn has come to its end; None: nothing has been said yet."""
        self.interrupted = False
        """Whether that end was an interruption."""
        self.edited: set[str] = set()
        """Paths of files that its own tools have edited."""
        self._calls = EditCalls()
        self._signature: tuple[int, ...] = ()
        self._offset = 0

    @property
    def ending(self) -> str:
        """What it ends with, for evidence."""
        if self.trouble:
            return f"ends with an error: {self.trouble.words}"
        return "ends with a whole turn" if self.turn_over else "ends in the middle of a turn"

    def read(self) -> bool:
        """Read what was added, or the end of it; return whether anything new was said."""
        seen = signature(self.path)
        if not seen or seen == self._signature:
            return False
        self._signature = seen
        data, self._offset = read_end(self.path, self._offset, _BACK)
        before = self.words, self.at, self.model
        self._take(list(spoken(data)))
        return before != (self.words, self.at, self.model)

    def _take(self, events: list[tuple[int, dict[str, Any], bytes]]) -> None:
        """Keep the newest words, and the newest model that is one."""
        for _, event, line in reversed(events):
            if words := redact(telling_words("a", line)):
                self.words, self.at = words, said_at(event)
                break
        if events:
            last = events[-1][1]
            self.trouble = _trouble(last)
            self.interrupted = _interrupts(last)
            self.turn_over = self.interrupted or _ends_turn(last)
        for _, event, _ in events:
            self.edited.update(islice(self._calls.edited(event), max(0, MOST_EDITED - len(self.edited))))
        models = (text(table(event.get("message")).get("model"), 100) for _, event, _ in reversed(events))
        self.model = next((model for model in models if model and not model.startswith("<")), self.model)


def _trouble(event: dict[str, Any]) -> Trouble | None:
    """Read the error that a line tells of; None when it tells of none."""
    if why := refusal(event):
        return Trouble(redact(f"a hook refused what it was told: {why}"), limited=False, until=0, cause=Cause.NONE)
    if event.get("type") != "assistant" or not event.get("isApiErrorMessage"):
        return None
    texts = (text(block.get("text"), 300) for block in tables(table(event.get("message")).get("content")))
    words = redact(next((part for part in texts if part), "an API error").strip().split("\n", 1)[0])
    limited = event.get("error") == "rate_limit" or event.get("apiErrorStatus") == 429
    return Trouble(words, limited, limit_ends(event) if limited else 0, login_trouble(event))


def _ends_turn(event: dict[str, Any]) -> bool:
    """Whether Claude has nothing more to do after a line: it has spoken and called no tool."""
    blocks = tables(table(event.get("message")).get("content"))
    return event.get("type") == "assistant" and not any(block.get("type") == "tool_use" for block in blocks)


def _interrupts(event: dict[str, Any]) -> bool:
    """Whether a line says that somebody has interrupted Claude."""
    blocks = tables(table(event.get("message")).get("content"))
    said = (text(block.get("text"), 40) for block in blocks)
    return event.get("type") == "user" and any(words.startswith("[Request interrupted") for words in said)


def end_of(transcript: "Transcript | None", session: Session | None) -> tuple[State, str, int]:
    """Return how a Claude ended of which only its files are left: state, words, and when a limit ends (UTC ms)."""
    trouble = transcript.trouble if transcript else None
    if trouble and trouble.limited:
        return State.LIMITED, trouble.words, trouble.until
    if trouble:
        return State.FAILED, f"{trouble.words}; {_EXIT}", 0
    over = transcript.turn_over if transcript else None
    if over is None:
        last = f"; it was {session.words} when last seen" if session else ""
        return State.UNKNOWN, f"it has ended, and nothing says how: {_EXIT}{last}", 0
    if transcript and transcript.interrupted:
        was_left = session is not None and session.state is State.IDLE  # somebody interrupted it, then left it
        return State.DONE if was_left else State.FAILED, f"its last turn was interrupted; {_EXIT}", 0
    if over:
        return State.DONE, f"its last turn was over; {_EXIT}", 0
    return State.FAILED, f"it ended in the middle of a turn; {_EXIT}", 0


_EXIT = "its exit code is not known"


def read_end(path: str, offset: int, limit: int) -> tuple[bytes, int]:
    """Read whole lines that stand after `offset`, the last `limit` bytes at most; return them and where they end.

    A file that has become shorter is read anew. What cannot be read has nothing to say.
    """
    try:
        descriptor, size = open_regular(path)
    except OSError:
        return b"", offset
    try:
        start = max(offset if size >= offset else 0, size - limit)
        data = os.pread(descriptor, size - start, start)
    except OSError:
        return b"", offset
    finally:
        os.close(descriptor)
    end = data.rfind(b"\n") + 1
    begin = 0 if start in (0, offset) else data.find(b"\n") + 1
    return data[begin : max(begin, end)], start + end


def spoken(data: bytes) -> Iterator[tuple[int, dict[str, Any], bytes]]:
    """Yield those lines of a transcript in which somebody speaks, each with where it begins in `data`.

    The others repeat requests and are far larger.
    """
    start = 0
    for line in data.split(b"\n"):
        begin, start = start, start + len(line) + 1
        if not any(mark in line for mark in _SPEAKING):
            continue
        try:
            event = from_line(line)
        except PeerError:
            continue
        speaks = event.get("type") in ("assistant", "user") or refusal(event)
        if speaks and not event.get("isMeta") and not event.get("isSidechain"):
            yield begin, event, line


def said_at(event: dict[str, Any]) -> int:
    """Return the time of a line of a transcript, UTC ms; 0 when it has none."""
    try:
        return int(datetime.fromisoformat(text(event.get("timestamp"), 40).replace("Z", "+00:00")).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0


_DIGITS = 6


def adopted_name(called: str, taken: Container[str]) -> str:
    """Name an agent that others started after what they call it, unlike all that are `taken`: `~work`, `~work-2`.

    What has letters that our names cannot hold is told apart by digits that follow from all of it: `~session-d3a40f`.
    """
    letters = unicodedata.normalize("NFKD", called[:200].lower())
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    plain = re.sub(r"[^a-z0-9_-]+", "-", letters).strip("-")[:32]
    if any(not letter.isascii() and unicodedata.category(letter)[0] in "LNS" for letter in letters):
        digits = hashlib.sha256(unicodedata.normalize("NFC", called).encode("utf-8", "replace")).hexdigest()[:_DIGITS]
        plain = f"{plain[: 31 - _DIGITS] or 'session'}-{digits}"
    plain = plain or "unnamed"
    names = (f"~{plain}-{number}" if number > 1 else f"~{plain}" for number in count(1))
    return next(name for name in names if name not in taken)


_MOST = 500


def run_of(session: str, pid: int, start: int) -> str:
    """Name the run of a Claude of others for ever: its process, and the session it is in."""
    return hashlib.sha256(f"{session} {('claude', pid, start)}".encode()).hexdigest()[:15]


class NewClaudes:
    """Those that have begun since this was made. Its methods may be called from one thread at a time."""

    def __init__(self, environ: Mapping[str, str], home: str) -> None:
        """`environ`: the user's, `home`: the user's; a Claude that has another one is somebody else's affair."""
        self._home = os.path.realpath(home)
        self._nested = Nested({"HOME": home, **environ}, home, self._is_of_others)
        self._over: list[NestedClaude] = []
        """Those that are read to their ends, and are yet to be told of."""
        self._login_config = ""
        self._unseen: dict[str, None] = {}
        """Folders in which some have begun that keep no transcript."""
        self._names: dict[str, str] = {}
        """By session, the agents that those still known here were listed as."""

    def take_login(self, variables: Mapping[str, str]) -> None:
        """Take the variables of the user's login shell: they may name another settings folder."""
        self._login_config = settings.config_folder({"HOME": self._home, **variables}, self._home)

    @property
    def knows_login(self) -> bool:
        """Whether the login shell has been asked."""
        return bool(self._login_config)

    @property
    def projects(self) -> list[str]:
        """Where the transcripts of all projects lie, of each settings folder that one has or had."""
        configs = dict.fromkeys([*self._nested.configs, self._login_config])
        return [os.path.join(config, "projects") for config in configs if config]

    def uncounted(self) -> list[tuple[Uncounted, str]]:
        """Return what cannot be counted since the last call: why, and of whom in which folder."""
        unseen, self._unseen = list(self._unseen), {}
        too_many = [(Uncounted.TOO_MANY, "")] if self._nested.too_many else []
        return [*too_many, *((Uncounted.NO_TRANSCRIPT, cwd) for cwd in unseen)]

    @property
    def wakes_at(self) -> float:
        """When to look again, on the clock of `look`."""
        return self._nested.wakes_at

    def notice(self) -> None:
        """Something was created where they create something."""
        self._nested.notice()

    def look(self, now: float) -> None:
        """See who has begun and ended. Reads files, so it may take its time."""
        over = self._nested.look(now)
        met = (*self._nested.alive.values(), *over)
        self._unseen.update(dict.fromkeys(claude.cwd for claude in met if claude.is_unseen))
        self._over = [*self._over, *(claude for claude in over if claude.session)][-_MOST:]

    def close(self) -> None:
        """Watch nothing any more."""
        self._nested.close()

    def running(self, listed: Sequence[RunningClaude], members: Iterable[Member]) -> list[RunningClaude]:
        """Return those that are `listed` as agents already, and all others that are at work or have been; these once.

        `members`: the processes of each agent that is listed.
        """
        owners = {pid: member.name for member in members for pid in member.roots}
        by_session = {
            claude.session: claude for claude in [*self._over, *self._nested.alive.values()] if claude.session
        }
        self._over = []
        listed_as = {claude.session: claude.name for claude in listed}
        self._names = {session: name for session, name in {**self._names, **listed_as}.items() if session in by_session}
        updated = [_known_better(claude, by_session.pop(claude.session, None)) for claude in listed]
        sessions = {claude.name: claude.session for claude in listed}
        rest = (
            _running(claude, owners, sessions, self._names.get(claude.session, "")) for claude in by_session.values()
        )
        updated += [running for running in rest if running]
        return updated

    def _is_of_others(self, environ: Mapping[str, str], above: Sequence[int]) -> bool:
        """Return whether neither a Claude nor what it descends from carries the tag of an agent."""
        tagged = TAG in environ or any(TAG in process_tree.environment(pid) for pid in above)
        return not tagged and os.path.realpath(environ.get("HOME", self._home)) == self._home


def _known_better(listed: RunningClaude, begun: NestedClaude | None) -> RunningClaude:
    """Add to what is known of an agent what was seen at its beginning."""
    return listed._replace(fresh=begun.fresh) if begun else listed


def _running(
    one: NestedClaude, owners: Mapping[int, str], sessions: Mapping[str, str], listed_as: str
) -> RunningClaude | None:
    """Return what one that is no agent of its own is a part of; None while it has no transcript.

    One that was `listed_as` an agent before it ended stays it: what runs beside it then has no part in it.
    """
    transcript = find_transcript(one.config, one.cwd, one.session)
    if not transcript:
        return None
    pid, start = one.process.pid, int(one.process.started)
    owner = listed_as or next((owners[each] for each in (pid, *one.above) if each in owners), "")
    name = owner or adopted_name(os.path.basename(one.cwd) or "claude", ())
    return RunningClaude(
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
