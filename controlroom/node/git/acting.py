"""What home wants done with the commits of agents: one reply each, one act at a time on each repository.

It runs in a thread and has a deadline for each step. It takes no turn of the agent: that one can be ended meanwhile.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping

from controlroom.node.agent_folders import Entry, entry_of, epochs, is_live, read_status
from controlroom.node.git.checking import check
from controlroom.node.git.dropping import drop
from controlroom.node.git.merging import MERGES, Conflict, Job, Unsure, accept
from controlroom.node.git.pushing import push, request_pull
from controlroom.node.git.work import git_environ, workplace, worktree_of
from controlroom.node.login_shell import LoginEnvironment
from controlroom.node.owner import Ownership
from controlroom.node.place import Place, Turns
from controlroom.node.spawn import Refusal
from controlroom.runner.git import GitFailed, located
from controlroom.text.names import agent_name_problem
from controlroom.text.states import Outcome
from controlroom.wire.branches import AcceptWork, BranchOrder, DropBranch, PushWork, RequestPull
from controlroom.wire.lines import PeerError
from controlroom.wire.messages import Reply


class BranchActor:
    """Does it, for the room that owns this host."""

    def __init__(
        self,
        place: Place,
        ownership: Ownership,
        agents: Turns,
        login: Callable[[], Awaitable[LoginEnvironment]],
    ) -> None:
        """`agents`: the turns of acts on agents, which what is removed of one must not meet."""
        self._place, self._ownership, self._agents, self._login = place, ownership, agents, login
        self._turns = Turns()

    async def act(self, wanted: BranchOrder) -> Reply:
        """Do it and say what became of it. Never raises but for a mistake of ours."""
        try:
            if reason := agent_name_problem(wanted.name) or self._ownership.refusal():
                raise Refusal(reason)
            job = self._job(wanted, (await self._login()).variables)
            turn = self._agents.of(wanted.name) if isinstance(wanted, DropBranch) else self._turns.of(_repository(job))
            async with turn:
                done = await asyncio.to_thread(self._do, wanted, job)
            return Reply(wanted.id, Outcome.DONE, done)
        except Conflict as conflict:
            return Reply(wanted.id, Outcome.REFUSED, str(conflict), conflict.files)
        except (Refusal, GitFailed) as refusal:
            return Reply(wanted.id, Outcome.REFUSED, str(refusal))
        except (Unsure, OSError, ValueError) as error:
            return Reply(wanted.id, Outcome.UNKNOWN, str(error))

    def _do(self, wanted: BranchOrder, job: Job) -> str:
        match wanted:
            case AcceptWork():
                return accept(job, wanted, lambda ground: check(wanted.spec, job.environ, ground))
            case PushWork():
                return push(job, wanted)
            case RequestPull():
                return request_pull(job, wanted)
            case DropBranch():
                return self._drop(wanted, job)

    def _drop(self, wanted: DropBranch, job: Job) -> str:
        state = self._place.state
        if alive := next((entry for entry in epochs(state, wanted.name) if _lives(entry)), None):
            raise Refusal(f"{wanted.name} is running (run {alive.epoch}): kill it first")
        folder, made = worktree_of(state, Entry(wanted.name, wanted.epoch, ""))
        return drop(job, made, folder, unsaved=wanted.unsaved)

    def _job(self, wanted: BranchOrder, login: Mapping[str, str]) -> Job:
        entry = entry_of(self._place.state, wanted.name, wanted.epoch)
        if entry is None:
            raise Refusal(f"run {wanted.epoch} of {wanted.name} is not on this host")
        environ = git_environ(login)
        at = workplace(self._place.state, entry, environ["HOME"])
        scratch = os.path.join(self._place.state, MERGES, f"{wanted.name}.{wanted.id}.{os.getpid()}")
        return Job(wanted.name, at.folder, scratch, environ, wanted.head, at.began, at.common, at.checkout)


def _lives(entry: Entry) -> bool:
    try:
        return is_live(read_status(entry))
    except PeerError:
        return False


def _repository(job: Job) -> str:
    return located(job.folder).common
