"""A price sheet and grants for tests: what they say and where they lie."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

from controlroom.engine.catalogs import list_prices
from controlroom.metering import prices
from controlroom.metering.prices import DOLLAR, Factors, Price, Rates, Sheet, sheet_to_json
from controlroom.node.grants import mark_of
from controlroom.runner.folder import GRANT, prices_file
from controlroom.runner.money.grant_file import RunCeilings, to_bytes
from tests.lab.kept import made_once

LIST = f"list-prices-{version(list_prices.PACKAGE)}.json"
CENT = DOLLAR // 100
SIMPLE = Sheet([Price("claude-opus-5-5", Rates(0, CENT // 10, 0, 0, 0))], factors=Factors(discount=10_000))
"""A cent for each token of output, and nothing for the rest."""


def text_of(sheet: Sheet) -> str:
    """The sheet as it travels."""
    return json.dumps(sheet_to_json(sheet), sort_keys=True, separators=(",", ":"))


MARK = mark_of(text_of(SIMPLE))


def put_prices(state: Path, sheet: Sheet = SIMPLE) -> str:
    """Write a sheet into a state folder; its mark."""
    text = text_of(sheet)
    (state / prices_file(mark_of(text))).write_text(text)
    return mark_of(text)


def put_grant(folder: Path, terms: RunCeilings) -> None:
    """Write grant.json into an agent's folder."""
    (folder / GRANT).write_bytes(to_bytes(terms))


def keep_list(state: Path) -> None:
    """Keep the list prices in a room's state folder, as in any room whose engine was started before.

    The first one asks for them, in a process that takes longer than all else that an engine does at its start.
    """
    shutil.copyfile(listed(), state / LIST)
    (state / LIST).chmod(0o600)


@cache
def listed() -> Path:
    """Where the list lies for the tests of all workers."""
    source = b"".join(Path(module.__file__ or "").read_bytes() for module in (list_prices, prices))
    return made_once(f"{hashlib.sha256(source).hexdigest()[:12]}-{LIST}", list_anew)


def list_anew(place: Path) -> None:
    with place.open("wb") as file:
        subprocess.run([sys.executable, "-m", list_prices.__name__], stdout=file, check=True, timeout=60)
