"""What agents have committed: what may be done with it, and how it is written for people and pull requests."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.audit import verb_of
from controlroom.domain.branch_conflicts import give_back
from controlroom.domain.branch_intents import (
    Accept,
    AcceptOn,
    BranchIntent,
    DropOn,
    DropWork,
    PullRequest,
    PullRequestOn,
    PushBranch,
    PushOn,
)
from controlroom.domain.decide import Decision, Refused, decide
from controlroom.domain.display.collected import HEAD, Collected, last_words, markdown, notes, row
from controlroom.domain.model import Agent, LinkState
from controlroom.domain.orders import OF_BRANCHES, Work
from controlroom.text.branch_work import BranchWork, Commit, FileChange
from controlroom.text.checks import CheckRun, Checks, CheckState
from controlroom.text.names import branch_name_problem
from controlroom.text.states import AgentKind, State
from tests.domain.worlds import MINUTE, NOON, agent, fleet, host

SHA = "0123456789abcdef0123456789abcdef01234567"
ID = "vm1/docs-1"
ALL = (Accept(ID, 1, "next"), PushBranch(ID, 1), PullRequest(ID, 1), DropWork(ID, 1))


def ended(**changes: object) -> Agent:
    times: dict[str, object] = {"ended": NOON - MINUTE, "started": NOON - 13 * MINUTE}
    return agent("docs-1", "vm1", State.DONE, **{**times, **changes})


def decided(intent: BranchIntent, one: Agent | None = None) -> object:
    result = decide(fleet(one or ended()), intent, 7, NOON)
    assert isinstance(result, Decision), result
    assert result.order is not None
    assert result.events == ()
    return result.effect


def refused(intent: BranchIntent, one: Agent | None = None) -> str:
    result = decide(fleet(one or ended()), intent, 7, NOON)
    assert isinstance(result, Refused)
    return result.reason


def test_each_is_asked_of_the_agents_host() -> None:
    work = Work(AgentKind.HEADLESS, "docs")
    assert decided(Accept(ID, 1, "next", True, True, SHA), ended(ordered=work)) == AcceptOn(
        "vm1", "docs-1", 1, "next", True, True, SHA, "docs"
    )
    assert decided(PushBranch(ID, 1, "docs/new", SHA)) == PushOn("vm1", "docs-1", 1, "docs/new", SHA)
    asked = decided(PullRequest(ID, 1, "main", "Title", "*body*", True, SHA))
    assert asked == PullRequestOn("vm1", "docs-1", 1, "main", "Title", "*body*", True, SHA)
    assert decided(DropWork(ID, 1, "docs-1")) == DropOn("vm1", "docs-1", 1, True)
    assert decided(DropWork(ID, 1)) == DropOn("vm1", "docs-1", 1, False)


def test_what_a_host_claims_of_a_profile_says_nothing_of_what_is_checked() -> None:
    effect = decided(Accept(ID, 1, "next"), ended(profile="lax", ordered=None))
    assert isinstance(effect, AcceptOn)
    assert effect.profile == ""


def test_their_orders_are_known_by_their_verbs() -> None:
    assert {verb_of(intent) for intent in ALL} == OF_BRANCHES


@pytest.mark.parametrize("intent", ALL)
def test_nothing_is_asked_of_a_run_that_is_over_or_a_host_that_is_away(intent: BranchIntent) -> None:
    assert "was restarted meanwhile" in refused(replace(intent, epoch=2))
    assert "cannot be a commit" in refused(replace(intent, head="HEAD"))
    away = decide(fleet(ended(), hosts=(host(link=LinkState.LOST),)), intent, 7, NOON)
    assert isinstance(away, Refused)
    assert "cannot be asked" in away.reason


@pytest.mark.parametrize("state", [State.WORKING, State.STARTING])
def test_an_agent_at_work_is_not_merged_but_may_be_pushed(state: State) -> None:
    assert "is at work" in refused(Accept(ID, 1, "next"), agent(state=state))
    assert decided(Accept(ID, 1, "next"), agent(state=State.IDLE))
    assert decided(PushBranch(ID, 1), agent(state=state))


def test_work_is_dropped_of_agents_that_have_ended_alone_and_a_typed_name_is_theirs() -> None:
    assert "kill it first" in refused(DropWork(ID, 1), agent())
    assert "'docs-2' was typed, and it is called docs-1" in refused(DropWork(ID, 1, "docs-2"))


@pytest.mark.parametrize("name", ["-f", "a b", "", "a..b", "refs/heads/x:y"])
def test_what_cannot_name_a_branch_is_refused(name: str) -> None:
    assert "cannot name a branch" in refused(Accept(ID, 1, name))
    if name:
        assert "cannot name a branch" in refused(PushBranch(ID, 1, name))
        assert "cannot name a branch" in refused(PullRequest(ID, 1, name))


def test_the_title_of_a_pull_request_is_one_line() -> None:
    assert "one line" in refused(PullRequest(ID, 1, title="a\nb"))
    assert "one line" in refused(PullRequest(ID, 1, title="a" * 251))


@pytest.mark.parametrize("name", ["main", "docs/update-2.0", "a@b", "feature/#12", "UPPER_case+x=y"])
def test_plain_names_can_name_a_branch(name: str) -> None:
    assert branch_name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        *("-x", "/x", ".x", "x/", "x.", "x..y", "x//y", "x/.y", "x.lock", "x.lock/y", "@{1}", "x@{1}", "HEAD", "x\n"),
        *("ä", "x~1", "x^", "x:y", "x?", "x*", "x[", "x\\y", "a b", "", "x" * 201, None, 7),
    ],
)
def test_what_git_or_a_terminal_would_read_otherwise_cannot_name_a_branch(name: object) -> None:
    problem = branch_name_problem(name)
    assert problem is not None
    assert problem.isprintable()


def test_conflicts_are_given_back_as_a_message_or_in_a_session_that_goes_on() -> None:
    lives, over = agent(state=State.IDLE), ended()
    told = give_back(lives, "next", ("a.txt", "b.txt"))
    assert isinstance(told, intents.SendMessage)
    assert "git merge next" in told.text
    assert "  a.txt\n  b.txt\n" in told.text
    resumed = give_back(over, "next", ("a.txt",), pushed=True)
    assert isinstance(resumed, intents.ResumeAgent)
    assert "git merge origin/next" in resumed.task
    assert len(give_back(lives, "next", [f"{n}.txt" for n in range(90)]).text.split("\n")) < 40  # type: ignore[union-attr]


# --------------------------------------------------------------------------- for people

WORK = BranchWork(
    answer="I wrote it.\nAll of it.",
    clone="/srv/app/.git",
    branch="agents/docs-1",
    head=SHA,
    base=SHA[::-1],
    base_name="main",
    commits=(Commit(SHA, "write the docs", NOON),),
    commit_count=1,
    files=(FileChange("docs/a.md", 12, 3), FileChange("logo.png", None, None)),
    file_count=2,
    added=12,
    removed=3,
)


def test_a_row_says_what_an_agent_has_done() -> None:
    cells = dict(zip(HEAD, row(Collected(ended(spent=420_000), WORK), NOON), strict=True))
    assert cells == {
        "AGENT": ID,
        "STATE": "done",
        "CHECKS": "–",
        "COST": "$0.42",
        "TIME": "12m",
        "BRANCH": "agents/docs-1",
        "COMMITS": "1",
        "FILES": "2",
        "LINES": "+12 -3",
    }
    assert last_words(Collected(ended(), WORK)) == "I wrote it."
    assert len(last_words(Collected(ended(), replace(WORK, answer="x" * 500)))) == 100


def test_what_is_not_known_is_a_dash_and_said() -> None:
    unbased = replace(WORK, base="", commit_count=0)
    assert row(Collected(ended(), unbased), NOON)[2:] == ("–", "–", "–", "–", "–", "12m", "agents/docs-1")
    assert "where its work began is not known" in next(notes(Collected(ended(), unbased)))
    plain = BranchWork(answer="4", reason="/srv is in no git repository")
    assert row(Collected(ended(), plain), NOON)[3:6] == ("–", "–", "–")
    assert row(Collected(ended(), plain), NOON)[-1] == "–"
    assert last_words(Collected(ended(), plain)) == "4"
    assert last_words(Collected(ended(), None, "vm1 cannot be asked now")) == "vm1 cannot be asked now"
    assert list(notes(Collected(ended(), plain))) == [f"{ID}: /srv is in no git repository"]
    assert list(notes(Collected(ended(), None, "vm1 cannot be asked now"))) == [f"{ID}: vm1 cannot be asked now"]
    assert list(notes(Collected(ended(), replace(WORK, uncommitted=2)))) == [
        f"{ID}: 2 files are changed and not committed"
    ]


def test_how_checks_came_out_stands_in_the_row_and_guarded_files_below() -> None:
    checks = Checks(CheckState.PASSED, (CheckRun("make test"),), guarded=("a.lock",), more_guarded=1)
    one = Collected(ended(checks=checks), WORK)
    assert row(one, NOON)[2] == "passed, 2 guarded"
    assert list(notes(one)) == [f"{ID}: changed guarded files: a.lock and 1 more"]
    text = markdown([one], NOON)
    assert "- checked: `make test`\n- `changed guarded files: a.lock and 1 more`" in text
    assert row(Collected(ended(checks=Checks(CheckState.FAILED)), WORK), NOON)[2] == "failed"


def test_checks_of_something_else_than_what_is_shown_are_told_as_that() -> None:
    passed = Checks(CheckState.PASSED, (CheckRun("make test"),))
    other = Collected(ended(checks=passed._replace(clean=True, commit="f" * 40)), WORK)
    assert row(other, NOON)[2] == "passed at ffffffffffff"
    assert "- checked at `ffffffffffff`, which is another commit: `make test`" in markdown([other], NOON)
    same = Collected(ended(checks=passed._replace(clean=True, commit=SHA)), replace(WORK, uncommitted=1))
    assert row(same, NOON)[2] == "passed"
    assert "- checked: `make test`" in markdown([same], NOON)
    more = Collected(ended(checks=passed), replace(WORK, uncommitted=1))
    assert "- checked with 1 file that no commit has: `make test`" in markdown([more], NOON)


def test_nothing_to_merge_is_told_from_what_is_not_known() -> None:
    assert Collected(ended(), WORK).why == ""
    assert Collected(ended(), replace(WORK, commit_count=0)).why == "it has committed nothing"
    assert Collected(ended(), replace(WORK, base="", commit_count=0)).why == ""
    assert Collected(ended(), None, "vm1 cannot be asked now").why == "vm1 cannot be asked now"


HOSTILE = "@everyone closes #1 ![x](http://evil/x.png)\n```\n<img src=x>\n````\n</details>"


def test_in_markdown_the_words_of_agents_stand_in_fences_and_code_spans() -> None:
    commits = (Commit(SHA, "closes #1 `x` @you | y", NOON),)
    files = (FileChange("a`|`b @you.md", 1, 0),)
    hostile = replace(WORK, answer=HOSTILE, branch="", commits=commits, files=files)
    text = markdown([Collected(ended(), hostile), Collected(ended(), hostile)], NOON)
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", outside)
    for word in ("@", "#1", "![", "<img", "evil"):
        assert word not in outside, outside
    assert outside.count("<details>") == outside.count("</details>") == 2


def test_markdown_names_commits_files_and_what_it_cost() -> None:
    text = markdown([Collected(ended(spent=420_000), WORK)], NOON)
    assert "## docs-1\n\n```text\nI wrote it.\nAll of it.\n```" in text
    assert f"- `agents/docs-1` at `{SHA[:12]}`: 1 commit, 2 files, +12 -3 lines" in text
    assert "- `vm1/docs-1`, 12m, $0.42" in text
    assert "- `docs/a.md` +12 -3\n- `logo.png` binary" in text
