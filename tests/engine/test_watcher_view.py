"""What the config withholds never leaves the engine at the watchers' socket: not in news, logs or answers."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.client.client import Client
from controlroom.domain import events, intents
from controlroom.domain.adoption import Adoption
from controlroom.domain.audit import AuditLine
from controlroom.domain.budgets import Budget, BudgetUnit, Period
from controlroom.domain.changes import Changes
from controlroom.domain.gauges import Alarm, AlarmKind, Headroom, LimitKind
from controlroom.domain.model import Agent, Evidence, Fleet, LogPlace, State, with_changes
from controlroom.domain.patch import apply, diff, snapshot
from controlroom.domain.questions import QuestionKind, asking
from controlroom.domain.reduce import reduce
from controlroom.domain.tasks import Attempt, AttemptEnd, Queue, Task, TaskState
from controlroom.domain.waits import CredentialWait, Wait, WaitReason
from controlroom.engine.config.config import Withheld
from controlroom.engine.frontends.watcher_view import HIDDEN, NO_LOGS, NO_TASKS, Watcher
from controlroom.engine.ledger.ledger import audit_statement
from controlroom.protocol.messages import AskTask, FleetNews, Page, TaskText, pack
from controlroom.text.checks import CheckOrder, CheckRun, Checks, CheckState
from controlroom.text.states import Verdict
from controlroom.wire import records
from controlroom.wire.messages import QuestionSeen
from tests.domain.worlds import agent, happenings, question
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedHost, seen
from tests.lab.world import World

TASK, SAID = "order 66", "kumquat"
RUN = CheckRun(TASK, "exit 1")
CHECKS = Checks(CheckState.FAILED, (RUN,), command=TASK, output=SAID, guarded=(SAID,), guards_unknown=SAID)
"""Checks that a task says, and what they printed."""
OF_TASKS = frozenset({"task", "adoption"})
"""The fields of an agent that hold what people told it."""
OF_LOGS = frozenset({"detail", "question", "evidence", "last_line", "claims", "edited", "checks"})
"""Those that hold what it said, or are made of it."""
OPEN = {
    "host", "name", "epoch", "kind", "state", "since", "profile", "model", "cwd", "pid", "session", "started", "ended",
    "exit_code", "exit_signal", "limited_until", "denied", "log_bytes", "rss", "cpu_percent", "processes", "billing",
    "spent", "run_spent", "run_tokens", "subagents", "grant", "stray_key", "last_line_at", "pending", "place", "pane",
    "billing_doubt", "cause", "forged", "rss_bound", "trouble", "nothing_changed",
    "ordered", "worktree", "mark", "script",
}  # fmt: skip
"""The fields of an agent in which nothing stands that somebody said."""
BOTH = [Withheld(tasks=True), Withheld(logs=True), Withheld(tasks=True, logs=True)]


@pytest.fixture(autouse=True)
def in_a_world(home: World) -> World:
    return home


_OF_ANN = [
    Wait(WaitReason.LIMIT, about=("ann@example.org 5 h",)),
    Wait(WaitReason.NEW_WINDOW, about=("ann@example.org 5 h",)),
    Wait(
        WaitReason.CREDENTIALS,
        credentials=(
            CredentialWait("team", WaitReason.NEW_WINDOW, about=("ann@example.org 5 h",)),
            CredentialWait("key", WaitReason.BUDGET, about=("budget day (account:ann@example.org) holds new work",)),
        ),
    ),
]


@pytest.mark.parametrize("limit", _OF_ANN, ids=lambda wait: wait.reason.value)
@pytest.mark.parametrize("withheld", [*BOTH, Withheld(accounts=True)])
def test_of_tasks_nothing_that_is_withheld_is_shown(withheld: Withheld, limit: Wait) -> None:
    attempt = Attempt("vm1", "x-t1", 1, NOON, NOON, AttemptEnd.FAILED, SAID, checks=CHECKS)
    task = Task(1, TASK, TaskState.WAITING, NOON, NOON, TASK, key=TASK, attempts=(attempt,), reason=SAID, wait=limit)
    task = replace(task, checks=CheckOrder(((TASK,),)))
    fleet = Fleet(tasks={"t1": task}, queue=Queue(blocked=limit))
    watcher = Watcher(withheld)
    told = repr(watcher.fleet(fleet))
    assert SAID not in told
    assert "ann@" not in told
    assert (TASK in told) is not withheld.tasks
    changed = replace(fleet, tasks={"t1": replace(task, priority=5)})
    assert watcher.fleet(changed, Changes(tasks={"t1"})).tasks["t1"].priority == 5
    asked = watcher.instead(AskTask(3, "t1"))
    assert (asked == TaskText(3, reason=NO_TASKS)) is withheld.tasks


@pytest.mark.parametrize("kind", QuestionKind)
def test_what_is_withheld_of_a_question_leaves_a_sentence(kind: QuestionKind) -> None:
    asked = replace(question(), kind=kind, title=SAID, text=SAID)
    fleet = Fleet(agents={"vm1/a": agent("a", state=State.WAITING, question=asked)})
    hidden = Watcher(Withheld(logs=True)).fleet(fleet).agents["vm1/a"].question
    assert hidden is not None
    sentences = {
        QuestionKind.PERMISSION: "wants to do what is withheld from watchers",
        QuestionKind.PLAN: "shows its plan, which is withheld from watchers",
    }
    assert asking(hidden) == sentences.get(kind, "asks: withheld from watchers")


def test_logins_are_numbered_wherever_they_are_named() -> None:
    ann, anna = "ann@example.org", "joann@example.org (Acme)"
    limits = [
        Headroom(ann, "5 h", LimitKind.WINDOW, 37, 100),
        Headroom(anna, "week", LimitKind.WINDOW, 5, 100),
        Headroom("API", "x", LimitKind.UNKNOWN),
    ]
    fleet = Fleet(
        headroom={one.key: one for one in limits},
        budgets={"b": Budget("b", f"account {anna}", Period.DAY, BudgetUnit.WINDOW, 85, 85, window="five_hour")},
        alarms={f"limit {ann} 5 h": Alarm(f"{ann}: 5 h is used up"), "ledger": Alarm("full")},
    )
    shown = Watcher(Withheld(accounts=True)).fleet(fleet)
    assert list(shown.headroom) == ["login 1 5 h", "login 2 week", "API x"]
    assert [one.account for one in shown.headroom.values()] == ["login 1", "login 2", "API"]
    assert shown.budgets["b"].scope == "account login 2"
    assert shown.alarms["limit login 1 5 h"].text == "login 1: 5 h is used up"
    assert "@" not in repr(shown)
    over = Fleet(alarms={f"overage {ann}": Alarm(f"{ann}: billed now", kind=AlarmKind.OVERAGE, subject=ann)})
    assert "@" not in repr(Watcher(Withheld(accounts=True)).fleet(over))
    without = Fleet(alarms={"ledger": Alarm("full")})
    assert Watcher(Withheld(accounts=True)).fleet(without) is without


def test_every_field_of_an_agent_is_decided() -> None:
    """A new one is shown or withheld; whoever adds it says which."""
    known = {field.name for field in fields(Agent)}
    undecided = known - OPEN - OF_TASKS - OF_LOGS
    assert not undecided, f"say of these in the watcher view whether watchers see them: {undecided}"


def telling() -> Agent:
    """An agent that says everything everywhere."""
    evidence = (Evidence("stream", "waiting", SAID, NOON),)
    asked = replace(question(SAID), title=SAID)
    taken = Adoption("docs", "mark", task=TASK)
    shown = agent("a1", task=TASK, detail=SAID, question=asked, evidence=evidence, last_line=SAID, checks=CHECKS)
    return with_changes(shown, adoption=taken)


# --------------------------------------------------------------------------- the fleet


@given(st.lists(happenings, max_size=12), st.sampled_from(BOTH))
def test_snapshots_and_patches_hold_nothing_of_it(happened: list[events.Event], withheld: Withheld) -> None:
    watcher_view = Watcher(withheld)
    fleet = replace(Fleet("r"), agents={"vm1/a1": telling()})
    held = apply(Fleet(), snapshot(watcher_view.fleet(fleet)))
    for number, event in enumerate(happened):
        fleet = reduce(fleet, event)
        talks = replace(telling(), last_line=f"{SAID} {number}", task=f"{TASK} {number}", detail=f"{SAID} {number}")
        fleet = replace(fleet, agents={**fleet.agents, "vm1/a1": talks})
        patch = diff(held, watcher_view.fleet(fleet))
        held = apply(held, patch)
        assert held == watcher_view.fleet(fleet)
        for words, hidden in ((TASK, withheld.tasks), (SAID, withheld.logs)):
            said = pack(FleetNews(1, patch)).decode() + pack(FleetNews(1, snapshot(held))).decode()
            assert (words in said) is not hidden


def test_what_has_not_changed_is_the_same_value() -> None:
    watcher_view = Watcher(Withheld(True, True))
    fleet = replace(Fleet("r"), agents={"vm1/a1": telling(), "vm1/a2": replace(telling(), name="a2")})
    first = watcher_view.fleet(fleet)
    assert watcher_view.fleet(fleet) is first
    other = replace(fleet, agents={**fleet.agents, "vm1/a2": replace(telling(), name="a2", epoch=2)})
    after = watcher_view.fleet(other, Changes(agents={"vm1/a2"}))
    assert after.agents["vm1/a1"] is first.agents["vm1/a1"]
    assert after.agents["vm1/a2"].epoch == 2
    assert Watcher(Withheld()).fleet(fleet) is fleet


def test_what_somebody_said_is_no_last_line() -> None:
    watcher_view = Watcher(Withheld(tasks=True))
    shown = watcher_view.fleet(replace(Fleet("r"), agents={"vm1/a1": agent("a1", last_line=f"you: {TASK}")}))
    assert shown.agents["vm1/a1"].last_line == ""


# --------------------------------------------------------------------------- records


def event(**parts: object) -> bytes:
    return records.pack(NOON, b"a", json.dumps(parts).encode())


SHOWN = [
    records.pack(NOON, b"o", b"output"),
    records.pack(NOON, b"e", b"trouble"),
    records.pack(NOON, b"n", b"started"),
    event(type="assistant", message={"content": [{"type": "text", "text": "on it"}]}),
    event(type="user", message={"content": [{"type": "tool_result", "content": "12 passed"}]}),
    event(type="result", subtype="success"),
]
WITHHELD = [
    records.pack(NOON, b"i", TASK.encode()),
    records.pack(NOON, b"i", f"{TASK} ".encode() * 20_000),
    event(type="user", message={"content": TASK}),
    event(type="user", message={"content": [{"type": "text", "text": TASK}]}, isReplay=True),
    event(type="user", message={"content": [{"type": "tool_result", "content": ""}, {"type": "text", "text": TASK}]}),
    event(type="user", message={"content": [{"type": "text", "text": f"{TASK} " * 20_000}]}),
    event(type="queue-operation", content=TASK),
    event(type="last-prompt", lastPrompt=TASK),
    event(type="new-in-2027", text=TASK),
    records.pack(NOON, b"a", f'"{TASK}"'.encode()),
    records.pack(NOON, b"a", f'{{"type": "user", "cut": "{TASK}'.encode()),
]


def page_of(*parts: bytes) -> Page:
    data = b"".join(parts)
    return Page("vm1/a1", LogPlace(1, 1, 0), LogPlace(1, 1, len(data)), base64.b64encode(data).decode())


def test_records_that_tell_what_somebody_said_are_blank_and_as_long() -> None:
    watcher_view = Watcher(Withheld(tasks=True))
    for part in WITHHELD:
        (page,) = [watcher_view.page(page_of(part))]
        data = base64.b64decode(page.data)
        assert TASK.encode() not in data
        assert (len(data), data.count(b"\n")) == (len(part), part.count(b"\n"))
    whole = page_of(*(part for pair in zip(SHOWN, WITHHELD, strict=False) for part in pair))
    shown = base64.b64decode(watcher_view.page(whole).data)
    assert TASK.encode() not in shown
    assert all(part in shown for part in SHOWN)
    assert watcher_view.page(page_of(*SHOWN)) == page_of(*SHOWN)
    assert Watcher(Withheld()).page(whole) == whole
    for part in WITHHELD:
        for cut in (1, 13, 16, len(part) // 2):
            assert TASK.encode() not in base64.b64decode(watcher_view.page(page_of(part[cut:])).data)
    assert watcher_view.page(replace(whole, data="a")).data == ""


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise_or_change_their_length(data: bytes) -> None:
    given_ = replace(page_of(), data=base64.b64encode(data).decode())
    assert len(base64.b64decode(Watcher(Withheld(tasks=True)).page(given_).data)) == len(data)


# --------------------------------------------------------------------------- over the socket


@asynccontextmanager
async def watched(home: World, *settings: str) -> AsyncIterator[tuple[Room, ScriptedHost, Client]]:
    """A room with an agent that says everything, and a watcher."""
    config = home.room / "config.toml"
    lines = "\n".join(f"{setting} = false" for setting in settings)
    config.write_text(f'local = false\n[hosts.vm1]\naddress = "ann@vm1"\n[watch]\n{lines}\n')
    config.chmod(0o600)
    host = ScriptedHost()
    asked = QuestionSeen("q1", "Bash", SAID, NOON)
    host.agents["a1"] = seen("a1", state="waiting", task=TASK, detail=SAID, question=asked)
    host.logs["a1", 1] = records.pack(NOON, b"i", TASK.encode()) + records.pack(NOON, b"o", SAID.encode())
    async with room(host) as here:
        client = await Client.connect(start=False, role="watch")
        try:
            yield here, host, client
        finally:
            await client.close()


def bodies(found: object) -> Iterator[str]:
    for record in found.records:  # type: ignore[attr-defined]
        yield record.body.decode().strip()


async def test_without_tasks_a_log_is_read_and_followed_without_them(home: World) -> None:
    async with watched(home, "tasks") as (here, host, client):
        assert client.fleet.agents["vm1/a1"].task == ""
        assert client.fleet.agents["vm1/a1"].detail == SAID
        page = await client.fetch("vm1/a1", 1)
        assert list(bodies(page))[1] == SAID
        assert TASK not in "".join(bodies(page))
        operator = await Client.connect(start=False)
        assert list(bodies(await operator.fetch("vm1/a1", 1))) == [TASK, SAID]
        await client.follow({"vm1/a1": page.end})
        coming = client.pages()
        host.logs["a1", 1] += records.pack(NOON, b"i", f"more of {TASK}".encode())
        host.write("a1", 1, b"done that")
        assert list(bodies(await asyncio.wait_for(anext(coming), 60))) == ["(withheld)", "done that"]
        assert (await client.search("vm1/a1", 1, TASK)).reason == NO_TASKS
        assert (await client.screen("vm1/a1")).reason == NO_TASKS
        assert (await client.fetch("vm1/~work", 0)).reason == NO_TASKS
        await operator.close()
        assert here.engine.store.fleet.agents["vm1/a1"].task == TASK


async def test_without_logs_nothing_that_an_agent_says_is_told(home: World) -> None:
    async with watched(home, "logs") as (here, host, client):
        shown = client.fleet.agents["vm1/a1"]
        assert (shown.task, shown.state, shown.detail) == (TASK, State.WAITING, "")
        assert shown.question is not None
        assert SAID not in (shown.question.text, shown.question.title)
        for found in (await client.fetch("vm1/a1", 1), await client.search("vm1/a1", 1, SAID)):
            assert found.reason == NO_LOGS
        assert (await client.screen("vm1/a1")).reason == NO_LOGS
        await client.follow({"vm1/a1": None})
        assert (await client.fetch("vm1/a1", 1)).records == ()
        assert not [message for message in host.heard if type(message).__name__ == "Follow" and message.logs]  # type: ignore[union-attr]
        assert here.engine.store.fleet.agents["vm1/a1"].detail == SAID


async def test_a_part_of_a_record_is_not_told(home: World) -> None:
    """A place within a record would have its rest taken for something that the agent printed."""
    async with watched(home, "tasks") as (_, host, client):
        told = len(host.logs["a1", 1])
        for offset in range(1, told):
            place = LogPlace(1, 1, offset)
            for page in (await client.fetch("vm1/a1", 1, after=place), await client.fetch("vm1/a1", 1, before=place)):
                assert not any(TASK[at : at + 4] in body for body in bodies(page) for at in range(len(TASK) - 3))
        for offset in range(1, told):
            await client.follow({"vm1/a1": LogPlace(1, 1, offset)})
            page = await client.fetch("vm1/a1", 1)
            await client.follow({})
        host.write("a1", 1, b"the end")
        await client.follow({"vm1/a1": page.end})
        coming, seen_ = client.pages(), [""]
        while seen_[-1] != "the end":
            seen_ += bodies(await asyncio.wait_for(anext(coming), 60))
        assert not any(TASK[at : at + 4] in body for body in seen_ for at in range(len(TASK) - 3))


def test_the_terminal_of_another_is_no_last_line_without_tasks() -> None:
    watcher_view = Watcher(Withheld(tasks=True))
    other = agent("~work", kind="adopted", epoch=0, last_line=f"> {TASK}")
    assert watcher_view.fleet(replace(Fleet("r"), agents={"vm1/~work": other})).agents["vm1/~work"].last_line == ""


async def test_a_sentence_that_is_kept_holds_nothing_withheld(home: World) -> None:
    """Refusals go into the audit, which watchers may read: neither that, nor an older one, nor a search tells it."""
    async with watched(home, "logs", "tasks", "accounts") as (here, host, client):
        operator = await Client.connect(start=False)
        stale = intents.AnswerQuestion("vm1/a1", "q0", Verdict.ALLOW, TASK)
        assert (await operator.submit(stale)).outcome == "refused"
        await operator.submit(intents.SendMessage("vm1/a1", 1, TASK))
        host.agents["a1"] = seen("a1", state="failed", detail=SAID, ended=NOON)
        host.show()
        await here.until(lambda: here.agent("vm1/a1").state is State.FAILED)
        for intent in (intents.SendMessage("vm1/a1", 1, TASK), intents.KillAgent("vm1/a1", 1)):
            assert (await operator.submit(intent)).outcome == "refused"
        old = AuditLine(NOON, "ann", "kill", "account ann@example.org", 1, "refused", f"{SAID} {TASK} ann@example.org")
        await here.engine.wait_idle()
        kept = [line.reason for line in here.ledger.audit(1000)]
        assert not any(word in reason for reason in kept for word in (SAID, TASK))
        here.ledger.booked([audit_statement(old)]).result(60)
        mine = await operator.audit(1000)
        assert mine.lines[-1] == old
        shown = await client.audit(1000)
        assert len(shown.lines) == len(mine.lines)
        assert not any(word in repr(shown) for word in (SAID, TASK, "@"))
        for word in (SAID, TASK, "example.org"):
            assert (await client.audit(1000, word)).lines == ()
        (found,) = (await client.audit(1, "kill")).lines
        assert (found.verb, found.outcome, found.reason) == ("kill", "refused", HIDDEN)
        await operator.close()


async def test_the_audit_numbers_logins_and_keeps_its_reasons(home: World) -> None:
    async with watched(home) as (here, _, client):
        for reason in ("the week of ann@example.org is used up", "ann@vm1 does not answer"):
            line = AuditLine(NOON, "bob", "pause", "account ann@example.org", 0, "done", reason)
            here.ledger.booked([audit_statement(line)]).result(60)
        lines = (await client.audit(10)).lines
        assert [line.target for line in lines] == ["account a login"] * 2
        assert [line.reason for line in lines] == ["the week of a login is used up", "ann@vm1 does not answer"]
        assert (await client.audit(10, "example.org")).lines == ()
        assert (await client.audit(1, "used up")).lines == lines[:1]


async def test_without_a_setting_everything_is_shown(home: World) -> None:
    async with watched(home) as (here, _, client):
        await here.until(lambda: client.fleet == here.engine.store.fleet)
        assert list(bodies(await client.fetch("vm1/a1", 1))) == [TASK, SAID]
