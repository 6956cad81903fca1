"""How long until a host's node has said Welcome: first shipping and cached, over SSH on loopback and on this machine.

    python -m tests.benchmarks.connect [--rounds 10]

Each first shipping begins with an empty cache on the host; asyncssh and the bundle are there already, as in an engine
that has another host. What these two cost once is measured alone. Targets: first 1.0 s, cached 0.3 s.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from controlroom import __version__
from controlroom.domain.address import parse_address
from controlroom.engine.hosts.channel import Dialler
from controlroom.engine.hosts.deploy import bundles
from controlroom.engine.hosts.local import LocalDialler
from controlroom.engine.hosts.ssh import SshDialler
from controlroom.wire.lines import LineSplitter
from controlroom.wire.messages import Greet, pack
from tests.benchmarks.table import print_table
from tests.lab.loopback import LoopbackLab


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args(argv).rounds
    bundle = bundles()[0]
    with tempfile.TemporaryDirectory() as folder, LoopbackLab() as lab:
        home = Path(folder)
        lab.up(1)
        host = lab["vm1"]
        ssh = SshDialler("vm1", parse_address("vm1"), home / "known_hosts", config=lab.ssh_config)
        local = LocalDialler(environ={**os.environ, "HOME": folder})
        rows = [
            *measured("SSH", lambda: ssh, host.home / ".cache", rounds),
            *measured("local", lambda: local, home / ".cache", rounds),
        ]
    once = [
        ("once: import asyncssh and ours", alone("import controlroom.engine.hosts.ssh"), ""),
        ("once: build the bundle", alone("from controlroom.engine.hosts.deploy import bundles; bundles()"), ""),
    ]
    print_table(
        f"connect to Welcome, median (worst) of {rounds}; bundle {len(bundle.data) // 1024} kB, {bundle.files} files",
        [*rows, *once],
    )


def measured(what: str, dialler: Callable[[], Dialler], cache: Path, rounds: int) -> list[tuple[str, str, str]]:
    """Measure first shippings and cached starts over one transport."""
    first, cached = [], []
    for _ in range(rounds):
        shutil.rmtree(cache, ignore_errors=True)
        first.append(asyncio.run(welcomed(dialler())))
        cached.append(asyncio.run(welcomed(dialler())))
    return [(f"{what}, first shipping", shown(first), "1.00 s"), (f"{what}, cached", shown(cached), "0.30 s")]


async def welcomed(dialler: Dialler) -> float:
    """Seconds from dialling to the node's first message."""
    begin = time.perf_counter()
    channel = await dialler.dial()
    await channel.send(pack(Greet(__version__, "benchmark", "benchmark")))
    splitter = LineSplitter()
    while not splitter.feed(await channel.receive()):
        pass
    took = time.perf_counter() - begin
    await channel.close()
    return took


def shown(seconds: list[float]) -> str:
    """The median and the worst."""
    return f"{sorted(seconds)[len(seconds) // 2]:.2f} s ({max(seconds):.2f} s)"


def alone(code: str) -> str:
    """What `code` takes in a Python of its own, without that Python's own start."""

    def run(text: str) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", text], check=True)
        return time.perf_counter() - begin

    run(code)
    return f"{max(0.0, min(run(code) for _ in range(3)) - min(run('pass') for _ in range(3))):.2f} s"


if __name__ == "__main__":
    main(sys.argv[1:])
