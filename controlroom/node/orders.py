"""What home wants done to agents here: one reply each, one act at a time on each agent, none that waits for ever."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Awaitable, Callable
from typing import Any

from controlroom.node.agent_folders import Entry, entry_of, epochs, is_live, read_status
from controlroom.node.carrying.carrier import session_is_elsewhere
from controlroom.node.ending import (
    end_by_force,
    find_runner,
    living_runner,
    record_death,
    record_killed,
    what_is_left,
)
from controlroom.node.git.work import git_environ
from controlroom.node.git.worktrees import drop_worktree
from controlroom.node.grants import PriceSheets, write_grant
from controlroom.node.host import now
from controlroom.node.owner import Ownership
from controlroom.node.place import Place, Turns
from controlroom.node.runner_client import NoAnswer, NoRunner, ask, runner_lives
from controlroom.node.spawn import Refusal, Spawner, inherited
from controlroom.runner.files import why
from controlroom.runner.folder import GRANT, agent_folder
from controlroom.runner.git import GitFailed
from controlroom.runner.outcome import Refused
from controlroom.text.names import agent_name_problem
from controlroom.text.states import Cause, Outcome, State
from controlroom.wire.grants import Grant, Prices
from controlroom.wire.lines import MAX_TASK, PeerError
from controlroom.wire.messages import AgentSeen, Forget, Kill, Reply, Spawn, Take, Tell
from controlroom.wire.runner import UNSEALED, Answer, End, Request, Seal, TakeGrant
from controlroom.wire.worktrees import DropWorktree

Act = Spawn | Kill | Tell | Forget | Take | Grant | DropWorktree

END_DEADLINE = 12.0
"""Seconds that a runner may take to end its tree."""

_WHY = 100
"""Characters of a reason at most."""

PARTING = 2.0
"""Seconds that a runner may take to end when its agent has."""

TELL_DEADLINE = 10.0
"""Seconds that a runner may take to answer anything else."""

ANSWER_DEADLINE = 30.0
"""Seconds that a runner may take to give an answer: on a terminal that takes a key, and a look, for each choice."""


class HalfDone(Exception):
    """Why a new run does not begin, though the one before it has been ended for it."""


class OlderRunner(Refusal):
    """Why something is not done: the agent's runner is of a version that knows no such request."""


class Actor:
    """Does what home asks, for the room that owns this host."""

    def __init__(self, place: Place, ownership: Ownership, spawner: Spawner, turns: Turns) -> None:
        self._place, self._ownership, self._spawner, self._turns = place, ownership, spawner, turns
        self._sheets = PriceSheets(place.state)
        self._does: dict[type[Act], Callable[[Any], Awaitable[None]]] = {
            Spawn: self._spawn,
            Kill: self._kill,
            Tell: self._tell,
            Grant: self._grant,
            Forget: self._forget,
            DropWorktree: self._drop_worktree,
        }

    async def act(self, wanted: Act) -> Reply:
        """Do it and say what became of it. Never raises."""
        try:
            if isinstance(wanted, Take):
                reason = self._ownership.take()
            elif reason := agent_name_problem(wanted.name) or "":
                pass
            else:
                async with self._turns.of(wanted.name):
                    reason = self._ownership.refusal()
                    if not reason:
                        await self._does[type(wanted)](wanted)
            return Reply(wanted.id, Outcome.REFUSED if reason else Outcome.DONE, reason)
        except (Refusal, Refused, GitFailed) as refusal:
            return Reply(wanted.id, Outcome.REFUSED, str(refusal))
        except HalfDone as half:
            return Reply(wanted.id, Outcome.HALF, str(half))
        except (NoAnswer, OSError, RuntimeError, ValueError) as error:
            return Reply(wanted.id, Outcome.UNKNOWN, why(error))

    async def keep(self, prices: Prices) -> str:
        """Keep a price sheet for the grants that follow. Return why it could not be kept, "" when it has been."""
        return self._ownership.refusal() or await self._sheets.keep(prices)

    async def _spawn(self, wanted: Spawn) -> None:
        entries = epochs(self._place.state, wanted.name)
        wanted = inherited(wanted, entries)
        self._spawner.check(wanted)
        if wanted.spec.resume:
            session_is_elsewhere(self._place.state, wanted.name, wanted.spec.resume)
        if wanted.grant:
            await self._sheets.check(wanted.grant, now())
        if any(entry.epoch == wanted.epoch for entry in entries):
            await self._spawner.check_same(self._entry(wanted.name, wanted.epoch))
            return
        if entries and entries[0].epoch > wanted.epoch:
            raise Refusal(f"{wanted.name} is already in run {entries[0].epoch}; run {wanted.epoch} is over")
        ended = 0
        for entry in entries:
            if is_live(_status(entry)):
                if entry.epoch != wanted.replaces:
                    raise Refusal(f"{wanted.name} is running here (run {entry.epoch}): kill or reassign it")
                await self._end(entry, "reassigned")
                ended = entry.epoch
            elif left := await self._left_of(entry):
                await self._swept(entry, f"killed: {left} had been left behind")
        try:
            await self._spawner.start(wanted)
        except Refusal as refusal:
            raise HalfDone(str(refusal)) if ended else refusal from None

    async def _kill(self, wanted: Kill) -> None:
        entry = await self._without_folder(wanted.name, wanted.epoch) or self._entry(wanted.name, wanted.epoch)
        await self._end(entry, wanted.why[:_WHY])

    async def _drop_worktree(self, wanted: DropWorktree) -> None:
        environ = git_environ(await self._spawner.environment())
        await asyncio.to_thread(drop_worktree, wanted, self._place.state, environ)

    async def _without_folder(self, name: str, epoch: int) -> Entry | None:
        """Return an agent that lives though its folder is gone; None for any other."""
        if entry_of(self._place.state, name, epoch):
            return None
        entry = Entry(name, epoch, agent_folder(self._place.state, name, epoch))
        return entry if await living_runner(entry, self._place.tmux) else None

    async def _tell(self, wanted: Tell) -> None:
        entry = self._entry(wanted.name, wanted.epoch)
        if len(wanted.text.encode("utf-8", "replace")) > MAX_TASK:
            raise Refusal(f"the text is longer than {MAX_TASK} bytes")
        request = wanted.request
        if request is None:
            raise Refusal("an agent can be sent a message, an answer, an interrupt or a model, and nothing else")
        try:
            await self._ask(entry, request, wanted.seal)
        except OlderRunner:
            raise Refusal(f"the runner of {wanted.name} is an older one that cannot do this: reassign it") from None

    async def _grant(self, wanted: Grant) -> None:
        """Done only when the runner goes by it: what stands in its folder alone binds nobody."""
        entry = self._entry(wanted.name, wanted.epoch)
        if not is_live(_status(entry)):
            raise Refusal(f"run {wanted.epoch} of {wanted.name} has ended")
        await self._sheets.check(wanted, now())
        try:
            await asyncio.to_thread(write_grant, entry.folder, wanted, now())
        except OSError as error:
            raise Refusal(f"{GRANT} of {wanted.name} cannot be written: {error.strerror}") from None
        try:
            await self._ask(entry, TakeGrant(wanted.number))
        except OlderRunner:
            raise Refusal(f"the runner of {wanted.name} is an older one that keeps to no budget: reassign it") from None

    async def _ask(self, entry: Entry, request: Request, seal: Seal = UNSEALED) -> None:
        """Put a request to an agent's runner. Raises `Refusal` (`OlderRunner`) and `NoAnswer`."""
        try:
            deadline = ANSWER_DEADLINE if isinstance(request, Answer) else TELL_DEADLINE
            reply = await ask(entry.folder, request, deadline, seal)
        except NoRunner:
            raise Refusal(f"{entry.name} is not running") from None
        if reply.unknown:
            raise OlderRunner(reply.reason)
        if not reply.done:
            raise Refusal(reply.reason)

    async def _forget(self, wanted: Forget) -> None:
        doomed = [entry for entry in epochs(self._place.state, wanted.name) if entry.epoch <= wanted.epoch]
        if not doomed and epochs(self._place.state, wanted.name):
            raise Refusal(f"run {wanted.epoch} of {wanted.name} is not on this host")
        for entry in doomed:
            if is_live(_status(entry)):
                raise Refusal(f"{wanted.name} is running (run {entry.epoch}): kill it first")
            if left := await what_is_left(entry, self._place.namespace):
                raise Refusal(f"processes of {wanted.name} are still there: {left}; kill it first")
            if not await runner_is_gone(entry, PARTING):
                raise Refusal(f"the runner of {wanted.name} (run {entry.epoch}) is still there: kill it first")
        for entry in doomed:
            await asyncio.to_thread(remove_folder, entry.folder)

    async def _end(self, entry: Entry, why: str = "") -> None:
        """End an agent; come back only when nothing of it is left. Raises `OSError` naming what is."""
        words, since = why or "killed", now()
        before = _status(entry)
        if before is None or is_live(before):
            try:
                await ask(entry.folder, End(why), END_DEADLINE)
            except NoRunner:
                words += "; its runner had gone before" if before else ""
            except NoAnswer:
                words += "; its runner did not answer"
        if await self._left_of(entry):
            await self._swept(entry, words)
        elif (status := _status(entry)) is None or is_live(status):
            await record_death(entry, State.DONE, words, now(), Cause.KILLED)
        record_killed(entry, words, since)

    async def _left_of(self, entry: Entry) -> str:
        """Name what is left of an agent that should have ended, "" when nothing is.

        One without a status may have been begun by a node that was killed: its runner may just be coming up.
        """
        if _status(entry) is None and await find_runner(entry, self._place.tmux):
            return "its runner"
        if _status(entry) is not None and not await runner_is_gone(entry, PARTING):
            return "its runner"
        runner = await living_runner(entry, self._place.tmux)
        return "its runner" if runner else await what_is_left(entry, self._place.namespace)

    async def _swept(self, entry: Entry, words: str) -> None:
        if left := await end_by_force(entry, self._place.namespace, self._place.tmux):
            raise OSError(f"{entry.name} could not be ended: {left} still there")
        if entry_of(self._place.state, entry.name, entry.epoch):
            await record_death(entry, State.DONE, words, now(), Cause.KILLED)

    def _entry(self, name: str, epoch: int) -> Entry:
        entry = entry_of(self._place.state, name, epoch)
        if entry is None:
            entries = epochs(self._place.state, name)
            there = f"; there is run {entries[0].epoch}" if entries else ""
            raise Refusal(f"run {epoch} of {name} is not on this host{there}")
        return entry


def remove_folder(folder: str) -> None:
    """Remove an agent's folder: out of sight in one step, then file by file. Raises `OSError`."""
    parent, name = os.path.split(folder)
    aside = os.path.join(parent, f".{name}.{os.getpid()}")
    os.rename(folder, aside)
    shutil.rmtree(aside)


def sweep_aside(state: str) -> None:
    """Remove what nodes that were killed had set aside to be removed: `.NAME.EPOCH.PID` of a pid that is gone."""
    with contextlib.suppress(OSError):
        for item in list(os.scandir(os.path.join(state, "agents"))):
            pid = item.name.rpartition(".")[2]
            if item.name.startswith(".") and pid.isdecimal() and not os.path.exists(f"/proc/{pid}"):
                shutil.rmtree(item.path, ignore_errors=True)


async def runner_is_gone(entry: Entry, seconds: float) -> bool:
    """Wait until an agent's runner, which has said its last word, has ended; False when it does not."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while runner_lives(entry.folder):
        if loop.time() > until:
            return False
        await asyncio.sleep(0.01)
    return True


def _status(entry: Entry) -> AgentSeen | None:
    try:
        return read_status(entry)
    except PeerError:
        return None
