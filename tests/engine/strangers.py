"""A scripted host on which others started agents: processes by their marks, which signals reach and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from controlroom.text.states import AdoptedSignal, Outcome
from controlroom.wire import messages as wire
from controlroom.wire.adopted import SignalAdopted
from controlroom.wire.codec import decode, encode
from tests.engine.crashing import OnDisk
from tests.engine.scripted import NOON, ScriptedChannel, ScriptedHost

SESSION = "0f0e0d0c-1234-4abc-8def-000000000001"
MARK, LATER, SCRIPT = "b1.100.5", "b1.200.9", "b1.99.4"


def other(name: str = "~agent-1", mark: str = MARK, script: str = "", **more: object) -> wire.AgentSeen:
    """An agent of others."""
    session = {"session": SESSION, "cwd": "/srv/project", **more}
    pid = int(mark.split(".")[1])
    return wire.AgentSeen(
        name, 0, "adopted", "working", NOON, pid=pid, started=NOON - 60_000, mark=mark, script=script,
        place="tmux agent-1", **session,  # type: ignore[arg-type]
    )  # fmt: skip


class Strangers(ScriptedHost):
    """Tells of its agents of others after its own, and ends those that it is told to."""

    def __init__(self, *others: wire.AgentSeen, name: str = "vm1") -> None:
        super().__init__(name)
        self.others = {agent.name: agent for agent in others}
        self.stubborn = ""
        """Why none of them ends."""

    def tell_all(self, channel: ScriptedChannel) -> None:
        super().tell_all(channel)
        self.say_others(channel)

    def say_others(self, *channels: ScriptedChannel) -> None:
        """Tell of all that live."""
        for channel in channels or tuple(self.channels):
            channel.say(wire.AdoptedSeen(tuple(agent for agent in self.others.values() if not agent.ended)))

    def end(self, name: str) -> None:
        """One of them ends."""
        over = replace(self.others[name], state="failed", ended=NOON, pid=0, detail="it ended in the middle of a turn")
        self.others[name] = over
        for channel in tuple(self.channels):
            channel.say(wire.AdoptedSeen((over,), complete=False))

    def signals(self) -> list[SignalAdopted]:
        return [message for message in self.heard if isinstance(message, SignalAdopted)]

    def act(self, message: wire.ToNode) -> wire.Reply:
        if not isinstance(message, SignalAdopted):
            return super().act(message)
        if self.stubborn:
            return wire.Reply(message.id, Outcome.REFUSED, self.stubborn)
        for agent in list(self.others.values()):
            marks = {agent.mark, agent.script} - {""}
            if not agent.ended and marks & {message.mark, message.script} and message.signal is AdoptedSignal.END:
                self.end(agent.name)
        return wire.Reply(message.id, Outcome.DONE)


class StrangersOnDisk(Strangers, OnDisk):
    """The same, whose truth outlives the engine."""

    def __init__(self, folder: Path, *others: wire.AgentSeen) -> None:
        OnDisk.__init__(self, folder)
        self.stubborn, self.beside = "", folder / "others.json"
        self.others = {agent.name: agent for agent in others}
        if self.beside.exists():
            seen = json.loads(self.beside.read_text())
            self.others = {name: decode(wire.AgentSeen, value) for name, value in seen.items()}

    def end(self, name: str) -> None:
        super().end(name)
        new = self.beside.with_suffix(".new")
        new.write_text(json.dumps({name: encode(agent) for name, agent in self.others.items()}))
        new.replace(self.beside)
