"""What is for sale: our own figures, the user's on top, and what is wrong with theirs."""

from __future__ import annotations

import re

import pytest

from controlroom.domain.calculators.offers import Offers
from controlroom.domain.calculators.use import Requests
from controlroom.domain.limits.buckets import Ceilings
from controlroom.engine.catalogs.offers import load_machines, load_offers
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.protocol.home import Home
from tests.documents import MANUAL


def offers(home: Home, own: str = "") -> Offers:
    home.plans.write_text(own)
    home.plans.chmod(0o600)
    return load_offers(home)


def test_the_figures_that_come_along(room_home: Home) -> None:
    found = load_offers(room_home)
    assert {plan.key: plan.month for plan in found.plans} == {
        "pro": 20_000_000,
        "max": 100_000_000,
        "ultra": 200_000_000,
        "team": 25_000_000,
        "team_premium": 125_000_000,
        "enterprise": 20_000_000,
    }
    assert {tier.key: tier.spend_cap for tier in found.tiers.tiers} == {
        "start": 500_000_000,
        "build": 1_000_000_000,
        "scale": 200_000_000_000,
    }
    assert found.tiers.ceilings("start", "claude-sonnet-5-5") == Ceilings(1000, 2_000_000, 400_000)
    assert found.tiers.ceilings("scale", "claude-fable-5-1") == Ceilings(4000, 4_000_000, 800_000)
    assert found.as_of == "2026-11-22"


def test_what_nobody_has_told_is_not_known(room_home: Home) -> None:
    tiers = load_offers(room_home).tiers
    haiku = tiers.class_of("claude-haiku-5-5")
    assert haiku is not None
    assert haiku.key == "haiku-5-5"
    assert tiers.ceilings("start", "claude-haiku-5-5") is None
    assert tiers.class_of("gpt-6") is None
    assert tiers.ceilings("platinum", "claude-opus-5") is None


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("claude-opus-4-7", "opus-4"),
        ("claude-opus-4-5-20251101", "opus-4"),
        ("us.anthropic.claude-opus-5-5-20260901-v1:0", "opus-5-5"),
        ("claude-opus-5[1m]", "opus-5"),
        ("Claude-Haiku-4-5", "haiku-4-5"),
    ],
)
def test_a_model_is_found_by_whatever_it_is_called(room_home: Home, model: str, key: str) -> None:
    found = load_offers(room_home).tiers.class_of(model)
    assert found is not None
    assert found.key == key


def test_what_the_user_knows_better_takes_the_place_of_ours(room_home: Home) -> None:
    found = offers(
        room_home,
        """
        as_of = 2026-12-24
        [plans.max]
        name = "Max"
        month = 90
        [plans.giant]
        name = "Giant"
        month = 1000.5
        [tiers.ours]
        name = "Our contract"
        [classes."haiku-5-5".ceilings]
        ours = { requests = 7, input = 8, output = 9 }
        [classes.fable]
        models = ["claude-fable-6"]
        [classes.mine]
        models = ["claude-novel-9", "claude-opus-5"]
        ceilings.ours = { requests = 1, input = 2, output = 3 }
        """,
    )
    plans = {plan.key: plan for plan in found.plans}
    assert (plans["max"].month, plans["max"].windows, plans["giant"].month) == (90_000_000, (), 1_000_500_000)
    assert plans["pro"].month == 20_000_000
    ours = found.tiers.tier("ours")
    assert ours is not None
    assert ours.spend_cap is None
    assert found.tiers.ceilings("ours", "claude-haiku-5-5") == Ceilings(7, 8, 9)
    assert found.tiers.ceilings("ours", "claude-novel-9") == Ceilings(1, 2, 3)
    assert found.tiers.ceilings("ours", "claude-opus-5") == Ceilings(1, 2, 3)
    assert found.tiers.ceilings("start", "claude-opus-5-5") == Ceilings(1000, 2_000_000, 400_000)
    assert found.tiers.ceilings("start", "claude-fable-6") == Ceilings(1000, 500_000, 100_000)
    assert found.tiers.class_of("claude-fable-5") is None
    assert found.as_of == "2026-11-22, and plans.toml of 2026-12-24"


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ('[plans.max]\nname = "Max"', "plans.max.month is missing: US dollars a month"),
        ('[plans.max]\nname = "Max"\nmonth = "90"', 'plans.max.month: found "90", expected a number'),
        ('[plans.max]\nname = "Max"\nmonth = nan', "plans.max.month: found NaN, expected a number"),
        ('[plans.max]\nname = "Max"\nmonth = 1\nmonths = 2', "plans.max.months is not a setting: did you mean month?"),
        (
            '[classes."opus-5".ceilings]\nstrat = { requests = 1, input = 1, output = 1 }',
            "classes.opus-5.ceilings.strat: there is no such tier: did you mean start?",
        ),
        (
            '[typical]\nmodel = "m"\nprompt = [3, 2, 9]\noutput = [1, 2, 3]\ncache_hit = 0.5',
            "typical.prompt: expected three numbers of tokens, the smallest first",
        ),
        ('[typical]\nmodel = "m"', "typical.prompt is missing: tokens of a prompt"),
        (
            '[classes."opus-5".ceilings]\nstart = { requests = 0, input = 1, output = 1 }',
            "classes.opus-5.ceilings.start.requests: found 0, expected 1 or more",
        ),
        ("plans = 3", "plans: found 3, expected a table"),
        ("[plans", "is not TOML"),
    ],
)
def test_a_wrong_file_is_told_in_a_sentence(room_home: Home, own: str, said: str) -> None:
    with pytest.raises(ConfigProblem) as caught:
        offers(room_home, own)
    assert str(room_home.plans) in str(caught.value)
    assert said in str(caught.value)


def test_what_work_could_be_given_to_and_what_is_usual(room_home: Home) -> None:
    ours = load_offers(room_home)
    assert ours.ladder == ("claude-fable-5-2", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
    assert ours.typical is not None
    assert (ours.typical.prompts, ours.typical.hit_rate, ours.typical.messages) == ((12_000, 50_000, 100_000), 0.95, 0)
    own = offers(
        room_home,
        """
        ladder = ["claude-opus-5-5"]
        [typical]
        model = "claude-opus-5-5"
        prompt = [1, 2, 3]
        output = [4, 5, 6]
        cache_hit = 0.5
        """,
    )
    assert own.ladder == ("claude-opus-5-5",)
    assert own.typical == Requests("claude-opus-5-5", (1, 2, 3), (4, 5, 6), 0.5, source="assumed")


@pytest.mark.parametrize("name", ["plans.toml", "machines.toml"])
def test_what_the_manual_shows_can_be_used(room_home: Home, name: str) -> None:
    page = (MANUAL / "money.md").read_text()
    (shown,) = re.findall(rf"^# {re.escape(name)}\n(.*?)(?=^#|^```)", page, re.MULTILINE | re.DOTALL)
    path = room_home.config_folder / name
    path.write_text(shown)
    path.chmod(0o600)
    if name == "plans.toml":
        assert load_offers(room_home).tiers.ceilings("ours", "claude-sonnet-5-5") == Ceilings(
            20_000, 40_000_000, 8_000_000
        )
    else:
        assert "Cellar" in {machine.provider for machine in load_machines(room_home).machines}


def test_every_ceiling_is_of_a_tier_that_there_is(room_home: Home) -> None:
    found = load_offers(room_home).tiers
    known = {tier.key for tier in found.tiers}
    assert all(one.ceilings.keys() <= known for one in found.classes)
