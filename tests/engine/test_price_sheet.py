"""The room's prices: the package's list, the user's own on top, and what is wrong with either."""

from __future__ import annotations

import json
from fractions import Fraction
from importlib.metadata import version

import pytest

from controlroom.engine.catalogs import price_sheet
from controlroom.engine.catalogs.list_prices import list_prices
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.engine.config.toml_tables import read
from controlroom.metering.prices import DOLLAR, Sheet, sheet_from_json, sheet_to_json
from controlroom.metering.usage import Message, Usage
from controlroom.protocol.home import Home

NOW = 1_795_348_800_000
"""22 November 2026."""

SPRING_2026, AUGUST_2026 = 1_775_000_000_000, 1_786_000_000_000
BEFORE_OCTOBER_7 = 1_791_331_199_999

PUBLISHED = {
    "claude-fable-5-2": ("8", "40", "10", "16", "0.2"),
    "claude-opus-5-5": ("4", "20", "5", "8", "0.2"),
    "claude-sonnet-5-5": ("2", "10", "2.5", "4", "0.1"),
    "claude-haiku-5-5": ("0.1", "0.5", "0.125", "0.2", "0.01"),
    "claude-fable-5": ("10", "50", "12.5", "20", "1"),
    "claude-opus-4-6": ("5", "25", "6.25", "10", "0.5"),
    "claude-sonnet-5": ("2", "10", "2.5", "4", "0.2"),
    "claude-sonnet-4-6": ("3", "15", "3.75", "6", "0.3"),
    "claude-haiku-4-5-20251001": ("1", "5", "1.25", "2", "0.1"),
}
"""US dollars per million tokens: input, output, cache write 5 m and 1 h, cache read (pricing page, November 2026)."""


def write(home: Home, text: str) -> None:
    home.prices.write_text(text)
    home.prices.chmod(0o600)


def cost(sheet: Sheet, model: str, *counts: int, fast: bool = False, us: bool = False, batch: bool = False) -> Fraction:
    message = Message("m", "r", NOW, model, Usage(*counts), fast, us, batch)
    return Fraction(sheet.cost(message).pico, DOLLAR)


@pytest.mark.parametrize("model", PUBLISHED)
def test_list_prices_are_the_published_ones(model: str) -> None:
    found = list_prices().find(model, NOW)
    assert found is not None
    assert [Fraction(rate * 10**6, DOLLAR) for rate in found.rates] == [Fraction(price) for price in PUBLISHED[model]]


@pytest.mark.parametrize(
    ("model", "at", "counts", "dollars"),
    [
        ("claude-sonnet-4-5-20250929[1m]", NOW, (300_000,), "0.9"),
        ("claude-sonnet-4-5", AUGUST_2026, (300_000, 1000), "0.915"),
        ("claude-sonnet-4-5", SPRING_2026, (300_000,), "1.8"),
        ("claude-sonnet-5-5", BEFORE_OCTOBER_7, (0, 0, 0, 0, 10**6), "0.2"),
        ("claude-sonnet-5-5", BEFORE_OCTOBER_7 + 1, (0, 0, 0, 0, 10**6), "0.1"),
        ("claude-mythos-5", NOW, (10**6, 10**6, 0, 0, 10**6), "61"),
        ("claude-mythos-5-1", NOW, (10**6, 10**6, 10**6, 10**6, 10**6), "92.75"),
    ],
)
def test_what_the_list_lacks_is_put_right(
    room_home: Home, model: str, at: int, counts: tuple[int, ...], dollars: str
) -> None:
    priced = price_sheet.load(room_home).cost(Message("m", "r", at, model, Usage(*counts)))
    assert priced.priced
    assert Fraction(priced.pico, DOLLAR) == Fraction(dollars)


def test_a_correction_goes_when_the_list_has_it() -> None:
    listed, ours = list_prices(), price_sheet.corrected(list_prices())
    for model in read(price_sheet.CORRECTIONS, price_sheet.CorrectionsFile).models:
        theirs = [price for price in listed.prices if price.model == model]
        assert theirs != [price for price in ours.prices if price.model == model], f"{model} can go from the file"


def test_a_long_prompt_of_haiku_costs_five_times_as_much() -> None:
    found = list_prices().find("claude-haiku-5-5", NOW)
    assert found is not None
    assert found.long_over == 100_000
    assert found.long == tuple(5 * rate for rate in found.rates)


def test_a_price_of_an_earlier_day_is_known_where_the_list_knows_it() -> None:
    sheet = list_prices()
    before, after = sheet.find("claude-opus-4-6", 1_770_000_000_000), sheet.find("claude-opus-4-6", NOW)
    assert before is not None
    assert after is not None
    assert (before.long_over, after.long_over) == (200_000, 0)


def test_a_sheet_survives_its_journey() -> None:
    sheet = list_prices()
    there = sheet_from_json(json.loads(json.dumps(sheet_to_json(sheet))))
    assert sheet_to_json(there) == sheet_to_json(sheet)
    assert there.source == f"genai-prices {version('genai-prices')}"


@pytest.mark.parametrize(
    "damage",
    [
        {"format": 2},
        {"prices": []},
        {"prices": [["m", 0, 0, [1, 1, 1, 1], []]]},
        {"prices": [["m", 0, 0, [1, 1, 1, 1, -1], []]]},
        {"prices": [["m", 0, 0, [1, 1, 1, 1, 1.5], []]]},
        {"prices": [["m", 0, 0, [1, 1, 1, 1, float("nan")], []]]},
        {"prices": [["m", 0, 0, [1, 1, 1, 1, 10**13], []]]},
        {"prices": [[3, 0, 0, [1, 1, 1, 1, 1], []]]},
        {"prices": 7},
        {"aliases": []},
        {"factors": [1]},
        {"factors": [True, 1, 1, 1]},
    ],
)
def test_a_damaged_sheet_is_none(damage: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"price|format|name"):
        sheet_from_json(sheet_to_json(list_prices()) | damage)


@pytest.mark.parametrize("value", [None, 7, [], {}, "x"])
def test_what_is_no_sheet_is_none(value: object) -> None:
    with pytest.raises(ValueError, match="no price sheet"):
        sheet_from_json(value)


def test_the_list_is_asked_once(room_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = room_home.state_folder / f"list-prices-{version('genai-prices')}.json"
    kept.unlink()
    sheet = price_sheet.load(room_home)
    monkeypatch.setattr(price_sheet, "LISTER", "no.such.module")
    assert sheet_to_json(price_sheet.load(room_home)) == sheet_to_json(sheet)
    kept.write_text("{")
    with pytest.raises(ConfigProblem, match=r"the list prices cannot be read: .*no\.such"):
        price_sheet.load(room_home)


def test_what_the_user_knows_better_counts(room_home: Home) -> None:
    write(
        room_home,
        """
        [rules]
        us_inference_x = 1.2
        discount_x = 0.85
        [server_tools]
        web_search_per_1000 = 8
        [models."claude-mythos-5"]
        input = 10.0
        output = 50
        cache_read = 1.0
        aliases = ["mythos"]
        [models."claude-haiku-5-5"]
        input = 0.2
        output = 0.9
        """,
    )
    sheet = price_sheet.load(room_home)
    assert cost(sheet, "mythos", 10**6, 0, 10**6, 10**6, 10**6) == Fraction("0.85") * Fraction("43.5")
    assert cost(sheet, "claude-haiku-5-5", 10**6, 10**6) == Fraction("0.85") * Fraction("1.1")
    assert cost(sheet, "claude-opus-5-5", 10**6, us=True) == Fraction("0.85") * Fraction("4.8")
    assert cost(sheet, "claude-opus-5-5", 0, 0, 0, 0, 0, 1000) == Fraction("6.8")


def test_a_price_of_ones_own_can_begin_on_a_day(room_home: Home) -> None:
    write(room_home, '[models."claude-opus-5-5"]\ninput = 3.0\noutput = 15\nsince = 2026-12-01\n')
    sheet = price_sheet.load(room_home)
    assert cost(sheet, "claude-opus-5-5", 10**6) == 4
    later = sheet.find("claude-opus-5-5", NOW + 10 * 86_400_000)
    assert later is not None
    assert later.rates.input == 3_000_000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[rules]\ndiscont_x = 0.9", "rules.discont_x is not a setting: did you mean discount_x?"),
        ("[rules]\ndiscount_x = 0", "rules.discount_x: found 0"),
        ("[models.x]\noutput = 1.0", "models.x.input is missing"),
        ('[models.x]\ninput = "3"\noutput = 1', 'models.x.input: found "3", expected a number'),
        ("[models.x]\ninput = nan\noutput = 1", "models.x.input: found NaN"),
        ("[models.x]\ninput = -1\noutput = 1", "models.x.input: found -1, expected 0 or more"),
        ("[models.x]\ninput = 1\noutput = 1\nsince = 'soon'", "models.x.since"),
        ("[models.x]\ninput = 1\noutput = 1\ncache_raed = 1", "models.x.cache_raed is not a setting"),
        ("models = 3", "models: found 3, expected a table"),
        ("[", "is not TOML"),
    ],
)
def test_a_wrong_file_gets_one_sentence(room_home: Home, text: str, says: str) -> None:
    write(room_home, text)
    with pytest.raises(ConfigProblem) as caught:
        price_sheet.load(room_home)
    assert says in str(caught.value)
    assert str(room_home.prices) in str(caught.value)
