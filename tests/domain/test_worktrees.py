"""Agents in git worktrees: what is ordered of them, who shares a folder, and who cannot be moved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.claims import OrderedRun, joined
from controlroom.domain.decide import Decision, Refused, decide
from controlroom.domain.intents import SpawnOn
from controlroom.domain.model import Agent, Fleet, Profile, State
from controlroom.domain.orders import Work
from controlroom.domain.preconditions import Refusal, unfit_folder
from controlroom.domain.queue import dispatch, drains
from controlroom.domain.queue.edits import check_wish
from controlroom.domain.tasks import Drain, Preflight, Task, TaskWish
from controlroom.domain.worktrees import (
    HEAD,
    DropWorktree,
    DropWorktreeOn,
    KeptWorktree,
    Worktree,
    base_problem,
    is_key,
    lost_with,
)
from controlroom.text.host_sample import FolderCheck
from controlroom.text.states import AgentKind
from tests.domain.worlds import GIB, NOON, agent, fleet, host, task, with_tasks

TREES = Profile("trees", cwd="site", worktree=HEAD)
PLAIN = Profile("plain", cwd="site")
IN_A_TREE = Work(AgentKind.HEADLESS, "trees", cwd="site", worktree=HEAD)


def world(*tasks: Task, rows: tuple[Agent, ...] = ()) -> Fleet:
    made = with_tasks(
        fleet(*rows, hosts=(host("vm1", free=30 * GIB), host("vm2", free=30 * GIB))), *tasks, max_agents=50
    )
    return replace(made, profiles={"trees": TREES, "plain": PLAIN})


def spawned(made: Fleet, intent: intents.Intent) -> SpawnOn:
    decision = decide(made, intent, 7, NOON)
    assert isinstance(decision, Decision), decision
    assert isinstance(decision.effect, SpawnOn)
    return decision.effect


@pytest.mark.parametrize(
    ("profile", "asked", "ordered"),
    [("trees", "", HEAD), ("trees", "main", "main"), ("plain", "main", "main"), ("plain", "", "")],
)
def test_a_worktree_is_ordered_as_the_profile_or_the_person_says(profile: str, asked: str, ordered: str) -> None:
    assert spawned(world(), intents.SpawnAgent("a", "x", "vm1", profile, worktree=asked)).worktree == ordered


def test_what_names_no_branch_is_refused_in_a_sentence() -> None:
    decision = decide(world(), intents.SpawnAgent("a", "x", "vm1", worktree="--force"), 7, NOON)
    assert decision == Refused("no worktree: '--force' cannot name a branch or commit")
    with pytest.raises(Refusal, match="no worktree: "):
        check_wish(world(), TaskWish("x", worktree="a b"))


@pytest.mark.parametrize("base", ["main", HEAD, "feature/x-1", "v1.2.3", "0f3a"])
def test_branches_tags_and_commits_are_bases(base: str) -> None:
    assert base_problem(base) == ""


@pytest.mark.parametrize(
    "base", ["", "-x", "a..b", "a~1", "a b", "a:b", "@{u}", "/a", "a/", "a.lock", "a\n", "x" * 201]
)
def test_what_git_would_read_as_something_else_is_no_base(base: str) -> None:
    assert base_problem(base)


def test_what_goes_on_or_begins_anew_is_ordered_as_its_run_was() -> None:
    ended = agent("a", on="vm1", state=State.DONE, ended=NOON, ordered=replace(IN_A_TREE, worktree="main"), session="s")
    again = spawned(world(rows=(ended,)), intents.ReassignAgent("vm1/a", 1, "more"))
    resumed = spawned(world(rows=(ended,)), intents.ResumeAgent("vm1/a", 1, "go on"))
    assert (again.worktree, resumed.worktree, resumed.resume) == ("main", "main", "s")


def test_tasks_in_worktrees_share_a_folder_and_keep_nobody_out_of_it() -> None:
    waiting = [task(number, profile="trees") for number in (1, 2)]
    at_work = agent("x", on="vm1", profile="trees", ordered=IN_A_TREE)
    on_vm2 = agent("y", on="vm2", profile="trees", ordered=IN_A_TREE)
    assert dispatch.plan(world(*waiting, rows=(at_work, on_vm2)), NOON).start is not None
    assert dispatch.plan(world(task(1, profile="plain"), rows=(at_work, on_vm2)), NOON).start is not None
    one_writer = [
        replace(row, profile="plain", ordered=replace(IN_A_TREE, profile="plain", worktree=""))
        for row in (at_work, on_vm2)
    ]
    held = world(task(1, profile="plain"), rows=tuple(one_writer))
    assert dispatch.plan(held, NOON).start is None
    own = replace(task(1, profile="plain"), worktree="main")
    assert dispatch.plan(world(own, rows=tuple(one_writer)), NOON).start is not None


def test_an_agent_in_a_worktree_leaves_a_drained_host_with_it_or_not_at_all() -> None:
    at_work = agent("x", on="vm1", profile="trees", ordered=IN_A_TREE)
    decision = decide(world(rows=(at_work,)), intents.ReassignAgent("vm1/x", 1, "", host="vm2"), 7, NOON)
    assert isinstance(decision, Refused)
    assert decision.reason.startswith("vm1/x works in a git worktree on vm1, and what it has done would stay")
    for session, leaves in (("s-1", True), ("", False)):
        row = replace(at_work, session=session, ordered=replace(IN_A_TREE, worktree=HEAD))
        made = world(rows=(row,))
        drained = replace(
            made, hosts={**made.hosts, "vm1": replace(made.hosts["vm1"], drain=Drain("me", NOON, move=True))}
        )
        assert (drains.next_leave(drained, NOON, ()).leave is not None) is leaves


def test_a_worktree_is_made_from_a_repository_and_trusted_by_its_main_checkout() -> None:
    found = Preflight(NOON, folders={"site": FolderCheck("site", repository=False)})
    assert unfit_folder(found, TREES, "site") == "folder site is in no git repository (profiles.trees.worktree)"
    assert unfit_folder(found, PLAIN, "site") == ""
    asks = replace(TREES, kind=AgentKind.INTERACTIVE)
    for by_folder, of_worktrees, trees, plain in (
        (True, False, False, True),
        (False, True, True, False),
        (False, None, True, False),
    ):
        seen = Preflight(
            NOON,
            folders={"site": FolderCheck("site", repository=True, trusted=by_folder, worktrees_trusted=of_worktrees)},
        )
        assert (unfit_folder(seen, asks, "site") == "") is trees
        assert (unfit_folder(seen, replace(asks, worktree=""), "site") == "") is plain


def test_that_an_agent_works_elsewhere_than_in_its_folder_is_a_claim_unless_a_worktree_was_ordered() -> None:
    tree = Worktree("/state/worktrees/a.1/site", "controlroom/a", "0" * 40)
    seen = replace(agent("a", on="vm1"), cwd=tree.path, worktree=tree)
    run = OrderedRun("vm1", "a", 1, AgentKind.HEADLESS, "", "", "other", "", "", "", "", 1)
    assert [claim.field for claim in joined(seen, run).claims] == ["cwd"]
    ordered = joined(seen, replace(run, worktree=HEAD))
    assert (ordered.claims, ordered.cwd, ordered.worktree) == ((), tree.path, tree)


def test_a_worktree_is_dropped_by_its_name_and_what_would_be_lost_by_its_agents() -> None:
    def asked(worktree: str, typed: str = "") -> object:
        decision = decide(world(), DropWorktree(worktree, typed), 7, NOON)
        return decision.reason if isinstance(decision, Refused) else decision.effect

    assert asked("vm1/docs-1.2") == DropWorktreeOn("vm1", "docs-1", "docs-1.2")
    assert asked("vm1/docs-1.2-3", "docs-1") == DropWorktreeOn("vm1", "docs-1", "docs-1.2-3", True)
    wrong = "nothing was dropped: 'docs' was typed, and its agent is called docs-1"
    assert asked("vm1/docs-1.2", "docs") == wrong
    assert "is no worktree: controlroom worktree list" in str(asked("vm1/../x"))
    assert "nowhere" in str(asked("nowhere/docs-1.2"))


@pytest.mark.parametrize("key", ["a", "a.x", "../a.1", "a/b.1", "A.1", ".1", "a.1-", "a.1\n", "a.12345678901"])
def test_what_no_worktree_is_called_names_none(key: str) -> None:
    assert not is_key(key)
    assert not is_key("a.1", "b")


def test_what_is_not_known_of_a_worktree_would_be_lost() -> None:
    kept = KeptWorktree("vm1", "a.1", "a", "/x", "b", uncommitted=0, only_here=0)
    assert lost_with(kept) == ""
    assert lost_with(replace(kept, uncommitted=2)) == "2 files that no commit has"
    assert lost_with(replace(kept, uncommitted=1, only_here=1)) == (
        "1 file that no commit has and 1 commit that no other branch has"
    )
    assert lost_with(replace(kept, only_here=None, problem="it is gone")) == "what is not known (it is gone)"


@pytest.mark.parametrize(
    ("said", "differs"),
    [
        ("/home/ann/.local/state/controlroom/worktrees/a1.1/src", False),
        ("/srv/state/worktrees/a1.3/src/docs", False),
        ("/home/ann/src", False),
        ("/", True),
        ("/home/ann", True),
        ("/srv/worktrees/other.1/app", True),
        ("/srv/worktrees/a1.1/../../..", True),
    ],
)
def test_a_worktree_is_the_folder_of_the_agent_that_it_was_made_for_and_no_other(said: str, differs: bool) -> None:
    """Rules go by an agent's folder: what its host says of a worktree must not make all of the disk one."""
    run = OrderedRun("vm1", "a1", 1, AgentKind.HEADLESS, "", "", "~/src", "", "", "", "", 1, worktree="HEAD")
    tree = Worktree(said, "controlroom/a1.1", "0" * 40)
    seen = joined(replace(agent("a1"), cwd=said, worktree=tree), run)
    assert [claim.field for claim in seen.claims] == ["cwd"] * differs
