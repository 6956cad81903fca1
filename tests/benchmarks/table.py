"""How a benchmark prints what it measured, and where the comparison of commits finds it."""

import json
import os
import platform
from collections.abc import Sequence

FIGURES = "BENCHMARK_FIGURES"
"""Environment variable that names a file: each table is added to it, as a line of JSON."""


def print_table(title: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """Print rows of (what, measured, target) under a title that names the machine."""
    print(f"\n{title}   [{os.cpu_count()} cores, Python {platform.python_version()}]")
    for what, measured, target in rows:
        print(f"  {what:<34} {measured:>12}   {'target ' + target if target else ''}".rstrip())
    if path := os.environ.get(FIGURES):
        with open(path, "a") as file:
            file.write(json.dumps({"title": title, "rows": rows}) + "\n")
