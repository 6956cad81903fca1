"""An agent is carried: links are cut and the engine ends at every step, and one lives in the end, never two."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.domain import intents
from controlroom.domain.intents import SpawnOn
from controlroom.domain.model import State
from controlroom.domain.orders import Result
from controlroom.engine.carrying import Carriage, Carrier
from controlroom.engine.hosts.inquiries import Inquiries
from controlroom.engine.ledger.ledger import connect
from controlroom.protocol.home import find_home
from controlroom.text.states import AgentKind, Outcome
from controlroom.wire import carrying
from controlroom.wire import messages as wire
from controlroom.wire.spec import AgentSpec
from tests.engine.carrying import PARTS, SESSION, CarryingHost
from tests.engine.crashing import ENDINGS, in_a_child
from tests.engine.rooms import Room, room
from tests.engine.scripted import orders
from tests.lab.waiting import wait_for_async

pytestmark = pytest.mark.usefixtures("home")

TASK = "two\nlines"
MOVE = intents.ReassignAgent("vm1/a1", 1, "", keep_session=True, host="vm2")


class Watch:
    """Counts the orders and steps that arrive, does something at one of them, and sees that never two are at work."""

    def __init__(self) -> None:
        self.hosts: tuple[CarryingHost, ...] = ()
        self.count = 0
        self.at = 0
        self.kinds: list[str] = []

    def __call__(self, host: CarryingHost, message: wire.ToNode, after: bool) -> None:
        live = [name for each in self.hosts for name in each.live]
        assert len(live) < 2, f"{live} are at work at {type(message).__name__}"
        self.count += 1
        self.kinds.append(f"{type(message).__name__} {host.name} {'after' if after else 'before'}")
        if self.count == self.at:
            self.strike(host)

    def strike(self, host: CarryingHost) -> None:
        host.cut()


def hosts(folder: Path, watch: Watch) -> tuple[CarryingHost, CarryingHost]:
    watch.hosts = found = CarryingHost("vm1", folder, watch), CarryingHost("vm2", folder, watch)
    return found


def live(*hosts: CarryingHost) -> list[str]:
    return [name for host in hosts for name in host.live]


async def moved(here: Room, intent: intents.ReassignAgent = MOVE) -> Result:
    """Spawn and move."""
    assert (await here.order(intents.SpawnAgent("a1", TASK, "vm1", cwd="app"))).outcome == "done"
    await here.until(lambda: here.agent("vm1/a1").session)
    return await here.order(intent)


async def test_it_goes_on_elsewhere_in_its_session_and_its_folder(tmp_path: Path) -> None:
    vm1, vm2 = hosts(tmp_path, Watch())
    async with room(vm1, vm2) as here:
        told = await moved(here)
        assert told.outcome == "done"
        assert "carried its session (5B, sha256 " in told.reason
        assert "feature at aaaaaaaaaaaa, files cccccccccccc" in told.reason
        assert "left behind, as git ignores it: node_modules/" in told.reason
        assert live(vm1, vm2) == ["vm2/a1"]
        (started,) = [order for order in orders(vm2) if isinstance(order, wire.Spawn)]
        assert (started.spec.resume, started.spec.worktree, started.spec.cwd) == (SESSION, "HEAD", "/home/ann/app")
        assert started.task.startswith(intents.GO_ON)
        assert "/state/worktrees/a1.1/app" in started.task
        await here.engine.wait_idle()
        assert (vm1.fenced, vm1.kept, vm2.kept) == ("vm2", [], [])
        pieces = [step for step in vm2.heard if isinstance(step, carrying.WritePiece)]
        assert max(len(step.data) for step in pieces) <= 4 * carrying.PIECE / 3
        await here.until(lambda: here.agent("vm2/a1").state is State.WORKING)
        await here.engine.wait_idle()
        (line,) = [line for line in here.ledger.audit() if line.verb == "move"]
        assert line.reason == told.reason
        assert [alarm for alarm in here.engine.store.fleet.alarms if "a1" in alarm] == [], "the host claims nothing odd"
        refused = await here.order(intents.ResumeAgent("vm1/a1", 1))
        assert refused == Result(Outcome.REFUSED, "its session has moved to vm2")


@pytest.mark.parametrize(
    ("where", "kind"), [("vm1", carrying.LookAtFolder), ("vm2", carrying.FindRepository), ("vm1", carrying.Pack)]
)
async def test_what_a_host_has_against_it_is_said(where: str, kind: type, tmp_path: Path) -> None:
    vm1, vm2 = hosts(tmp_path, Watch())
    (vm1 if where == "vm1" else vm2).reasons[kind] = "there is something"
    async with room(vm1, vm2) as here:
        told = await moved(here)
        assert f"{where}: there is something" in told.reason
        if kind is carrying.Pack:
            assert told.outcome == "unknown"
            assert "controlroom resume vm1/a1" in told.reason
            assert live(vm1, vm2) == []
            assert (await here.order(intents.ResumeAgent("vm1/a1", 1))).outcome == "done"
        else:
            assert told.outcome == "refused"
            assert live(vm1, vm2) == ["vm1/a1"], "nothing was ended"
            assert "vm2/a1" not in here.engine.store.fleet.agents


@pytest.mark.parametrize("kind", [carrying.Unpack, carrying.Fence, wire.Spawn])
async def test_after_one_that_came_to_nothing_it_can_go_on_where_it_was(kind: type, tmp_path: Path) -> None:
    vm1, vm2 = hosts(tmp_path, Watch())
    if kind is wire.Spawn:
        (vm2.place_ / "fence").write_text("vm3")  # what begins there in a session is refused
    else:
        (vm1 if kind is carrying.Fence else vm2).reasons[kind] = "no"
    async with room(vm1, vm2) as here:
        assert (await moved(here)).outcome == "unknown"
        await here.engine.wait_idle()
        assert (vm1.fenced, vm2.unpacked, vm1.kept, vm2.kept) == ("", [], [], [])
        assert (await here.order(intents.ResumeAgent("vm1/a1", 1))).outcome == "done"
        assert live(vm1, vm2) == ["vm1/a1"]


async def test_where_it_may_have_begun_its_session_stays_fenced_off(tmp_path: Path) -> None:
    vm1, vm2 = hosts(tmp_path, Watch())
    async with room(vm1, vm2) as here:
        vm2.unsure = wire.Spawn
        told = await moved(here)
        assert (told.outcome, vm1.fenced) == ("unknown", "vm2")
        assert "whether it has begun on vm2 is not known: the disk did not answer" in told.reason
        await here.engine.wait_idle()
        assert vm2.unpacked != []
        assert (await here.order(intents.ResumeAgent("vm1/a1", 1))).outcome == "refused"


async def test_other_bytes_than_were_said_start_nothing(tmp_path: Path) -> None:
    vm1, vm2 = hosts(tmp_path, Watch())
    vm1.damaged = True
    async with room(vm1, vm2) as here:
        assert "did not arrive as it was sent" in (await moved(here)).reason
        assert live(vm1, vm2) == []


async def test_more_than_the_setting_lets_through_stays(tmp_path: Path) -> None:
    vm1, vm2 = hosts(tmp_path, Watch())
    vm1.size = 2 * 1024**3
    async with room(vm1, vm2) as here:
        told = await moved(here)
        assert told.outcome == "refused"
        assert "2.0G would have to be carried, more than 1.0G (moves.most_mb)" in told.reason
        assert live(vm1, vm2) == ["vm1/a1"]


def through_origin() -> None:
    """Let commits go through the origins of hosts."""
    home = find_home(os.environ)
    home.prepare()
    tables = "".join(f'[hosts.{name}]\naddress = "ann@{name}"\n' for name in ("vm1", "vm2"))
    home.config.write_text(f"local = false\n[moves]\nthrough_origin = true\n{tables}")
    home.config.chmod(0o600)


@pytest.mark.parametrize("reason", ["", "the origin did not take it"])
async def test_commits_go_through_the_origin_where_the_config_lets_them(reason: str, tmp_path: Path) -> None:
    vm1, vm2 = hosts(tmp_path, Watch())
    vm1.reasons[carrying.PushHead] = reason
    through_origin()
    async with room(vm1, vm2) as here:
        told = await moved(here)
        assert told.outcome == "done"
        pushed = [step.gone for step in vm1.heard if isinstance(step, carrying.PushHead)]
        (pack,) = [step for step in vm1.heard if isinstance(step, carrying.Pack)]
        if reason:
            assert pushed == [False]
            assert "not through the origin: vm1: the origin did not take it" in told.reason
        else:
            assert pushed == [False, True], "what was pushed for it is removed again"
            assert pack.have[0] == "a" * 40
            assert "its commits went through the origin" in told.reason


class Silence(Watch):
    """No host says anything any more once a step of this kind has come."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.kind, self.fell = kind, asyncio.Event()

    def __call__(self, host: CarryingHost, message: wire.ToNode, after: bool) -> None:
        super().__call__(host, message, after)
        if isinstance(message, self.kind):
            self.fell.set()
            for each in self.hosts:
                each.silent = True


async def test_an_engine_that_is_told_to_end_waits_for_no_host_that_says_nothing(tmp_path: Path) -> None:
    """What was pushed to the origin for a move is to be removed there again, and the host does not answer."""
    silence = Silence(carrying.FetchHead)
    vm1, vm2 = hosts(tmp_path, silence)
    through_origin()
    async with asyncio.timeout(90), room(vm1, vm2) as here:
        assert (await here.order(intents.SpawnAgent("a1", TASK, "vm1", cwd="app"))).outcome == "done"
        await here.until(lambda: here.agent("vm1/a1").session)
        await here.engine.submit(MOVE, "ann (test)")
        await silence.fell.wait()


async def test_a_host_that_answers_nothing_keeps_no_others_from_being_carried() -> None:
    asked: list[str] = []

    def send(host: str, _message: object) -> bool:
        asked.append(host)
        return True

    carrier = Carrier(Inquiries(send), itertools.count(1).__next__, lambda _start: AgentSpec())
    wanted = Carriage(SESSION, most=10**9)

    def survey(number: int, old: str, new: str) -> asyncio.Task[Carriage]:
        start = SpawnOn(new, f"a{number}", 1, "x", AgentKind.HEADLESS)
        return asyncio.ensure_future(carrier.survey(number, (old, f"a{number}", 1), start, wanted))

    tasks = [survey(number, "vm1", f"vm{number + 5}") for number in range(50)]
    tasks.append(survey(99, "vm2", "vm4"))
    await wait_for_async(lambda: "vm2" in asked, 5, "it is asked", poll=0.002)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_without_its_folder_only_its_session_goes(tmp_path: Path) -> None:
    vm1, vm2 = hosts(tmp_path, Watch())
    async with room(vm1, vm2) as here:
        assert (await moved(here, replace(MOVE, leave_folder=True))).outcome == "done"
        (started,) = [order for order in orders(vm2) if isinstance(order, wire.Spawn)]
        assert (started.spec.resume, started.spec.worktree, started.spec.cwd) == (SESSION, "", "app")
        assert started.task == intents.GO_ON


async def test_a_link_that_is_cut_at_any_step_ends_in_one_agent(tmp_path: Path) -> None:
    steps, kinds = 1, list[str]()
    while not kinds or steps <= len(kinds):
        folder = tmp_path / f"{steps}"
        folder.mkdir()
        os.environ["CONTROLROOM_HOME"] = str(folder / "room")
        watch = Watch()
        vm1, vm2 = hosts(folder, watch)
        async with room(vm1, vm2) as here:
            assert (await here.order(intents.SpawnAgent("a1", TASK, "vm1", cwd="app"))).outcome == "done"
            await here.until(lambda: here.agent("vm1/a1").session)
            watch.at = watch.count + steps if steps > 1 else 0
            began = watch.count
            told = await here.order(MOVE)
            kinds = kinds or watch.kinds[began:]
            at = watch.kinds[watch.at - 1] if watch.at else "no step"
            assert len(live(vm1, vm2)) == 1, f"cut at {at}: {told}"
            ended = any(isinstance(order, wire.Kill) for order in orders(vm1))
            assert live(vm1, vm2) == (["vm2/a1"] if ended else ["vm1/a1"]), f"cut at {at}: {told}"
            assert told.outcome == ("done" if ended else "refused"), f"cut at {at}: {told}"
        steps += 1
    assert len(PARTS["session"]) > carrying.PIECE
    assert len(kinds) > 30, "the scenario has become too short to mean anything"


class Ends(Watch):
    """The engine's process ends at a step; told to, it may wait for hosts that say nothing any more."""

    def __init__(self, number: signal.Signals, *, silent: bool) -> None:
        super().__init__()
        self.number, self.silent = number, silent

    def strike(self, host: CarryingHost) -> None:
        for each in self.hosts:
            each.silent = self.silent
        os.kill(os.getpid(), self.number)


async def scenario(folder: Path, step: int) -> None:
    """Move. Every second pair of steps, before one and after it, is told to end, of these every second in silence."""
    watch = Ends(ENDINGS[step // 2 % 2], silent=step // 4 % 2 == 0)
    async with room(*hosts(folder, watch)) as here:
        await here.order(intents.SpawnAgent("a1", TASK, "vm1", cwd="app"))
        await here.until(lambda: here.agent("vm1/a1").session)
        watch.at = watch.count + step
        await here.order(MOVE)
        await here.engine.wait_idle()


async def look_again(folder: Path) -> tuple[list[str], list[str]]:
    vm1, vm2 = hosts(folder, Watch())
    async with room(vm1, vm2) as here:
        await here.engine.wait_idle()
        return live(vm1, vm2), [agent.id for agent in here.engine.store.fleet.agents.values() if agent.pending]


@pytest.mark.timeout(400)
def test_an_engine_that_ends_at_any_step_leaves_one_agent(
    stride: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, ended, ends = 0, True, set()
    while ended:
        step += 2 * stride - 1  # steps come in pairs: before something and after it
        folder = tmp_path / f"{step}"
        folder.mkdir()
        monkeypatch.setenv("CONTROLROOM_HOME", str(folder / "room"))
        ended = in_a_child(scenario(folder, step), f"step {step}")
        alive, pending = asyncio.run(look_again(folder))
        assert (len(alive), pending) == (1, []), f"step {step}: {alive}, on its way: {pending}"
        ends.add(alive[0])
        database = connect(folder / "room" / "ledger.db")
        assert database.execute("select * from orders where outcome is null").fetchall() == []
        database.close()
        assert not list((folder / "room" / "moves").glob("*.json")), f"step {step}"
    assert ends == {"vm1/a1", "vm2/a1"}
    assert step > 30, "the scenario has become too short to mean anything"
