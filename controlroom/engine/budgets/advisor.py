"""Advice from what this room has measured, the price sheet and the data files. It blocks: call it in a thread.

Without an engine it works from the data files alone (`offline`).
"""

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from controlroom.domain.calculators.comparison import compare
from controlroom.domain.calculators.estimate import Estimate, EstimateInputs, Memory, Wish, estimate
from controlroom.domain.calculators.offers import Offers
from controlroom.domain.calculators.use import DAY, Requests, Week
from controlroom.domain.gauges import LimitKind
from controlroom.domain.limits.buckets import Ceilings, Ruling, Tier
from controlroom.domain.limits.headroom import window_name
from controlroom.domain.model import Agent, Fleet
from controlroom.engine.catalogs.offers import load_machines, load_offers
from controlroom.engine.catalogs.price_sheet import load
from controlroom.engine.config import config
from controlroom.engine.config.config import Config
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem
from controlroom.engine.ledger.usage_views import plan_spend, requests, use
from controlroom.engine.limits.limit_rules import load_rules
from controlroom.metering.prices import micro
from controlroom.protocol.home import Home, HomeProblem, find_home
from controlroom.protocol.messages import AskComparison, AskEstimate, Compared, Estimated
from controlroom.text.states import AgentKind

_WEEK = window_name("seven_day")

MOST = 2**62
"""Micro-dollars that an answer can hold."""

_TOO_MUCH = "that is more money than can be counted here: ask for less"


def compared(home: Home, ledger: Ledger, fleet: Fleet, asked: AskComparison, now: int) -> Compared:
    """Compare the use of the last days before `now` with its alternatives."""
    try:
        sheet, offers = load(home), load_offers(home)
        used = use(ledger, max(1, asked.days), now, sheet.limits)
        weeks, own = tuple(weeks_of(fleet, ledger, now)), config.load(home).plan.name
    except (ConfigProblem, LedgerProblem) as problem:
        return Compared(asked.id, reason=str(problem))
    logins = {gauge.account for gauge in fleet.headroom.values() if gauge.kind is LimitKind.WINDOW}
    whole = replace(used, weeks=weeks, own_plan=own, logins=max(1, len(logins)))
    comparison = compare(whole, sheet, offers, asked.terms)
    if any(way.month >= MOST for part in comparison.parts for way in part.ways):
        return Compared(asked.id, reason=_TOO_MUCH)
    return Compared(asked.id, comparison)


def estimated(home: Home, ledger: Ledger, fleet: Fleet, asked: AskEstimate, now: int) -> Estimated:
    """Estimate what a fleet needs, by what was measured here."""
    try:
        wish = _named(asked.wish, load_offers(home))
        measured = requests(ledger, wish.model, now) or requests(ledger, "", now)
        estimate = _estimate(home, config.load(home), wish, measured, measured_memory(fleet), now)
    except (ConfigProblem, LedgerProblem) as problem:
        return Estimated(asked.id, reason=str(problem))
    return _bounded(asked.id, estimate)


def offline(wish: Wish) -> Estimated:
    """Estimate it from the data files and the config of the room that the environment names, without an engine."""
    try:
        home = find_home(os.environ)
        settings = config.load(home)
        memory = Memory(settings.limits.memory_per_agent or _UNCHECKED, _OF_CONFIG)
        named = _named(wish, load_offers(home))
        return _bounded(0, _estimate(home, settings, named, None, memory, time.time_ns() // 1_000_000))
    except (ConfigProblem, HomeProblem) as problem:
        return Estimated(0, reason=str(problem))


def weeks_of(fleet: Fleet, ledger: Ledger, now: int) -> Iterator[Week]:
    """Yield the week of every login that has been read, with what its agents here have used since it began."""
    for gauge in fleet.headroom.values():
        if gauge.kind is LimitKind.WINDOW and gauge.name == _WEEK and gauge.used is not None and gauge.resets > now:
            spent = plan_spend(ledger, gauge.resets - 7 * DAY, now)
            here = sum(pico for agent, _, pico in spent if agent in gauge.shares)
            yield Week(gauge.account, gauge.used, micro(here))


def measured_memory(fleet: Fleet) -> Memory:
    """Return what an agent needs: three quarters of those that run now need no more; else what the config says."""
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
        if agent.rss and agent.lives and agent.kind != AgentKind.COMMAND:
            yield agent.rss


def _named(wish: Wish, offers: Offers) -> Wish:
    """Take `opus`, as Claude Code does, for today's model of that name."""
    names = (name for name in offers.ladder if wish.model and wish.model.lower() in name.split("-"))
    return replace(wish, model=next(names, wish.model))


def _estimate(
    home: Home, settings: Config, wish: Wish, measured: Requests | None, memory: Memory, now: int
) -> Estimate:
    offers = load_offers(home)
    usual = measured or offers.typical
    if usual is None:
        raise ConfigProblem(f"nothing was measured yet, and {home.plans} has no [typical] requests: add that table")
    yours = _yours(load_rules(home, settings).ruling, wish.model or usual.model)
    return estimate(wish, usual, EstimateInputs(load(home), offers, load_machines(home), memory, yours), now)


def _yours(ruling: Ruling, model: str) -> tuple[Tier, Ceilings | None] | None:
    """Return the room's own tier as the config says it, with ceilings of its own; None: it says nothing."""
    tier = ruling.tiers.tier(ruling.tier)
    limits = [ruling.ceiling(ruling.class_of(model), model, kind)[0] for kind in ("requests", "input", "output")]
    positive = [most for most in limits if most is not None]
    if tier is None and not positive:
        return None
    ceilings = Ceilings(*positive) if len(positive) == len(limits) else None
    return Tier("yours", "yours", tier.spend_cap if tier else None), ceilings


def _bounded(request: int, estimate: Estimate) -> Estimated:
    if max(estimate.mean or 0, *(case.month for case in estimate.cases)) >= MOST:
        return Estimated(request, reason=_TOO_MUCH)
    return Estimated(request, estimate)
