"""python -m tests.benchmarks.imports [MEGABYTES]: counting old transcripts, on the host and at home."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import controlroom.node.imports
from controlroom.node.imports.found import transcripts
from controlroom.node.imports.reader import read
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
from tests.engine.old_host import OldHost, imported
from tests.engine.rooms import room
from tests.lab.transcripts import write
from tests.lab.world import World

AT = 1_785_000_000_000  # everything is before the clock of the rooms that tests make


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


class Prepared(OldHost):
    """Has read everything before it is asked."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.answers = {(place.path, place.offset): read([place], 0, lambda _: "plan")[0] for place in self.places()}

    def places(self) -> Iterator[TranscriptPlace]:
        """The places from which on it will be asked."""
        for transcript in transcripts([str(self.home / ".claude")]):
            place = TranscriptPlace(transcript.path)
            while True:
                part = read([place], 0, lambda _: "plan")[0]
                yield place
                if part.done:
                    break
                place = TranscriptPlace(part.path, part.end, part.mark)

    def parts(self, asked: ReadTranscripts) -> list[TranscriptPart]:
        """One part: what stands in it is at hand."""
        return [self.answers[asked.places[0].path, asked.places[0].offset]]


def at_home(home: Path) -> list[tuple[str, str, str]]:
    """What the engine does, of all its threads, with the answers at hand; and how long it keeps others waiting."""
    world = World()
    os.environ.update(world.environment())
    try:
        spent, again, stall, messages = asyncio.run(_at_home(home))
    finally:
        world.close()
    return [
        ("booked at home, of one core", f"{spent:.1f} s, {spent / messages * 1e6:.0f} µs a message", ""),
        ("the longest that others wait", f"{1000 * stall:.0f} ms", ""),
        ("all of it once more", f"{1000 * again:.0f} ms", ""),
    ]


async def _at_home(home: Path) -> tuple[float, float, float, int]:
    """Import from a host whose answers are at hand; give processor seconds, once more, the longest stall, messages."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - began)

    async with room(Prepared(home)) as made:
        watching = asyncio.create_task(watch())
        took, messages = list[float](), list[int]()
        for _ in range(2):
            began = time.process_time()
            messages.append((await imported(made, patience=600)).messages)
            took.append(time.process_time() - began)
        watching.cancel()
    return took[0], took[1], longest, messages[0]


def main() -> None:
    """Measure with the size given, or 1 GB."""
    megabytes = int((sys.argv[1:] or ["1000"])[0])
    with tempfile.TemporaryDirectory() as name:
        answers = write(Path(name), megabytes * 1024 * 1024, AT, random.Random(1))
        size = sum(path.stat().st_size for path in Path(name).rglob("*.jsonl"))
        print_table(
            "Importing old transcripts",
            [("answers", str(answers), ""), *on_host(Path(name), size), *at_home(Path(name))],
        )


if __name__ == "__main__":
    main()
