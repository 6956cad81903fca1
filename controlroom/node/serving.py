"""A node after its welcome: takes messages one by one, and looks around once a second."""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any

from controlroom.node import host
from controlroom.node.adopted.agents import AdoptedAgents
from controlroom.node.adopted.claudes import NewClaudes
from controlroom.node.adopted.last_look import LastLook
from controlroom.node.adopted.logs import AdoptedLogs
from controlroom.node.adopted.metered import MeteredSessions
from controlroom.node.adopted.reports import LastReports
from controlroom.node.adopted.signals import AdoptedActor
from controlroom.node.adopted.tmux import UserTmux
from controlroom.node.adopted.tree import short_boot
from controlroom.node.adopted.usage import AdoptedUsage
from controlroom.node.carrying import staging
from controlroom.node.carrying.carrier import Carrier
from controlroom.node.file_watch import FileWatch
from controlroom.node.git.acting import BranchActor
from controlroom.node.git.edit_watch import EditWatch
from controlroom.node.git.edits import Worker
from controlroom.node.git.merging import sweep as sweep_merges
from controlroom.node.inquiries import Inquirer
from controlroom.node.login_shell import LoginEnvironment, LoginShell, login_environment
from controlroom.node.logs.follow import Follower, LastLines
from controlroom.node.observation import processes
from controlroom.node.observation.figures import Figures, Loads, differs
from controlroom.node.observation.observer import Observer
from controlroom.node.observation.usage_feed import UsageFeed
from controlroom.node.orders import Act, Actor, sweep_aside
from controlroom.node.outbox import Outbox
from controlroom.node.owner import Owner, Ownership
from controlroom.node.place import Place, Turns
from controlroom.node.spawn import Spawner
from controlroom.node.supervisor import Supervisor
from controlroom.runner.claude import nested
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.names import is_adopted_name
from controlroom.text.states import Outcome, Uncounted
from controlroom.wire.adopted import SignalAdopted
from controlroom.wire.branches import AcceptWork, BranchOrder
from controlroom.wire.carrying import CarryStep
from controlroom.wire.grants import Prices
from controlroom.wire.inquiries import Inquiry
from controlroom.wire.lines import LineSplitter, PeerError
from controlroom.wire.messages import (
    NODE_PATIENCE,
    AdoptedSeen,
    Credit,
    Fetch,
    Fetched,
    Follow,
    GiveUp,
    Greet,
    LinesOnShow,
    Notice,
    OwnerSeen,
    Ping,
    Pong,
    Reply,
    TmuxSeen,
    ToNode,
    read_to_node,
)
from controlroom.wire.usage import UsageGaps, UsageOrder

SECOND = 1.0

LOOK_SHARE, LONGEST_LOOK = 0.005, 3.0
"""Share of a core that looking at processes may take, and seconds between two looks at most."""

PARTING = 30.0
"""Seconds that acts under way may take after home has gone: a half-started agent would help nobody."""

NOTICING = 5.0
"""Seconds between two looks whether what is missing on this host is there by now."""

_THREADS = 32
_ACTS, _FETCHES, _INQUIRIES = 256, 64, 4
"""How many requests may be under way; more acts and fetches are refused, more inquiries wait."""


class Channel(NamedTuple):
    """Descriptors from and to home, and what was read with the greeting."""

    source: int
    sink: int
    lines: LineSplitter
    early: list[bytes]


def serve(channel: Channel, greeting: Greet, place: Place) -> int:
    """Serve a greeted channel until it ends. 0: in peace; 1: home broke the protocol, or the node failed.

    Threads are not waited for: one may hang on a file system that does not answer.
    """
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS))
    return loop.run_until_complete(_serve(channel, greeting, place))


async def _serve(channel: Channel, greeting: Greet, place: Place) -> int:
    return await Node(channel, greeting, place).run()


async def _login_environment(greeting: Greet) -> LoginEnvironment:
    """Ask the shell, unless nothing will be started anyway."""
    if greeting.read_only:
        return LoginEnvironment({})
    return await login_environment(os.environ, secrets.token_hex(16))


def _adopted(place: Place, logs: Sequence[str]) -> AdoptedAgents:
    tmux = UserTmux(place.tmux.program, os.environ, host.find_tmux)
    return AdoptedAgents(tmux, os.path.expanduser("~"), short_boot(place.boot_id), logs)


class Node:
    """One connection's node."""

    def __init__(self, channel: Channel, greeting: Greet, place: Place) -> None:
        loop = asyncio.get_running_loop()
        self._channel, self._greeting, self._place, self._clock = channel, greeting, place, loop.time
        self._heard = loop.time()
        self._over = asyncio.Event()
        self._code = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._acts: set[asyncio.Task[None]] = set()
        self._fetches: deque[Fetch] = deque()
        self._outbox = Outbox(channel.sink, self._over.set)
        self._lines = LastLines(self._outbox.lines, loop.time)
        self._follower = Follower(place.state, self._outbox.send, loop.time)
        self._usage = UsageFeed(place.state, self._outbox.send)
        self._edits = EditWatch(place.state, self._outbox.edits, os.environ, loop.time)
        self._observer = Observer(place.state, self._outbox, self._lines, self._follower, self._usage, self._edits)
        self._ownership = ownership = Ownership(place.state, greeting.room, read_only=greeting.read_only)
        self._owner: Owner | None = None
        turns = Turns()
        self._actor = Actor(place, ownership, Spawner(place, self._login_environment), turns)
        self._carrier = Carrier(place, ownership, self._login_environment)
        self._branches = BranchActor(place, ownership, turns, self._login_shell)
        self._adopted = _adopted(place, greeting.adopted_logs) if greeting.adopt else None
        self._signals = AdoptedActor(self._adopted, ownership, turns, place.boot_id)
        self._starts = NewClaudes(os.environ, os.path.expanduser("~")) if greeting.adopt else None
        metered = MeteredSessions(place.state).read
        self._last_look = LastLook(place.state, greeting.room, place.boot_id, metered, read_only=greeting.read_only)
        self._noticed = asyncio.Event()
        self._starting = asyncio.Lock()
        self._inquirer = Inquirer(place, self._login_shell, self._adopted)
        self._asking = asyncio.Semaphore(_INQUIRIES)
        self._inquiries: dict[int, asyncio.Task[None]] = {}
        self._supervisor = Supervisor(place, self._observer, ownership, turns)
        self._loads = Loads(place.namespace)
        self._adopted_usage = AdoptedUsage(metered)
        self._adopted_wakes = asyncio.Event()
        self._watch = FileWatch(self._adopted_wakes.set) if self._adopted else None
        self._adopted_workers: list[Worker] = []
        self._adopted_logs = AdoptedLogs(self._adopted, self._outbox.send) if self._adopted else None
        self._look = processes.ProcessSnapshot(())
        self._look_due = 0.0
        self._looked = False
        self._login = LoginShell(partial(_login_environment, greeting), loop.time)
        self._told_tmux: TmuxSeen | None = None
        self._told_notice = ""

    async def run(self) -> int:
        """Serve until the channel ends or home is silent."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self._over.set)
        self._observer.start()
        os.set_blocking(self._channel.source, False)
        loop.add_reader(self._channel.source, self._readable)
        self._take(self._channel.early)
        works = [self._watch_processes(), self._watch_tmux(), self._keep_noticing(), self._tidy(), self._edits.run()]
        if self._adopted and self._watch and self._starts:
            works.append(self._watch_adopted(self._adopted, self._watch, self._starts))
            loop.add_signal_handler(nested.SIGNAL, self._start_seen, self._starts)
            works.append(self._watch_starts(self._starts))
        for work in works:
            self._begin(work, self._tasks)
        await self._over.wait()
        loop.remove_reader(self._channel.source)
        await self._part()
        return self._code

    # ------------------------------------------------------------------ from home

    def _readable(self) -> None:
        try:
            data = os.read(self._channel.source, 256 * 1024)
            if data:
                self._take(self._channel.lines.feed(data))
            else:
                self._over.set()
        except BlockingIOError:
            return
        except PeerError as error:
            self._fail(f"the node did not understand its engine: {error}")
        except OSError:
            self._over.set()

    def _take(self, lines: list[bytes]) -> None:
        for line in lines:
            self._heard = self._clock()
            self._handle(read_to_node(line))

    def _handle(self, message: ToNode) -> None:
        if isinstance(message, Ping):
            self._outbox.send(Pong(message.number, host.now()))
        elif isinstance(message, Credit | Follow | LinesOnShow):
            self._send_logs(message)
        elif isinstance(message, Fetch):
            self._fetch(message)
        elif isinstance(message, UsageOrder):
            self._usage.take(message)
            self._adopted_usage.take(message)
        elif isinstance(message, Inquiry):
            self._inquiries[message.id] = self._begin(self._inquire(message), self._tasks)
        elif isinstance(message, CarryStep):
            self._begin(self._carry(message), self._acts)
        elif isinstance(message, GiveUp):
            self._give_up(message)
        elif isinstance(message, Greet):
            raise PeerError("a second Greet")
        else:
            self._obey(message)

    def _send_logs(self, message: Credit | Follow | LinesOnShow) -> None:
        """Send what is looked at, and no more than is taken."""
        if isinstance(message, LinesOnShow):
            self._lines.show(message.names)
        elif isinstance(message, Credit):
            self._follower.credit(message.size)
        else:
            self._follower.follow(message)
            if self._adopted_logs:
                self._adopted_logs.follow(message)

    def _obey(self, message: Act | Prices | BranchOrder | SignalAdopted) -> None:
        if isinstance(message, Prices):
            self._begin(self._keep(message), self._acts)
        elif len(self._acts) >= _ACTS:
            self._outbox.send(
                Reply(message.id, Outcome.REFUSED, f"{_ACTS} requests are under way on this host already")
            )
        else:
            self._begin(self._act(message), self._acts)

    async def _act(self, wanted: Act | BranchOrder | SignalAdopted) -> None:
        if isinstance(wanted, SignalAdopted):
            self._outbox.send(await self._signals.act(wanted))
            return
        reply = await (self._branches.act(wanted) if isinstance(wanted, BranchOrder) else self._actor.act(wanted))
        self._observer.look()
        if isinstance(wanted, AcceptWork) and reply.outcome is Outcome.DONE:
            await self._edits.merged(wanted.name, wanted.head)
        self._edits.acted()
        self._outbox.send(reply)

    async def _carry(self, asked: CarryStep) -> None:
        self._outbox.send(await self._carrier.step(asked))

    async def _keep(self, prices: Prices) -> None:
        if problem := await self._actor.keep(prices):
            self._outbox.send(Notice(f"budgets cannot be kept to here: {problem}"))

    async def _inquire(self, asked: Inquiry) -> None:
        try:
            async with self._asking:
                self._outbox.send(await self._inquirer.answer(asked))
        finally:
            self._inquiries.pop(asked.id, None)

    def _give_up(self, given_up: GiveUp) -> None:
        """Do no more for what nobody waits for: what is begun is ended, what waits is dropped."""
        if inquiry := self._inquiries.pop(given_up.id, None):
            inquiry.cancel()
        waits = [fetch for fetch in islice(self._fetches, 1, None) if fetch.id == given_up.id]
        for fetch in waits:  # the first one is being answered
            self._fetches.remove(fetch)

    def _fetch(self, wanted: Fetch) -> None:
        """Answer at once while the link takes it; else one after the other, as it does."""
        if not self._fetches and self._outbox.idle:
            self._outbox.send(self._read(wanted))
        elif len(self._fetches) >= _FETCHES:
            self._outbox.send(Fetched(wanted.id, 0, 0, "", 0, 0, reason=f"{_FETCHES} requests for logs wait already"))
        else:
            self._fetches.append(wanted)
            if len(self._fetches) == 1:
                self._begin(self._fetch_all(), self._tasks)

    def _read(self, wanted: Fetch) -> Fetched:
        others = self._adopted_logs if is_adopted_name(wanted.name) else None
        return (others or self._follower).fetch(wanted)

    async def _fetch_all(self) -> None:
        while self._fetches:
            await self._outbox.room()
            self._outbox.send(self._read(self._fetches[0]))
            self._fetches.popleft()

    async def _login_environment(self) -> Mapping[str, str]:
        return (await self._login_shell()).variables

    async def _login_shell(self) -> LoginEnvironment:
        login = await self._login.read()
        if self._adopted:
            self._adopted.tmux.take_login(login.variables)
        if self._starts:
            self._starts.take_login(login.variables)
        self._begin(self._notice(), self._tasks)
        return login

    # ------------------------------------------------------------------ by itself

    async def _watch_processes(self) -> None:
        """Once a second: figures of the machine and of the agents, and whether home still speaks."""
        machine, reported = Figures(self._place.state), None
        while True:
            began = self._clock()
            if began - self._heard > NODE_PATIENCE:
                self._over.set()
            sample = await asyncio.to_thread(machine.read)
            if differs(reported, sample):
                reported = sample
                self._outbox.host(sample)
            self._watch_owner()
            await self._watch_agents()
            await asyncio.sleep(max(0.1, SECOND - (self._clock() - began)))

    def _watch_owner(self) -> None:
        """Tell home when this host has changed hands: a room that lost it must not believe otherwise."""
        with contextlib.suppress(PeerError):
            owner = self._ownership.current()
            if owner != self._owner:
                self._owner = owner
                self._outbox.send(OwnerSeen(owner.room, owner.epoch))

    async def _watch_agents(self) -> None:
        self._observer.look(thorough=False)
        self._edits.take([*self._observer.workers(), *self._adopted_workers])
        others = self._adopted is not None and self._adopted.due(self._clock())
        if not self._observer.records and not self._supervisor.wants_processes and not others:
            return
        if self._clock() < self._look_due and not others:
            return
        wanted = self._supervisor.live or self._supervisor.wants_processes or others
        look = await self._look_at_processes() if wanted else processes.ProcessSnapshot(())
        if others:
            self._look, self._looked = look, True
            self._adopted_wakes.set()
        self._supervisor.check(look)
        members = self._supervisor.members() + (self._adopted.members() if self._adopted else [])
        changed = await asyncio.to_thread(self._loads.changed, members, look, self._clock())
        if changed:
            self._outbox.loads(changed, host.now())

    async def _look_at_processes(self) -> processes.ProcessSnapshot:
        """Look at all processes; where there are thousands of them, the next look is a little later."""
        look, took = await asyncio.to_thread(processes.timed_look)
        self._look_due = self._clock() + min(LONGEST_LOOK, took / LOOK_SHARE) - SECOND / 2
        return look

    async def _watch_tmux(self) -> None:
        """Once a second start one tmux client at most: for our own server, or now and then for the user's."""
        await self._supervisor.set_up_tmux()
        while True:
            if self._adopted and self._adopted.wants_tmux(self._clock()):
                await self._adopted.ask_tmux(self._clock())
            elif self._supervisor.wants_tmux:
                await self._supervisor.ask_tmux()
            await asyncio.sleep(SECOND)

    async def _watch_adopted(self, adopted: AdoptedAgents, watch: FileWatch, starts: NewClaudes) -> None:
        """See what others started, at its own speed: it means files of theirs, on whatever disk they are.

        All of it after each look at the processes; between them those whose files change, as soon as they do.
        """
        changes = LastReports()
        while True:
            await self._adopted_wakes.wait()
            self._adopted_wakes.clear()
            looked, self._looked = self._looked, False
            changed = watch.take()
            if not adopted.ready:
                continue
            if not looked:
                agents = await asyncio.to_thread(adopted.see_again, changed, self._clock())
                self._tell_adopted(adopted, changes.again(agents))
                continue
            await asyncio.to_thread(adopted.look, self._look, self._clock())
            watch.follow(adopted.files())
            self._tell_adopted(adopted, changes.all(adopted.seen(), adopted.ended()))
            await self._send_adopted_usage(adopted, starts)

    def _tell_adopted(self, adopted: AdoptedAgents, news: list[AdoptedSeen]) -> None:
        for report in news:
            self._outbox.adopted(report)
        self._adopted_workers = adopted.workers()
        if lines := adopted.lines():
            self._outbox.lines(lines)
        if self._adopted_logs and self._outbox.idle:
            self._adopted_logs.look()

    async def _send_adopted_usage(self, adopted: AdoptedAgents, starts: NewClaudes) -> None:
        """Send what Claudes of others have used, from home's first question on; also what nobody was here to see."""
        if not self._adopted_usage.asked:
            return
        async with self._starting:
            running = await asyncio.to_thread(starts.running, adopted.running(), adopted.members())
        now, at = host.now(), self._clock()
        usage, last_look, shown = self._adopted_usage, self._last_look, adopted.seen()
        if knows_login := starts.knows_login:  # it may be known a moment later
            usage.add(await asyncio.to_thread(last_look.missed, running, starts.projects, now, at))
            if ended := last_look.ended({agent.name for agent in shown}):
                self._outbox.adopted(AdoptedSeen(ended, complete=False))
        pieces = await asyncio.to_thread(usage.look, running, now, at)
        for claude in usage.gone():
            last_look.lose(Uncounted.GONE, claude.transcript, claude.began, now)
        for why, where in starts.uncounted():
            last_look.lose(why, where, now, now)
        if knows_login:
            await asyncio.to_thread(last_look.keep, usage.unread, shown, starts.projects, now, at)
        for piece in pieces:
            self._outbox.send(piece)
        if (gaps := last_look.gaps()) is not None:
            self._outbox.send(UsageGaps(gaps))

    def _start_seen(self, starts: NewClaudes) -> None:
        starts.notice()
        self._noticed.set()

    async def _watch_starts(self, starts: NewClaudes) -> None:
        """See what Claudes of others begin, as soon as they do: many end before anybody looks around."""
        while True:
            async with self._starting:
                await asyncio.to_thread(starts.look, self._clock())
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._noticed.wait(), max(0.0, starts.wakes_at - self._clock()))
            self._noticed.clear()

    async def _tidy(self) -> None:
        """Finish what a node before us was killed at."""
        if self._ownership.mine():
            await asyncio.to_thread(sweep_aside, self._place.state)
            await asyncio.to_thread(staging.sweep, self._place.state)
            await asyncio.to_thread(sweep_merges, self._place.state, dict(os.environ))

    async def _keep_noticing(self) -> None:
        """Look again, now and then, for what was missing: it may have been put right as we said."""
        await self._login_shell()
        while True:
            await asyncio.sleep(NOTICING)
            if self._told_notice or self._told_tmux is None or not self._told_tmux.version:
                await self._notice()

    async def _notice(self) -> None:
        """Report what the operator should know about this host, where that has changed."""
        tmux = await asyncio.to_thread(lambda: host.ask_tmux(self._place.tmux.program))
        if tmux != self._told_tmux:
            self._told_tmux = tmux
            self._outbox.send(tmux)
        login = await self._login.last()
        text = " ".join([*host.shortcomings(tmux), *([login.problem] if login.problem else [])])
        if text != self._told_notice:
            self._told_notice = text
            self._outbox.send(Notice(text))

    # ------------------------------------------------------------------ the end

    def _begin(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        """A failure is a fault of ours: say it and end, so that home starts a sound node."""
        if not task.cancelled() and (error := task.exception()):
            self._fail(f"the node failed ({type(error).__name__}: {error}); please report this")

    def _fail(self, words: str) -> None:
        self._code = 1
        sys.stderr.write(f"controlroom node: {words}\n")
        self._outbox.send(Notice(words))
        self._over.set()

    async def _part(self) -> None:
        """Let acts be finished, and leave."""
        for task in self._tasks:
            task.cancel()
        if self._acts:
            await asyncio.wait(self._acts, timeout=PARTING)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._supervisor.close(), PARTING)
        self._inquirer.close()
        await self._login.close()
        if self._starts:
            self._starts.close()
        self._observer.close()
        if self._watch:
            self._watch.close()
        self._lines.close()
        self._follower.close()
        await self._outbox.close(1.0)
