"""What runs here may spend: price sheets and grants as home sends them, written down for the runners to go by."""

import asyncio
import contextlib
import hashlib
import json
import os
from collections.abc import Iterator

from controlroom.metering.prices import sheet_from_json
from controlroom.node.agent_folders import entries, is_live, read_status
from controlroom.runner.files import make_private, write_atomic
from controlroom.runner.folder import GRANT, prices_file
from controlroom.runner.money import grant_file
from controlroom.runner.money.grant_file import BadGrant, RunCeilings, to_bytes
from controlroom.runner.outcome import Refused
from controlroom.text.lazy_pattern import pattern
from controlroom.wire.grants import Grant, Prices
from controlroom.wire.lines import PeerError

KEPT = 3
"""Price sheets that are kept besides those that living agents go by."""

_MARK = pattern("[0-9a-f]{12}")


def mark_of(sheet: str) -> str:
    """Name a price sheet by what it holds."""
    return hashlib.sha256(sheet.encode()).hexdigest()[:12]


class PriceSheets:
    """The price sheets in a state folder."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._turn = asyncio.Lock()

    async def keep(self, prices: Prices) -> str:
        """Write one down. Return why it could not be, "" when it has been."""
        async with self._turn:
            return await asyncio.to_thread(self._keep, prices)

    async def check(self, grant: Grant, clock: int) -> None:
        """See that a runner could go by a grant, once the sheets that came before it are written. Raises `Refused`."""
        async with self._turn:
            there = self._there(grant.prices)
        if terms_of(grant, clock).money and not there:
            raise Refused(f"the price sheet {ascii(grant.prices)[:40]} that it goes by is not on this host")

    def _keep(self, prices: Prices) -> str:
        if mark_of(prices.sheet) != prices.mark:
            return f"the price sheet {ascii(prices.mark)[:40]} did not arrive as it was sent"
        try:
            sheet_from_json(json.loads(prices.sheet))
            make_private(self._state)
            write_atomic(self._path(prices.mark), prices.sheet.encode())
        except (OSError, ValueError, RecursionError) as error:
            return f"the price sheet {prices.mark} cannot be kept: {error}"
        self._tidy(prices.mark)
        return ""

    def _there(self, mark: str) -> bool:
        return bool(_MARK.fullmatch(mark)) and os.path.isfile(self._path(mark))

    def _tidy(self, newest: str) -> None:
        """Remove sheets that nobody goes by any more."""
        with contextlib.suppress(OSError):
            sheets = [item for item in os.scandir(self._state) if _mark_in(item.name)]
            by_age = sorted(sheets, key=lambda item: (_mark_in(item.name) != newest, -item.stat().st_mtime))
            for item in by_age[KEPT:]:
                if _mark_in(item.name) not in set(_in_use(self._state)):
                    os.unlink(item.path)

    def _path(self, mark: str) -> str:
        return os.path.join(self._state, prices_file(mark))


def write_grant(folder: str, grant: Grant, clock: int) -> None:
    """Write an agent's grant.json, unless this very grant stands there (`clock`: the host's time, UTC milliseconds).

    One that comes again has less time left than it had, and may name a newer price sheet: what stands holds. Raises
    `Refused` when a newer one stands there, and `OSError`.
    """
    path = os.path.join(folder, GRANT)
    try:
        stands = grant_file.read(path)
    except BadGrant:
        stands = None
    owner = grant.owner if stands and stands.bound else ""  # what stands there may be of an older node
    if stands and grant.key and not stands.is_signed(grant.key, grant.name, grant.epoch, owner):
        stands = None  # the agent can write there, too
    terms = terms_of(grant, clock)
    if stands and stands.number > terms.number:
        raise Refused(f"{grant.name} goes by a newer grant ({stands.number})")
    if stands and stands.number == terms.number:
        if stands.ceilings != terms.ceilings or bool(stands.lasts) != bool(terms.lasts):
            raise Refused(f"{grant.name} goes by another grant of the number {terms.number}")
        return
    write_atomic(path, to_bytes(terms))


def terms_of(grant: Grant, clock: int) -> RunCeilings:
    """Return a grant as its runner will read it. Raises `Refused` for one that cannot be meant."""
    allowance = grant.allowance
    numbers = (allowance.billed, allowance.covered, allowance.tokens, grant.lasts, *allowance.windows.values())
    if grant.number < 1 or any(amount is not None and amount < 0 for amount in numbers):
        raise Refused("a grant has a number above 0 and amounts that are not negative")
    until = clock + grant.lasts if grant.lasts else 0
    terms = RunCeilings(
        grant.number, allowance.billed, allowance.covered, allowance.tokens, dict(allowance.windows),
        until, grant.lasts, grant.prices, grant.signature, grant.bound,
    )  # fmt: skip
    try:
        return grant_file.of_value(json.loads(to_bytes(terms)))
    except BadGrant as error:
        raise Refused(str(error)) from None


def _mark_in(name: str) -> str:
    mark = name.removeprefix("prices-").removesuffix(".json")
    return mark if name == prices_file(mark) and _MARK.fullmatch(mark) else ""


def _in_use(state: str) -> Iterator[str]:
    """Yield the marks that living agents go by."""
    for entry in entries(state):
        with contextlib.suppress(BadGrant, PeerError):
            status = read_status(entry)
            terms = grant_file.read(os.path.join(entry.folder, GRANT)) if status is None or is_live(status) else None
            if terms:
                yield terms.prices
