"""A host with transcripts from before Control Room, and having them imported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from controlroom.domain.imports import ImportState, ImportUsage, UsageImport
from controlroom.node.imports.found import transcripts
from controlroom.node.imports.reader import read
from controlroom.wire import messages as wire
from controlroom.wire.imports import (
    ListTranscripts,
    ReadTranscripts,
    TranscriptFound,
    TranscriptPart,
    TranscriptsListed,
    TranscriptsRead,
)
from tests.engine.rooms import Room
from tests.engine.scripted import ScriptedChannel, ScriptedHost
from tests.lab.waiting import wait_for_async


class OldHost(ScriptedHost):
    """Has transcripts, and answers about them as a node does."""

    def __init__(self, home: Path, name: str = "vm1") -> None:
        super().__init__(name)
        self.home = home
        self.asked: list[ReadTranscripts] = []
        self.deaf_after = 10**6
        """Orders to read after which it says nothing more."""

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, ListTranscripts):
            channel.say(self.listed(message))
        elif isinstance(message, ReadTranscripts):
            self.asked.append(message)
            if len(self.asked) <= self.deaf_after:
                channel.say(TranscriptsRead(message.id, tuple(self.parts(message))))
        else:
            super().order(channel, message)

    def listed(self, asked: ListTranscripts) -> TranscriptsListed:
        found = transcripts([str(self.home / ".claude")])
        page = tuple(TranscriptFound(*each) for each in found if each.path > asked.after)[: asked.count]
        first = min((each.at for each in found), default=0)
        return TranscriptsListed(asked.id, page, len(found), sum(each.size for each in found), first)

    def parts(self, asked: ReadTranscripts) -> Sequence[TranscriptPart]:
        """A part a time, so that there is something to break off."""
        return read(asked.places[:1], asked.since, lambda _: "plan")


def write_lines(home: Path, *lines: bytes, name: str = "a") -> Path:
    path = home / ".claude" / "projects" / "-p" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(lines))
    return path


async def imported(made: Room, host: str = "vm1", since: int = 0, patience: float = 20) -> UsageImport:
    """Have an import done."""
    asked = await made.engine.submit(ImportUsage(host, since), "ann")
    assert asked.ok, asked.reason
    over = (ImportState.DONE, ImportState.STOPPED)
    await wait_for_async(lambda: standing(made, host).state in over, patience, "the import", poll=0.002)
    await made.engine.ledger_writer.outbox.wait_idle()
    return standing(made, host)


def standing(made: Room, host: str = "vm1") -> UsageImport:
    return made.engine.store.fleet.hosts[host].imported or UsageImport(ImportState.UNKNOWN)
