"""How long `controlroom --help` takes: python -m tests.benchmarks.help"""

import statistics
import subprocess
import sys
import time

from tests.benchmarks.table import print_table

ROUNDS = 20


def seconds(*words: str) -> list[float]:
    """Run a command line some times; give what each took, the first (cold) one left out."""
    taken = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - began)
    return taken[1:]


def main() -> None:
    rows = []
    for what, words, target in (
        ("python alone", ("-c", "pass"), ""),
        ("controlroom --help", ("-m", "controlroom", "--help"), "0.15 s"),
        ("controlroom spawn --help", ("-m", "controlroom", "spawn", "--help"), "0.15 s"),
        ("controlroom --version", ("-m", "controlroom", "--version"), ""),
    ):
        taken = seconds(*words)
        rows.append((f"{what}, median", f"{statistics.median(taken):.3f} s", target))
        rows.append((f"{what}, slowest", f"{max(taken):.3f} s", ""))
    print_table(f"--help, {ROUNDS} runs", rows)


if __name__ == "__main__":
    main()
