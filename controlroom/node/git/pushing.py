"""Pushes the branch of an agent to the origin, and asks there for its merge with GitHub's own program `gh`.

`gh` is run far from the repository, whose config would be git's to it; it is told which one by the origin's address.
The login is the person's own on this host. Observed with gh 2.x: `--repo` with `--head` needs no repository around it.
"""

import re
import shlex
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from controlroom.node.git.branches import branch_of, commits, default_branch
from controlroom.node.git.merging import Job, Unsure, known_origin, pushed, shown_head
from controlroom.node.spawn import Refusal
from controlroom.runner.agent_process import find_program
from controlroom.runner.git import Repository, displayable, opened, origin
from controlroom.text.names import branch_name_problem
from controlroom.wire.branches import PushWork, RequestPull

_SECONDS = 60.0
_REPOSITORY = re.compile(r"[a-z0-9.-]+/[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
_ADDRESS = re.compile(r"https://[!-~]{1,300}")


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


def request_pull(job: Job, wanted: RequestPull) -> str:
    """Push an agent's branch, and ask for its merge; return its address. Raises as `push` does.

    Where nobody can be asked nothing is pushed, and the refusal says what to run.
    """
    with opened(job.folder, job.environ, job.common) as source:
        ready = _prepared(source, job, wanted)
        program = _logged_in(job, ready, wanted)
        _push(source, job, "")
    said = _gh([program, *_create(ready, wanted)], job, wanted.body)
    if said.returncode:
        raise Unsure(f"{ready.branch} is pushed; gh says: {displayable(said.stderr.decode('utf-8', 'replace'))}")
    address = _ADDRESS.search(said.stdout.decode("utf-8", "replace"))
    return address[0] if address else f"gh has asked for the merge of {ready.branch}, and gave no address"


def _logged_in(job: Job, ready: _Pushed, wanted: RequestPull) -> str:
    """Return the path of `gh`. Raises `Refusal` where it is not there, or nobody is logged in with it."""
    command = shlex.join(["gh", *_create(ready, wanted)])
    by_hand = (
        f"controlroom push {job.agent}, and where you are logged in: "
        f"controlroom collect {job.agent} --markdown | {command}"
    )
    host = ready.repository.partition("/")[0]
    program = find_program("gh", job.environ["PATH"], job.environ["HOME"], "/")
    if program is None:
        raise Refusal(f"gh is not there on this host: {by_hand}")
    if _gh([program, "auth", "status", "--hostname", host], job).returncode:
        raise Refusal(f"gh is not logged in at {host} on this host: {by_hand}")
    return program


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


def _create(ready: _Pushed, wanted: RequestPull) -> list[str]:
    where = ["--repo", ready.repository, "--head", ready.branch, "--base", ready.into]
    return ["pr", "create", *where, *["--draft"] * wanted.draft, "--title", ready.title, "--body-file", "-"]


def _gh(argv: Sequence[str], job: Job, body: str = "") -> "subprocess.CompletedProcess[bytes]":
    quiet = {**job.environ, "GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1"}
    text = body.encode("utf-8", "replace")
    try:
        return subprocess.run(argv, env=quiet, cwd="/", input=text, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Unsure(f"gh did not answer within {_SECONDS:g} s: look whether the pull request is there") from None
    except OSError as error:
        raise Refusal(f"gh cannot be run on this host: {error.strerror}") from None
