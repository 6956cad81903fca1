"""What a host lacks keeps agents from being started there that would all die of it, and one alarm says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain import events, intents
from controlroom.domain.decide import Refused, decide
from controlroom.domain.display.checkup import preflight
from controlroom.domain.display.tasks import why
from controlroom.domain.model import Fleet, Profile
from controlroom.domain.preconditions import unfit_folder
from controlroom.domain.queue import dispatch
from controlroom.domain.reduce import reduce
from controlroom.domain.tasks import Preflight, Queue, Task, TaskState
from controlroom.domain.waits import WaitReason
from controlroom.text.host_sample import FolderCheck, FolderProblem, HostCheck
from controlroom.text.states import AgentKind
from tests.domain.worlds import MINUTE, NOON, fleet, host

WELL = HostCheck(tmux="3.3a", claude="2.1.330", claude_at="/usr/bin/claude", logged_in=True)
PROFILES = {
    "keyed": Profile("keyed", own_login=True),
    "own": Profile("own", command=("/opt/claude",)),
    "make": Profile("make", kind=AgentKind.COMMAND, command=("make",)),
}


def lacking(**lacks: object) -> Fleet:
    found = Preflight(NOON, **lacks)  # type: ignore[arg-type]
    tasks = {
        f"t{number}": Task(number, "x", TaskState.WAITING, NOON, NOON, profile=profile)
        for number, profile in enumerate(("", *PROFILES), 1)
    }
    return replace(fleet(), profiles=PROFILES, tasks=tasks, queue=Queue(preflights={"vm1": found}))


def kept_out(world: Fleet) -> set[str]:
    """The profiles whose tasks wait for the host."""
    left, waiting = dict(world.tasks), set()
    for id_, task in world.tasks.items():
        plan = dispatch.plan(replace(world, tasks={id_: task}), NOON)
        if plan.start is None:
            assert [host.reason for host in plan.waits[id_].hosts] == [WaitReason.HOST_UNFIT]
            waiting.add(left[id_].profile)
    return waiting


def test_a_host_that_has_all_lacks_nothing() -> None:
    assert preflight(WELL, NOON) == Preflight(NOON)
    assert kept_out(lacking()) == set()


@pytest.mark.parametrize(
    ("found", "out"),
    [
        (replace(WELL, claude="", claude_at="", claude_problem="it is not on the PATH"), {"", "keyed"}),
        (replace(WELL, claude="2.0.14"), {"", "keyed"}),
        (replace(WELL, claude=""), set()),
        (replace(WELL, logged_in=False), {""}),
        (replace(WELL, logged_in=None, login_problem="not known"), set()),
        (replace(WELL, tmux=""), {"", "keyed", "own"}),
        (replace(WELL, state_problem="it lies on a file system that is mounted read-only"), {"", "keyed", "own"}),
        (replace(WELL, disk_free=1 << 20, disk_total=1 << 40), {"", "keyed", "own"}),
    ],
)
def test_what_it_lacks_keeps_out_those_who_need_it(found: HostCheck, out: set[str]) -> None:
    lacks = preflight(found, NOON)
    assert kept_out(lacking(machine=lacks.machine, claude=lacks.claude, login=lacks.login)) == out


def test_one_alarm_names_it_and_each_task_says_it_until_it_is_mended() -> None:
    words = "Claude is not logged in (claude auth login there)"
    world = lacking(login=words, blocking=words)
    seen = reduce(replace(world, queue=Queue()), events.QueueSeen(world.queue))
    assert list(seen.alarms) == ["preflight of vm1"]
    assert "vm1 lacks what agents need: Claude is not logged in" in seen.alarms["preflight of vm1"].text
    task = world.tasks["t1"]
    told = why(world, replace(task, wait=dispatch.plan(world, NOON).waits["t1"]), NOON)
    assert "  vm1 is not fit for it: Claude is not logged in (claude auth login there)" in told
    again = reduce(seen, events.QueueSeen(Queue(preflights={"vm1": Preflight(NOON + MINUTE)})))
    assert again.alarms == {}
    assert reduce(seen, events.QueueSeen(Queue())).alarms == {}, "a host that is away is not known"


def test_nothing_starts_on_a_host_that_is_being_looked_at_for_the_first_time() -> None:
    first = replace(lacking(), queue=Queue(preflights={"vm1": Preflight(looking=True)}))
    assert kept_out(first) == {"", "keyed", "own"}
    again = replace(lacking(), queue=Queue(preflights={"vm1": Preflight(NOON, looking=True)}))
    assert kept_out(again) == set()


def test_who_spawns_by_hand_is_told_and_may_insist() -> None:
    world = lacking(claude="claude: it is not on the PATH (install it)")
    spawn = intents.SpawnAgent("docs", "write", host="vm1")
    refusal = decide(world, spawn, 1, NOON)
    assert isinstance(refusal, Refused)
    assert refusal.reason.startswith("vm1 is not fit for it: claude: it is not on the PATH (install it).")
    assert "--anyway" in refusal.reason
    assert not isinstance(decide(world, replace(spawn, anyway=True), 1, NOON), Refused)
    assert not isinstance(decide(world, replace(spawn, profile="own"), 1, NOON), Refused)
    assert not isinstance(decide(world, replace(spawn, kind="command", command=("ls",)), 1, NOON), Refused)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (replace(WELL, git="2.43.0"), ""),
        (replace(WELL, git="2.32.0 (Apple Git-132)"), ""),
        (replace(WELL, git="unheard of"), ""),
        (replace(WELL, git="2.25.1"), "git 2.25.1 is older than 2.32, which worktrees need (install git 2.38 or newer"),
        (replace(WELL, python="3.11.2"), "git is not installed, which worktrees need (sudo apt-get install git)"),
    ],
)
def test_a_git_that_is_too_old_or_absent_keeps_worktrees_alone_from_a_host(found: HostCheck, words: str) -> None:
    world = lacking(git=preflight(found, NOON).git)
    trees = replace(world, profiles={"trees": Profile("trees", worktree="main"), **PROFILES})
    spawn = intents.SpawnAgent("docs", "write", host="vm1")
    for wish in (replace(spawn, worktree="main"), replace(spawn, profile="trees")):
        refusal = decide(trees, wish, 1, NOON)
        assert isinstance(refusal, Refused) is bool(words)
        assert not words or refusal.reason.startswith(f"vm1 is not fit for it: {words}")  # type: ignore[union-attr]
        assert not isinstance(decide(trees, replace(wish, anyway=True), 1, NOON), Refused)
    assert not isinstance(decide(trees, spawn, 1, NOON), Refused)
    work = Task(1, "x", TaskState.WAITING, NOON, NOON)
    alike = {"t1": replace(work, worktree="main"), "t2": replace(work, number=2)}
    plan = dispatch.plan(replace(trees, tasks=alike), NOON)
    assert plan.start is not None
    assert plan.start.task.id == ("t2" if words else "t1")
    of_profile = replace(work, number=3, profile="trees")
    assert kept_out(replace(trees, tasks={"t3": of_profile})) == ({"trees"} if words else set())


def in_folder(found: FolderCheck, profile: Profile) -> str:
    """What keeps an agent of a profile out of a folder of a host."""
    return unfit_folder(Preflight(NOON, folders={"src": found}), profile, "src")


def test_a_folder_that_is_not_as_its_agents_need_it_is_named() -> None:
    own, plans = Profile("docs", needs_repository=True), Profile("plans", permission_mode="plan")
    assert in_folder(FolderCheck("src"), own) == "", "nothing is known"
    assert in_folder(FolderCheck("src", FolderProblem.ABSENT, False), own) == "folder src is not there"
    assert in_folder(FolderCheck("src", FolderProblem.READ_ONLY, True), own) == "folder src cannot be written in"
    assert in_folder(FolderCheck("src", FolderProblem.READ_ONLY, True), plans) == "", "it changes nothing"
    assert in_folder(FolderCheck("src", repository=False), own).startswith("folder src is in no git repository")
    assert in_folder(FolderCheck("src", repository=False), plans) == ""
    assert in_folder(FolderCheck("src", repository=True, trusted=False), own) == "", "headless, nothing is asked"


def test_what_claude_would_ask_first_keeps_out_what_would_sit_on_a_terminal_that_nobody_looks_at() -> None:
    typed = Profile("typed", AgentKind.INTERACTIVE)
    assert in_folder(FolderCheck("src", trusted=False), typed) == (
        "Claude would ask whether you trust src (run claude there once)"
    )
    assert in_folder(FolderCheck("src", trusted=True), typed) == ""
    assert in_folder(FolderCheck("src", trusted=False), replace(typed, own_login=True)) == "", "its own settings"
    asks = preflight(replace(WELL, onboarded=False), NOON)
    assert unfit_folder(asks, typed, "") == "Claude would ask its first questions (run claude once there)"
    assert unfit_folder(asks, Profile("docs"), "") == ""


def test_a_task_waits_for_a_folder_that_is_being_looked_at_and_goes_where_it_is_there() -> None:
    work = Task(1, "x", TaskState.WAITING, NOON, NOON, cwd="src")
    absent = {"src": FolderCheck("src", FolderProblem.ABSENT)}
    both = fleet(hosts=(host("vm1"), host("vm2")))
    world = replace(both, tasks={"t1": work})
    looking = {"vm1": Preflight(NOON, folders=absent), "vm2": Preflight(NOON, looking=True)}
    waits = dispatch.plan(replace(world, queue=Queue(preflights=looking)), NOON).waits["t1"].hosts
    assert [wait.about for wait in waits] == ["folder src is not there", ""]
    there = looking | {"vm2": Preflight(NOON, folders={"src": FolderCheck("src")})}
    start = dispatch.plan(replace(world, queue=Queue(preflights=there)), NOON).start
    assert start is not None
    assert start.host == "vm2"
