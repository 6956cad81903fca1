"""Claudes of others that end before anybody looks around: what they spend is known all the same, and whose it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from controlroom.wire.messages import AdoptedSeen
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.node.adopted import Home, asked, session, tmux, wait_ended, wait_others
from tests.runner.claude_agents import in_bash

RUN = "claude -p --output-format json"


@pytest.fixture
def run(home: World, project: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """`run("claude -p hello")`: what somebody types in a shell of his own."""
    with ExitStack() as stack:

        def begin(words: str) -> subprocess.Popen[bytes]:
            shell = subprocess.Popen(["bash", "-c", f". ~/.profile; {words}"], cwd=project, stdin=subprocess.DEVNULL)
            stack.callback(shell.wait, 60)
            stack.callback(shell.kill)
            return shell

        yield begin


def test_every_message_of_short_runs_is_known_and_who_paid(
    home: World, run: Callable[[str], subprocess.Popen[bytes]], node: NodeClient, api: Api
) -> None:
    books = Home(node)
    books.wait_for_end(run(f"for n in 1 2 3 4 5 6; do {RUN} hello > ~/bill$n.json; done"))
    books.wait(6)
    assert len(api.requests(main=True)) == 6
    assert books.said() == {("~project", "api")}


@pytest.mark.long
def test_one_that_an_adopted_claude_starts_is_a_part_of_it(
    home: World, run: Callable[[str], subprocess.Popen[bytes]], node: NodeClient, api: Api
) -> None:
    books = Home(node)
    task = home.home / "task"
    task.write_text(in_bash(f"CLAUDE_CONFIG_DIR=~/elsewhere {RUN} one; cd /; {RUN} two; sleep 5"))
    books.wait_for_end(run(f'{RUN} --allowedTools=Bash "$(cat ~/task)" > ~/bill.json'))
    books.wait(4)
    assert len(api.requests(main=True)) == 4
    assert books.said() == {("~project", "api")}
    (session,) = {piece.session for _, piece in books.messages.values()}
    assert session == json.loads((home.home / "bill.json").read_text())["session_id"]


@pytest.mark.long
def test_what_one_was_at_when_it_was_killed_is_its_own_and_not_of_the_shell_around_it(
    home: World, project: Path, node: NodeClient, api: Api
) -> None:
    books = Home(node)
    (home.home / "task").write_text('[[tool Bash {"command":"ls"}]] [[hang 600]]')
    session("work", "bash -c '. ~/.profile; claude \"$(cat ~/task)\"; exec sleep 601'", project)
    node.wait(AdoptedSeen, lambda seen: any(agent.name == "~work" for agent in seen.agents), 60)
    books.wait(1)
    wait_for(lambda: books.book() == 1 and asked(home.home) == 2, 60, "the transcript to say that it was asked")
    seen = wait_others(node, lambda seen: seen["~work"].state == "working" and seen["~work"].pid)["~work"]
    os.kill(seen.pid, signal.SIGKILL)
    assert wait_ended(node, "~work").state == "failed"
    books.wait(2)
    assert {name for name, _ in books.said()} == {"~work"}
    assert sorted(message.estimated for message, _ in books.messages.values()) == [False, True]


@pytest.mark.long
def test_one_in_somebodys_terminal_is_a_part_of_what_runs_there(
    home: World, project: Path, node: NodeClient, api: Api
) -> None:
    books = Home(node)
    tmux("new-session", "-d", "-s", "work", "-c", str(project), "bash --norc")
    node.wait(AdoptedSeen, lambda seen: any(agent.name == "~work" for agent in seen.agents), 30)
    tmux("send-keys", "-t", "=work:", f". ~/.profile; {RUN} hello", "Enter")
    books.wait(1)
    ((name, billing),) = books.said()
    assert (name.removesuffix("-2"), billing) == ("~work", "api")  # beside its shell, if it was seen at work itself
    assert len(api.requests(main=True)) == 1
    tmux("kill-session", "-t", "=work")
