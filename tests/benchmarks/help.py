"""How long `controlroom --help` takes, on the wall and on the processor: python -m tests.benchmarks.help"""

import os
import statistics
import subprocess
import sys
import time

from tests.benchmarks.figures import load
from tests.benchmarks.table import print_table

ROUNDS = 20


def measured(*words: str) -> tuple[float, float]:
    """Run a command line; return its seconds on the wall and on the processor."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit code {process.returncode}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Run the benchmark and print its table."""
    rows = []
    for what, words, target in (
        ("python alone", ("-c", "pass"), ""),
        ("controlroom --help", ("-m", "controlroom", "--help"), "0.15 s"),
        ("controlroom spawn --help", ("-m", "controlroom", "spawn", "--help"), "0.15 s"),
        ("controlroom --version", ("-m", "controlroom", "--version"), ""),
    ):
        taken = [measured(*words) for _ in range(ROUNDS + 1)][1:]  # the first one is cold
        wall, processor = (statistics.median(seconds) for seconds in zip(*taken, strict=True))
        rows.append((f"{what}, median", f"{wall:.3f} s", target))
        rows.append((f"{what}, CPU", f"{processor:.3f} s", ""))
    print_table(f"--help, {ROUNDS} runs, {load()}", rows)


if __name__ == "__main__":
    main()
