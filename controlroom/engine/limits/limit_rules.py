"""The operator's limits: what the config says, on top of what is known of tiers and plans."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlroom.domain.calculators.offers import Offers
from controlroom.domain.limits.buckets import Ruling
from controlroom.domain.words import nearest
from controlroom.engine.catalogs.offers import load_offers
from controlroom.engine.config.config import Config
from controlroom.engine.config.settings import ApiTable, PlanTable
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.protocol.home import Home


@dataclass(frozen=True)
class LimitRules:
    """The operator's limits."""

    ruling: Ruling = field(default_factory=Ruling)
    windows: Mapping[str, str] = field(default_factory=dict)
    """Where windows should end, by their name or "" for all: `90%`."""
    credit: int | None = None
    """Micro-dollars of API credit that come with the plan in a calendar month; None: none that we know of."""
    credit_source: str = ""


def load_rules(home: Home, config: Config) -> LimitRules:
    """Return the room's rules. Raises `ConfigProblem` with one sentence."""
    offers, api = load_offers(home), config.api
    if api.tier and offers.tiers.tier(api.tier) is None:
        tiers = [tier.key for tier in offers.tiers.tiers]
        raise ConfigProblem(
            f"{home.config}: api.tier: there is no tier {ascii(api.tier)[:40]}{nearest(api.tier, tiers)}; "
            f"there are {', '.join(tiers)}, and those of your own plans.toml"
        )
    if api.probe and api.key is None:
        raise ConfigProblem(f'{home.config}: api.probe needs api.key, like {{ file = "~/.config/anthropic-key" }}')
    own = {name: table.ceilings() for name, table in api.ceilings.items()}
    ruling = Ruling("API", offers.tiers, api.tier, own, {}, api.buffer)
    return LimitRules(ruling, config.plan.buffer, *_credit(home, offers, config.plan, api))


def _credit(home: Home, offers: Offers, plan: PlanTable, api: ApiTable) -> tuple[int | None, str]:
    """Return how much API credit there is in a month, and who says so."""
    if api.credit_usd:
        return round(api.credit_usd * 1_000_000), "your credit"
    if not plan.name:
        return None, ""
    plan_offer = next((offer for offer in offers.plans if offer.key == plan.name), None)
    if plan_offer is None:
        plans = [offer.key for offer in offers.plans]
        raise ConfigProblem(
            f"{home.config}: plan.name: there is no plan {ascii(plan.name)[:40]}{nearest(plan.name, plans)}; "
            f"there are {', '.join(plans)}"
        )
    return (plan_offer.api_credit, f"plan {plan_offer.name}") if plan_offer.api_credit else (None, "")
