"""Machines and their prices: our own file, the user's on top, and what is wrong with theirs."""

from __future__ import annotations

import pytest

from controlroom.domain.calculators.offers import Machine, Market
from controlroom.engine.catalogs.offers import load_machines
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.protocol.home import Home

GIB = 1024**3


def market(home: Home, own: str) -> Market:
    home.machines.write_text(own)
    home.machines.chmod(0o600)
    return load_machines(home)


def test_each_price_that_comes_along_has_a_day_and_its_provider_a_note(room_home: Home) -> None:
    found = load_machines(room_home)
    assert {machine.provider for machine in found.machines} == {"Hetzner", "DigitalOcean", "AWS EC2"}
    assert all(machine.as_of and machine.memory >= 4 * GIB and machine.month > 0 for machine in found.machines)
    assert all("prices of 20" in note for note in found.notes)
    assert Machine("Hetzner", "CX33", 4, 8 * GIB, 8_990_000, "EUR", "2026-09-04") in found.machines


def test_a_provider_that_the_user_names_takes_the_place_of_ours(room_home: Home) -> None:
    found = market(
        room_home,
        """
        reserve_mib = 0
        [providers.hetzner]
        name = "Hetzner"
        currency = "EUR"
        sizes = [{ name = "auction", vcpus = 12, memory_gib = 64, month = 37.3 }]
        [providers.cellar]
        name = "Cellar"
        sizes = [{ name = "old", vcpus = 4, memory_gib = 15.5, month = 0 }]
        """,
    )
    assert found.reserve == 0
    own = [machine for machine in found.machines if machine.provider in ("Hetzner", "Cellar")]
    assert [(machine.name, machine.memory / GIB, machine.month) for machine in own] == [
        ("auction", 64, 37_300_000),
        ("old", 15.5, 0),
    ]
    assert "Cellar: prices of a day that is not said" in found.notes


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ('[providers.x]\nname = "X"\ncurrency = "BTC"', "providers.x.currency: found \"BTC\", expected 'USD', 'EUR'"),
        ('[providers.x]\nname = "X"\nsizes = [{ name = "a", vcpus = 1, month = 1 }]', "memory_gib is missing: GiB of"),
        ('[providers.x]\nname = "X"\nsizes = [{ name = "a", vcpus = 1, memory_gib = -1, month = 1 }]', "found -1"),
        ("reserve = 3", "reserve is not a setting: did you mean reserve_mib?"),
    ],
)
def test_a_wrong_file_is_told_in_a_sentence(room_home: Home, own: str, said: str) -> None:
    with pytest.raises(ConfigProblem) as caught:
        market(room_home, own)
    assert str(room_home.machines) in str(caught.value)
    assert said in str(caught.value)
