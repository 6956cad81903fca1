"""Advice out of what this room has measured, the price sheet and the data files. All of it blocks: call it in a thread.

The engine answers with it; without an engine it works from the data files alone (`offline`).
"""

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from controlroom.domain.comparison import compare
from controlroom.domain.estimate import Estimate, Memory, Wish, estimate
from controlroom.domain.headroom import window_name
from controlroom.domain.model import LIVE, Agent, Fleet
from controlroom.domain.plans import Offers
from controlroom.domain.use import DAY, Requests, Week
from controlroom.fleet import config
from controlroom.fleet.advice_questions import AskComparison, AskEstimate, Compared, Estimated
from controlroom.fleet.config import ConfigProblem
from controlroom.fleet.cost_views import plan_spend
from controlroom.fleet.home import Home, HomeProblem, find_home
from controlroom.fleet.ledger import Ledger, LedgerProblem
from controlroom.fleet.machines import load_machines
from controlroom.fleet.offers import load_offers
from controlroom.fleet.price_sheet import load
from controlroom.fleet.use_views import requests, use
from controlroom.meter.prices import micro

_WEEK = window_name("seven_day")

MOST = 2**62
"""Micro-dollars that an answer can hold."""

_TOO_MUCH = "that is more money than can be counted here: ask for less"


def compared(home: Home, ledger: Ledger, fleet: Fleet, asked: AskComparison, now: int) -> Compared:
    """Compare the use of the last days before `now` with its alternatives."""
    try:
        sheet, offers = load(home), load_offers(home)
        limits = [price.long_over for price in sheet.prices if price.long_over]
        used = use(ledger, max(1, asked.days), now, limits)
        weeks = tuple(weeks_of(fleet, ledger, now))
    except (ConfigProblem, LedgerProblem) as problem:
        return Compared(asked.id, reason=str(problem))
    found = compare(replace(used, weeks=weeks), sheet, offers, asked.terms)
    if any(way.month >= MOST for part in found.parts for way in part.ways):
        return Compared(asked.id, reason=_TOO_MUCH)
    return Compared(asked.id, found)


def estimated(home: Home, ledger: Ledger, fleet: Fleet, asked: AskEstimate, now: int) -> Estimated:
    """Estimate what a fleet needs, by what was measured here."""
    try:
        offers = load_offers(home)
        wish = _named(asked.wish, offers)
        known = requests(ledger, wish.model, now) or requests(ledger, "", now)
        found = _estimate(home, wish, offers, known, measured_memory(fleet), now)
    except (ConfigProblem, LedgerProblem) as problem:
        return Estimated(asked.id, reason=str(problem))
    return _bounded(asked.id, found)


def offline(wish: Wish) -> Estimated:
    """Estimate it from the data files and the config of the room that the environment names, without an engine."""
    try:
        home = find_home(os.environ)
        limits = config.load(home).limits
        memory = Memory(limits.memory_per_agent or _UNCHECKED, _OF_CONFIG)
        offers = load_offers(home)
        return _bounded(0, _estimate(home, _named(wish, offers), offers, None, memory, time.time_ns() // 1_000_000))
    except (ConfigProblem, HomeProblem) as problem:
        return Estimated(0, reason=str(problem))


def weeks_of(fleet: Fleet, ledger: Ledger, now: int) -> Iterator[Week]:
    """Give the week of every login that has been read, with what its agents here have used since it began."""
    for gauge in fleet.headroom.values():
        if gauge.kind == "window" and gauge.name == _WEEK and gauge.used is not None and gauge.resets > now:
            spent = plan_spend(ledger, gauge.resets - 7 * DAY, now)
            here = sum(pico for agent, _, pico in spent if agent in gauge.shares)
            yield Week(gauge.account, gauge.used, micro(here))


def measured_memory(fleet: Fleet) -> Memory:
    """Say what an agent needs: three quarters of those that run now need no more; else what the config says."""
    sizes = sorted(_sizes(fleet.agents.values()))
    if sizes:
        return Memory(
            sizes[-(-len(sizes) * 3 // 4) - 1],
            f"measured: three quarters of the {len(sizes)} that run now need no more",
        )
    return Memory(fleet.limits.memory_per_agent or _UNCHECKED, _OF_CONFIG)


_UNCHECKED = 400 * 1024 * 1024
"""Bytes of an agent where the config has its check switched off."""

_OF_CONFIG = "as limits.memory_per_agent_mb has it, for none was measured"


def _sizes(agents: Iterable[Agent]) -> Iterable[int]:
    for agent in agents:
        if agent.rss and agent.state in LIVE and agent.kind != "command":
            yield agent.rss


def _named(wish: Wish, offers: Offers) -> Wish:
    """Take `opus`, as Claude Code does, for today's model of that name."""
    names = (name for name in offers.ladder if wish.model and wish.model.lower() in name.split("-"))
    return replace(wish, model=next(names, wish.model))


def _estimate(home: Home, wish: Wish, offers: Offers, known: Requests | None, memory: Memory, now: int) -> Estimate:
    usual = known or offers.typical
    if usual is None:
        raise ConfigProblem(f"nothing was measured yet, and {home.plans} has no [typical] requests: add that table")
    return estimate(wish, usual, load(home), offers, load_machines(home), memory, now)


def _bounded(request: int, found: Estimate) -> Estimated:
    if max(found.mean or 0, *(case.month for case in found.cases)) >= MOST:
        return Estimated(request, reason=_TOO_MUCH)
    return Estimated(request, found)
