"""What the agent writes: read from its pipes, cut into lines, logged, shown on the pane, and taken as events."""

import os
import re
import selectors
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from controlroom.runner.claude.channel import is_answer
from controlroom.runner.log_writer import EVENT_LINE, LineCutter, LinePart, RunLog, kept_event, packed
from controlroom.runner.pane import Pane
from controlroom.text.event_text import Line, record_lines, speak
from controlroom.text.lazy_pattern import pattern
from controlroom.wire import records
from controlroom.wire.lines import PeerError, from_line

DONE_WITH = "done with"
"""What a reader gives when nothing follows from what it has read."""

READ_BYTES = 8_192
"""Bytes taken from a pipe at once: short lines make thousands of objects of it, whose memory is never given back."""
PARTIAL_SECONDS = 1.0
"""Seconds after which a line without its end is logged as far as it goes."""
_SHOWN = 100
"""Records of one batch that are rendered; the log holds them all."""
_PLAIN = pattern(rb"(?!.*sk-)(?:[ -~]*\n){1,%d}" % _SHOWN, re.DOTALL)
"""Whole lines that go to the log and to a terminal as they are: without anything that looks like a key."""
_LAST_READS = 32_768
_PULSE = "thinking_tokens"
"""An event for every few tokens that Claude thinks: a count and nothing else, and far the most of them."""


class Recorder:
    """Everything that goes into the log passes here. `clock` gives UTC ms."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        log: RunLog,
        pane: Pane,
        hear: Callable[[dict[str, Any]], None],
        clock: Callable[[], int],
    ) -> None:
        self.log, self.pane = log, pane
        self.taken = 0
        """How much was heard of it so far, counted in pieces; what it answers the runner itself is none."""
        self._selector, self._hear, self._clock = selector, hear, clock
        self._cutters: dict[int, tuple[bytes, LineCutter]] = {}
        self._partial_since: dict[int, float] = {}
        self._complaint = b""

    @property
    def complaint(self) -> str:
        """The last line on the error output that says something."""
        return self._complaint[:400].decode("utf-8", "replace").strip()[:200]

    def listen(self, end: int, stream: bytes) -> None:
        """Read a pipe until its end. Stream `records.EVENT`: lines that are events are heard, others are output."""
        self._cutters[end] = (stream, LineCutter(EVENT_LINE if stream == records.EVENT else records.MAX_BODY))
        self._selector.register(end, selectors.EVENT_READ, partial(self._readable, end))

    def note(self, words: str) -> None:
        """Log something the runner says, in one line."""
        self._write([(records.NOTE, LinePart(_bytes(words.replace("\n", " ")), True))], [])

    def sent(self, words: str) -> None:
        """Log what the operator sent, line by line."""
        self._write([(records.INPUT, LinePart(_bytes(row), True)) for row in words.split("\n")], [])

    def output(self, pieces: list[LinePart]) -> None:
        """Log what somebody else than the agent printed for it: its checks."""
        self._write([(records.OUT, piece) for piece in pieces], [])

    def answered(self, words: str, *, of_rules: bool) -> None:
        """Log an answer: what the operator sent, or what rules said for him."""
        if of_rules:
            self.note(words.replace("\n", " "))
        else:
            self.sent(words)

    def told(self, event: dict[str, Any], line: bytes) -> None:
        """Log an event that came another way than through a pipe, with the bytes it came in."""
        self.taken += 1
        self._write([(records.EVENT, LinePart(kept_event(event, line), True))], [event])

    def complained(self, words: str) -> None:
        """Log what an agent left on its terminal when it failed; the last of it is the complaint."""
        pieces = [LinePart(_bytes(row), True) for row in words.split("\n")]
        self._complaint = next((piece.body for piece in reversed(pieces) if piece.body.strip()), self._complaint)
        self._write([(records.ERR, piece) for piece in pieces], [])

    def wakes_at(self) -> list[float]:
        """Return the monotonic times at which `due` has something to do."""
        later = [time.monotonic() + 1.0] if self.pane.waiting else []
        return later + [since + PARTIAL_SECONDS for since in self._partial_since.values()]

    def due(self) -> None:
        """Log lines that have waited long enough for their end, and show what the pane now takes."""
        now = time.monotonic()
        for end in [end for end, since in self._partial_since.items() if since + PARTIAL_SECONDS <= now]:
            del self._partial_since[end]
            stream, cutter = self._cutters[end]
            self._keep(stream, cutter.flush())
        self.pane.flush()

    def finish(self) -> None:
        """Take what the pipes still hold, without waiting for more, and close them."""
        for end in list(self._cutters):
            for _ in range(_LAST_READS):
                if not self._read(end):
                    break
        for end, (stream, cutter) in list(self._cutters.items()):
            self._keep(stream, cutter.flush(final=True))
            self._close(end)

    def _readable(self, end: int, _mask: int = 0) -> str:
        """Take what the agent has written. `DONE_WITH`: only plain lines, which are logged and shown.

        Whole lines of printable ASCII that are no events are what most agents write most often. What goes for them goes
        for them on the long way, too; here they are spared the most of it.
        """
        try:
            data = os.read(end, READ_BYTES)
        except BlockingIOError:
            return DONE_WITH
        except OSError:
            data = b""
        stream, cutter = self._cutters[end]
        if stream == records.EVENT or cutter.holding or not self.pane.free or not _PLAIN.fullmatch(data):
            self._take(end, data)
            return ""
        self.taken += 1
        now = self._clock()
        head = b"%013d %s " % (now, stream)
        self.log.add(now, head + data[:-1].replace(b"\n", b"\n" + head) + b"\n")
        if stream == records.ERR and (words := data.strip()):
            self._complaint = words[words.rfind(b"\n") + 1 :]
        self.pane.show_plain(data.replace(b"\n", b"\r\n"))
        return DONE_WITH

    def _read(self, end: int) -> bool:
        """Take what the agent has written. False: nothing more will come, or nothing now."""
        try:
            return self._take(end, os.read(end, READ_BYTES))
        except BlockingIOError:
            return False
        except OSError:
            return self._take(end, b"")

    def _take(self, end: int, data: bytes) -> bool:
        stream, cutter = self._cutters[end]
        if not data:
            self._keep(stream, cutter.flush(final=True))
            self._close(end)
            return False
        self._keep(stream, cutter.feed(data))
        if cutter.holding and stream != records.EVENT:
            self._partial_since.setdefault(end, time.monotonic())
        else:
            self._partial_since.pop(end, None)
        return True

    def _close(self, end: int) -> None:
        self._selector.unregister(end)
        os.close(end)
        del self._cutters[end]
        self._partial_since.pop(end, None)

    def _keep(self, stream: bytes, pieces: list[LinePart]) -> None:
        kept: list[tuple[bytes, LinePart]] = []
        events: list[dict[str, Any]] = []
        for piece in pieces:
            event = _event(piece) if stream == records.EVENT else None
            self.taken += event is None or event.get("type") != "control_response"
            if event is not None and is_answer(event):
                self._hear(event)
                continue
            if event is not None and event.get("subtype") == _PULSE:
                continue
            if event is not None:
                kept.append((records.EVENT, LinePart(kept_event(event, piece.body), True)))
                events.append(event)
            else:
                kept.append((records.OUT if stream == records.EVENT else stream, piece))
                self._complaint = piece.body if stream == records.ERR and piece.body.strip() else self._complaint
        self._write(kept, events)
        for event in events:
            self._hear(event)

    def _write(self, kept: list[tuple[bytes, LinePart]], events: list[dict[str, Any]]) -> None:
        if not kept:
            return
        now = self._clock()
        self.log.add(now, b"".join([packed(now, stream, piece) for stream, piece in kept]))
        self._show(kept, iter(events))

    def _show(self, kept: list[tuple[bytes, LinePart]], events: Iterator[dict[str, Any]]) -> None:
        lines: list[Line] = []
        self.pane.miss(len(kept) - _SHOWN)
        for index, (stream, piece) in enumerate(kept):
            event = next(events) if stream == records.EVENT else None
            if index < len(kept) - _SHOWN:
                continue
            shown = speak(event) if event is not None else record_lines(stream.decode(), piece.body)
            plain = stream in (records.OUT, records.ERR)
            lines += [Line("say", line.text) for line in shown] if plain else shown
        self.pane.show(lines)


def _event(piece: LinePart) -> dict[str, Any] | None:
    if not piece.whole or not piece.body.startswith(b"{"):
        return None
    try:
        event = from_line(piece.body)
    except PeerError:
        return None
    return event if isinstance(event.get("type"), str) else None


def _bytes(words: str) -> bytes:
    return words.encode("utf-8", "replace")
