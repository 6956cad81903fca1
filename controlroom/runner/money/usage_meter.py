"""What an agent's API messages use and what its Claude reports, into usage.jsonl as it happens.

sessions.jsonl lists the sessions that a run is metered from, for whoever comes after a runner that was killed.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from controlroom.metering.usage import Message
from controlroom.metering.usage_file import Record, Refusal, Report, result_costs, to_line
from controlroom.runner.claude.session_usage import A_LOOK, TURNED, SessionUsage
from controlroom.runner.claude.transcripts import RecentPieces, find_transcript, in_flight, session_files
from controlroom.runner.files import append_to, read_piece
from controlroom.runner.folder import SESSIONS, USAGE
from controlroom.text.json_fields import text, whole
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern
from controlroom.wire.lines import PeerError, from_line

_MOST_BYTES = 1024 * 1024
_SESSION = pattern("[0-9a-fA-F-]{8,64}")
_RUN = pattern("[0-9a-f]{15}")


class Metered(NamedTuple):
    """A session that a run is metered from."""

    session: str
    config: str
    cwd: str
    run: str
    """Names the run where all that stands in the session is its own (`metering.usage_file`); else empty."""
    at: int = 0
    """When the run went on with the session, UTC ms; 0: it began it, or nobody has said."""
    begins: int = 0
    """Bytes of the transcript that stood there then."""


def note_session(metered: Metered) -> None:
    """Write one down in the current folder. What the disk does not take is not written."""
    line = json.dumps(metered._asdict(), separators=(",", ":")).encode("utf-8", "replace") + b"\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(SESSIONS, flags, 0o600)
    except OSError:
        return
    try:
        if os.fstat(descriptor).st_size < _MOST_BYTES:
            os.write(descriptor, line)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def noted_sessions(folder: str) -> Iterator[Metered]:
    """Yield those of an agent's folder; what is damaged is passed over."""
    for line in read_piece(os.path.join(folder, SESSIONS), 0, _MOST_BYTES).split(b"\n"):
        try:
            value = from_line(line)
        except PeerError:
            continue
        session, config, cwd, run = (text(value.get(name), 4096) for name in ("session", "config", "cwd", "run"))
        metered = Metered(session, config, cwd, run, whole(value.get("at")), whole(value.get("begins")))
        if _SESSION.fullmatch(metered.session) and metered.config and (not metered.run or _RUN.fullmatch(metered.run)):
            yield metered


SOON = 0.2
"""Seconds from something said to a look; to each further one, for which a line may be late, it is twice as long."""

OFTEN = 1.0
"""Seconds for which a look may be put off by what is said meanwhile."""

LATE = 2.0
"""Seconds after something was said in which its line may still be written."""

_REMEMBERED = 256
"""Messages whose last numbers are remembered: a message's lines stand close together."""
_MOST_SESSIONS = 1000
_LAST_LOOKS = 20

NEVER = float("inf")


class UsageMeter:
    """Reads one agent's transcripts and appends what is new to usage.jsonl in the current folder."""

    def __init__(
        self,
        config: str,
        cwd: str,
        resumed: str = "",
        *,
        forks: bool = False,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
        recent: RecentPieces | None = None,
    ) -> None:
        """`resumed`: the session that goes on, or that the run `forks`; `clock` gives UTC ms.

        `recent`: what the run's budget has read.
        """
        self.wakes_at = NEVER
        """When to look next, on the clock of `expect`."""
        self.taken = 0
        """How many records were new until now."""
        self._place, self._clock, self._random, self._recent = (config, cwd), clock, random, recent
        self._places: dict[str, tuple[str, str]] = {}
        """Of sessions that lie elsewhere: the config folder, and the folder they began in."""
        self._until, self._pause, self._said = 0.0, SOON, NEVER
        self._offset: float | None = None
        """How far the clock was before one that never jumps at the last look, milliseconds."""
        self._looked = clock()
        self._sessions: dict[str, SessionUsage] = {}
        self._current = ""
        self._left: dict[str, float] = {}
        """Sessions that it has left (`/clear` begins another), and until when their lines may still be written."""
        self._told: dict[tuple[str, str], Message] = {}
        self._owed: dict[str, Report] = {}
        """By run: what could not be written yet."""
        self._torn = False
        if resumed and (transcript := find_transcript(config, cwd, resumed)):
            self._session(resumed, transcript, forks=forks)
            self._estimate(resumed)

    def size(self, session: str) -> int:
        """Return how many bytes there are in a session's transcripts, also in those of its subagents."""
        size = 0
        for path in session_files(*self._places.get(session, self._place), session) if session else ():
            with contextlib.suppress(OSError):
                size += os.stat(path, follow_symlinks=False).st_size
        return size

    def reported(self, session: str) -> int:
        """Return what Claude says that this run of a session has cost, in pico-dollars; 0: it has said nothing yet."""
        usage = self._sessions.get(session)
        return usage.reported if usage else 0

    def join(self, config: str, cwd: str, session: str, *, fresh: bool) -> None:
        """Another Claude of the run is in this session: `fresh`: a new one, in which everything is its own."""
        if session not in self._places and len(self._places) < _MOST_SESSIONS:
            self._places[session] = config, cwd
            if fresh and not self._session(session).fresh:
                self._session(session).fresh = True
                self._note(session, self._session(session).run)

    def expect(self, now: float) -> None:
        """The agent has said something (`now`: seconds on a clock that never jumps): a line may be written soon."""
        self._until, self._pause = now + LATE, SOON
        self._said = min(self._said, now)
        self.wakes_at = min(now + SOON, max(now, self._said + OFTEN))

    def hear(self, event: dict[str, Any], now: float) -> None:
        """Take an event of a Claude without a terminal: something was said, and a result tells what it cost."""
        self.expect(now)
        costs = result_costs(event) if event.get("type") == "result" else None
        if costs is not None:
            self._reported(text(event.get("session_id"), 64), *costs)

    def total(self, session: str, pico: int, *, began: bool) -> None:
        """Take what Claude answers that a session has cost; `began`: that was before this run of it did anything."""
        if began:
            self._session(session).began_with(pico)
        else:
            self._reported(session, pico, -1)

    def show(self, session: str, pico: int) -> None:
        """Take what Claude shows on its status line that a session has cost."""
        self.look(session)
        if report := self._session(session).show(pico, self._clock()):
            self._take([report])

    def due(self, session: str, now: float) -> None:
        """Look, when it is time."""
        if session != self._current:
            if self._current:
                self._left[self._current] = now + LATE
            self._current = session
            self.expect(now)
        if self.wakes_at <= now:
            self._see_clock(now)
            more = self._look_at_all(session)
            self._left = {left: until for left, until in self._left.items() if now < until}
            self._said, self._pause = NEVER, 2 * self._pause
            if more:
                self.wakes_at = now + SOON
            else:
                self.wakes_at = min(now + self._pause, self._until) if now < self._until else NEVER

    def _see_clock(self, now: float) -> None:
        """When the clock has been put back, the sessions began at an earlier time by it."""
        offset = self._clock() - 1000 * now
        if self._offset is not None and offset < self._offset - TURNED:
            back = round(self._offset - offset)
            self._looked -= back
            for session in self._sessions.values():
                session.put_back(back)
        self._offset = offset

    def finish(self, session: str) -> None:
        """Read the last of a session, and estimate what nobody will tell: its Claude has ended."""
        for _ in range(_LAST_LOOKS):
            if not self._look_at_all(session):
                break
        self._estimate(session)

    def _look_at_all(self, session: str) -> bool:
        """Look at a session and at those that were left just now; return whether there is more than is read at once."""
        more = [self.look(each) for each in (*self._left, session)]
        return any(more)

    def look(self, session: str) -> bool:
        """Read what has been added to the session's files; return whether there is more than is read at once.

        What cannot be read or written is tried again next time.
        """
        if not session:
            return False
        usage, read = self._session(session), 0
        transcript = find_transcript(*self._places.get(session, self._place), session)
        for news in usage.news(transcript, self._clock()) if transcript else ():
            read += news.size
            if self._take(news.records):
                news.taken()
        if self._owed:
            self._take([])
        self._looked = self._clock()
        return read >= A_LOOK

    def _estimate(self, session: str) -> None:
        """Book the requests that were under way when the session's Claude ended."""
        files = session_files(*self._places.get(session, self._place), session)
        self._take([message for path in files if (message := in_flight(path))])

    def _reported(self, session: str, total: int, new: int) -> None:
        """Note a session's total, and what of it is new since the last one (-1: it is not told)."""
        usage = self._session(session)
        if new < 0:
            self.look(session)
        elif not usage.reported:
            usage.began_with(max(0, total - new))
        if report := usage.report(total, self._clock()):
            self._take([report])

    def _session(self, session: str, resumed: str = "", *, forks: bool = False) -> SessionUsage:
        """Return what is known of a session; a new one began after the last look. Too many are taken for one.

        `resumed`: the transcript of one that goes on, or from which another goes on (`forks`).
        """
        if session not in self._sessions and len(self._sessions) >= _MOST_SESSIONS:
            session = ""
        usage = self._sessions.get(session)
        if usage is None:
            usage = self._sessions[session] = SessionUsage(
                self._random(8).hex()[:15], self._looked, recent=self._recent
            )
            begins = usage.resume(resumed) if resumed else None
            self._note(session, "", *((self._looked, begins) if begins is not None and not forks else ()))
        return usage

    def _note(self, session: str, run: str, at: int = 0, begins: int = 0) -> None:
        """Write down that this session is metered, for whoever comes after a runner that was killed."""
        if session:
            note_session(Metered(session, *self._places.get(session, self._place), run, at, begins))

    def _take(self, records: list[Record]) -> bool:
        """Tell and write what is new among records; False when the disk does not take it."""
        fresh = [record for record in records if self._is_new(record)]
        self._owed.update((record.run, record) for record in fresh if isinstance(record, Report))
        messages = [record for record in fresh if isinstance(record, Message)]
        refused = [record for record in fresh if isinstance(record, Refusal)]
        lines: list[Record] = [*messages, *refused, *self._owed.values()]
        if not self._write(b"".join(map(to_line, lines))):
            return False
        self._owed.clear()
        self.taken += len(fresh)
        self._told.update((message.key, message) for message in messages)
        while len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        return True

    def _is_new(self, record: Record) -> bool:
        return not isinstance(record, Message) or self._told.get(record.key) != record

    def _write(self, lines: bytes) -> bool:
        """Append to usage.jsonl; False when the disk does not take it."""
        if not lines:
            return True
        data = b"\n" + lines if self._torn else lines
        try:
            descriptor = append_to(USAGE)
        except OSError:
            return False
        try:
            written = os.write(descriptor, data)
        except OSError:
            written = 0
        finally:
            os.close(descriptor)
        self._torn = (self._torn and not written) or 0 < written < len(data)
        return written == len(data)
