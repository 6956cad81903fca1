"""Orders and questions about what agents have committed, from front ends to a scripted host and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.client.client import Client
from controlroom.domain.branch_intents import Accept, DropWork, PullRequest, PushBranch
from controlroom.domain.model import LinkState
from controlroom.engine.config.config import Withheld
from controlroom.engine.frontends.watcher_view import HIDDEN, Watcher
from controlroom.engine.hosts.translate import HostContext
from controlroom.engine.hosts.translate_branches import ANSWER, to_work
from controlroom.protocol.branches import AskWork, WorkTold
from controlroom.text.branch_work import BranchWork, Commit, FileChange
from controlroom.text.states import Outcome
from controlroom.wire import messages as wire
from controlroom.wire.branches import (
    AcceptWork,
    DropBranch,
    PushWork,
    ReadWork,
    RequestPull,
    WorkRead,
)
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedChannel, ScriptedHost, seen
from tests.lab.world import World

SHA = "0123456789abcdef0123456789abcdef01234567"
READ = BranchWork(
    answer="It is \x1b[31mdone\x1b[0m.\nReally.",
    answered=NOON,
    clone="/srv/app/.git",
    origin="example.org/team/docs",
    branch="agents/docs-1",
    head=SHA,
    base=SHA[::-1],
    base_name="origin/main",
    commits=(Commit(SHA, "write \x1b]0;t\x07 it", NOON), Commit("no commit", "x", NOON)),
    commit_count=1,
    files=(FileChange("a\nb", 1, None),),
    file_count=1,
    added=1,
    removed=0,
)


class Merges(ScriptedHost):
    """It has one agent that has ended, says of it what it is told to, and answers orders likewise."""

    read = READ
    reply = wire.Reply(0, Outcome.DONE, "1 commit merged into next: 0123456789ab")

    def __init__(self, name: str = "vm1") -> None:
        super().__init__(name)
        self.agents["docs-1"] = seen("docs-1", 1, state="done", ended=NOON)

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, ReadWork):
            channel.say(WorkRead(message.id, self.read))
        elif isinstance(message, AcceptWork | PushWork | RequestPull | DropBranch):
            reply = self.reply
            channel.say(wire.Reply(message.id, reply.outcome, reply.reason, reply.conflicts))


class Conflicts(Merges):
    """What is merged there conflicts."""

    reply = wire.Reply(0, Outcome.REFUSED, "docs-1 conflicts with next", ("a\x1b[2J.txt", *["b"] * 200))


class Cuts(Merges):
    """The link is lost while it merges."""

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, AcceptWork):
            channel.cut()


def setting() -> HostContext:
    return HostContext("vm1", "room-1", NOON)


async def audited(here: Room) -> list[tuple[str, str]]:
    client = await Client.connect(start=False)
    lines = (await client.audit()).lines
    await client.close()
    return [(line.verb, line.outcome) for line in lines]


async def test_orders_reach_the_host_and_its_answer_comes_back_and_is_audited(home: World) -> None:
    host = Merges()
    async with room(host) as here:
        client = await Client.connect(start=False)
        intents = (
            Accept("vm1/docs-1", 1, "next", push=True, head=SHA),
            PushBranch("vm1/docs-1", 1, "new"),
            PullRequest("vm1/docs-1", 1, "main", "Title", "body"),
            DropWork("vm1/docs-1", 1, "docs-1"),
        )
        for intent in intents:
            result = await client.submit(intent)
            assert (result.outcome, result.reason) == (Outcome.DONE, Merges.reply.reason)
        await client.close()
        orders = [one for one in host.heard if isinstance(one, AcceptWork | PushWork | RequestPull | DropBranch)]
        accept, push, pull, drop = orders
        assert isinstance(accept, AcceptWork)
        assert (accept.name, accept.epoch, accept.into, accept.push, accept.head) == ("docs-1", 1, "next", True, SHA)
        assert isinstance(push, PushWork)
        assert push.branch == "new"
        assert isinstance(pull, RequestPull)
        assert (pull.into, pull.title, pull.body) == ("main", "Title", "body")
        assert isinstance(drop, DropBranch)
        assert drop.unsaved
        verbs = [(verb, "done") for verb in ("accept", "push", "pull-request", "drop")]
        assert await audited(here) == verbs


async def test_what_conflicts_comes_back_by_name_made_safe_to_show(home: World) -> None:
    async with room(Conflicts()) as here:
        result = await here.order(Accept("vm1/docs-1", 1, "next"))
        assert (result.outcome, result.reason) == (Outcome.REFUSED, "docs-1 conflicts with next")
        assert len(result.conflicts) == 100
        assert all(path.isprintable() for path in result.conflicts)


async def test_a_merge_whose_link_was_lost_is_not_known_and_says_where_to_look(home: World) -> None:
    async with room(Cuts()) as here:
        result = await here.order(Accept("vm1/docs-1", 1, "next"))
        assert result.outcome is Outcome.UNKNOWN
        assert "see with controlroom collect vm1/docs-1 what became of it" in result.reason


async def test_what_an_agent_has_done_is_told_to_operators_and_watchers(home: World) -> None:
    async with room(Merges()):
        for role in ("cli", "watch"):
            client = await Client.connect(start=False, role=role)
            told = await client.work("vm1/docs-1", 1)
            await client.close()
            assert told.reason == ""
            assert told.work is not None
            assert (told.work.branch, told.work.commit_count, told.work.answer) == (
                "agents/docs-1",
                1,
                told.work.answer,
            )
            assert told.work.answer.endswith("done.\nReally.")


async def test_a_host_that_is_away_is_said(home: World) -> None:
    host = Merges()
    async with room(host) as here:
        host.reachable = False
        host.cut()
        await here.until(lambda: here.link("vm1") is not LinkState.UP)
        client = await Client.connect(start=False)
        told = await client.work("vm1/docs-1", 1)
        assert told.work is None
        assert told.reason == "vm1 cannot be asked now"
        await client.close()


async def test_watchers_change_nothing(home: World) -> None:
    host = Merges()
    async with room(host):
        client = await Client.connect(start=False, role="watch")
        for intent in (Accept("vm1/docs-1", 1, "next"), PushBranch("vm1/docs-1", 1), DropWork("vm1/docs-1", 1)):
            assert (await client.submit(intent)).outcome is Outcome.REFUSED
        await client.close()
        assert not [one for one in host.heard if isinstance(one, AcceptWork | PushWork | DropBranch)]


@pytest.mark.parametrize("withheld", [Withheld(tasks=True), Withheld(logs=True)])
def test_of_what_is_withheld_watchers_get_figures_and_no_words(withheld: Withheld) -> None:
    told = Watcher(withheld).told(WorkTold(3, to_work(READ, setting())), AskWork(3, "vm1/docs-1", 1))
    assert isinstance(told, WorkTold)
    assert told.work is not None
    assert (told.work.answer, told.work.commits[0].subject) == ("", HIDDEN)
    assert (told.work.branch, told.work.commit_count, told.work.added) == ("agents/docs-1", 1, 1)


def test_what_a_host_says_of_commits_is_made_safe_to_show() -> None:
    work = to_work(READ, setting())
    texts = [work.branch, work.clone, work.origin, work.reason, *(one.subject for one in work.commits)]
    texts += [*(file.path for file in work.files), *work.answer.split("\n")]
    assert all(text.isprintable() for text in texts if text), texts
    assert [one.id for one in work.commits] == [SHA]
    assert (work.files[0].added, work.files[0].removed) == (1, None)


def test_what_cannot_be_is_left_out() -> None:
    lies = BranchWork(answer="x" * 10**6, clone="/x", head="HEAD", branch="--force", reason="", added=-5)
    work = to_work(lies, setting())
    assert (work.clone, work.head, work.branch) == ("", "", "")
    assert work.reason
    assert len(work.answer) <= ANSWER
    assert work.answer_cut
    odd = to_work(replace(READ, branch="--force", base="x", added=-5), setting())
    assert (odd.branch, odd.head, odd.base, odd.commit_count, odd.added) == ("", SHA, "", 0, 0)
