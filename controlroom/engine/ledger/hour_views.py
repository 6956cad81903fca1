"""Reads agent-hours out of the ledger: how long the agents ran that something was spent by."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from controlroom.domain.money.costs import HOURLY
from controlroom.engine.ledger.cost_views import spans
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.usage_tables import QUARTER

# ruff: noqa: S608 - only our own words go into these

RunKey = tuple[str, str, int]
"""Host, name and epoch of a run."""


class _Of(NamedTuple):
    """Whose something is."""

    host: str
    agent: str
    profile: str


_KEYS: Mapping[str, Callable[[_Of], str]] = {
    "agent": lambda of: f"{of.host}/{of.agent}",
    "profile": lambda of: of.profile,
    "host": lambda of: of.host,
}


def hours(ledger: Ledger, by: str, since: int, until: int, alive: Mapping[RunKey, int]) -> dict[str, int]:
    """Give the milliseconds that the agents which have used something ran in a span, by key, as `costs` has keys.

    Whole quarters of an hour count from `since` on, as in `costs`. All their runs in the span count, whether they used
    something or not, and whatever they did: waiting, too. `alive` says of runs that go on until when that is known; of
    the others the ledger does. A key is left out when a run that has used something was never seen by this ledger, and
    none has hours by anything but agent, profile and host. Times are UTC milliseconds. Raises `LedgerProblem`.
    """
    if by not in HOURLY:
        return {}
    quarters, key = range(since // QUARTER, -(-until // QUARTER)), _KEYS[by]
    parts = list(spans(quarters))
    spent = " union ".join(
        f"select source from {part.table} where {part.column} >= ? and {part.column} < ? and (messages > 0 or pico > 0)"
        for part in parts
    )
    bounds = [bound for part in parts for bound in (part.rows.start, part.rows.stop)]
    began = quarters.start * QUARTER
    sources, runs = ledger.read_all(((_SOURCES.format(spent), bounds), (_RUNS, (until, began))))
    users = {(host, agent) for host, agent, *_ in sources}
    found = {key(_Of(*of)): 0 for *of, _ in sources}
    for host, agent, epoch, profile, start, ended, seen in runs:
        of = key(_Of(host, agent, profile))
        if (host, agent) in users and of in found:
            end = ended or max(seen, alive.get((host, agent, epoch), 0))
            found[of] += max(0, min(end, until) - max(start, began))
    unknown = {key(_Of(*of)) for *of, known in sources if not known}
    return {of: spent for of, spent in found.items() if of not in unknown}


_SOURCES = """select host, agent, profile, min(exists (select 1 from agent_runs
    where agent_runs.host = sources.host and agent_runs.agent = sources.agent and agent_runs.epoch = sources.epoch))
    from sources where id in ({}) group by host, agent, profile"""
_RUNS = """select host, agent, epoch, profile, began, ended, seen from agent_runs
    where began < ? and (ended = 0 or ended > ?)"""
