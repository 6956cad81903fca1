"""A bounded line splitter on bytes, and JSON that refuses what a budget or a parser would stumble over."""

import json
from typing import Any

MAX_FRAME = 4 * 1024 * 1024
"""Bytes of one wire line at most. The longest honest one carries a task text of `MAX_TASK` bytes, escaped."""

MAX_TASK = 1024 * 1024
"""Bytes of one task text or message at most."""


class PeerError(ValueError):
    """The other end broke the protocol: it is to be dropped, and its user told so in words."""


class LineSplitter:
    """Cuts a byte stream at newlines. Any split of the same bytes gives the same lines.

    Raises `PeerError` when a line grows beyond `limit` bytes: the stream cannot be trusted after that.
    """

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._held = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take what has arrived; return the lines that are complete now, without their newlines."""
        if b"\n" not in data:
            self._hold(data)
            return []
        first, *lines, rest = data.split(b"\n")
        self._hold(first)
        lines.insert(0, b"".join(self._parts))
        self._parts, self._held = [], 0
        self._hold(rest)
        if any(len(line) > self._limit for line in lines):
            raise PeerError(f"a line longer than {self._limit} bytes arrived")
        return lines

    def _hold(self, data: bytes) -> None:
        self._held += len(data)
        if self._held > self._limit:
            raise PeerError(f"a line longer than {self._limit} bytes arrived")
        if data:
            self._parts.append(data)


def to_line(value: Any) -> bytes:
    """Write a JSON value as one line, newline included. Raises `ValueError` for NaN and infinities."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
        "utf-8", "backslashreplace"
    ) + (b"\n")


def from_line(line: bytes) -> dict[str, Any]:
    """Read one JSON object. Raises `PeerError` for anything else: NaN, 5,000-digit numbers, depth bombs included."""
    try:
        value = _DECODER.decode(line.decode(json.detect_encoding(line), "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise PeerError(f"not a JSON object: {str(error)[:100]}") from None
    if not isinstance(value, dict):
        raise PeerError("not a JSON object")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
"""Made once: `json.loads` with an option makes one a call, which takes half as long as reading a short line."""
