"""The API's limits: over real HTTP against the stand-in, and in a room whose agents use keys."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controlroom.domain import intents
from controlroom.domain.gauges import Headroom
from controlroom.domain.limits.buckets import LOOKED_BACK, HeadersRead, Ruling
from controlroom.engine.config.settings import SecretCommand, SecretFile
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.engine.limits import api_limits, api_process, limit_tracker
from controlroom.engine.limits.api_limits import (
    Unasked,
    ceilings,
    month,
    probed,
    read_ceilings,
    read_headers,
    read_probe,
    read_secret,
)
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import to_line
from controlroom.wire.usage import SendUsage, UsageOrder, UsagePlace, UsageSeen
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedChannel, ScriptedHost, seen
from tests.lab.messages_api.server import Api
from tests.lab.waiting import wait_for_async
from tests.lab.world import World

OPUS = "claude-opus-5-5"
KEY = "sk-ant-admin01-of-the-lab"


@pytest.fixture
def key(tmp_path: Path) -> SecretFile:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    return SecretFile(file=str(file))


# -- asking


async def test_ceilings_come_from_the_rate_limits_api(api: Api, key: SecretFile) -> None:
    api.configure(require_key=KEY)
    assert await ceilings(key, api.url) == {
        OPUS: {"requests": 4000, "input": 2_000_000, "output": 400_000},
        "claude-sonnet-4-6": {"requests": 50, "input": 30_000},
    }
    (sent,) = api.requests("/v1/organizations/rate_limits")
    assert "group_type=model_group" in sent["path"]


async def test_a_key_that_is_refused_is_said_and_not_shown(api: Api, key: SecretFile) -> None:
    api.configure(require_key="another")
    with pytest.raises(Unasked) as problem:
        await ceilings(key, api.url)
    assert "AuthenticationError" in str(problem.value)
    assert KEY not in str(problem.value)


def asked_here(url: str, *models: str) -> dict[str, Any]:
    """What the asking process would answer; without the second that each one takes to load the package."""
    return api_process.ask({"key": KEY, "url": url, **({"probe": models} if models else {})})


def test_an_api_that_is_not_there_is_said() -> None:
    assert "Connection" in asked_here("http://127.0.0.1:9")["problem"]


def test_an_answer_that_names_no_ceiling_is_none(api: Api) -> None:
    api.state.config["ceilings"] = {OPUS: {"requests_per_minute": -5, "new_kind": 7}}
    with pytest.raises(Unasked, match="names no ceilings"):
        read_ceilings(asked_here(api.url))


@pytest.mark.parametrize("value", [0, -1, 10**13, True, "5", None, 1.5, [1]])
def test_a_ceiling_that_cannot_be_is_left_out(value: object) -> None:
    said = {"ceilings": {OPUS: {"requests": value, "input": 7, "odd": 3}, "other": "text"}}
    assert read_ceilings(said) == {OPUS: {"input": 7}}


async def test_a_probe_reads_what_is_left_from_headers(api: Api, key: SecretFile) -> None:
    api.configure(limits={"requests": 50, "input-tokens": 30_000, "output-tokens": 8_000})
    read = await probed(key, api.url, {OPUS}, Ruling(), NOON)
    assert [(one.of, one.kind, one.limit, one.at) for one in read] == [
        ("opus-5-5", "requests", 50, NOON), ("opus-5-5", "input", 30_000, NOON), ("opus-5-5", "output", 8_000, NOON),
    ]  # fmt: skip
    assert all(0 <= one.remaining <= one.limit for one in read)
    (sent,) = api.requests()
    headers = {name.lower(): value for name, value in sent["headers"].items()}
    assert headers["authorization"] == f"Bearer {KEY}"


def test_a_probe_that_meets_an_empty_bucket_says_so(api: Api) -> None:
    api.configure(mode=429, limits={"requests": 50})
    read = read_probe(asked_here(api.url, OPUS), Ruling(), NOON)
    assert ("requests", 50, 0) in [(one.kind, one.limit, one.remaining) for one in read]


@pytest.mark.parametrize("family", ["unified", "none"])
def test_headers_of_plans_or_none_are_no_reading(api: Api, family: str) -> None:
    api.configure(ratelimit=family)
    with pytest.raises(Unasked, match="say nothing of limits"):
        read_probe(asked_here(api.url, OPUS), Ruling(), NOON)


def test_headers_of_both_families_are_told_apart(api: Api) -> None:
    api.configure(ratelimit="both")
    assert len(read_probe(asked_here(api.url, OPUS, "claude-haiku-4-5"), Ruling(), NOON)) == 6


@pytest.mark.parametrize("value", ["", "-1", "1e3", "٣", "9" * 30, "NaN", None, 7, "0"])
def test_a_header_that_cannot_be_is_not_known(value: object) -> None:
    headers = {"anthropic-ratelimit-requests-limit": value, "anthropic-ratelimit-requests-remaining": "5"}
    assert read_headers(headers, "opus", NOON) == []


def test_more_left_than_there_is_counts_as_all() -> None:
    headers = {"anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "60"}
    assert read_headers(headers, "opus", NOON) == [HeadersRead("opus", "requests", 50, 50, NOON)]


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exit 3", "exit 3"),
        ("echo one two", "gives no key"),
        ("true", "gives no key"),
        ("printf 'a\\nb'", "gives no key"),
    ],
)
def test_a_command_that_gives_no_key_is_said(script: str, says: str) -> None:
    with pytest.raises(Unasked, match=says):
        read_secret(SecretCommand(command=["sh", "-c", script]))


def test_a_key_comes_from_a_command_or_from_a_file_that_only_we_can_read(key: SecretFile) -> None:
    assert read_secret(SecretCommand(command=["echo", KEY])) == KEY
    assert read_secret(key) == KEY
    Path(key.file).chmod(0o644)
    with pytest.raises(Unasked, match="others can read"):
        read_secret(key)
    with pytest.raises(Unasked, match="No such file"):
        read_secret(SecretFile(file="/nowhere/key"))


def test_only_the_asking_process_loads_the_package() -> None:
    seen_there = "import sys, controlroom.engine.main; print('anthropic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", seen_there], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


# -- in the room


class WithKey(ScriptedHost):
    """A host with an agent that uses a key."""

    def __init__(self) -> None:
        super().__init__("vm1")
        self.agents["a1"] = seen("a1", billing="api", state="working", model=OPUS)
        self.file = ""

    def spend(self, channel: ScriptedChannel, message: UsageOrder) -> None:
        if isinstance(message, SendUsage):
            self.send_from(channel, next((place.offset for place in message.places), 0))

    def send_from(self, channel: ScriptedChannel, start: int) -> None:
        if self.file[start:]:
            channel.say(UsageSeen(UsagePlace("a1", 1, start, "a1b2"), len(self.file), self.file[start:]))

    def use(self, *messages: Message) -> None:
        start = len(self.file)
        self.file += b"".join(map(to_line, messages)).decode()
        for channel in tuple(self.channels):
            self.send_from(channel, start)


def message(number: int, at: int = NOON, **usage: int) -> Message:
    return Message(f"msg_{number}", "req", at, OPUS, Usage(**{"input": 1000, "output": 100, **usage}))


OpenRoom = Callable[..., Any]


@pytest.fixture
def open_room(home: World, monkeypatch: pytest.MonkeyPatch) -> OpenRoom:
    """`open_room(host, "[api] …")`: a room with this at the end of its config."""
    monkeypatch.setattr(limit_tracker, "SOON", 0.01)
    monkeypatch.setattr(limit_tracker, "FLOW", 0.01)

    @asynccontextmanager
    async def opened(host: ScriptedHost, config: str) -> AsyncIterator[Room]:
        home.room.mkdir(mode=0o700, exist_ok=True)
        file = home.room / "config.toml"
        file.write_text(f'local = false\n[hosts.vm1]\naddress = "ann@vm1"\n{config}\n')
        file.chmod(0o600)
        async with room(host) as made:
            yield made

    return opened


def gauge(here: Room, name: str) -> Headroom | None:
    return here.engine.store.fleet.headroom.get(f"API {name}")


async def asked(true: Callable[[], object]) -> None:
    """Wait for what needs a process with the package."""
    await wait_for_async(true, 60, "the API was asked")


def used(here: Room, name: str) -> int | None:
    found = gauge(here, name)
    return found.used if found else None


TIER = '[api]\ntier = "start"\nbuffer = { requests = 2, input = "90%" }\n'


async def test_what_keys_use_is_held_against_the_tier(open_room: OpenRoom) -> None:
    host = WithKey()
    async with open_room(host, TIER) as here:
        await here.until(lambda: used(here, "requests opus-5-5") == 0)
        host.use(message(1, cache_read=900_000), message(1, cache_read=900_000))
        await here.until(lambda: used(here, "requests opus-5-5") == 1)
        found = gauge(here, "input opus-5-5")
        assert found is not None
        assert (found.used, found.limit, found.buffer) == (1000, 2_000_000, 1_800_000)
        assert (found.source, found.measured) == ("metering, tier Start", False)
        assert not here.engine.store.fleet.alarms
        host.use(message(2))
        await here.until(lambda: "limit API requests opus-5-5" in here.engine.store.fleet.alarms)


@pytest.mark.parametrize(
    ("then", "now"),
    [("plan", "api"), ("", "api"), ("api", "plan")],
    ids=["on a plan", "nobody knows", "with a key"],
)
async def test_what_an_earlier_run_used_counts_as_that_run_was_paid_for(
    open_room: OpenRoom, then: str, now: str
) -> None:
    host = WithKey()
    host.agents["a1"] = seen("a1", epoch=2, billing=now, state="working", model=OPUS)
    host.agents["a2"] = seen("a2", billing="api", state="working", model=OPUS)
    pieces = ("a1", 1, then, 1), ("a1", 2, now, 2), ("a2", 1, "api", 3)
    async with open_room(host, TIER) as here:
        await here.until(lambda: used(here, "requests opus-5-5") == 0)
        for name, epoch, payer, number in pieces:
            line = to_line(message(number)).decode()
            piece = UsageSeen(UsagePlace(name, epoch, 0, "a1b2"), len(line), line, billing=payer)
            for channel in tuple(host.channels):
                channel.say(piece)
        await here.until(lambda: here.agent("vm1/a2").spent and used(here, "requests opus-5-5") == 2)
        await here.engine.wait_idle()
        assert used(here, "requests opus-5-5") == 2
        payers = here.ledger.read("select epoch, billing from sources where agent = 'a1' order by epoch")
        assert payers == [(1, then), (2, now)]


async def test_an_engine_that_starts_again_knows_the_last_minutes(open_room: OpenRoom) -> None:
    host = WithKey()
    host.use(message(1), message(2, NOON - LOOKED_BACK), message(3, NOON - 1))
    async with open_room(host, TIER) as here:
        await here.until(lambda: here.agent("vm1/a1").spent)
        await here.until(lambda: used(here, "requests opus-5-5") == 2)
    async with open_room(ScriptedHost("vm1"), TIER) as here:
        await here.until(lambda: used(here, "requests opus-5-5") == 2)


TWO_KEYS = """[api]
tier = "start"
organisations = { customer = { tier = "scale" } }
[credentials.mine]
file = "~/.mine"
[credentials.theirs]
file = "~/.theirs"
organisation = "customer"
[profiles.p]
credentials = ["mine", "theirs"]
"""


async def test_each_organisations_keys_fill_buckets_of_their_own_also_for_an_engine_that_starts_again(
    open_room: OpenRoom,
) -> None:
    host = ScriptedHost("vm1")

    def count(here: Room, account: str) -> tuple[int | None, int | None]:
        found = here.engine.store.fleet.headroom.get(f"{account} requests opus-5-5")
        return (found.used, found.limit) if found else (None, None)

    async with open_room(host, TWO_KEYS) as here:
        for name, credential in {"a1": "mine", "a2": "theirs"}.items():
            await here.order(intents.SpawnAgent(name, "work", "vm1", "p", credential=credential))
            host.agents[name] = replace(host.agents[name], billing="api", model=OPUS)
        host.show()
        await here.until(lambda: (count(here, "API"), count(here, "API customer")) == ((0, 1000), (0, 10_000)))
        for number, name in enumerate(("a1", "a2", "a2"), 1):
            line = to_line(message(number)).decode()
            piece = UsageSeen(UsagePlace(name, 1, 0, f"a1b{number}"), len(line), line, billing="api")
            for channel in tuple(host.channels):
                channel.say(piece)
        await here.until(lambda: (count(here, "API"), count(here, "API customer")) == ((1, 1000), (2, 10_000)))
        await here.until(lambda: here.agent("vm1/a2").spent)
        await here.engine.wait_idle()
    async with open_room(ScriptedHost("vm1"), TWO_KEYS) as here:
        await here.until(lambda: (count(here, "API"), count(here, "API customer")) == ((1, 1000), (2, 10_000)))


async def test_a_bucket_is_refilled_though_nobody_speaks(open_room: OpenRoom) -> None:
    host = WithKey()
    async with open_room(host, TIER) as here:
        host.use(message(1))
        await here.until(lambda: used(here, "requests opus-5-5") == 1)
        here.now += 60_000
        await here.until(lambda: used(here, "requests opus-5-5") == 0)


async def test_agents_on_plans_fill_no_bucket(open_room: OpenRoom) -> None:
    host = WithKey()
    host.agents["a1"] = seen("a1", billing="plan", state="working", model=OPUS)
    host.use(message(1))
    async with open_room(host, TIER) as here:
        await here.until(lambda: here.agent("vm1/a1").spent)
        await here.engine.wait_idle()
        assert not here.engine.store.fleet.headroom


async def test_ceilings_of_the_api_take_the_tiers_place(open_room: OpenRoom, api: Api, key: SecretFile) -> None:
    config = f'{TIER}admin_key = {{ file = "{key.file}" }}\nurl = "{api.url}"\n'
    async with open_room(WithKey(), config) as here:
        await asked(lambda: (found := gauge(here, "requests opus-5-5")) and found.limit == 4000)
        found = gauge(here, "requests opus-5-5")
        assert found is not None
        assert found.source == "metering, Rate Limits API"


async def test_a_probe_reads_only_while_something_runs_with_a_key(
    open_room: OpenRoom, api: Api, key: SecretFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_limits, "PROBED", 0.05)
    config = f'[api]\nprobe = true\nkey = {{ file = "{key.file}" }}\nurl = "{api.url}"\n'
    host = WithKey()
    host.agents["a1"] = seen("a1", billing="api", state="done", model=OPUS)
    async with open_room(host, config) as here:
        await here.engine.wait_idle()
        assert api.requests() == []
        host.agents["a1"] = seen("a1", billing="api", state="working", model=OPUS)
        for channel in tuple(host.channels):
            host.tell_all(channel)
        await asked(lambda: (found := gauge(here, "requests opus-5-5")) and found.source == "headers")
        found = gauge(here, "requests opus-5-5")
        assert found is not None
        assert (found.limit, found.measured, found.at) == (4000, True, NOON)


async def test_what_cannot_be_asked_is_told_once_and_the_tier_counts(
    open_room: OpenRoom, api: Api, tmp_path: Path
) -> None:
    config = f'{TIER}admin_key = {{ file = "{tmp_path}/none" }}\nurl = "{api.url}"\n'
    async with open_room(WithKey(), config) as here:
        await here.until(lambda: "api ask_ceilings" in here.engine.store.fleet.alarms)
        alarm = here.engine.store.fleet.alarms["api ask_ceilings"]
        assert (alarm.level, "cannot be read" in alarm.text) == ("notice", True)
        await here.until(lambda: (found := gauge(here, "requests opus-5-5")) and found.limit == 1000)


async def test_a_plans_credit_is_what_keys_were_not_yet_billed(open_room: OpenRoom) -> None:
    host = WithKey()
    host.use(message(1, output=1_000_000, input=0))
    async with open_room(host, '[plan]\nname = "max"\n') as here:
        await here.until(lambda: used(here, "credit") == 20_000_000)
        found = gauge(here, "credit")
        assert found is not None
        assert (found.limit, found.kind, found.measured, found.source) == (
            100_000_000, "credit", False, "metering, plan Max",
        )  # fmt: skip
        assert found.resets == month(NOON)[1]
    async with open_room(ScriptedHost("vm1"), "[api]\ncredit_usd = 15\n") as here:
        await here.until(lambda: "limit API credit" in here.engine.store.fleet.alarms)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ('[api]\ntier = "strat"', "did you mean start"),
        ('[plan]\nname = "ulta"', "did you mean ultra"),
        ("[api]\nprobe = true", "api.probe needs api.key"),
        ('[api]\nbuffer = "0%"', 'expected a number like 45, a share like "90%"'),
        ("[api]\nbuffer = { requsts = 4 }", "is not a limit"),
        ("[plan]\nbuffer = 45", "windows are per cent"),
        ('[api]\nurl = "ftp://x"', "expected an address"),
        ('[api]\nadmin_key = "sk-ant-admin01-secret"', "api.admin_key: expected { file"),
        ("[api]\nceilings = { opus-5-5 = { requests = 0, input = 1, output = 1 } }", "1 or more"),
    ],
)
async def test_a_config_that_cannot_be_is_one_sentence(open_room: OpenRoom, config: str, says: str) -> None:
    with pytest.raises(ConfigProblem) as problem:
        async with open_room(ScriptedHost("vm1"), config):
            pass
    assert says in str(problem.value)
    assert "secret" not in str(problem.value)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/New_York"])
def test_a_month_is_the_operators(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        began, ends = month(NOON)
        assert time.localtime(began / 1000)[1:6] == (11, 1, 0, 0, 0)
        assert time.localtime(ends / 1000)[1:6] == (12, 1, 0, 0, 0)
        december = month(ends)
        assert (december[0], time.localtime(december[1] / 1000)[:3]) == (ends, (2027, 1, 1))
    finally:
        monkeypatch.undo()
        time.tzset()
