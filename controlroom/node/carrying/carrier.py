"""The steps of a move that a node takes, for the room that owns its host: each may be asked for again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from controlroom.node.agent_folders import Entry, entry_of, epochs, is_live, read_order, read_status
from controlroom.node.carrying import fences, packing, remotes, staging, unpacking
from controlroom.node.git.merging import Unsure
from controlroom.node.git.work import git_environ
from controlroom.node.owner import Ownership
from controlroom.node.place import Place, Turns
from controlroom.node.spawn import Refusal
from controlroom.runner.files import why
from controlroom.runner.git import GitFailed, opened
from controlroom.runner.outcome import Unfit
from controlroom.text.json_fields import table
from controlroom.wire.carrying import (
    CarryAnswer,
    CarryStep,
    Discard,
    Fence,
    FetchHead,
    FindRepository,
    FolderLooked,
    HeadPushed,
    LookAtFolder,
    Manifest,
    Pack,
    Packed,
    PieceRead,
    PushHead,
    ReadPiece,
    Receive,
    Received,
    RepositoryFound,
    Stepped,
    Unpack,
    Unpacked,
    WritePiece,
)
from controlroom.wire.codec import decode, encode
from controlroom.wire.lines import PeerError

_AT_ONCE = 4
"""Moves of which a repository is packed or unpacked at once: others of this host's threads stay free."""

_ANSWERS: dict[type, type[Any]] = {
    LookAtFolder: FolderLooked,
    FindRepository: RepositoryFound,
    PushHead: HeadPushed,
    FetchHead: Stepped,
    Pack: Packed,
    ReadPiece: PieceRead,
    Receive: Received,
    WritePiece: Received,
    Unpack: Unpacked,
    Fence: Stepped,
    Discard: Stepped,
}
_Slow = LookAtFolder | PushHead | FetchHead | Pack | Unpack | Discard
_QUICK = (ReadPiece, Receive, WritePiece, Fence)


class Carrier:
    """Takes them."""

    def __init__(self, place: Place, ownership: Ownership, login: Callable[[], Awaitable[Mapping[str, str]]]) -> None:
        self._place, self._ownership, self._login = place, ownership, login
        self._turns, self._heavy = Turns(), asyncio.Semaphore(_AT_ONCE)

    async def step(self, asked: CarryStep) -> CarryAnswer:
        """Take one step. Never raises but for a mistake of ours."""
        try:
            if reason := self._ownership.refusal():
                raise Refusal(reason)
            if isinstance(asked, _QUICK):
                return await asyncio.to_thread(self._quick, asked)
            environ = git_environ(await self._login())
            if isinstance(asked, FindRepository):
                return await asyncio.to_thread(unpacking.find, asked, self._place.state, environ)
            async with self._turns.of(asked.name), self._heavy:
                return await asyncio.to_thread(self._do, asked, environ)
        except (Refusal, GitFailed, Unfit) as refusal:
            reason = str(refusal)
        except (Unsure, OSError, ValueError) as error:
            reason = why(error)
        answer: CarryAnswer = _ANSWERS[type(asked)](asked.id, reason=reason[:1000])
        return answer

    def _quick(self, asked: ReadPiece | Receive | WritePiece | Fence) -> CarryAnswer:
        state = self._place.state
        match asked:
            case ReadPiece():
                folder = staging.folder_of(state, asked.name, asked.op)
                return PieceRead(asked.id, staging.read_piece(folder, asked.part, asked.offset))
            case Receive():
                return Received(asked.id, staging.arrived(staging.made(state, asked.name, asked.op), asked.part))
            case WritePiece():
                folder = staging.made(state, asked.name, asked.op)
                return Received(asked.id, staging.write_piece(folder, asked.part, asked.offset, asked.data))
            case Fence():
                return self._fence(asked)

    def _do(self, asked: _Slow, environ: Mapping[str, str]) -> CarryAnswer:
        state = self._place.state
        match asked:
            case LookAtFolder():
                return packing.look(asked, self._leaving(asked.name, asked.epoch, environ), environ)
            case PushHead():
                return self._push(asked, environ)
            case FetchHead():
                with opened(asked.repository, environ) as repository:
                    remotes.take(repository, remotes.branch_of_move(asked.name, asked.op), asked.head)
                return Stepped(asked.id)
            case Pack():
                return Packed(asked.id, self._packed(asked, environ))
            case Unpack():
                folder = staging.made(state, asked.name, asked.op)
                return unpacking.unpack(unpacking.Arrival(asked, state, folder, environ))
            case Discard():
                if asked.undo:
                    unpacking.undo(state, asked.op, environ)
                staging.remove(staging.folder_of(state, asked.name, asked.op))
                return Stepped(asked.id)

    def _push(self, asked: PushHead, environ: Mapping[str, str]) -> HeadPushed:
        agent, branch = self._leaving(asked.name, asked.epoch, environ), remotes.branch_of_move(asked.name, asked.op)
        with opened(agent.folder, environ, agent.common) as tree:
            if asked.gone:
                remotes.take_back(tree, branch)
                return HeadPushed(asked.id)
            return HeadPushed(asked.id, remotes.lend(tree, branch))

    def _packed(self, asked: Pack, environ: Mapping[str, str]) -> Manifest:
        """Pack, unless that was done: then say what it was."""
        folder = staging.made(self._place.state, asked.name, asked.op)
        if (before := staging.noted(folder, staging.MANIFEST)) is not None:
            return decode(Manifest, before)
        agent = self._leaving(asked.name, asked.epoch, environ)
        if is_live(_status(agent.entry)):
            raise Refusal(f"run {asked.epoch} of {asked.name} is still at work")
        manifest = packing.pack(asked, agent, folder, environ)
        staging.note(folder, staging.MANIFEST, encode(manifest))
        return manifest

    def _leaving(self, name: str, epoch: int, environ: Mapping[str, str]) -> packing.Leaving:
        entry = entry_of(self._place.state, name, epoch)
        if entry is None:
            raise Refusal(f"run {epoch} of {ascii(name)[:60]} is not on this host")
        setup = table(read_order(entry).get("spec")).get("worktree_setup")
        return packing.leaving(self._place.state, entry, environ, has_setup=bool(setup))

    def _fence(self, asked: Fence) -> Stepped:
        state = self._place.state
        if not asked.to:
            fences.take_down(epochs(state, asked.name), asked.session)
            return Stepped(asked.id)
        entry = entry_of(state, asked.name, asked.epoch)
        if entry is not None:  # where its folder was removed, there is nothing to go on from either
            packed = staging.noted(staging.folder_of(state, asked.name, asked.op), staging.MANIFEST)
            files = decode(Manifest, packed).files if packed is not None else ()
            digests = {file.path: file.sha256 for file in files}
            fences.put(entry, asked.op, asked.session, asked.to, digests)
        return Stepped(asked.id)


def session_is_elsewhere(state: str, name: str, session: str) -> None:
    """See that a session has not moved to another host. Raises `Refusal`."""
    if to := fences.moved_to(epochs(state, name), session):
        raise Refusal(f"the session of {name} has moved to {to}, and goes on there: controlroom resume {to}/{name}")


def _status(entry: Entry) -> Any:
    try:
        return read_status(entry)
    except PeerError:
        return None
