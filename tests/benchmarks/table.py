"""How a benchmark prints what it measured."""

import os
import platform
from collections.abc import Sequence


def print_table(title: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """Print rows of (what, measured, target) under a title that names the machine."""
    print(f"\n{title}   [{os.cpu_count()} cores, Python {platform.python_version()}]")
    for what, measured, target in rows:
        print(f"  {what:<34} {measured:>12}   {'target ' + target if target else ''}".rstrip())
