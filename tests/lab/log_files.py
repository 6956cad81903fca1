"""Writing an agent's log by hand."""

from __future__ import annotations

from pathlib import Path

from controlroom.wire import records

AT = 1_795_307_427_677


def record(text: str, stream: bytes = b"o", at: int = AT) -> bytes:
    """One line of an agent."""
    return records.pack(at, stream, text.encode())


def write(folder: Path, segment: int, data: bytes) -> None:
    """Append to a segment."""
    with open(folder / records.segment_name(segment), "ab") as file:
        file.write(data)
