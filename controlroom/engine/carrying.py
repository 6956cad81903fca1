"""Carrying: an agent's Claude session and folder go from one host to another, through home, in bounded pieces.

What is asked of the hosts are steps that may be asked for again: whatever is lost on the way, the transfer goes on
where it ended. Nothing is believed that a host says of what it was sent: the other one has proved it by its hashes.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import NamedTuple, TypeVar

from controlroom.domain.intents import SpawnOn
from controlroom.domain.words import size
from controlroom.engine.hosts.inquiries import Answer, Asked, Inquiries, Unanswered
from controlroom.engine.hosts.translate import short
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import is_session
from controlroom.wire import carrying as wire
from controlroom.wire.carrying import Folder, Manifest, Part, PieceRead, Received, Unpacked
from controlroom.wire.spec import AgentSpec

PATIENCE = 900.0
"""Seconds for a host to pack or unpack a repository."""

AT_ONCE, OF_A_HOST = 24, 10
"""Agents that are carried at once, and of these from one host or to one: a slow host keeps no others waiting."""

_AHEAD = 3
"""Pieces that are read while others are written."""

_REASON = 600
_OBJECT = re.compile("[0-9a-f]{40}([0-9a-f]{24})?")
_DIGEST = re.compile("[0-9a-f]{64}")

A = TypeVar("A", bound=Answer)


class Uncarried(Exception):
    """What is to be carried cannot be, whatever is tried again; the text is a sentence for people."""


class CarryRules(NamedTuple):
    """How agents are carried, as the config says: bytes of one at most, and whether commits may go through origins."""

    most: int
    through_origin: bool


@dataclass(frozen=True)
class Carriage:
    """What is carried in a move, as it was found out before anything was ended; kept with the move."""

    session: str = ""
    folder: bool = False
    most: int = 0
    """Bytes at most."""
    repository: str = ""
    """The checkout on the new host; "": one is made there."""
    have: tuple[str, ...] = ()
    """Commits that the new host has."""
    through_origin: bool = False
    """Commits that it lacks may go through the origin of both, if that can be."""
    note: str = ""
    """What became of that."""


@dataclass(frozen=True)
class Carried:
    """What has arrived."""

    cwd: str
    """Where the agent works now; "": no folder was carried."""
    checkout: str
    words: str
    """What it was, for people and for the audit."""


class Carrier:
    """Carries for one room."""

    def __init__(
        self, inquiries: Inquiries, new_id: Callable[[], int], spec_of: Callable[[SpawnOn], AgentSpec]
    ) -> None:
        """`spec_of`: how a run will be run."""
        self._inquiries, self._new_id, self._spec_of = inquiries, new_id, spec_of
        self._places = asyncio.Semaphore(AT_ONCE)
        self._from: dict[str, asyncio.Semaphore] = {}
        self._to: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def _place(self, source: str, target: str) -> AsyncIterator[None]:
        """Wait for a place. Whoever waits for a later one of the three never holds up who has it."""
        at_source = self._from.setdefault(source, asyncio.Semaphore(OF_A_HOST))
        at_target = self._to.setdefault(target, asyncio.Semaphore(OF_A_HOST))
        async with at_source, at_target, self._places:
            yield

    async def _ask(self, host: str, step: Asked, kind: type[A], patience: float = 60.0) -> A:
        """Have a host take a step. Raises `Unanswered`, and `Uncarried` with what the host has against it."""
        answer = await self._inquiries.ask(host, step, kind, patience)
        if reason := getattr(answer, "reason", ""):
            raise Uncarried(f"{host}: {short(reason, _REASON)}")
        return answer

    async def survey(self, op: int, old: tuple[str, str, int], start: SpawnOn, wanted: Carriage) -> Carriage:
        """Find out, while the agent is at work, whether it can be carried. Raises `Unanswered` and `Uncarried`."""
        async with self._place(old[0], start.host):
            return await self._surveyed(op, old, start, wanted)

    async def _surveyed(self, op: int, old: tuple[str, str, int], start: SpawnOn, wanted: Carriage) -> Carriage:
        host, name, epoch = old
        look = wire.LookAtFolder(self._new_id(), name, epoch, wanted.session, wanted.folder)
        looked = await self._ask(host, look, wire.FolderLooked, PATIENCE)
        total, free = looked.session_bytes, -1
        if wanted.folder and looked.folder is not None:
            places = tuple(dict.fromkeys(path for path in (start.cwd, looked.path) if path))
            find = wire.FindRepository(self._new_id(), looked.folder.origin, places)
            there = await self._ask(start.host, find, wire.RepositoryFound)
            wanted, free = replace(wanted, repository=there.path, have=there.tips[: wire.MOST_TIPS]), there.free
            if wanted.through_origin and there.path and looked.folder.url:
                wanted = await self._lent(op, old, start.host, wanted)
            if wanted.have:
                look = replace(look, id=self._new_id(), have=wanted.have)
                looked = await self._ask(host, look, wire.FolderLooked, PATIENCE)
            total += looked.folder.bytes if looked.folder else 0
        if total > wanted.most:
            raise Uncarried(
                f"{size(total)} would have to be carried, more than {size(wanted.most)} (moves.most_mb): push the "
                "branch and fetch it there first, or raise that"
            )
        if 0 <= free < 2 * total:
            raise Uncarried(f"{start.host} has {size(free)} of disk left, and {size(total)} would have to be carried")
        return wanted

    async def _lent(self, op: int, old: tuple[str, str, int], to: str, wanted: Carriage) -> Carriage:
        """Have the commits fetched there through the origin; where that cannot be, they are sent like the rest."""
        host, name, epoch = old
        try:
            push = wire.PushHead(self._new_id(), name, epoch, op)
            head = (await self._ask(host, push, wire.HeadPushed, PATIENCE)).head
            try:
                fetch = wire.FetchHead(self._new_id(), name, op, wanted.repository, head)
                await self._ask(to, fetch, wire.Stepped, PATIENCE)
            finally:
                await self._ask(host, replace(push, id=self._new_id(), gone=True), wire.HeadPushed, PATIENCE)
        except (Unanswered, Uncarried) as problem:
            return replace(wanted, note=f"not through the origin: {short(str(problem), 200)}")
        have = (head, *wanted.have)[: wire.MOST_TIPS]
        return replace(wanted, have=have, note="its commits went through the origin")

    async def carry(self, op: int, old: tuple[str, str, int], start: SpawnOn, carriage: Carriage) -> Carried:
        """Carry it, from wherever an earlier try ended. Raises `Unanswered` and `Uncarried`."""
        async with self._place(old[0], start.host):
            return await self._carried(op, old, start, carriage)

    async def _carried(self, op: int, old: tuple[str, str, int], start: SpawnOn, carriage: Carriage) -> Carried:
        host, name, epoch = old
        parts = carriage.session, carriage.folder, carriage.have, carriage.most
        packed = await self._ask(host, wire.Pack(self._new_id(), name, epoch, op, *parts), wire.Packed, PATIENCE)
        manifest = packed.manifest
        if manifest is None or not _is_sound(manifest, carriage):
            raise Uncarried(f"{host} says nothing that we understand of what it has packed")
        for part in manifest.parts:
            await self._transfer(op, host, start.host, name, part)
        unpack = wire.Unpack(self._new_id(), name, start.epoch, op, manifest, carriage.repository, self._spec_of(start))
        unpacked = await self._ask(start.host, unpack, Unpacked, PATIENCE)
        where = (unpacked.cwd, unpacked.checkout) if carriage.folder else ("", "")
        words = told(manifest, unpacked)
        return Carried(*where, f"{words}; {carriage.note}" if carriage.note else words)

    async def _transfer(self, op: int, source: str, target: str, name: str, part: Part) -> None:
        """Take one part across: pieces are read some ahead of those that are written."""
        asked = wire.Receive(self._new_id(), name, op, part)
        done = (await self._ask(target, asked, Received)).size
        ahead: list[asyncio.Task[bytes]] = []
        place = done
        try:
            while done < part.size:
                while len(ahead) < _AHEAD and place < part.size:
                    ahead.append(asyncio.ensure_future(self._read(op, source, name, part, place)))
                    place += wire.PIECE
                piece = await ahead.pop(0)
                data = base64.b64encode(piece).decode()
                step = wire.WritePiece(self._new_id(), name, op, part, done, data)
                there = (await self._ask(target, step, Received)).size
                if there != done + len(piece):
                    raise Unanswered(f"{target} has taken another piece of what is carried than it was sent")
                done = there
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def _read(self, op: int, source: str, name: str, part: Part, offset: int) -> bytes:
        step = wire.ReadPiece(self._new_id(), name, op, part.name, offset)
        answer = await self._ask(source, step, PieceRead)
        try:
            piece = base64.b64decode(answer.data, validate=True)
        except (binascii.Error, ValueError):
            piece = b""
        if len(piece) != min(wire.PIECE, part.size - offset):
            raise Uncarried(f"{source} has another piece of what is carried than it said")
        return piece

    async def fence(self, op: int, old: tuple[str, str, int], session: str, to: str) -> None:
        """Let nothing go on in a session on its old host, or ("") again. Raises `Unanswered` and `Uncarried`."""
        host, name, epoch = old
        await self._ask(host, wire.Fence(self._new_id(), name, epoch, op, session, to), wire.Stepped)

    async def discard(self, op: int, host: str, name: str, *, undo: bool = False) -> None:
        """Have a host remove what lies there for a move; what cannot be asked removes it by itself, in time."""
        try:
            await self._ask(host, wire.Discard(self._new_id(), name, op, undo), wire.Stepped)
        except (Unanswered, Uncarried):
            return


def _is_sound(manifest: Manifest, carriage: Carriage) -> bool:
    """Whether what a host says it has packed is what was asked for, and bounded: the other host is told of it."""
    names = [part.name for part in manifest.parts]
    wanted = [*["session"] * bool(carriage.session), *["commits", "work"] * carriage.folder]
    folder = manifest.folder
    return (
        names == wanted
        and manifest.session == carriage.session
        and (not manifest.session or is_session(manifest.session))
        and len(manifest.files) <= wire.MOST_FILES
        and all(0 <= part.size <= carriage.most and _DIGEST.fullmatch(part.sha256) for part in manifest.parts)
        and sum(part.size for part in manifest.parts) <= carriage.most
        and all(file.size >= 0 for file in manifest.files)
        and sum(file.size for file in manifest.files) <= carriage.most
        and (folder is not None) == carriage.folder
        and (folder is None or all(map(_OBJECT.fullmatch, (folder.head, folder.staged, folder.work))))
    )


def told(manifest: Manifest, unpacked: Unpacked) -> str:
    """Say what was left behind, and what was carried: how much, of which commit, and proved by which hash."""
    parts = {part.name: part for part in manifest.parts}
    words = []
    if manifest.session:
        part = parts["session"]
        words.append(f"its session ({size(sum(file.size for file in manifest.files))}, sha256 {part.sha256[:12]})")
    if (folder := manifest.folder) is not None:
        came = size(sum(parts[name].size for name in ("commits", "work")))
        changed = f", {folder.changed} uncommitted" if folder.changed else ""
        branch = short(unpacked.branch, 100)
        words.append(f"its folder ({came}, {branch} at {folder.head[:12]}, files {folder.work[:12]}{changed})")
    text = f"carried {' and '.join(words)}"
    return f"{left_behind(folder)}; {text}" if folder is not None and folder.left else text


def left_behind(folder: Folder) -> str:
    """Name the ignored files that stay where they were."""
    more = f" and {folder.more_left} more" if folder.more_left else ""
    names = ", ".join(short(name, 60) for name in folder.left[: wire.MOST_LEFT])
    return f"left behind, as git ignores it: {names}{more}"
