"""Fleets to look at: a farm with everything in it, and small ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from controlroom.domain.budgets import Budget, BudgetUnit, Period, Rung, RungAction
from controlroom.domain.gauges import Alarm, AlarmKind, AlarmLevel, Headroom, LimitKind
from controlroom.domain.model import (
    Agent,
    Evidence,
    Fleet,
    Host,
    HostFacts,
    Limits,
    LinkState,
    Money,
    Profile,
    Question,
    State,
)
from controlroom.domain.money.costs import CostRow, grouped
from controlroom.domain.orders import Work
from controlroom.domain.questions import QuestionKind
from controlroom.domain.tasks import Attempt, AttemptEnd, Origin, Queue, QueueRules, Task, TaskState
from controlroom.domain.waits import HostWait, Wait, WaitReason
from controlroom.text.event_text import LogRecord
from controlroom.text.host_sample import HostSample
from controlroom.text.states import AgentKind, Item, Option, Payer
from tests.tui.engine import Logs

NOW = 1_795_357_920_000
"""14:32 UTC on a day in November 2026."""
MINUTE = 60_000
MIB, GIB = 1024**2, 1024**3


MONEY = Money(2_100_000, 1_000_000, 83_730_000, 1_250_000)


def host(name: str, cpu: float, used: float, total: float = 8, **changes: Any) -> Host:
    past = tuple(max(1.0, min(99.0, cpu + 18 * ((step * 7) % 5 - 2))) for step in range(30))
    held = tuple(max(1.0, min(99.0, 100 * used / total + ((step * 3) % 7 - 3))) for step in range(30))
    sample = HostSample(NOW, cpu, int(used * GIB), int(total * GIB), 0, 2 * GIB, 1.42, 120 * GIB, 400 * GIB)
    facts = HostFacts(
        f"{name}.example", "ann", "linux-x86_64", "3.11.2", "3.3a", 8, int(total * GIB), "m", "b", 0, True
    )
    made = Host(name, f"ann@{name}.example.org", LinkState.UP, NOW - 300 * MINUTE, "", NOW, facts, sample, past, held)
    return replace(made, **changes)


def agent(name: str, on: str, state: State, minutes: int, line: str = "", **changes: Any) -> Agent:
    live = state in (State.WORKING, State.WAITING, State.IDLE, State.LIMITED)
    made = Agent(
        on,
        name,
        1,
        AgentKind.HEADLESS,
        state,
        NOW - minutes * MINUTE,
        model="claude-sonnet-5-5",
        cwd="/home/ann/work",
        task=f"Work on {name} until its tests pass.",
        profile="default",
        pid=4242 if live else None,
        session=f"s-{name}",
        started=NOW - (minutes + 30) * MINUTE,
        rss=(280 + 7 * len(name) + minutes) * MIB if live else None,
        cpu_percent=float((minutes * 7) % 13) if live else None,
        processes=3,
        billing=Payer.PLAN if on == "mini" else Payer.API,
        spent=(minutes * 37_000 + len(name) * 11_000) if state is not State.STARTING else None,
        last_line=line,
        last_line_at=NOW - MINUTE,
    )
    made = replace(made, **changes)
    return replace(made, ordered=Work(made.kind, made.profile, made.model, made.cwd))


def permission(title: str, text: str = "", minutes: int = 2, id_: str = "q-1") -> Question:
    always = (f"Bash: whatever begins with: {' '.join(title.split()[1:3])}",)
    told = json.dumps({"command": (text or title).split("\n")[0], "description": text})
    asked = NOW - minutes * MINUTE
    return Question(id_, QuestionKind.PERMISSION, title, text or title, asked, always=always, tool="Bash", input=told)


def region(id_: str = "q-2") -> Question:
    """A question with two choices."""
    item = Item("Which region?", "Region", (Option("eu-west"), Option("us-east")), own_words=True)
    text = "Which region?\n  1. eu-west\n  2. us-east"
    return Question(id_, QuestionKind.CHOICES, "Which region?", text, NOW - 4 * MINUTE, (item,))


def host_key(name: str) -> Question:
    text = (
        f"{name} shows a key that this room has never seen:\n"
        "ED25519 SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM\n"
        "Accept it only if you know it to be this host's."
    )
    return Question(f"key-{name}", QuestionKind.HOST_KEY, f"unknown key of {name}", text, NOW - MINUTE)


PUSH = (
    "git push origin docs/update\n"
    "The branch is ready, the tests pass and the task says to push. It goes to the remote that the "
    "repository was cloned from."
)


def farm() -> Fleet:
    """Three hosts, agents in every state, two questions."""
    hosts = [
        host("vm1", 62, 5.7),
        host("vm2", 12, 3.0),
        host("mini", 4, 3.4, 4),
    ]
    agents = [
        agent("docs-1", "vm1", State.WAITING, 2, question=permission("run: git push origin docs/update", PUSH)),
        agent(
            "infra",
            "vm2",
            State.WAITING,
            4,
            model="claude-opus-5-5",
            question=region(),
        ),
        agent("seed-9", "vm1", State.FAILED, 9, detail="exit 1: not logged in", exit_code=1, model="claude-haiku-5-5"),
        agent("test-4", "vm1", State.LIMITED, 62, detail="5-hour limit", limited_until=NOW + 148 * MINUTE),
        agent("idle-2", "vm2", State.IDLE, 12, detail="interrupted; waits for a message"),
        agent("api-3", "vm2", State.WORKING, 41, "› Bash  pytest -q tests/api"),
        agent("web-2", "vm1", State.WORKING, 12, "› Read  web/src/nav.tsx"),
        agent("lint-all", "vm1", State.WORKING, 130, "1204 files checked, 3 findings", kind="command", model=""),
        agent("日本語-doc"[-3:], "vm2", State.WORKING, 3, "● 翻訳を確認しています — 12 pages"),
        agent("new-1", "mini", State.STARTING, 0, model=""),
        agent("old-7", "vm2", State.DONE, 600, detail="done · 14 turns · $0.41"),
        agent("old-8", "vm2", State.DONE, 1500, detail="done, 3 denied"),
    ]
    agents[0] = replace(
        agents[0],
        evidence=(
            Evidence("stream", "waiting", "can_use_tool Bash", NOW - 2 * MINUTE),
            Evidence("session file", "waiting", "waiting", NOW - 2 * MINUTE),
            Evidence("process", "working", "alive", NOW),
        ),
    )
    profiles = {"default": Profile("default"), "docs": Profile("docs", model="claude-haiku-5-5", cwd="docs")}
    return Fleet(
        "room", {one.name: one for one in hosts}, {one.id: one for one in agents}, profiles, Limits(100 * MIB), MONEY
    )


LADDER = (Rung(50, RungAction.NOTIFY), Rung(80, RungAction.HOLD), Rung(95, RungAction.STOP))
HOUR = 60 * MINUTE
_EVENING = NOW + 568 * MINUTE


def budget(name: str, limit: int, spent: int | None, **changes: Any) -> Budget:
    """One of the fleet's, in dollars, with the usual ladder."""
    made = Budget(
        name, "fleet", Period(name), BudgetUnit.BILLED, limit, limit * 95 // 100, NOW - 14 * HOUR, _EVENING, spent
    )
    return replace(made, rungs=LADDER, **changes)


def window(name: str, used: int | None, resets: int = 148 * MINUTE, **changes: Any) -> Headroom:
    made = Headroom("ann@example.org", name, LimitKind.WINDOW, used, 100, NOW + resets, "stream", NOW - MINUTE)
    return replace(made, **changes)


def bucket(name: str, used: int | None, limit: int | None, **changes: Any) -> Headroom:
    made = Headroom("key work", name, LimitKind.BUCKET, used, limit, 0, "metering", NOW, measured=False)
    return replace(made, model=name.partition(" ")[2], **changes)


def keyed(*found: Headroom) -> dict[str, Headroom]:
    return {one.key: one for one in found}


def watched() -> Fleet:
    """The farm with budgets, limits and alarms."""
    gone, ends = 98_200_000, NOW + 128 * MINUTE
    budgets = (
        budget("day", 160_000_000, gone, reached=1, runs_out=ends, granted=14_000_000, overshoot=800_000),
        budget("hour", 8_000_000, 3_100_000, granted=1_200_000, overshoot=400_000),
    )
    limits = (
        window("5 h", 63, shares={"vm1/docs-1": 410, "vm2/api-3": 220}),
        window("week", 22, 75 * HOUR),
        bucket("requests sonnet", 31, 50, buffer=45),
        bucket("input sonnet", 1_200_000, 2_000_000),
        bucket("output sonnet", 120_000, 400_000),
    )
    alarms = {
        "budget day": Alarm(
            "budget day is half gone: $98.20 of $160, at this rate it ends at 16:40",
            AlarmLevel.NOTICE,
            NOW,
            kind=AlarmKind.BUDGET,
            subject="day",
        ),
        "key vm1/docs-1": Alarm(
            "docs-1 on vm1 pays with a key from its environment, not with its plan: unset ANTHROPIC_API_KEY there",
            AlarmLevel.WARNING,
            NOW - 12 * MINUTE,
            "vm1/docs-1",
        ),
    }
    named = {one.name: one for one in budgets}
    return replace(farm(), budgets=named, headroom=keyed(*limits), alarms=alarms)


def spent(fleet: Fleet) -> dict[str, list[CostRow]]:
    """What a ledger would say of the fleet's day: most is billed, what runs on mini is covered."""
    agents = [one for one in fleet.agents.values() if one.spent and one.kind != "command"]
    rows = [_used(one.id, one.billing, one.spent or 0) for one in agents]
    rows.append(_used("vm2/gone-1", "api", 640_000))
    rows.append(_used("mini/nightly", "plan", 1_250_000))
    rows.append(_used("vm2/infra", "plan", 90_000))
    of = {one.id: one for one in agents}

    def by(key: Callable[[str], str]) -> list[CostRow]:
        return grouped(rows, lambda row: key(row.key))

    hours = [3, 5, 8, 21, 34, 55, 42, 60, 38, 44, 61, 70, 25, 9]
    time = [_used(str(NOW - NOW % HOUR - (13 - at) * HOUR), "api", share * 180_000) for at, share in enumerate(hours)]
    time.append(_used(str(NOW - 3 * HOUR), "plan", 1_250_000))
    return {
        "agent": rows,
        "host": by(lambda key: key.partition("/")[0]),
        "profile": by(lambda key: of[key].profile if key in of else ""),
        "model": by(lambda key: of[key].model if key in of else "claude-sonnet-5-5"),
        "time": time,
    }


def ran(fleet: Fleet) -> dict[str, dict[str, int]]:
    """What a ledger would say of how long its agents ran: those that are gone it has never seen."""
    midnight = NOW // (24 * HOUR) * 24 * HOUR
    alive = {name: NOW if host.link is LinkState.UP else host.seen for name, host in fleet.hosts.items()}
    agents = {
        one.id: max(0, (one.ended or alive[one.host]) - max(midnight, one.started))
        for one in fleet.agents.values()
        if one.spent and one.started
    }
    hosts: dict[str, int] = {}
    for key, each in agents.items():
        host = key.partition("/")[0]
        hosts[host] = hosts.get(host, 0) + each
    unknown = {row.key.partition("/")[0] for row in spent(fleet)["agent"] if row.key not in agents}
    return {"agent": agents, "host": {host: each for host, each in hosts.items() if host not in unknown}}


def _used(key: str, billing: str, micro: int) -> CostRow:
    return CostRow(
        key, Payer(billing), micro // 9_000, micro // 50, micro // 70, micro // 40, micro // 900, micro * 3, 2, micro
    )


def task(number: int, title: str, state: TaskState, minutes: int = 5, **changes: Any) -> Task:
    at = NOW - minutes * MINUTE
    made = Task(number, title, state, at, at, text=title, place=float(number), origin=Origin("ann"))
    return replace(made, **changes)


def attempt(of: Agent, end: AttemptEnd = AttemptEnd.OPEN, **changes: Any) -> Attempt:
    """A try at a task by an agent's run."""
    made = Attempt(of.host, of.name, of.epoch, of.started, 0 if end is AttemptEnd.OPEN else of.since, end)
    return replace(made, **changes)


def with_tasks(fleet: Fleet | None = None) -> Fleet:
    """The farm with tasks in every state."""
    fleet = fleet or farm()
    agents = fleet.agents
    full = Wait(WaitReason.FLEET_FULL, has=8, most=8)
    hosts = (HostWait("vm1", WaitReason.HOST_MEMORY, 210 * MIB, 400 * MIB), HostWait("vm2", WaitReason.HOST_DOWN))
    tried = attempt(agents["vm1/seed-9"], AttemptEnd.FAILED, reason="exit 1: not logged in", spent=120_000)
    ended = attempt(agents["vm2/old-7"], AttemptEnd.DONE, spent=410_000)
    tasks = [
        task(1, "Bring the docs up to 2.4", TaskState.DONE, 600, attempts=(ended,)),
        task(2, "Fill the staging database", TaskState.FAILED, 9, attempts=(tried,), reason="failed: not logged in"),
        task(3, "Add cursor pagination to every list route", TaskState.RUNNING, 41,
             attempts=(attempt(agents["vm2/api-3"]),), profile="default"),
        task(4, "Make the site usable at 360 pixels", TaskState.RUNNING, 12, attempts=(attempt(agents["vm1/web-2"]),)),
        task(5, "Fix issue 218: times are an hour off after a zone change", TaskState.WAITING, 30, priority=5,
             profile="default", wait=Wait(WaitReason.NO_HOST, hosts=hosts)),
        task(6, "Which dependencies need an update?", TaskState.WAITING, 20, wait=full, model="claude-haiku-5-5"),
        task(7, "Write the release notes", TaskState.WAITING, 19, after=("t5", "t6"),
             wait=Wait(WaitReason.AFTER, about=("t5", "t6"))),
        task(8, "Migrate the orders table", TaskState.HELD, 200, reason="held by ann"),
    ]  # fmt: skip
    queue = Queue(QueueRules(max_agents=8), blocked=full)
    return replace(fleet, tasks={each.id: each for each in tasks}, queue=queue)


def thousand() -> Fleet:
    """Twenty hosts with fifty agents each."""
    hosts = [host(f"vm{number:02}", 10 + number, 3.0) for number in range(20)]
    states = [State.WORKING] * 7 + [State.IDLE, State.DONE, State.FAILED]
    agents = [
        agent(f"agent-{number}", f"vm{number % 20:02}", states[number // 20 % 10], number % 300, f"line {number}")
        for number in range(1000)
    ]
    return Fleet("room", {one.name: one for one in hosts}, {one.id: one for one in agents})


def event(body: dict[str, Any], at: int) -> LogRecord:
    return LogRecord(at, "a", json.dumps(body).encode())


def said(text: str, at: int) -> LogRecord:
    return event({"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}}, at)


def used(tool: str, argument: str, at: int) -> LogRecord:
    block = {"type": "tool_use", "name": tool, "input": {"command": argument}}
    return event({"type": "assistant", "message": {"content": [block]}}, at)


def result(text: str, at: int, error: bool = False) -> LogRecord:
    block = {"type": "tool_result", "content": text, "is_error": error}
    return event({"type": "user", "message": {"content": [block]}}, at)


def story() -> list[LogRecord]:
    """What a Claude agent says while it works."""
    at = NOW - 30 * MINUTE
    turns: list[LogRecord] = [LogRecord(at, "n", b"run 1 of docs-1 in /home/ann/work")]
    turns.append(
        event({"type": "system", "subtype": "init", "model": "claude-sonnet-5-5", "cwd": "/home/ann/work"}, at)
    )
    turns.append(said("I will start with the navigation, then bring the pages up to date one by one.", at))
    for number, page in enumerate(("install", "first-host", "keys", "config", "faq")):
        then = at + number * 4 * MINUTE
        turns += [
            used("Read", f"docs/{page}.md", then),
            used("Edit", f"docs/{page}.md", then + MINUTE),
            result(f"docs/{page}.md  +{14 + 9 * number} -{3 + number}", then + MINUTE),
            said(
                f"The page on {page} spoke of flags that no longer exist. I took them out and gave each of the "
                "remaining ones an example that is run by the tests.",
                then + 2 * MINUTE,
            ),
            used("Bash", "make -C docs test", then + 3 * MINUTE),
            result(f"{48 + number} passed\n2 warnings", then + 3 * MINUTE),
        ]
    turns.append(
        result("tests/test_links.py: 1 failed\nhttp://old.example.org answers 404", NOW - 4 * MINUTE, error=True)
    )
    turns.append(said("The failing link is in the changelog and was wrong before; I fixed it too.", NOW - 3 * MINUTE))
    turns.append(used("Bash", "git push origin docs/update", NOW - 2 * MINUTE))
    return turns


def logs(fleet: Fleet) -> Logs:
    found: Logs = {}
    for one in fleet.agents.values():
        if one.kind == "command":
            colours = [
                b"\x1b[32mok\x1b[0m   src/a.py",
                b"\x1b[33mwarn\x1b[0m src/b.py:14 unused import",
                b"\x1b[31mfail\x1b[0m src/c.py",
            ]
            found[one.id, 1] = [LogRecord(NOW, "o", colours[step % 3]) for step in range(60)]
        else:
            found[one.id, 1] = story()
    return found


def with_new_host() -> Fleet:
    """The farm, and a host that shows a key which nobody knows."""
    fleet = farm()
    asking = host("vm9", 0, 1, link=LinkState.ASKING, sample=None, facts=None, question=host_key("vm9"))
    return replace(fleet, hosts={**fleet.hosts, "vm9": replace(asking, reason="its key is not known")})
