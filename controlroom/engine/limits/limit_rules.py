"""The operator's limits: what the config says, on top of what is known of tiers and plans."""

from collections.abc import Mapping
from dataclasses import field

from controlroom.domain.calculators.offers import Offers
from controlroom.domain.limits.buckets import Ruling
from controlroom.domain.words import nearest
from controlroom.engine.catalogs.offers import load_offers
from controlroom.engine.config.config import Config
from controlroom.engine.config.settings import ApiTable, OrganisationTable, PlanTable
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.protocol.home import Home
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class LimitRules:
    """The operator's limits."""

    ruling: Ruling = field(default_factory=Ruling)
    others: Mapping[str, Ruling] = field(default_factory=dict)
    """Of other organisations whose keys are used, by name."""
    organisations: Mapping[str, str] = field(default_factory=dict)
    """Whose keys credentials are, by their name; empty: the room's own."""
    windows: Mapping[str, str] = field(default_factory=dict)
    """Where windows should end, by their name or "" for all: `90%`."""
    credit: int | None = None
    """Micro-dollars of API credit that come with the plan in a calendar month; None: none that we know of."""
    credit_source: str = ""


def load_rules(home: Home, config: Config) -> LimitRules:
    """Return the room's rules. Raises `ConfigProblem` with one sentence."""
    offers, api = load_offers(home), config.api
    others = {name: OrganisationTable() for name in config.organisations.values() if name}
    if unknown := next((name for name in api.organisations if name not in others), ""):
        raise ConfigProblem(
            f"{home.config}: api.organisations.{ascii(unknown)[1:41]}: no [credentials.NAME] is of that organisation"
            f"{nearest(unknown, others)}: say organisation there"
        )
    others |= api.organisations
    for place, named in {"api": api, **{f"api.organisations.{name}": one for name, one in others.items()}}.items():
        _check_tier(f"{home.config}: {place}.tier", named.tier, offers)
    if api.probe and api.key is None:
        raise ConfigProblem(f'{home.config}: api.probe needs api.key, like {{ file = "~/.config/anthropic-key" }}')
    rulings = {name: _ruling(name, table, offers) for name, table in {"": api, **others}.items()}
    ruling = rulings.pop("")
    return LimitRules(
        ruling, rulings, config.organisations, config.plan.buffer, *_credit(home, offers, config.plan, api)
    )


def _ruling(organisation: str, table: OrganisationTable, offers: Offers) -> Ruling:
    own = {name: ceilings.ceilings() for name, ceilings in table.ceilings.items()}
    account = f"API {organisation}" if organisation else "API"
    return Ruling(account, organisation, offers.tiers, table.tier, own, {}, table.buffer)


def _check_tier(place: str, tier: str, offers: Offers) -> None:
    if tier and offers.tiers.tier(tier) is None:
        tiers = [tier.key for tier in offers.tiers.tiers]
        raise ConfigProblem(
            f"{place}: there is no tier {ascii(tier)[:40]}{nearest(tier, tiers)}; "
            f"there are {', '.join(tiers)}, and those of your own plans.toml"
        )


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
