"""Questions to hosts: answered by the host they were put to, or with a sentence on why not."""

from __future__ import annotations

import base64

import pytest

from controlroom.client.client import AgentScreen, Client
from controlroom.domain.display.checkup import Grade
from controlroom.domain.model import LogPlace
from controlroom.text.host_sample import HostCheck
from controlroom.wire import inquiries
from controlroom.wire import messages as wire
from tests.engine.rooms import room
from tests.engine.scripted import NOON, ScriptedChannel, ScriptedHost, seen
from tests.lab.world import World


class Shows(ScriptedHost):
    """It shows a screen, whatever is asked."""

    data = base64.b64encode(b"\x1b[31mred\x1b[0m\n\x1b]0;title\x07[/]").decode()

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, inquiries.ShowScreen):
            channel.say(inquiries.ScreenShown(message.id, self.data, 120, 40))


class Finds(ScriptedHost):
    """It finds things, two of them hostile, and wants to be asked again."""

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, inquiries.Search):
            lines = (inquiries.FoundLine("\x1b[2J", "a \x1b[31mneedle\x1b]0;t\x07 sk-ant-api03-abcdefgh"),)
            hit = inquiries.Hit(3, 70, 1_795_307_427_677, lines, ("nee\x1bdle",))
            channel.say(inquiries.Found(message.id, (hit,), 3, 70, searched=-5))


class Mistaken(ScriptedHost):
    """It answers something else."""

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, inquiries.ShowScreen):
            channel.say(inquiries.SpecRead(message.id))


class Cuts(ScriptedHost):
    """The link is lost before it answers."""

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        channel.cut()


async def test_a_screen_is_shown_sanitized_and_in_colour(home: World) -> None:
    async with room(Shows()):
        client = await Client.connect(start=False)
        screen = await client.screen("vm1/a1")
        assert (screen.columns, screen.rows, screen.reason) == (120, 40, "")
        (red,), rest = screen.lines
        assert (red.text, red.style.fg) == ("red", "1")
        assert "\x1b" not in "".join(span.text for span in rest)
        await client.close()


@pytest.mark.parametrize(
    ("host", "reason"),
    [(Mistaken(), "vm1 answered something else"), (Cuts(), "the link to vm1 was lost")],
    ids=["mistaken", "cut"],
)
async def test_what_cannot_be_shown_says_why(home: World, host: ScriptedHost, reason: str) -> None:
    host.agents["a1"] = seen("a1")
    async with room(host):
        client = await Client.connect(start=False)
        assert await client.screen("vm1/a1") == AgentScreen(reason=reason)
        assert (await client.screen("vm9/a1")).reason == "vm9 cannot be asked now"
        await client.close()


async def test_what_is_found_is_sanitized_and_says_where_to_go_on(home: World) -> None:
    host = Finds()
    async with room(host):
        client = await Client.connect(start=False)
        found = await client.search("vm1/a1", 2, "needle", before=LogPlace(2, 4, 10), lines=True)
        (search,) = [message for message in host.heard if isinstance(message, inquiries.Search)]
        assert search == inquiries.Search(search.id, "a1", 2, "needle", segment=4, offset=10, lines=True)
        assert (found.place, found.done, found.searched) == (LogPlace(2, 3, 70), False, 0)
        (hit,) = found.hits
        assert (hit.place, hit.lines[0].kind) == (LogPlace(2, 3, 70), "out")
        assert "\x1b" not in hit.lines[0].text + "".join(hit.marks)
        assert "abcdefgh" not in hit.lines[0].text
        await client.close()


async def test_a_search_that_cannot_be_made_says_why(home: World) -> None:
    async with room(Cuts()):
        client = await Client.connect(start=False)
        assert (await client.search("vm1/a1", 1, "x")).reason == "the link to vm1 was lost"
        found = await client.search("vm9/a1", 1, "x", before=LogPlace(1, 2, 3))
        assert (found.reason, found.place, found.done) == ("vm9 cannot be asked now", LogPlace(1, 2, 3), False)
        await client.close()


async def test_a_damaged_screen_is_none(home: World) -> None:
    host = Shows()
    host.data = "abc"
    async with room(host):
        client = await Client.connect(start=False)
        assert (await client.screen("vm1/a1")).reason == "its host sent a damaged screen"
        await client.close()


class Boasts(ScriptedHost):
    """It says of itself what nobody should believe."""

    def checked(self, asked: inquiries.Check) -> inquiries.Checked:
        words = "\x1b[2J\u202esk-ant-api03-verysecret"
        host = HostCheck(tmux=words, claude=words, disk_free=-5, max_processes=2**60)
        return inquiries.Checked(asked.id, NOON + 90_000, host)


async def test_a_host_is_checked_and_what_it_says_is_sanitized(home: World) -> None:
    async with room(Boasts()) as here:
        client = await Client.connect(start=False)
        told = await client.check("vm1")
        found = {check.name: check for check in told.checks}
        shown = "".join(f"{check.found}{check.mend}" for check in told.checks)
        assert not any(sign in shown for sign in ("\x1b", "\u202e", "verysecret"))
        assert (found["link"].verdict, found["disk"].verdict) == (Grade.OK, Grade.UNKNOWN)
        assert "+90 s from ours" in found["clock"].found
        assert told.reason == ""
        here.hosts["vm1"].reachable = False
        here.hosts["vm1"].cut()
        await here.until(lambda: here.link("vm1").value == "lost")
        away = await client.check("vm1")
        assert [check.name for check in away.checks] == ["link"]
        assert "lost" in away.checks[0].found
        assert "cannot be asked for the rest: it is lost" in away.reason
        assert "there is no host 'vm9'" in (await client.check("vm9")).reason
        await client.close()
