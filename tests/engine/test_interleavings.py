"""Whatever happens to readers, link and agent, and in whatever order: every reader gets every record once."""

from __future__ import annotations

import asyncio
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.model import LinkState, LogPlace
from tests.engine import scripted
from tests.engine.rooms import room
from tests.engine.scripted import ScriptedHost, seen
from tests.engine.tails import AGENT, Tail
from tests.lab.waiting import wait_for_async

pytestmark = pytest.mark.usefixtures("home")

steps = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 5)),
    st.tuples(st.sampled_from(["cut", "reassign", "pause"]), st.just(0)),
    st.tuples(st.sampled_from(["join", "leave", "back"]), st.integers(0, 2)),
)


@given(st.lists(steps, min_size=3, max_size=25), st.booleans())
def test_whatever_happens_every_reader_gets_every_record_once(script: list[tuple[str, int]], skipping: bool) -> None:
    try:
        asyncio.run(Story(skipping).play(script))
    finally:
        Tail.opened.clear()  # they went with their loop


class Story:
    """Readers come and go, the link drops, the agent is started anew; all the while it writes numbered lines."""

    def __init__(self, skipping: bool) -> None:
        self.host = scripted.Skipping() if skipping else ScriptedHost()
        self.host.agents["a1"] = seen("a1")
        self.host.logs["a1", 1] = b""
        self.skipping = skipping
        self.epoch = 1
        self.written = 0
        self.tails: dict[int, Tail] = {}
        self.got: dict[int, list[str]] = {0: [], 1: [], 2: []}
        self.lost: dict[int, int] = {0: 0, 1: 0, 2: 0}
        self.ends: dict[int, LogPlace] = dict.fromkeys(range(3), LogPlace(1, 0, 0))

    async def play(self, script: list[tuple[str, int]]) -> None:
        with tempfile.TemporaryDirectory(dir="/tmp") as folder, pytest.MonkeyPatch.context() as patch:
            patch.setenv("CONTROLROOM_HOME", folder)
            async with room(self.host) as here:
                for what, number in script:
                    await getattr(self, what)(number)
                    await asyncio.sleep(0)
                for number in range(3):
                    await self.join(number)
                await wait_for_async(lambda: here.link("vm1") is LinkState.UP, 5)
                await self.write(1)
                last = f"line {self.written}"
                await wait_for_async(lambda: all(self.lines(number)[-1:] == [last] for number in range(3)), 5)
                for number in range(3):
                    self.check(number)
                    await self.leave(number)

    def lines(self, number: int) -> list[str]:
        return self.got[number] + (self.tails[number].lines if number in self.tails else [])

    def check(self, number: int) -> None:
        lines = self.lines(number)
        numbers = [int(line.removeprefix("line ")) for line in lines]
        assert numbers == sorted(set(numbers)), f"reader {number}: in order, none twice: {numbers}"
        if not self.skipping:
            assert numbers == list(range(1, self.written + 1)), f"reader {number}: none lost"

    async def write(self, count: int) -> None:
        lines = [f"line {self.written + number + 1}".encode() for number in range(count)]
        self.written += count
        self.host.write("a1", self.epoch, *lines)

    async def cut(self, _: int) -> None:
        self.host.cut()

    async def pause(self, _: int) -> None:
        await asyncio.sleep(0.002)

    async def reassign(self, _: int) -> None:
        self.epoch += 1
        self.host.agents["a1"] = seen("a1", self.epoch)
        self.host.logs["a1", self.epoch] = b""
        self.host.show()

    async def join(self, number: int) -> None:
        if number not in self.tails:
            self.tails[number] = await Tail.of(self.ends[number])

    async def leave(self, number: int) -> None:
        if tail := self.tails.pop(number, None):
            self._keep(number, tail)
            await tail.close()

    async def back(self, number: int) -> None:
        """Stop following, and go on from where it was, over the same connection."""
        if tail := self.tails.get(number):
            await tail.client.follow({})
            self._keep(number, tail)
            tail.pages.clear()
            await tail.client.follow({AGENT: self.ends[number]})

    def _keep(self, number: int, tail: Tail) -> None:
        self.got[number] += tail.lines
        if tail.pages:
            self.ends[number] = tail.pages[-1].end
