"""Pushes the branch of an agent to the origin, and asks there for its merge (`forge`): one pull request, never two."""

import shlex

from controlroom.node.git.branches import branch_of, commits, default_branch
from controlroom.node.git.forge import UNPROCESSABLE, Forge, PullRequest
from controlroom.node.git.merging import Job, Unsure, known_origin, pushed, shown_head
from controlroom.node.spawn import Refusal
from controlroom.runner.agent_process import find_program
from controlroom.runner.git import Repository, opened, origin
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern
from controlroom.text.names import branch_name_problem
from controlroom.wire.branches import PushWork, RequestPull

SECONDS = 60.0
"""Seconds that a forge may take for one request."""

_REPOSITORY = pattern(r"[a-z0-9.-]+(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+){2}")


class _Pushed(NamedTuple):
    """What was pushed, and where it is to go."""

    branch: str
    repository: str
    """`example.org/team/docs`."""
    into: str
    title: str


def push(job: Job, wanted: PushWork) -> str:
    """Push an agent's branch; return what was done. Raises `Refusal`, `GitFailed` and `Unsure`."""
    with opened(job.folder, job.environ, job.common) as source:
        branch = _push(source, job, wanted.branch)
        return f"{branch} is at {origin(known_origin(source))}"


def _push(source: Repository, job: Job, name: str) -> str:
    """Push what was shown under a name, or the branch's own; return it."""
    head = shown_head(source, job.head, job.agent)
    branch = name or branch_of(source)
    if not branch:
        raise Refusal(f"{job.agent} works on no branch: say under which name it is to be pushed")
    if problem := branch_name_problem(branch):
        raise Refusal(problem)
    if not name and branch == default_branch(source):
        raise Refusal(f"{job.agent} works on {branch}, the origin's default branch: say under which name to push that")
    pushed(source, head, branch)
    return branch


def request_pull(job: Job, wanted: RequestPull, seconds: float = SECONDS) -> str:
    """Push an agent's branch, and have a pull request of it; return its address. Raises as `push` does.

    One that is open already stays as it is. Where the forge cannot be asked nothing is pushed, and the refusal says
    what to run. `seconds`: for one request.
    """
    with opened(job.folder, job.environ, job.common) as source:
        ready = _prepared(source, job, wanted)
        forge = _reached(job, ready, wanted, seconds)
        number, answer = forge.existing(ready.branch, ready.into)
        if not number and not answer.is_good:
            raise Refusal(f"nothing was pushed: {forge.host} does not tell its pull requests: {answer.words}")
        _push(source, job, "")
    if number:
        return f"{forge.address(number)} was there already, and {ready.branch} is pushed to it"
    return _created(forge, PullRequest(ready.branch, ready.into, ready.title, wanted.body, wanted.draft))


def _created(forge: Forge, wanted: PullRequest) -> str:
    """Ask for a pull request, and look again where the answer leaves open whether there is one."""
    number, answer = forge.create(wanted)
    if not number and (answer.is_good or answer.is_open or answer.status == UNPROCESSABLE):
        number, again = forge.existing(wanted.branch, wanted.into)
        if not number and not (again.is_good and answer.status == UNPROCESSABLE):
            seen = "shows none yet" if again.is_good else f"cannot be looked at ({again.words})"
            raise Unsure(
                f"{wanted.branch} is pushed; whether {forge.host} makes a pull request of it is not known "
                f"({answer.words}), and it {seen}: ask again in a while, what is there by then is not made twice"
            )
    if number:
        return forge.address(number)
    raise Refusal(f"{wanted.branch} is pushed, and {forge.host} made no pull request of it: {answer.words}")


def _reached(job: Job, ready: _Pushed, wanted: RequestPull, seconds: float) -> Forge:
    """Return the forge, which `gh` is logged in to. Raises `Refusal` where it cannot be asked."""
    draft = ["--draft"] * wanted.draft
    where = ["--repo", ready.repository, "--head", ready.branch, "--base", ready.into]
    command = shlex.join(["gh", "pr", "create", *where, *draft, "--title", ready.title, "--body-file", "-"])
    by_hand = (
        f"controlroom push {job.agent}, and where you are logged in: "
        f"controlroom collect {job.agent} --markdown | {command}"
    )
    host, _, name = ready.repository.partition("/")
    program = find_program("gh", job.environ["PATH"], job.environ["HOME"], "/")
    if program is None:
        raise Refusal(f"gh is not there on this host: {by_hand}")
    forge = Forge(program, host, name, job.environ, seconds)
    answer = forge.look()
    if answer.no_login:
        raise Refusal(f"gh is not logged in at {host} on this host: {by_hand}")
    if not answer.is_good:
        raise Refusal(f"nothing was pushed: {host} does not show {name} to the login of gh: {answer.words}. {by_hand}")
    return forge


def _prepared(source: Repository, job: Job, wanted: RequestPull) -> _Pushed:
    """Find out all that is needed, before anything is pushed."""
    head, own = shown_head(source, job.head, job.agent), default_branch(source)
    branch, into = branch_of(source), wanted.into or own
    if not into:
        raise Refusal("which is the default branch of the origin is not known here: say into which branch")
    if branch in ("", into, own):
        raise Refusal(f"{job.agent} works on {branch or 'no branch'}: push that under a name of its own first")
    repository = origin(known_origin(source))
    if not _REPOSITORY.fullmatch(repository):
        raise Refusal(f"the origin {repository} is no HOST/OWNER/NAME, which pull requests need: push the branch alone")
    return _Pushed(branch, repository, into, wanted.title or next(iter(commits(source, head, 1))).subject)
