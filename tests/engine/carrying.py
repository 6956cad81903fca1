"""Hosts on disk that carry: what is packed, has arrived, is unpacked and fenced off outlives the engine."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from controlroom.text.states import Outcome
from controlroom.wire import carrying
from controlroom.wire import messages as wire
from controlroom.wire.carrying import Folder, Manifest, Part, SessionFile
from controlroom.wire.codec import decode, encode
from controlroom.wire.inquiries import ReadSpec, SpecRead
from controlroom.wire.spec import AgentSpec
from tests.engine.crashing import OnDisk
from tests.engine.scripted import ScriptedChannel

SESSION = "11111111-2222-4333-8444-555555555555"
PARTS = {"session": b"what was said " * 10_000, "commits": bytes(range(256)), "work": b"new"}
"""What an agent has; its session is larger than a piece."""

FOLDER = Folder(
    "a" * 40,
    "b" * 40,
    "c" * 40,
    "feature",
    origin="example.org/app",
    url="git@example.org:app",
    bytes=1000,
    left=("node_modules/",),
)
Before = Callable[["CarryingHost", wire.ToNode, bool], None]


class CarryingHost(OnDisk):
    """A host whose agents have a session and a folder."""

    def __init__(self, name: str, folder: Path, step: Before = lambda _host, _message, _after: None) -> None:
        """`step` is told of each order and each step of a move, before it is carried out and after."""
        place = folder / name
        place.mkdir(exist_ok=True)
        super().__init__(place)
        self.name, self.place_, self.step = name, place, step
        self.reasons: dict[type, str] = {}
        """What it has against steps."""
        self.size = 1000
        self.unsure: type | None = None
        """It does not know what came of orders of this kind."""
        self.damaged = False
        """It sends other bytes than it has said."""
        self.silent = False
        """It takes up nothing any more, though its link stands."""

    @property
    def live(self) -> list[str]:
        """Its agents that are at work."""
        return [f"{self.name}/{seen.name}" for seen in self.agents.values() if seen.state == "working"]

    @property
    def unpacked(self) -> list[str]:
        """What was put into its place here."""
        return sorted(path.name for path in self.place_.glob("unpacked.*"))

    @property
    def kept(self) -> list[str]:
        """What lies here of moves."""
        return sorted(path.name for path in self.place_.glob("part.*"))

    @property
    def fenced(self) -> str:
        """The host that the session has moved to."""
        path = self.place_ / "fence"
        return path.read_text() if path.exists() else ""

    def take(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        counts = isinstance(message, carrying.CarryStep | ReadSpec | wire.Spawn | wire.Kill)
        if counts:
            self.step(self, message, False)
        if self.silent and not isinstance(message, wire.Ping):
            return
        if isinstance(message, carrying.CarryStep):
            self.heard.append(message)
            channel.say(self.carry(message))
        elif isinstance(message, wire.Spawn) and self.unsure is wire.Spawn:
            channel.say(wire.Reply(message.id, Outcome.UNKNOWN, "the disk did not answer"))
        elif channel.open:
            super().take(channel, message)
        if counts:
            self.step(self, message, True)

    def act(self, message: wire.ToNode) -> wire.Reply:
        if isinstance(message, wire.Spawn):
            if message.spec.resume and self.fenced:
                return wire.Reply(message.id, Outcome.REFUSED, f"its session has moved to {self.fenced}")
            told = {"spec": encode(message.spec), "task": message.task}
            (self.place_ / f"{message.name}.{message.epoch}").write_text(json.dumps(told))
        reply = super().act(message)
        if isinstance(message, wire.Spawn):
            known = self.agents[message.name]
            self.agents[message.name] = replace(known, session=SESSION, cwd=message.spec.cwd)
        return reply

    def read_spec(self, asked: ReadSpec) -> SpecRead:
        told = json.loads((self.place_ / f"{asked.name}.{asked.epoch}").read_text())
        return SpecRead(asked.id, decode(AgentSpec, told["spec"]), told["task"])

    def carry(self, asked: carrying.CarryStep) -> wire.FromNode:
        reason = self.reasons.get(type(asked), "")
        match asked:
            case carrying.LookAtFolder():
                looked = FOLDER._replace(bytes=self.size)
                return carrying.FolderLooked(asked.id, looked, "/home/ann/app", 1000, reason)
            case carrying.FindRepository():
                return carrying.RepositoryFound(asked.id, "/home/ann/app", ("d" * 40,), 10**12, reason)
            case carrying.PushHead():
                return carrying.HeadPushed(asked.id, "a" * 40, reason)
            case carrying.FetchHead():
                return carrying.Stepped(asked.id, reason)
            case carrying.Pack():
                still = f"{asked.name} is still at work" if self.live else ""
                return carrying.Packed(asked.id, manifest(asked), reason or still)
            case carrying.ReadPiece():
                data = PARTS[asked.part][asked.offset : asked.offset + carrying.PIECE]
                data = data[:-1] + b"?" if self.damaged else data
                return carrying.PieceRead(asked.id, base64.b64encode(data).decode(), reason)
            case carrying.Receive() | carrying.WritePiece():
                return carrying.Received(asked.id, self._receive(asked), reason)
            case carrying.Unpack():
                return self._unpack(asked, reason)
            case _:
                return self._tidy(asked, reason)

    def _tidy(self, asked: carrying.Fence | carrying.Discard, reason: str) -> carrying.Stepped:
        if isinstance(asked, carrying.Discard):
            for path in (*self.place_.glob("part.*"), *(self.place_.glob("unpacked.*") if asked.undo else ())):
                path.unlink()
        elif not reason:
            (self.place_ / "fence").write_text(asked.to)
        return carrying.Stepped(asked.id, reason)

    def _receive(self, asked: carrying.Receive | carrying.WritePiece) -> int:
        path = self.place_ / f"part.{asked.part.name}"
        data = path.read_bytes() if path.exists() else b""
        if isinstance(asked, carrying.WritePiece) and asked.offset == len(data):
            data += base64.b64decode(asked.data)
            path.write_bytes(data)
        return len(data)

    def _unpack(self, asked: carrying.Unpack, reason: str) -> carrying.Unpacked:
        for part in asked.manifest.parts:
            data = (self.place_ / f"part.{part.name}").read_bytes()
            if hashlib.sha256(data).hexdigest() != part.sha256:
                return carrying.Unpacked(asked.id, reason=f"the part {part.name} did not arrive as it was sent")
        if reason:
            return carrying.Unpacked(asked.id, reason=reason)
        (self.place_ / f"unpacked.{asked.name}.{asked.op}").touch()
        return carrying.Unpacked(asked.id, "/state/worktrees/a1.1/app", "/home/ann/app", "feature")


def manifest(asked: carrying.Pack) -> Manifest:
    """Say what is packed of an agent."""
    names = [*["session"] * bool(asked.session), *["commits", "work"] * asked.folder]
    parts = tuple(Part(name, len(PARTS[name]), hashlib.sha256(PARTS[name]).hexdigest()) for name in names)
    files = (SessionFile(f"{SESSION}.jsonl", 5, "0" * 64),) if asked.session else ()
    return Manifest(parts, asked.session, files, FOLDER if asked.folder else None)
