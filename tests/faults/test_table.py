"""The table of faults is whole, and every test that it names is one that runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import tomllib

ROOT = Path(__file__).resolve().parents[2]
ROWS = (("F", 35), ("T", 24), ("I", 8), ("A", 2))
EXPECTED = {f"{kind}{number}" for kind, most in ROWS for number in range(1, most + 1)}


def table() -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_name("table.toml").read_text())


def test_no_row_is_missing_and_each_promises_or_waits() -> None:
    rows = table()
    assert set(rows) == EXPECTED
    for name, row in rows.items():
        assert set(row) <= {"fault", "promise", "shown", "tests", "waits"}, name
        assert row["fault"], name
        if "tests" in row:
            assert row["promise"], name
            assert row["shown"], name
            assert row["tests"], f"{name} names no test: leave `tests` out and say what it waits for"
        else:
            assert row["waits"], name


def test_every_test_that_covers_a_row_is_collected(request: pytest.FixtureRequest) -> None:
    named = {test for row in table().values() for test in row.get("tests", ())}
    elsewhere = named - {without_its_case(item.nodeid) for item in request.session.items}
    assert not elsewhere - collected(sorted(elsewhere))


def collected(tests: Sequence[str]) -> set[str]:
    """Those among some tests that pytest finds: for a run of a part of all tests."""
    if not tests:
        return set()
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {without_its_case(line) for line in done.stdout.splitlines() if "::" in line}


def without_its_case(test: str) -> str:
    return test.partition("[")[0]
