"""What may be done with what an agent has committed: the intent and the fleet -> what its host is asked.

What stands in the repository, its host looks up itself: whether a branch is there, what conflicts, what would be lost.
"""

from collections.abc import Callable
from typing import Any

from controlroom.domain import branch_intents as branches
from controlroom.domain.model import Agent, Fleet, State
from controlroom.domain.preconditions import Refusal, check_size, current, not_pending, reachable, state_words
from controlroom.domain.queue import attempts
from controlroom.domain.worktrees import DropWorktree, DropWorktreeOn, agent_of, is_key
from controlroom.text.names import branch_name_problem

MAX_TITLE = 250
"""Characters of the title of a pull request."""

_HEX = frozenset("0123456789abcdef")
_AT_WORK = frozenset({State.STARTING, State.WORKING})


def branch_effect(
    fleet: Fleet, intent: branches.BranchIntent | DropWorktree, now: int
) -> branches.BranchEffect | DropWorktreeOn:
    """Return what a host is asked. Raises `Refusal` with a reason that a person can act on."""
    if isinstance(intent, DropWorktree):
        return _drop_worktree(fleet, intent, now)
    agent = current(fleet, intent.agent, intent.epoch, now)
    reachable(fleet, agent.host, now)
    not_pending(agent, now)
    if len(intent.head) not in (0, 40, 64) or not _HEX.issuperset(intent.head):
        raise Refusal(f"{ascii(intent.head)[:80]} cannot be a commit: say its whole name, in hexadecimal")
    return _EFFECTS[type(intent)](fleet, agent, intent, now)


def _drop_worktree(fleet: Fleet, intent: DropWorktree, now: int) -> DropWorktreeOn:
    """Return what a host is asked to do with a worktree, whose agent may be forgotten. Raises `Refusal`."""
    host, _, key = intent.worktree.partition("/")
    reachable(fleet, host, now)
    if not is_key(key):
        raise Refusal(f"{ascii(key)[:60]} is no worktree: controlroom worktree list says how they are called")
    name = agent_of(key)
    if intent.typed and intent.typed != name:
        raise Refusal(f"nothing was dropped: {ascii(intent.typed)[:60]} was typed, and its agent is called {name}")
    return DropWorktreeOn(host, name, key, bool(intent.typed))


def _accept(fleet: Fleet, agent: Agent, intent: branches.Accept, now: int) -> branches.AcceptOn:
    _branch(intent.into)
    _at_rest(fleet, agent, now)
    profile = agent.ordered.profile if agent.ordered else ""
    how = intent.into, intent.rebase, intent.push, intent.head
    return branches.AcceptOn(agent.host, agent.name, agent.epoch, *how, profile, attempts.checks(fleet, agent))


def _push(fleet: Fleet, agent: Agent, intent: branches.PushBranch, now: int) -> branches.PushOn:
    if intent.branch:
        _branch(intent.branch)
    return branches.PushOn(agent.host, agent.name, agent.epoch, intent.branch, intent.head)


def _pull_request(fleet: Fleet, agent: Agent, intent: branches.PullRequest, now: int) -> branches.PullRequestOn:
    if intent.into:
        _branch(intent.into)
    if len(intent.title) > MAX_TITLE or not intent.title.isprintable():
        raise Refusal(f"the title is one line of {MAX_TITLE} characters at most")
    check_size("the text of the pull request", intent.body)
    asked = intent.into, intent.title, intent.body, intent.draft, intent.head
    return branches.PullRequestOn(agent.host, agent.name, agent.epoch, *asked)


def _drop(fleet: Fleet, agent: Agent, intent: branches.DropWork, now: int) -> branches.DropOn:
    if not agent.has_ended:
        raise Refusal(f"{agent.id} has not ended ({state_words(fleet, agent, now)}): kill it first")
    if intent.typed and intent.typed != agent.name:
        raise Refusal(f"nothing was dropped: {ascii(intent.typed)[:60]} was typed, and it is called {agent.name}")
    return branches.DropOn(agent.host, agent.name, agent.epoch, bool(intent.typed), intent.head)


def _branch(name: str) -> None:
    if problem := branch_name_problem(name):
        raise Refusal(problem)


def _at_rest(fleet: Fleet, agent: Agent, now: int) -> None:
    if agent.state in _AT_WORK and not agent.has_ended:
        raise Refusal(f"{agent.id} is at work ({state_words(fleet, agent, now)}): wait until its turn has ended")


_EFFECTS: dict[type, Callable[[Fleet, Agent, Any, int], branches.BranchEffect]] = {
    branches.Accept: _accept,
    branches.PushBranch: _push,
    branches.PullRequest: _pull_request,
    branches.DropWork: _drop,
}
