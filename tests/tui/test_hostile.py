"""Nothing that comes from a host is more than text on this screen: no markup, no escape, no place of its own."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from typing import Any

import pytest

from controlroom.domain.model import Agent, Evidence, Fleet, Host, Question, State
from controlroom.domain.questions import QuestionKind
from controlroom.text.event_text import LogRecord
from controlroom.tui.screens.base import say
from tests.tui import scenes
from tests.tui.room import room

MARKUP = [
    "[/]",
    "[/red]",
    "[link=http://x]y",
    "[@click=app.bell]z[/]",
    "[red",
    "[[",
    "]",
    "\\[",
    "{}",
    "%s",
    "$x",
    "@x",
]
BYTES = [
    b"\x1b]0;title\x07",
    b"\x1b]52;c;AAAA\x07",
    b"\x1b[2J\x1bc",
    b"\x9b31m",
    b"\xff\xfe\x00\x01",
    "\u202eevil\u2066".encode(),
    b"\x1b[31",
    b"\rover",
    b"\t\x08\x08",
    ("e" + "\u0301" * 500).encode(),
]
VISITS = [[], ["enter"], ["enter", "/", "[", "enter", "q"], ["h"], ["?"], [":"], ["x"], ["r"], ["m"], ["s"], ["n", "n"]]


def filled(value: Any, text: str) -> Any:
    """Put `text` into every text field but those that name things."""
    kept = {"name", "host", "id", "kind", "address"}
    texts = {f.name: text for f in fields(value) if isinstance(getattr(value, f.name), str) and f.name not in kept}
    return replace(value, **{name: t for name, t in texts.items() if name not in ("state", "link")})


def poisoned(text: str) -> Fleet:
    fleet = scenes.farm()
    question = Question("q-1", QuestionKind.PERMISSION, text, f"{text}\n{text}", scenes.NOW)
    agents: dict[str, Agent] = {}
    for agent in fleet.agents.values():
        asked = question if agent.state is State.WAITING else None
        seen = (Evidence(text, text, text, scenes.NOW, False),)
        agents[agent.id] = replace(filled(agent, text), question=asked, evidence=seen)
    hosts: dict[str, Host] = {}
    for host in fleet.hosts.values():
        assert host.facts is not None
        hosts[host.name] = replace(filled(host, text), facts=filled(host.facts, text))
    return replace(fleet, agents=agents, hosts=hosts)


EACH = [(text, size) for text in MARKUP for size in ((45, 20), (200, 50))]


@pytest.mark.parametrize(
    ("text", "size"),
    [each if number % 8 in (0, 5) else pytest.param(*each, marks=pytest.mark.long) for number, each in enumerate(EACH)],
)
async def test_markup_in_every_field_is_only_text(text: str, size: tuple[int, int]) -> None:
    fleet = poisoned(text)
    logs = {(agent, 1): [LogRecord(scenes.NOW, "o", text.encode())] for agent in fleet.agents}
    random.seed(text)
    for keys in random.sample(VISITS, 4):
        async with room(fleet, logs, size=size) as here:
            await here.press(*keys)
            say(here.app, text)
            await here.pilot.pause()
            assert here.app.mistake is None


async def test_the_text_of_a_question_stands_there_as_it_is() -> None:
    async with room(poisoned("[/red] [@click=app.exit]here[/]"), size=(200, 50)) as here:
        assert "[/red] [@click=app.exit]here[/]" in here.text()


@pytest.mark.parametrize("body", BYTES)
async def test_no_control_character_leaves_the_log(body: bytes) -> None:
    fleet = scenes.farm()
    logs = {("vm1/docs-1", 1): [LogRecord(scenes.NOW, stream, body) for stream in "oeain"]}
    async with room(fleet, logs, size=(120, 40)) as here:
        await here.press("enter")
        await here.logs_read()
        for strip in here.strips():
            for segment in strip:
                assert segment.text.isprintable(), ascii(segment.text)
                assert segment.style is None or not segment.style.link
                assert not (segment.style and segment.style.meta.get("@click"))


async def test_what_is_pasted_into_a_form_loses_its_control_characters() -> None:
    from textual.events import Paste
    from textual.widgets import TextArea

    async with room(scenes.farm()) as here:
        await here.press("s")
        area = here.app.screen.query_one(TextArea)
        here.app.post_message(Paste("one\x1b]0;t\x07\ntwo\x9b31m"))
        await here.until(lambda: area.text == "one]0;t\ntwo31m")
