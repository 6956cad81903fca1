"""A price sheet and grants for tests: what they say and where they lie."""

from __future__ import annotations

import json
from pathlib import Path

from controlroom.metering.prices import DOLLAR, Factors, Price, Rates, Sheet, sheet_to_json
from controlroom.node.grants import mark_of
from controlroom.runner.folder import GRANT, prices_file
from controlroom.runner.money.grant_file import RunCeilings, to_bytes

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
