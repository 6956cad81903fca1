"""A host whose node lies, and an sshd that gives little: the others do not notice, and it is said."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controlroom.domain import intents
from controlroom.domain.model import LinkState, State
from controlroom.text.names import agent_name_problem
from controlroom.wire import messages as wire
from controlroom.wire.lines import to_line
from tests.conftest import MakeHosts
from tests.engine.rooms import room
from tests.engine.scripted import ScriptedChannel, ScriptedHost, seen
from tests.faults.room import counting, room_of

pytestmark = pytest.mark.usefixtures("home")

KINDS = sorted(wire.FROM_NODE)
STRANGE = ["a1", "vm2/a1", "../../etc", "A" * 300, "", "~x", "#(id)", "a\x1b[2J"]
names = st.one_of(st.sampled_from(STRANGE), st.text(max_size=20))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), names),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)),
    max_leaves=8,
)
fields = sorted({field.name for kind in wire.FROM_NODE.values() for field in dataclasses.fields(kind)})
objects = st.builds(
    lambda kind, rest: to_line({**rest, "is": kind}),
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(fields), values, max_size=8),
)
agents = st.builds(
    lambda name, epoch, state, since: wire.pack(
        wire.AgentsSeen((wire.AgentSeen(name, epoch, "headless", state, since, pid=-5, log_bytes=2**80),))
    ),
    names,
    st.one_of(st.integers(-5, 9), st.integers(-5, 2**70)),
    st.sampled_from(["working", "dreaming", "", "done"]),
    st.integers(-(2**70), 2**70),
)
replies = st.builds(lambda id_, outcome: wire.pack(wire.Reply(id_, outcome)), st.integers(-3, 9), st.text(max_size=9))
lies = st.lists(st.one_of(objects, agents, replies, st.binary(max_size=60).map(lambda data: data + b"\n")), max_size=12)


class Fuzzed(ScriptedHost):
    """Greets well, then says anything, as if in answer to whatever it hears."""

    def __init__(self, said: list[bytes]) -> None:
        super().__init__("vm1")
        self.said = said

    def tell_all(self, channel: ScriptedChannel) -> None:
        super().tell_all(channel)
        for line in self.said:
            channel.inbox.put_nowait(line)


@given(lies)
@example([wire.pack(wire.AgentsSeen((seen("../../etc"), seen("#(id)"), seen("ok"))))])
@settings(max_examples=25)
def test_whatever_a_node_says_the_engine_stands_and_the_others_do_not_notice(said: list[bytes]) -> None:
    asyncio.run(lied_to(said))


async def lied_to(said: list[bytes]) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTROLROOM_HOME", folder)
        liar, honest = Fuzzed(said), ScriptedHost("vm2")
        honest.agents["a1"] = seen("a1")
        async with room(liar, honest, up=False) as here:
            await here.up("vm2")
            await here.until(lambda: liar.dialled)
            await here.until(lambda: all(channel.inbox.empty() for channel in tuple(liar.channels)), "it was heard")
            done = await here.order(intents.KillAgent("vm2/a1", 1))
            assert done.outcome == "done"
            assert (here.link("vm2"), here.agent("vm2/a1").state) == (LinkState.UP, State.DONE)
            for id_, agent in here.engine.store.fleet.agents.items():
                assert agent.host in ("vm1", "vm2")
                assert agent_name_problem(agent.name.removeprefix("~")) is None, id_
            assert len(here.engine.store.fleet.agents) < 50


async def test_one_session_a_connection_is_enough(ssh_hosts: MakeHosts) -> None:
    """`MaxSessions 1`: everything goes over one channel."""
    hosts = ssh_hosts(1, sshd=["MaxSessions 1"])
    async with room_of(hosts) as room_:
        assert (await room_.spawn("vm1", "job", counting())).ok
        await room_.until(lambda: room_.agent("vm1/job").last_line, 20, "its last line")
        page = await room_.client.fetch("vm1/job", 1)
        assert page.records[0].body == b"line 1"
        assert (await room_.kill("vm1/job")).ok
        await room_.in_order()


async def test_an_sshd_that_drops_most_logins_is_tried_until_it_lets_us_in(ssh_hosts: MakeHosts) -> None:
    """`MaxStartups 1:90:2` under somebody else's half-open logins."""
    (host,) = ssh_hosts(1, sshd=["MaxStartups 1:90:2", "LoginGraceTime 4"])
    pending = [await asyncio.open_connection("127.0.0.1", host.port) for _ in range(2)]
    async with room_of([host], up=False) as room_:
        lost = await room_.link("vm1", LinkState.LOST, LinkState.UP)
        assert lost.link is LinkState.UP or "MaxStartups" in lost.reason, lost.reason
        await room_.up()
        assert (await room_.spawn("vm1", "job")).ok
        assert (await room_.kill("vm1/job")).ok
    for _, writer in pending:
        writer.close()
