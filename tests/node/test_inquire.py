"""Inquiries put to a real node with real tmux: what was an agent to do, and what stands on its terminal."""

from __future__ import annotations

import base64
import contextlib

import psutil

from controlroom.wire.inquiries import Found, Inquiry, ReadSpec, ScreenShown, Search, ShowScreen, SpecRead
from controlroom.wire.messages import GiveUp
from tests.lab.node_client import NodeClient
from tests.lab.waiting import wait_for

TASK = 'say "ü" `id`\n$(touch never); 🎛️\n'


def spec_of(node: NodeClient, name: str, epoch: int) -> SpecRead:
    number = node.number()
    node.send(ReadSpec(number, name, epoch))
    return node.wait(SpecRead, lambda read: read.id == number)


def screen_of(node: NodeClient, name: str) -> ScreenShown:
    number = node.number()
    node.send(ShowScreen(number, name))
    return node.wait(ScreenShown, lambda shown: shown.id == number)


def test_what_an_agent_was_to_do_is_read_whole(node: NodeClient) -> None:
    node.spawn("cat-1", 1, "cat", task=TASK, cwd="/", max_hours=2.5)
    read = spec_of(node, "cat-1", 1)
    assert read.spec is not None
    assert (read.spec.kind, read.spec.command, read.spec.cwd, read.spec.max_hours) == ("command", ("cat",), "/", 2.5)
    assert read.task == TASK


def test_what_is_not_there_is_said(node: NodeClient) -> None:
    assert "run 7 of 'cat-1' is not on this host" in spec_of(node, "cat-1", 7).reason
    assert "run 1 of '../x' is not on this host" in spec_of(node, "../x", 1).reason
    assert "cannot name an agent" in screen_of(node, "#(touch never)").reason
    assert "has no terminal now" in screen_of(node, "cat-1").reason


def test_an_agents_terminal_is_shown_as_it_stands(node: NodeClient) -> None:
    node.spawn("talker", 1, "sh", "-c", "printf '\\033[31mred\\033[0m and plain\\n'; sleep 600")

    def shown() -> bool:
        screen = screen_of(node, "talker")
        lines = base64.b64decode(screen.data).split(b"\n")
        return (screen.columns, screen.rows) == (120, 40) and any(b"red" in line and b"\x1b[" in line for line in lines)

    wait_for(shown, 15, "the words on the screen")
    node.kill("talker", 1)
    wait_for(lambda: "has no terminal now" in screen_of(node, "talker").reason, 15, "tmux to take note")


def test_a_log_is_searched_on_its_host(node: NodeClient) -> None:
    node.spawn("counter", 1, "sh", "-c", "seq 1 100; echo the needle is 12 cm long; seq 1 100")

    def found(text: str, regex: bool) -> Found:
        number = node.number()
        node.send(Search(number, "counter", 1, text, regex=regex, lines=True))
        return node.wait(Found, lambda found: found.id == number)

    wait_for(lambda: found("^100$", True).hits, 15, "the last line")
    for text, regex in (("NEEDLE", False), (r"\d+ cm", True)):
        (hit,) = found(text, regex).hits
        assert [line.text for line in hit.lines] == ["the needle is 12 cm long"]
    assert "is on this host" in found_nowhere(node).reason


def found_nowhere(node: NodeClient) -> Found:
    number = node.number()
    node.send(Search(number, "#(touch never)", 1, "x"))
    return node.wait(Found, lambda found: found.id == number)


def test_a_watcher_may_ask_too(node: NodeClient) -> None:
    node.spawn("cat-1", 1, "cat", task="x")
    with NodeClient() as watcher:
        watcher.greet(read_only=True)
        assert spec_of(watcher, "cat-1", 1).task == "x"


def test_many_inquiries_are_all_answered(node: NodeClient) -> None:
    asked: list[Inquiry] = [ShowScreen(node.number(), f"none-{count}") for count in range(40)]
    node.send(*asked)
    wait_for(lambda: len(node.all(ScreenShown)) == len(asked), 20, "forty answers")


def searches(node: NodeClient) -> list[psutil.Process]:
    """The processes in which this node searches."""
    found = []
    for process in psutil.Process(node.process.pid).children():
        with contextlib.suppress(psutil.Error):
            if any(word.endswith("search_process.py") for word in process.cmdline()):
                found.append(process)
    return found


def test_what_home_gives_up_is_ended_and_what_waits_behind_it_is_never_begun(node: NodeClient) -> None:
    """No search here would end: those that work are seen to be ended, and the next one is answered in their place."""
    node.spawn("counter", 1, "sh", "-c", f"echo {'a' * 60}!; echo needle")

    def has_needle() -> bool:
        number = node.number()
        node.send(Search(number, "counter", 1, "needle"))
        return bool(node.wait(Found, lambda found: found.id == number).hits)

    wait_for(has_needle, 15, "its log")
    begun = [node.number() for _ in range(40)]
    node.send(*(Search(number, "counter", 1, "(a+)+$", regex=True) for number in begun))
    wait_for(lambda: searches(node), 20, "a search to be at work")
    node.send(*(GiveUp(number) for number in begun))
    wait_for(lambda: not searches(node), 20, "all of them to be ended")
    number = node.number()
    node.send(Search(number, "counter", 1, "needle"))
    assert node.wait(Found, lambda found: found.id == number).hits
    assert not {found.id for found in node.all(Found)} & set(begun[20:])


def test_what_is_given_up_twice_or_was_never_asked_disturbs_nobody(node: NodeClient) -> None:
    number = node.number()
    node.send(GiveUp(10**6), ShowScreen(number, "none"), GiveUp(number), GiveUp(number))
    other = node.number()
    node.send(ShowScreen(other, "none"))
    assert node.wait(ScreenShown, lambda shown: shown.id == other).reason
