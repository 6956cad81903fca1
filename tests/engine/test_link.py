from __future__ import annotations

import asyncio
import random
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom import __version__
from controlroom.domain import events
from controlroom.domain.model import LinkState
from controlroom.engine.hosts.channel import HostKeyUnknown, HostRefuses, LinkLost, LoginDenied
from controlroom.engine.hosts.link import DENIED_FIRST, GREETING, PING, REFUSED, REFUSED_FIRST, SILENCE, Backoff, Link
from controlroom.engine.hosts.links import HostDialler
from controlroom.text.states import Outcome
from controlroom.wire import messages as wire
from tests.engine.link_bench import FINGERPRINT, GREET, START, WELCOME, Bench, Heard, Time
from tests.lab.loopback import LoopbackHost
from tests.lab.waiting import wait_for_async
from tests.lab.world import World

# -- up


async def test_a_greeting_comes_first_and_a_welcome_makes_it_up() -> None:
    async with Bench().running(welcome=False) as bench:
        assert bench.dialler.wire.sent == [GREET]
        assert not bench.up()
        assert not bench.link.send(wire.Kill(1, "a", 1))
        await bench.say(WELCOME)
        assert bench.up()
        assert bench.heard.links() == ["connecting", "up"]
        assert bench.link.send(wire.Kill(1, "a", 1))
        await bench.time.settle()
        assert bench.sent(wire.Kill) == [wire.Kill(1, "a", 1)]


async def test_what_the_node_says_reaches_the_sink() -> None:
    agent = wire.AgentSeen("a", 1, "command", "working", START)
    chunk = wire.LogChunk("a", 1, 1, 0, "", 1, 10)
    page = wire.Fetched(4, 1, 0, "", 1, 0)
    async with Bench().running() as bench:
        await bench.say(
            wire.AgentsSeen((agent,), True),
            wire.Reply(3, cast(Outcome, "strange"), "\x1b[2Jx"),
            chunk,
            page,
            wire.Notice("no tmux"),
        )
        assert bench.heard.replies == [wire.Reply(3, Outcome.UNKNOWN, "␛x")]
        assert (bench.heard.chunks, bench.heard.pages) == ([chunk], [page])
        kinds = [type(event).__name__ for event in bench.heard.events]
        assert kinds == ["LinkChanged", "HostMet", "AgentsObserved", "HostNoticed"]


async def test_chunks_of_agents_that_cannot_be_are_dropped() -> None:
    async with Bench().running() as bench:
        await bench.say(wire.LogChunk("../x", 1, 1, 0, "", 1, 10))
        assert bench.heard.chunks == []
        assert bench.up()


@given(st.lists(st.integers(1, 400), max_size=30))
def test_messages_may_arrive_cut_anywhere(sizes: list[int]) -> None:
    agents = wire.AgentsSeen(tuple(wire.AgentSeen(f"a{n}", 1, "command", "working", START) for n in range(3)), True)
    data = wire.pack(WELCOME) + wire.pack(agents) + wire.pack(wire.Pong(1, START))

    async def run() -> list[str]:
        async with Bench().running(welcome=False) as bench:
            rest = data
            for size in sizes:
                if rest[:size]:
                    await bench.say(rest[:size])
                rest = rest[size:]
            if rest:
                await bench.say(rest)
            return [type(event).__name__ for event in bench.heard.events]

    assert asyncio.run(run()) == ["LinkChanged", "HostMet", "AgentsObserved"]


# -- heartbeats and clocks


async def test_heartbeats_keep_a_link_and_silence_loses_it() -> None:
    async with Bench().running() as bench:
        for _ in range(20):
            await bench.time.pass_by(PING)
            (*_, ping) = bench.sent(wire.Ping)
            assert isinstance(ping, wire.Ping)
            await bench.say(wire.Pong(ping.number, bench.time.clock()))
        assert bench.up()
        assert 20 <= len(bench.sent(wire.Ping)) <= 22
        await bench.time.pass_by(SILENCE - 1)
        assert bench.up()
        await bench.time.pass_by(1)
        assert not bench.up()
        assert bench.heard.last().reason == "no word from vm1 for 12 s"
        assert bench.dialler.wires[0].closed


async def test_a_node_that_never_answers_the_greeting_is_lost() -> None:
    async with Bench().running(welcome=False) as bench:
        await bench.time.pass_by(GREETING)
        assert bench.heard.last().link is LinkState.LOST
        assert "said nothing for 30 s" in bench.heard.last().reason


async def test_the_hosts_clock_is_measured_and_its_times_become_ours() -> None:
    ahead = 3_600_000
    agent = wire.AgentSeen("a", 1, "command", "working", START + ahead - 1000)
    async with Bench().running(welcome=False) as bench:
        await bench.say(wire.Welcome(**{**vars(WELCOME), "clock": START + ahead}), wire.AgentsSeen((agent,)))
        met, seen = bench.heard.events[1:]
        assert isinstance(met, events.HostMet)
        assert isinstance(seen, events.AgentsObserved)
        assert met.facts.clock_offset == ahead
        assert seen.agents[0].since == START - 1000
        await bench.time.pass_by(PING)
        (*_, ping) = bench.sent(wire.Ping)
        assert isinstance(ping, wire.Ping)
        await bench.say(wire.Pong(ping.number, bench.time.clock() - 7_200_000))  # its clock was set back
        await bench.say(wire.AgentsSeen((wire.AgentSeen("a", 1, "command", "working", START - 7_200_000),)))
        later = bench.heard.events[-1]
        assert isinstance(later, events.AgentsObserved)
        assert later.agents[0].since == START


async def test_clocks_that_nearly_agree_are_taken_as_one() -> None:
    async with Bench().running(welcome=False) as bench:
        await bench.say(wire.Welcome(**{**vars(WELCOME), "clock": START - 400}))
        met = bench.heard.events[-1]
        assert isinstance(met, events.HostMet)
        assert met.facts.clock_offset == 0


# -- lost, and again


async def test_a_lost_link_is_dialled_again_and_forgets_its_waits_once_up() -> None:
    async with Bench(*(LinkLost(f"try {n}") for n in range(3))).running(welcome=False) as bench:
        assert bench.heard.last().reason == "try 0"
        await bench.time.pass_by(0.5 + 1 + 2)
        assert bench.dialler.tries == 4
        await bench.say(WELCOME)
        assert bench.heard.links() == ["connecting", "lost", "lost", "lost", "up"]
        bench.dialler.wire.breaks(LinkLost("cut"))
        await bench.time.settle()
        assert not bench.up()
        await bench.time.pass_by(0.5)
        assert len(bench.dialler.wires) == 2
        await bench.say(WELCOME)
        assert bench.up()


async def test_messages_of_a_lost_link_are_not_sent_on_the_next() -> None:
    async with Bench().running() as bench:
        bench.dialler.wire.stuck = asyncio.Event()
        assert bench.link.send(wire.Kill(1, "a", 1))
        assert bench.link.send(wire.Kill(2, "a", 1))
        bench.dialler.wire.breaks(LinkLost("cut"))
        await bench.time.pass_by(0.5)
        await bench.say(WELCOME)
        await bench.time.pass_by(PING)
        assert bench.sent(wire.Kill) == []


async def test_the_same_news_is_not_told_twice() -> None:
    async with Bench(*(LinkLost("refused") for _ in range(5))).running(welcome=False) as bench:
        await bench.time.pass_by(7.5)
        assert bench.dialler.tries > 3
        assert bench.heard.links() == ["connecting", "lost"]


def test_waits_are_short_for_a_minute_then_grow_are_capped_and_never_equal() -> None:
    for seed in range(50):
        backoff = Backoff(random.Random(seed))
        waits = [backoff.next() for _ in range(100)]
        assert waits[0] <= 0.5
        assert max(waits[:61]) <= 1.0
        assert 15 < sum(waits[:61]) < 60
        assert all(6 <= wait <= 30 for wait in waits[70:])
        backoff.reset()
        assert backoff.next() <= 0.5
        assert len(set(waits)) == 100


async def test_a_person_can_have_it_tried_at_once() -> None:
    async with Bench(*(LinkLost("no") for _ in range(80))).running(welcome=False) as bench:
        await bench.time.pass_by(20)
        tries = bench.dialler.tries
        bench.link.retry()
        await bench.time.settle()
        assert bench.dialler.tries == tries + 1


# -- a person is needed


@pytest.mark.parametrize(("refusal", "first"), [(HostRefuses, REFUSED_FIRST), (LoginDenied, DENIED_FIRST)])
async def test_a_refusal_is_tried_again_soon_and_ever_more_rarely_and_at_once_when_a_person_says_so(
    refusal: type[HostRefuses], first: float
) -> None:
    async with Bench(*(refusal("vm1 has Python 3.8") for _ in range(20))).running(False) as bench:
        said = "vm1 has Python 3.8; when that is fixed: controlroom host retry vm1"
        assert (bench.heard.last().link, bench.heard.last().reason) == (LinkState.REFUSED, said)
        tries, waits = 1, list[float]()
        for _ in range(8):
            wait = 0.0
            while bench.dialler.tries == tries:
                await bench.time.pass_by(1)
                wait += 1
            tries, waits = bench.dialler.tries, [*waits, wait]
        assert waits == [min(REFUSED, first * 2**number) for number in range(8)]
        assert bench.heard.links() == ["connecting", "refused"]
        bench.dialler.outcomes.clear()
        bench.link.retry()
        assert bench.heard.links()[-1] == "connecting", "said at once"
        await bench.time.settle()
        await bench.say(WELCOME)
        assert bench.heard.links() == ["connecting", "refused", "connecting", "up"]


async def test_failed_logins_stay_below_what_gets_an_address_banned() -> None:
    async with Bench(*(LoginDenied("no key fits") for _ in range(99))).running(False) as bench:
        logins = list[int]()
        for second in range(3600):
            await bench.time.pass_by(1)
            logins += [second] * (bench.dialler.tries - len(logins))
        assert len(logins) > 10
        assert all(later - earlier > 600 for earlier, later in zip(logins, logins[4:], strict=False))


async def test_an_unknown_key_is_a_question_and_nothing_is_tried_until_it_is_answered() -> None:
    unknown = HostKeyUnknown(FINGERPRINT, "ssh-ed25519", "[10.0.0.7]:2222")
    async with Bench(unknown).running(welcome=False) as bench:
        asked = bench.heard.last()
        assert asked.link is LinkState.ASKING
        assert asked.question is not None
        assert (asked.question.id, asked.question.kind) == (f"host_key:{FINGERPRINT}", "host_key")
        assert FINGERPRINT in asked.question.title
        assert FINGERPRINT in asked.question.text
        assert "[10.0.0.7]:2222" in asked.question.text
        await bench.time.pass_by(86_400)
        bench.link.trust("host_key:SHA256:other", True)
        await bench.time.settle()
        assert bench.dialler.tries == 1
        bench.link.trust(asked.question.id, True)
        await bench.time.settle()
        assert bench.dialler.trusted == [FINGERPRINT]
        await bench.say(WELCOME)
        assert bench.heard.links() == ["connecting", "asking", "connecting", "up"]


async def test_a_key_that_is_turned_down_is_never_trusted() -> None:
    unknown = HostKeyUnknown(FINGERPRINT, "ssh-ed25519")
    async with Bench(unknown).running(welcome=False) as bench:
        question = f"host_key:{FINGERPRINT}"
        bench.link.trust(question, False)
        bench.link.trust(question, True)  # too late
        await bench.time.pass_by(86_400)
        assert bench.heard.last().link is LinkState.REFUSED
        assert "was turned down" in bench.heard.last().reason
        assert (bench.dialler.trusted, bench.dialler.tries) == ([], 1)
        bench.dialler.outcomes.append(unknown)
        bench.link.retry()
        await bench.time.settle()
        assert bench.heard.last().question, "it is asked again when a person wants that"


# -- the real thing


async def met(heard: Heard) -> events.HostMet:
    def newest() -> list[events.HostMet]:
        return [event for event in heard.events if isinstance(event, events.HostMet)]

    await wait_for_async(newest, 20)
    return newest()[-1]


def real(home: World, address: str, heard: Heard) -> Link:
    dialler = HostDialler("h", address, home.room / "known_hosts")
    time = Time()
    greet = wire.Greet(__version__, "room", "test")
    return Link("h", greet, dialler, heard, time.clock, random.Random(1), time.steady)


@pytest.mark.parametrize("address", ["local", "vm1"])
async def test_a_real_node_is_met_and_says_what_it_has(
    home: World, ssh_host: LoopbackHost, no_leftovers: None, address: str
) -> None:
    heard = Heard()
    link = real(home, address, heard)
    task = asyncio.create_task(link.run())
    facts = (await met(heard)).facts
    assert facts.cores >= 1
    await wait_for_async(
        lambda: [e for e in heard.events if isinstance(e, events.AgentsObserved) and e.complete and not e.agents]
    )
    await wait_for_async(lambda: [event for event in heard.events if isinstance(event, events.HostSampled)])
    assert link.send(wire.Kill(77, "nobody", 1))
    await wait_for_async(lambda: [reply for reply in heard.replies if reply.id == 77])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_real_link_that_breaks_comes_back(home: World, ssh_host: LoopbackHost) -> None:
    heard = Heard()
    task = asyncio.create_task(real(home, "vm1", heard).run())
    await met(heard)
    ssh_host.kill_connections()
    await wait_for_async(lambda: heard.links()[-2:] == ["lost", "up"], 20)
    ssh_host.stop()
    await wait_for_async(lambda: "nothing listens there" in heard.last().reason, 20)
    ssh_host.start()
    await wait_for_async(lambda: heard.links()[-1] == "up", 20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
