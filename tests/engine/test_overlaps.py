"""Overlap in a whole engine: what two hosts say that their agents have edited, and what front ends see of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.client.client import Client
from controlroom.domain import events
from controlroom.domain.gauges import AlarmKind
from controlroom.domain.model import Edited, Overlap
from controlroom.domain.overlap import Edits
from controlroom.engine.hosts.translate import HostContext, to_events
from controlroom.wire.edits import LONGEST_PATH, MOST_PATHS, AgentEdits, EditsSeen, RepositoryEdits
from controlroom.wire.messages import AgentsSeen
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON, ScriptedHost, seen
from tests.lab.world import World

DOCS = "example.org/team/docs"


def edited(name: str, *paths: str, tree: str = "", origin: str = DOCS, known: bool = True) -> EditsSeen:
    each = RepositoryEdits(tree or f"/trees/{name}", "/home/ann/docs/.git", origin, paths)
    return EditsSeen((AgentEdits(name, 1, (each,), known),))


def host(name: str, *agents: str) -> ScriptedHost:
    made = ScriptedHost(name)
    made.agents = {agent: seen(agent, started=NOON - 1000 + len(agent)) for agent in agents}
    return made


def say(one: ScriptedHost, *messages: EditsSeen | AgentsSeen) -> None:
    for channel in one.channels:
        for message in messages:
            channel.say(message)


def row(here: Room, id_: str) -> Edited | None:
    return here.engine.store.fleet.agents[id_].edited


def alarms(here: Room) -> list[str]:
    return [alarm.text for alarm in here.engine.store.fleet.alarms.values() if alarm.kind is AlarmKind.OVERLAP]


async def test_agents_on_two_hosts_that_edit_one_file_are_told_and_told_of(home: World) -> None:
    vm1, vm2 = host("vm1", "a"), host("vm2", "bee")
    async with room(vm1, vm2) as here:
        await here.until(lambda: len(here.engine.store.fleet.agents) == 2)
        client = await Client.connect(start=False)
        say(vm1, edited("a", "src/x.py", "y"))
        say(vm2, edited("bee", "src/x.py"))
        await here.until(lambda: len(alarms(here)) == 1)
        assert row(here, "vm1/a") == Edited(2, overlaps=(Overlap("vm2/bee", DOCS, "src/x.py"),))
        assert row(here, "vm2/bee") == Edited(1, overlaps=(Overlap("vm1/a", DOCS, "src/x.py"),))
        await here.until(lambda: client.fleet.agents["vm1/a"].edited == row(here, "vm1/a"))
        say(vm2, edited("bee"))
        await here.until(lambda: not alarms(here))
        say(vm2, edited("bee", "y"))
        await here.until(lambda: len(alarms(here)) == 1)
        say(vm2, AgentsSeen((), gone=("bee",)))
        await here.until(lambda: not alarms(here))
        assert row(here, "vm1/a") == Edited(2)
        await client.close()


async def test_a_host_that_is_taken_out_takes_its_overlaps_along(home: World) -> None:
    vm1, vm2 = host("vm1", "a"), host("vm2", "bee")
    async with room(vm1, vm2) as here:
        await here.until(lambda: len(here.engine.store.fleet.agents) == 2)
        say(vm1, edited("a", "x"))
        say(vm2, edited("bee", "x"))
        await here.until(lambda: len(alarms(here)) == 1)
        say(vm2, EditsSeen((AgentEdits("bee", 1, (), known=False),)))
        here.engine.host_events.happened(events.HostRemoved("vm2"))
        here.engine.host_events.removed("vm2")
        assert row(here, "vm1/a") == Edited(1)
        assert not alarms(here)


async def test_in_one_tree_it_is_over_once_one_of_them_has_ended(home: World) -> None:
    vm1 = host("vm1", "a", "bee")
    async with room(vm1) as here:
        await here.until(lambda: len(here.engine.store.fleet.agents) == 2)
        say(vm1, edited("a", "x", tree="/one"), edited("bee", "x", tree="/one"))
        await here.until(lambda: len(alarms(here)) == 1)
        say(vm1, AgentsSeen((replace(vm1.agents["a"], state="done", ended=NOON, pid=0),)))
        await here.until(lambda: not alarms(here))


async def test_repositories_that_came_from_nowhere_are_told_apart_by_host(home: World) -> None:
    vm1, vm2 = host("vm1", "a", "bee"), host("vm2", "c")
    async with room(vm1, vm2) as here:
        await here.until(lambda: len(here.engine.store.fleet.agents) == 3)
        say(vm1, edited("a", "x", origin=""))
        say(vm2, edited("c", "x", origin=""))
        say(vm1, edited("bee", "x", origin=""))
        await here.until(lambda: len(alarms(here)) == 1)
        assert row(here, "vm2/c") == Edited(1)
        assert row(here, "vm1/a") == Edited(1, overlaps=(Overlap("vm1/bee", "vm1:/home/ann/docs/.git", "x"),))
        say(vm1, edited("a", "x", origin="/srv/docs.git"), edited("bee"))
        say(vm2, edited("c", "x", origin="/srv/docs.git"))
        await here.until(lambda: not alarms(here))


# --------------------------------------------------------------------------- what hosts may say


def translated(message: EditsSeen) -> dict[str, tuple[Edits, ...] | None]:
    (event,) = to_events(message, HostContext("vm1", "room-1", NOON))
    assert isinstance(event, events.EditsSeen)
    return dict(event.agents)


def only(message: EditsSeen) -> Edits:
    ((one,),) = (each or () for each in translated(message).values())
    return one


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\\x1b[31mb", "a\\\\x1b[31mb"),
        ("ü b", "ü b"),
        ("x" * LONGEST_PATH, "x" * LONGEST_PATH),
        ("x" * (LONGEST_PATH + 1), None),
        ("", None),
    ],
)
def test_a_path_is_told_harmless_and_whole_or_not_at_all(path: str, shown: str | None) -> None:
    one = only(edited("a", path, "ok"))
    assert one.paths == {"ok"} | ({shown} if shown else set())
    assert one.more == (shown is None)


def test_a_host_names_no_more_than_was_agreed_and_nobody_that_cannot_be() -> None:
    one = only(edited("a", *map(str, range(MOST_PATHS + 10))))
    assert (len(one.paths), one.more) == (MOST_PATHS, True)
    assert not translated(EditsSeen((AgentEdits("../x", 1), AgentEdits("a", 0), AgentEdits("~a", 1))))


async def test_a_watcher_from_whom_logs_are_withheld_is_told_no_names_of_files(home: World) -> None:
    vm1 = host("vm1", "a", "bee")
    home.room.joinpath("config.toml").write_text(
        'local = false\n[watch]\nlogs = false\n[hosts.vm1]\naddress = "ann@vm1"\n'
    )
    home.room.joinpath("config.toml").chmod(0o600)
    async with room(vm1) as here:
        await here.until(lambda: len(here.engine.store.fleet.agents) == 2)
        watcher = await Client.connect(start=False, role="watch")
        say(vm1, edited("a", "secret-name"), edited("bee", "secret-name"))
        await here.until(lambda: watcher.fleet.alarms and watcher.fleet.agents["vm1/a"].edited)
        told = f"{watcher.fleet.alarms} {watcher.fleet.agents}"
        assert "secret-name" in f"{alarms(here)} {row(here, 'vm1/a')}"
        assert "secret-name" not in told
        assert "vm1/bee" in told
        await watcher.close()
