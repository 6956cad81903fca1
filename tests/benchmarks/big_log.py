"""A log of a gigabyte: opened at its end, and searched where it lies, by a real node.

    python -m tests.benchmarks.big_log [--megabytes 1024]

The segments are on the temporary disk and are deleted afterwards. Targets: opened in 0.5 s, searched at 200 MB/s.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

from controlroom import __version__
from controlroom.node import serve
from controlroom.runner.folder import agent_folder, state_folder
from controlroom.runner.log_writer import RunLog
from controlroom.wire import records
from controlroom.wire.inquiries import Found, Search
from controlroom.wire.lines import LineSplitter
from controlroom.wire.messages import Fetch, Fetched, FromNode, Greet, ToNode, Welcome, pack, read_from_node
from tests.benchmarks.table import print_table

M = TypeVar("M", bound=FromNode)
_AT = 1_795_307_427_677
_NEEDLE = "the one needle"
_SETTLED = 3.0
"""Seconds for a node to have done all that it does at first."""


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024)
    options = parser.parse_args(argv)
    rows: list[tuple[str, str, str]] = []
    for title, line in (("output", _output), ("events", _event)):
        with tempfile.TemporaryDirectory(prefix="cr-") as folder:
            size = write_log(Path(folder), options.megabytes * 1024 * 1024, line)
            rows += [(f"{title}: {what}", figure, target) for what, figure, target in measured(folder, size)]
    print_table(f"a log of {options.megabytes} MB", rows)


def write_log(home: Path, wanted: int, line: Callable[[random.Random, int], bytes]) -> int:
    """Write a log of at least so many bytes, what is searched for in its first line; gives its size."""
    place = agent_folder(state_folder({"HOME": str(home)}, ""), "big", 1)
    os.makedirs(place)
    chance = random.Random(1)
    block = b"".join(line(chance, number) for number in range(4000))
    log = RunLog(2 * wanted, place)
    log.write(_AT, records.pack(_AT, records.OUT, _NEEDLE.encode()))
    while log.size < wanted:
        log.write(_AT, block)
    return log.size


def _output(chance: random.Random, number: int) -> bytes:
    text = f"{number} module{chance.randrange(10**5)}/test_{chance.randrange(10**6)} passed in {chance.random():.4f} s"
    return records.pack(_AT + number, records.OUT, text.encode())


def _event(chance: random.Random, number: int) -> bytes:
    words = " ".join(chance.choice(("edit", "the", "page", "of", "route", "Größe", "tests")) for _ in range(80))
    event = {"type": "assistant", "message": {"content": [{"type": "text", "text": f"{number} {words}\nnext"}]}}
    return records.pack(_AT + number, records.EVENT, json.dumps(event, ensure_ascii=False).encode())


class Node:
    """A real node, asked one thing at a time."""

    def __init__(self, home: str) -> None:
        unwanted = ("XDG_STATE_HOME", "TMUX", "CONTROLROOM_HOME")
        environ = {name: value for name, value in os.environ.items() if name not in unwanted}
        environ |= {"HOME": home, "TMUX_TMPDIR": home, "SHELL": "/bin/sh"}
        pipe = subprocess.PIPE
        words = [sys.executable, os.path.abspath(serve.__file__)]
        self.process = subprocess.Popen(words, stdin=pipe, stdout=pipe, env=environ)
        self._lines = LineSplitter()
        self._waiting: list[bytes] = []
        self.ask(Greet(__version__, "room"), Welcome)

    def ask(self, message: ToNode, kind: type[M]) -> M:
        """Send a message and wait for an answer of a kind."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(pack(message))
        self.process.stdin.flush()
        while True:
            while self._waiting:
                told = read_from_node(self._waiting.pop(0))
                if isinstance(told, kind):
                    return told
            self._waiting += self._lines.feed(os.read(self.process.stdout.fileno(), 1 << 20))

    def search(self, text: str, regex: bool = False, most: int = 10**9) -> tuple[int, int, float, float]:
        """Search to the first line, or until so many hits; gives hits, bytes, seconds, the longest answer's seconds."""
        segment, offset, hits, searched, longest = -1, 0, 0, 0, 0.0
        begun = time.monotonic()
        while True:
            asked = time.monotonic()
            found = self.ask(Search(1, "big", 1, text, regex=regex, segment=segment, offset=offset), Found)
            longest = max(longest, time.monotonic() - asked)
            hits, searched = hits + len(found.hits), searched + found.searched
            segment, offset = found.segment, found.offset
            if found.reason:
                raise SystemExit(found.reason)
            if found.done or hits >= most:
                return hits, searched, time.monotonic() - begun, longest

    def cpu(self) -> float:
        """Return the seconds of CPU that it has used."""
        used = psutil.Process(self.process.pid).cpu_times()
        return used.user + used.system

    def close(self) -> None:
        """End it."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(60)


def measured(home: str, size: int) -> list[tuple[str, str, str]]:
    """Open a log and search it."""
    node = Node(home)
    try:
        time.sleep(_SETTLED)
        begun = time.monotonic()
        page = node.ask(Fetch(1, "big", 1, count=300), Fetched)
        opened = time.monotonic() - begun
        assert page.data
        rows = [("opened at its end", f"{opened * 1000:.0f} ms", "500 ms")]
        begun = time.monotonic()
        node.ask(Fetch(1, "big", 1, segment=0, forward=True, count=300), Fetched)
        rows.append(("its very first lines", f"{(time.monotonic() - begun) * 1000:.0f} ms", "500 ms"))
        before = node.cpu()
        hits, searched, seconds, longest = node.search(_NEEDLE)
        busy = node.cpu() - before
        assert hits == 1
        assert searched >= size * 0.99
        rows.append(("searched for a rare text", f"{searched / seconds / 1e6:.0f} MB/s", "200 MB/s"))
        rows.append(("the same, in processor time", f"{searched / busy / 1e6:.0f} MB/s", ""))
        rows.append(("longest answer", f"{longest * 1000:.0f} ms", "300 ms"))
        hits, _, seconds, _ = node.search("te", most=1000)
        rows.append((f"{hits} hits of a common text", f"{seconds * 1000:.0f} ms", ""))
        _, searched, seconds, _ = node.search(r"no such (thing|word) \d+", regex=True, most=1)[:4]
        rows.append(("searched for an expression", f"{searched / seconds / 1e6:.0f} MB/s", ""))
        return rows
    finally:
        node.close()


if __name__ == "__main__":
    main(sys.argv[1:])
