"""An agent's log: its last lines, then what comes."""

import argparse
import asyncio
from collections.abc import Iterable, Sequence
from functools import partial

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import typed
from controlroom.cli.room import find_agent, with_room
from controlroom.client.client import Client, LogPage
from controlroom.domain.display.loglines import LogLine, WholeLines, log_lines
from controlroom.domain.model import Agent, Fleet, LinkState, LogPlace
from controlroom.domain.words import size
from controlroom.text.event_text import LogRecord

_PAGE = 2000
"""Records of one page of history."""

_WRITTEN_BY_AGENT = "oea"
"""Streams of what the agent itself wrote; the runner's notes and the operator's input are other ones."""


def logs(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Print a log."""
    return with_room(_logs, args)


async def _logs(client: Client, args: argparse.Namespace) -> int:
    return await print_log(client, await find_agent(client, args.agent), args)


async def print_log(client: Client, agent: Agent, args: argparse.Namespace) -> int:
    """Print the log of an agent as `args` say. Raises `Stop`."""
    epoch = args.epoch or agent.epoch
    if epoch > agent.epoch:
        raise Stop(Exit.NOT_FOUND, f"{agent.id} is in run {agent.epoch}: there is no log of run {epoch} yet")
    if args.grep:
        return await _grep(client, agent, epoch, args)
    reader = _Reader(client, agent, epoch, args.raw)
    following = args.follow and epoch == agent.epoch
    await reader.last(args.lines, more=following)
    if following:
        await reader.follow()
    return Exit.DONE


async def _grep(client: Client, agent: Agent, epoch: int, args: argparse.Namespace) -> int:
    """Print the last lines that hold what is searched for. Raises `Stop` when the log cannot be searched."""
    if args.follow or args.raw:
        raise Stop(Exit.USAGE, "--grep searches what there is, and prints lines for people: leave out -f and --raw")
    lines: list[LogLine] = []
    wanted = typed(args.grep, "what is searched for")
    search = partial(client.search, agent.id, epoch, wanted, regex=args.regex, exact=not args.ignore_case, lines=True)
    before, done = None, False
    while not done and len(lines) < args.lines:
        count = min(_PAGE, args.lines - len(lines))
        hits = await search(before=before, count=count)
        if hits.reason:
            raise (
                _unread(client.fleet, agent.host, hits.reason) if hits.unanswered else Stop(Exit.REFUSED, hits.reason)
            )
        lines += [line for hit in hits.hits for line in reversed(hit.lines)]
        before, done = hits.place, hits.done
    output.log_lines(reversed(lines[: args.lines]))
    if not lines:
        output.talk(f"no line of {agent.id} (run {epoch}) matches")
    return Exit.DONE


class _Reader:
    """Reads one log from some place on, and prints it."""

    def __init__(self, client: Client, agent: Agent, epoch: int, raw: bool) -> None:
        self._client, self._id, self._epoch, self._raw = client, agent.id, epoch, raw
        self._host = agent.host
        self._place: LogPlace | None = None
        self._lines = WholeLines()

    async def last(self, count: int, *, more: bool) -> None:
        """Print the last lines; `more`: others come. Raises `Stop` when the log cannot be read."""
        pages: list[LogPage] = []
        before, lines = None, 0
        while lines < count:
            page = await self._client.fetch(self._id, self._epoch, before=before, count=min(_PAGE, max(count, 50)))
            if page.reason and pages:
                output.talk(f"older lines are not shown: {page.reason}")
                break
            if page.reason:
                self._nothing(page)
                return
            pages.append(page)
            if page.first or not page.records:
                break
            before, lines = page.start, lines + _count(page, self._raw)
        self._place = pages[0].end
        records = self._taken(record for page in reversed(pages) for record in page.records)
        self._print(records if more else [*records, *self._lines.rest()], count)

    def _nothing(self, page: LogPage) -> None:
        """There is nothing to print. Raises `Stop` unless its host says that there is none and the agent is new."""
        if page.unanswered:
            raise _unread(self._client.fleet, self._host, page.reason)
        agent = self._client.fleet.agents.get(self._id)
        new = agent is not None and not agent.adopted and agent.epoch == self._epoch and not agent.log_bytes
        if not (page.absent and new):
            raise Stop(Exit.REFUSED, page.reason)
        output.talk(f"{self._id} has written nothing yet")
        self._place = LogPlace(self._epoch, 1, 0)

    async def follow(self) -> None:
        """Print what comes until the run has ended, then what was written last."""
        await self._client.follow({self._id: self._place})
        printing = asyncio.create_task(self._print_pages())
        over = asyncio.create_task(self._over())
        try:
            await asyncio.wait((printing, over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (printing, over):
                task.cancel()
            await asyncio.gather(printing, over, return_exceptions=True)
        for task in (printing, over):
            if not task.cancelled() and (problem := task.exception()):
                raise problem
        await self._client.follow({})
        await self._rest()
        self._say_how_it_ended()

    async def _print_pages(self) -> None:
        async for page in self._client.pages():
            if page.agent == self._id and page.start.epoch == self._epoch:
                if page.skipped:
                    output.talk(f"… {size(page.skipped)} were skipped: the link is slower than the log")
                self._place = page.end
                self._print(self._taken(page.records))

    async def _over(self) -> None:
        away = False
        while not self._ended(self._client.fleet):
            host = self._client.fleet.hosts.get(self._host)
            if away is not (away := host is None or host.link is not LinkState.UP) and away:
                output.talk(f"{self._host} cannot be asked now: what is written meanwhile follows when it is back")
            await self._client.changed()

    def _ended(self, fleet: Fleet) -> bool:
        agent = fleet.agents.get(self._id)
        return agent is None or agent.epoch != self._epoch or agent.has_ended

    async def _rest(self) -> None:
        while self._id in self._client.fleet.agents:
            page = await self._client.fetch(self._id, self._epoch, after=self._place, count=_PAGE)
            if page.unanswered:
                raise _unread(self._client.fleet, self._host, page.reason)
            if page.reason and not page.absent:
                output.talk(f"what was written last could not be read: {page.reason}")
            if not page.records:
                break
            self._place = page.end
            self._print(self._taken(page.records))
        self._print(self._lines.rest())

    def _taken(self, records: Iterable[LogRecord]) -> list[LogRecord]:
        """Choose what is to be printed; a line is printed as one, whatever another stream said meanwhile."""
        return list(
            self._lines.feed(record for record in records if not self._raw or record.stream in _WRITTEN_BY_AGENT)
        )

    def _print(self, records: Sequence[LogRecord], last: int | None = None) -> None:
        if self._raw:
            output.raw(b"".join(_bytes(record) for record in _tail(records, last)))
            return
        lines = list(log_lines(records))
        output.log_lines(lines[-last:] if last else lines)

    def _say_how_it_ended(self) -> None:
        agent = self._client.fleet.agents.get(self._id)
        if agent is None:
            output.talk(f"{self._id} is gone")
        elif agent.epoch != self._epoch:
            output.talk(f"{self._id} was restarted, as run {agent.epoch}")
        else:
            output.talk(f"{self._id} has ended: {agent.detail or agent.state}")


def _unread(fleet: Fleet, name: str, reason: str) -> Stop:
    """Say that a host could not be asked for a log, and why."""
    host = fleet.hosts.get(name)
    if host is None or host.link is LinkState.UP:
        return Stop(Exit.UNKNOWN, f"{reason}: try again")
    return Stop(Exit.UNKNOWN, f"{reason}: {host.link}{f', {host.reason}' if host.reason else ''}")


def _bytes(record: LogRecord) -> bytes:
    return record.body if record.continued else record.body + b"\n"


def _tail(records: Sequence[LogRecord], last: int | None) -> Sequence[LogRecord]:
    """The last lines, whole: a line may be several records."""
    if last is None:
        return records
    at, lines = len(records), 0
    while at and (lines < last or records[at - 1].continued):
        at -= 1
        lines += not records[at].continued
    return records[at:]


def _count(page: LogPage, raw: bool) -> int:
    """Count the lines of a page: at least so many are shown of it."""
    if raw:
        return sum(record.stream in _WRITTEN_BY_AGENT and not record.continued for record in page.records)
    return sum(1 for _ in log_lines(page.records))
