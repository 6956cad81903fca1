"""The manual: its pages, and where a word stands in them. `controlroom help` and the screen's `?` show them.

It is here because verbs and screen both read it, and nothing below may: domain does no IO, and the other floors travel
to hosts or know nothing of people. Imports stay light, as help on a verb names the topics.
"""

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

import controlroom

TOPICS = (
    "agents",
    "rules",
    "tasks",
    "leads",
    "fleets",
    "results",
    "hosts",
    "states",
    "keys",
    "verbs",
    "money",
    "limits",
    "remote",
    "config",
    "files",
    "troubleshooting",
    "how-it-works",
)
"""The names of the pages, in the order in which somebody new would read them."""

_MARK = re.compile(r"^<!--.*?-->\n", re.MULTILINE)
"""What tells the generator of tables where they stand."""

_SENTENCE = re.compile(r"(?<=[.?!:]) +")
_ENDLESS = 100_000
"""Columns in which every paragraph is one line."""


class Page(NamedTuple):
    """One page; its text is Markdown that no terminal misreads."""

    topic: str
    title: str
    summary: str
    """What it is about, in a sentence."""
    text: str


class Match(NamedTuple):
    """A sentence, row or line of code that contains what was searched for."""

    topic: str
    heading: str
    """The heading that it stands below."""
    text: str


def folder() -> str:
    """The folder of the pages, in a wheel as in a checkout."""
    return os.path.join(os.path.dirname(os.path.abspath(controlroom.__file__)), "manual")


def read(topic: str) -> Page:
    """Read a page. Raises `KeyError` for what is no topic, and `OSError` where the installation is damaged."""
    from controlroom.text.sanitize import shown

    if topic not in TOPICS:
        raise KeyError(topic)
    with open(os.path.join(folder(), f"{topic}.md"), encoding="utf-8") as file:
        text = shown(_MARK.sub("", file.read()))
    lines = text.split("\n", 3)
    return Page(topic, lines[0].removeprefix("# "), lines[2], text)


def contents() -> list[Page]:
    """Read all pages, in the order of `TOPICS`. Raises `OSError`."""
    return [read(topic) for topic in TOPICS]


def search(words: str) -> Iterator[Match]:
    """Find where the pages contain a text, whatever its case and wherever lines break. Raises `OSError`."""
    from controlroom.domain.display.markdown import Kind, lines

    wanted = " ".join(words.casefold().split())
    for page in contents():
        heading = page.title
        for kind, text in lines(page.text, _ENDLESS):
            if kind is Kind.HEADING:
                heading = text
            parts = _SENTENCE.split(text) if kind is Kind.TEXT else [text]
            for part in (" ".join(part.split()) for part in parts):
                if wanted in part.casefold():
                    yield Match(page.topic, heading, part)
