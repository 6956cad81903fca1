"""What a host and its folders lack keeps agents from being started there: looked at when it may be another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.events import HostMet
from controlroom.domain.model import State
from controlroom.engine.queue import preflight
from controlroom.text.host_sample import FolderCheck, FolderProblem
from controlroom.text.states import Cause
from controlroom.wire import inquiries
from controlroom.wire import messages as wire
from controlroom.wire.inquiries import Check, Checked
from tests.engine.queued import MINUTE, QUICK, Roomy, add, queue_room, runs
from tests.engine.scripted import ScriptedChannel

pytestmark = pytest.mark.usefixtures("home")


class Folders(Roomy):
    """It has these folders, and all else that agents need."""

    def __init__(self, name: str, *folders: str) -> None:
        super().__init__(name)
        self.folders, self.looks = set(folders), list[Check]()

    def checked(self, asked: Check) -> Checked:
        self.looks.append(asked)
        problems = {path: FolderProblem("" if path in self.folders else "absent") for path in asked.folders}
        return replace(super().checked(asked), folders=tuple(FolderCheck(*pair) for pair in problems.items()))


async def test_a_task_starts_where_its_folder_is_and_a_folder_that_is_nowhere_is_one_alarm() -> None:
    one, two = Folders("vm1"), Folders("vm2", "src")
    async with queue_room(one, two) as here:
        store = here.engine.store
        await add(here, "a", cwd="src")
        await runs(here, two, "a-t1")
        assert (one.spawned, store.fleet.alarms) == ([], {}), "the other host has it"
        await add(here, "b", "c", cwd="lost")
        await here.until(lambda: len(store.fleet.alarms) == 2)
        await here.engine.wait_idle()
        assert "folder lost is not there" in store.fleet.alarms["preflight of vm1"].text
        assert [look.folders_alone for look in one.looks] == [False, True], "Claude is not asked again for a folder"
        one.folders.add("lost")
        here.now += MINUTE
        await add(here, "d", cwd="src", not_before=here.now + 60 * MINUTE)
        await runs(here, one, "b-t2")
        await here.until(lambda: store.fleet.alarms == {})


async def test_a_host_is_looked_at_again_when_an_agent_ends_of_what_it_lacks_or_it_has_become_another() -> None:
    host = Folders("vm1")
    async with queue_room(host) as here:
        await add(here, "a")
        await runs(here, host, "a-t1")
        host.end("a-t1", State.FAILED, cause=Cause.NO_LOGIN)
        await here.until(lambda: len(host.looks) == 2)
        await here.engine.wait_idle()
        host.show()
        await here.engine.wait_idle()
        assert len(host.looks) == 2, "once for each such end"
        facts = here.engine.store.fleet.hosts["vm1"].facts
        assert facts is not None
        here.engine.store.apply(HostMet("vm1", replace(facts, tmux="3.5"), here.now))
        await here.until(lambda: len(host.looks) == 3)


async def test_folders_with_which_something_is_amiss_keep_no_other_from_being_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inquiries, "MOST_FOLDERS", 2)
    host = Folders("vm1", "src")
    async with queue_room(host) as here:
        for name in ("a", "b", "c", "src"):
            await add(here, name, cwd=name)
        await runs(here, host, "src-t4")
        await here.engine.wait_idle()
        looks, minutes = len(host.looks), 3
        host.folders |= {"b", "c"}
        for _ in range(minutes):
            here.now += MINUTE
            await add(here, "later", cwd="src", not_before=here.now + 60 * MINUTE)
            await here.engine.wait_idle()
        await here.until(lambda: {order.name for order in host.spawned} == {"src-t4", "b-t2", "c-t3"})
        await here.engine.wait_idle()
        assert len(host.looks) - looks <= 2 * minutes, "each of them is looked at in its turn, and no more often"


class Slow(Folders):
    """It answers what is asked of all it has, and nothing about folders alone; nobody is logged in there."""

    def checked(self, asked: Check) -> Checked:
        seen = super().checked(asked)
        return replace(seen, host=replace(seen.host, logged_in=False))

    def take(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        if isinstance(message, Check) and message.folders_alone:
            self.looks.append(message)
        else:
            super().take(channel, message)


async def test_a_host_that_says_nothing_of_a_folder_still_lacks_what_it_lacked(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Slow("vm1")
    async with queue_room(host) as here:
        store = here.engine.store
        await add(here, "a")
        await here.until(lambda: "preflight of vm1" in store.fleet.alarms)
        monkeypatch.setattr(preflight, "PATIENCE", 0.01)
        await add(here, "b", cwd="src")
        await here.until(lambda: "src" in store.fleet.queue.preflights["vm1"].folders)
        await here.engine.wait_idle()
        assert (host.spawned, list(store.fleet.alarms)) == ([], ["preflight of vm1"])


class OldGit(Folders):
    """Its git is too old for worktrees."""

    def checked(self, asked: Check) -> Checked:
        seen = super().checked(asked)
        return replace(seen, host=replace(seen.host, git="2.25.1"))


async def test_tasks_that_ask_for_a_worktree_wait_for_a_git_that_can_make_it_and_no_others_do() -> None:
    host = OldGit("vm1", "src")
    async with queue_room(host) as here:
        await add(here, "a", cwd="src", worktree="main")
        await add(here, "b", cwd="src")
        await runs(here, host, "b-t2")
        alarms = here.engine.store.fleet.alarms
        assert "git 2.25.1 is older than 2.32, which worktrees need" in alarms["preflight of vm1"].text
        assert [order.name for order in host.spawned] == ["b-t2"]


class Untrusted(Folders):
    """Its Claude would ask whether the folder is trusted."""

    def checked(self, asked: Check) -> Checked:
        seen = super().checked(asked)
        return replace(seen, folders=tuple(replace(folder, trusted=False) for folder in seen.folders))


async def test_what_a_host_asks_before_its_own_login_is_no_alarm_where_a_credential_brings_another() -> None:
    host = Untrusted("vm1", "src")
    named = '[credentials.team]\nconfig_dir = "/team"\n[profiles.p]\ncredentials = ["team"]\n'
    kept = 'kind = "interactive"\ncwd = "src"\nkeep = 1\nkeep_task = "watch"\n'
    async with queue_room(host, settings=f"{QUICK}{named}{kept}") as here:
        await runs(here, host, "p-1")
        assert "preflight of vm1" not in here.engine.store.fleet.alarms
