"""The engine as a process: `controlroom engine --foreground`, mostly started by a front end in the background.

Its own log is bounded and holds no secrets. What keeps it from starting is one sentence, given to the front end that
started it, or printed. It ends by `controlroom stop`, SIGTERM or SIGINT; agents live on.
"""

import asyncio
import contextlib
import gc
import logging
import os
import random
import secrets
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

from controlroom import __version__
from controlroom.domain import events
from controlroom.domain.gauges import Alarm, AlarmLevel
from controlroom.engine.catalogs import price_sheet
from controlroom.engine.clock import steady
from controlroom.engine.config import config
from controlroom.engine.config.config import Config
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.engine.engine import Engine
from controlroom.engine.frontends.server import Server
from controlroom.engine.hosts.link import Link, Sink
from controlroom.engine.hosts.links import HostDialler
from controlroom.engine.hosts.tcp import Ways
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem
from controlroom.engine.notify.notifier import Notifier, minute_of_day
from controlroom.engine.process import forbid_cores, log_to
from controlroom.protocol.home import (
    READY,
    REPORT,
    STARTING,
    TAKEN,
    Home,
    HomeProblem,
    LockTaken,
    find_home,
    hold,
    show_start,
)
from controlroom.wire.messages import Greet

log = logging.getLogger("controlroom.engine")

LATEST = 10.0
"""Seconds until an engine that was told to end is gone, whatever keeps it: a front end waits for that twice as long."""


class _Report:
    """Tells whoever started the engine how that went; till then it shows everybody that the engine is starting."""

    def __init__(self) -> None:
        self._descriptor, self._start = _given(REPORT), _given(STARTING)
        self.in_background = self._descriptor is not None

    def begin(self, path: Path) -> None:
        """Show that the engine is starting, if nobody does yet. Raises `OSError`."""
        if self._start is None:
            self._start = show_start(path)

    def tell(self, words: str) -> None:
        """Report to the process that started this one, once; at a terminal, `sentence` is printed instead."""
        start, self._start = self._start, None
        if start is not None:
            os.close(start)
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.write(descriptor, f"{words}\n".encode())
            os.close(descriptor)


def _given(name: str) -> int | None:
    """Take a descriptor that the environment names."""
    value = os.environ.pop(name, "")
    return int(value) if value.isdecimal() else None


def run() -> int:
    """Run the engine of this process's room to its end; give the exit code."""
    os.umask(0o077)
    report = _Report()
    if report.in_background:
        _detach()
    home = find_home(os.environ)
    try:
        _run(home, report)
    except LockTaken as taken:
        report.tell(TAKEN)
        return _say(str(taken))
    except (HomeProblem, ConfigProblem, LedgerProblem) as problem:
        report.tell(str(problem))
        return _say(str(problem))
    except OSError as error:
        sentence = f"the engine cannot start: {error.filename or home.state_folder}: {error.strerror}"
        report.tell(sentence)
        return _say(sentence)
    return 0


def _detach() -> None:
    """Leave the process group and the parent of whoever started us."""
    if os.fork():
        os._exit(0)
    os.setsid()


def _say(sentence: str) -> int:
    print(sentence, file=sys.stderr)  # noqa: T201 - nobody else can say it
    return 1


def _run(home: Home, report: _Report) -> None:
    forbid_cores()
    home.prepare()
    report.begin(home.starting)
    descriptor = hold(home.lock, home.socket)
    os.chdir("/")
    try:
        settings = config.load(home)
        if settings.home:
            raise ConfigProblem(f"{home.config}: home: the engine of this room is on {settings.home}: none starts here")
        price_sheet.check(home)
        ledger = Ledger(home.ledger, secrets.token_hex(16))
        log_to(home.log)
        asyncio.run(_serve(home, settings, ledger, report))
    finally:
        os.close(descriptor)


async def _serve(home: Home, settings: Config, ledger: Ledger, report: _Report) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    prices = partial(price_sheet.load, home)
    engine = Engine(home, settings, ledger, _Opener(home, ledger.room, settings), now, prices, steady)
    server = Server(engine, stopping.set, settings.withheld)
    notifier = Notifier(engine.store, settings.outlets, minute_of_day)
    engine.start()
    if home.elsewhere:
        log.warning("%s", home.elsewhere)
        engine.store.apply(events.Alarmed("sockets", Alarm(home.elsewhere, AlarmLevel.NOTICE, now())))
    notifier.start()
    await server.listen(home.socket, home.watch_socket)
    log.info("engine %s of room %s listens at %s", __version__, ledger.room, home.socket)
    if not report.in_background:
        _say(f"the engine listens at {home.socket}; Ctrl-C ends it, agents live on")
    report.tell(READY)
    gc.freeze()  # what was loaded stays: to look through it for garbage takes 20 ms each time
    gc.set_threshold(10_000)
    gc.enable()
    await stopping.wait()
    _say_goodbye(engine)
    for path in (home.socket, home.watch_socket, home.lead_socket):
        path.unlink(missing_ok=True)
    await notifier.close()
    await server.close()
    await engine.close()
    logging.shutdown()
    os._exit(0)  # all is written; a thread that waits for a name lookup must not keep the room's lock


def _say_goodbye(engine: Engine) -> None:
    """Write down what is under way, and see to it that the engine ends: the next one finds whatever was not done."""
    from controlroom.domain.display.under_way import under_way

    left = under_way(engine.store.fleet)
    log.info("the engine ends; agents live on%s", "; under way: " * bool(left) + "; ".join(left))
    last = threading.Timer(LATEST, os._exit, [0])
    last.daemon = True
    last.start()


class _Opener:
    """Makes the real links."""

    def __init__(self, home: Home, room: str, settings: Config) -> None:
        self._home = home
        adopt, logs = settings.adopt, settings.adopted_logs
        self._greet = Greet(__version__, room, home.namespace, adopt=adopt, adopted_logs=logs)
        self._ways = Ways(time.monotonic)

    def __call__(self, sink: Sink, host: str, address: str, fingerprint: str) -> Link:
        dialler = HostDialler(host, address, self._home.known_hosts, fingerprint, self._ways)
        return Link(host, self._greet, dialler, sink, now, random.Random(), steady)  # noqa: S311 - jitter


def now() -> int:
    """Return UTC milliseconds."""
    return time.time_ns() // 1_000_000
