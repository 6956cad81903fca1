"""Notifies people who are not looking: on the desktop, by a command of theirs, a webhook, or a service of `apprise`.

News are looked for twice a second at most, so that a busy fleet costs nothing. Each message is sent by a short process
of its own, which has `SECONDS` to do it; addresses (they often hold a token) and texts reach it on stdin, not in argv.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime

from controlroom.domain.changes import Changes
from controlroom.domain.events import Alarmed
from controlroom.domain.gauges import Alarm
from controlroom.domain.news import NEVER, News, NotificationQueue, Wish, happened, still, told
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.store import FleetStore
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.sanitize import redact

log = logging.getLogger("controlroom.notify")

LOOK = 0.5
"""Seconds between two looks at a fleet that changes."""

SECONDS = 30.0
"""Seconds that sending one message may take."""

SENDER = "controlroom.engine.notify.send"


@dataclass(frozen=True)
class Outlet:
    """How one outlet reaches its people; one of the first three."""

    desktop: bool = False
    command: tuple[str, ...] = ()
    url: str = field(default="", repr=False)
    url_file: str = ""
    """A file on this machine whose first line is the address."""


def minute_of_day(at: int) -> int:
    """Return the minute of the day here at a time (UTC milliseconds)."""
    here = datetime.fromtimestamp(at / 1000).astimezone()
    return here.hour * 60 + here.minute


class Notifier:
    """Watches a room and sends what its outlets are for. All methods are called on the event loop."""

    def __init__(self, store: FleetStore, ways: dict[str, tuple[Outlet, Wish]], minute: Callable[[int], int]) -> None:
        self._store, self._began, self._seen = store, store.clock(), store.fleet
        store.when_clock_set(self._clock_set)
        self._ways = {name: (way, NotificationQueue(wish, minute)) for name, (way, wish) in ways.items()}
        self._background = BackgroundTasks("telling")
        self._unseen = Changes()
        self._looking: asyncio.TimerHandle | None = None
        self._telling: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start to watch, if there is anybody to notify."""
        if self._ways:
            self._store.subscribe(self._changed)

    async def close(self) -> None:
        """Tell nothing more."""
        self._store.unsubscribe(self._changed)
        for timer in (self._looking, self._telling):
            if timer is not None:
                timer.cancel()
        await self._background.end()

    async def wait_idle(self) -> None:
        """Wait until what has changed was looked at, and what was due has been sent."""
        while self._looking is not None or len(self._background):  # noqa: ASYNC110 - in tests
            await asyncio.sleep(LOOK / 10)

    def _changed(self, changes: Changes) -> None:
        self._unseen.add(changes)
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK, self._look)

    def _clock_set(self, by: int) -> None:
        """Move what is waited for with our clock."""
        self._began += by
        for _, queue in self._ways.values():
            queue.clock_set(by)

    def _look(self) -> None:
        self._looking = None
        old, self._seen = self._seen, self._store.fleet
        changes, self._unseen = self._unseen, Changes()
        if news := happened(old, self._seen, changes, self._store.clock(), self._began):
            for _, queue in self._ways.values():
                queue.offer(news)
        self._tell()

    def _tell(self) -> None:
        """Send what is due, and come back when more will be."""
        now, fleet = self._store.clock(), self._store.fleet
        for name, (way, queue) in self._ways.items():
            if items := queue.take(now, lambda item: still(fleet, item)):
                self._background.begin(self._send(name, way, items))
        first = min((queue.due_at(now) for _, queue in self._ways.values()), default=NEVER)
        if self._telling is not None:
            self._telling.cancel()
        self._telling = None
        if first < NEVER:
            wait = max(0.05, (first - now) / 1000)
            self._telling = asyncio.get_running_loop().call_later(min(wait, 3600.0), self._tell)

    async def _send(self, name: str, way: Outlet, items: Sequence[News]) -> None:
        """Send one message. That it cannot be sent is a line in the log, and an alarm until one can."""
        problem = redact(await _sent(way, items))[:300]
        if problem:
            log.warning("notify.%s: a message could not be sent: %s", name, problem)
        about, alarms = f"notify {name}", self._store.fleet.alarms
        if problem and about not in alarms:
            why = "its command fails" if way.command else problem
            text = f"nobody is told by [notify.{name}] of config.toml: {why}; the engine's log says more"
            self._store.apply(Alarmed(about, Alarm(text, since=self._store.clock())))
        elif not problem and about in alarms:
            self._store.apply(Alarmed(about, None))


async def _sent(way: Outlet, items: Sequence[News]) -> str:
    """Send one message; gives why it cannot be sent, "" when it was."""
    title, body = (redact(text) for text in told(items))
    facts = [{"kind": item.kind, "about": item.about, "text": redact(item.text), "at": item.at} for item in items]
    message: dict[str, object] = {"title": title, "body": body, "news": facts}
    if way.command:
        argv, message_in = list(way.command), message
    else:
        argv = [sys.executable, "-m", SENDER]
        message_in = {**message, "desktop": way.desktop, "url": way.url, "url_file": way.url_file}
    try:
        return await asyncio.wait_for(run_program(argv, json.dumps(message_in).encode()), SECONDS)
    except (OSError, ValueError) as error:
        return str(error)
    except TimeoutError:
        return f"it took longer than {SECONDS:g} s"


async def run_program(argv: list[str], stdin: bytes, environ: Mapping[str, str] | None = None) -> str:
    """Run a program with something on its stdin; give what it complained of, "" when all is well."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, complaint = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()  # else its transport outlives the loop
    if not process.returncode:
        return ""
    lines = complaint.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"exit {process.returncode}"
