"""python -m tests.benchmarks.imports [MEGABYTES]: counting old transcripts, on the host and at home."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import controlroom.node.imports
from controlroom.wire.imports import (
    MOST_READ,
    ListTranscripts,
    ReadTranscripts,
    TranscriptPart,
    TranscriptPlace,
    TranscriptsListed,
    TranscriptsRead,
)
from controlroom.wire.messages import pack, read_from_node
from tests.benchmarks.table import print_table
from tests.lab.transcripts import write

AT = 1_785_000_000_000


class Program:
    """The program that reads transcripts on a host."""

    def __init__(self, home: Path) -> None:
        path = str(Path(controlroom.node.imports.__file__).with_name("program.py"))
        words = [sys.executable, "-I", "-S", path, str(home / ".claude")]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(words, stdin=pipe, stdout=pipe, env={"HOME": str(home), "PATH": os.defpath})
        self._number = 0

    def ask(self, asked: ListTranscripts | ReadTranscripts) -> Any:
        """Put a question to it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(pack(asked))
        self.process.stdin.flush()
        return read_from_node(self.process.stdout.readline().rstrip(b"\n"))

    def parts(self) -> Iterator[TranscriptPart]:
        """Read everything there is."""
        listed: TranscriptsListed = self.ask(ListTranscripts(1))
        while listed.found:
            places = [TranscriptPlace(found.path) for found in listed.found]
            while places:
                read: TranscriptsRead = self.ask(ReadTranscripts(2, tuple(places[:MOST_READ])))
                yield from read.parts
                for part in read.parts:
                    if part.done:
                        places.pop(0)
                    else:
                        places[0] = TranscriptPlace(part.path, part.end, part.mark)
            listed = self.ask(ListTranscripts(1, listed.found[-1].path))

    def close(self) -> None:
        """End it."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(10)


def on_host(home: Path, size: int) -> list[tuple[str, str, str]]:
    """What a host does."""
    program = Program(home)
    before = os.times()
    records = sum(part.data.count("\n") for part in program.parts())
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    peak = int(next(row for row in status.splitlines() if row.startswith("VmHWM")).split()[1]) / 1024
    program.close()
    after = os.times()
    took = after.children_user + after.children_system - before.children_user - before.children_system
    return [
        (
            "read on the host, of one core",
            f"{took:.1f} s for {size / 1e9:.2f} GB, {size / took / 1e6:.0f} MB/s",
            ">= 250 MB/s",
        ),
        ("memory of the program", f"{peak:.0f} MB", "<= 60 MB"),
        ("records sent", f"{records}", ""),
    ]


def main() -> None:
    """Measure with the size given, or 1 GB."""
    megabytes = int((sys.argv[1:] or ["1000"])[0])
    with tempfile.TemporaryDirectory() as name:
        answers = write(Path(name), megabytes * 1024 * 1024, AT, random.Random(1))
        size = sum(path.stat().st_size for path in Path(name).rglob("*.jsonl"))
        print_table("Importing old transcripts", [("answers", str(answers), ""), *on_host(Path(name), size)])


if __name__ == "__main__":
    main()
