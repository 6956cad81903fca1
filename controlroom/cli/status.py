"""What is going on in the fleet, and why one agent's state is what it is, for people and for scripts."""

import argparse
import textwrap
import time
from collections.abc import Iterable
from datetime import datetime, tzinfo

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.records import Asked, Explained
from controlroom.cli.room import find_agent, wait_settled, with_room
from controlroom.client.client import Client
from controlroom.domain.claims import doubt_words
from controlroom.domain.display import explain as why
from controlroom.domain.display import views
from controlroom.domain.display.filters import fits, problem
from controlroom.domain.display.tasks import queue_line
from controlroom.domain.model import Agent, Fleet, Host, State
from controlroom.domain.money.budget import amount
from controlroom.domain.questions import asking, command
from controlroom.domain.words import percent, size
from controlroom.text.host_sample import HostSample

_LABEL = 9
"""Columns before the words."""


def explain(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Explain an agent's state."""
    return with_room(explained, args)


async def explained(client: Client, args: argparse.Namespace) -> int:
    """Explain the state of `args.agent`."""
    agent = await find_agent(client, args.agent)
    now = client.now()
    explanation = why.explain(client.fleet, agent, now)
    if args.json:
        output.json_answer("explain", Explained(client.fleet, agent, explanation))
        return Exit.DONE
    output.data(
        f"{explanation.agent}, adopted ({agent.place})"
        if agent.adopted
        else f"{explanation.agent}, run {explanation.epoch}"
    )
    report(why.lines(explanation, now, clock))
    return Exit.DONE


def report(told: Iterable[views.Line]) -> None:
    """Print lines with their labels before them, wrapped to the terminal."""
    room = max(20, (output.width() or 10_000) - _LABEL)
    for line in told:
        for index, part in enumerate(textwrap.wrap(line.words, room) or [""]):
            output.data(f"{line.label if index == 0 else '':>{_LABEL - 2}}  {part}")


def clock(at: int, zone: tzinfo | None = None) -> str:
    """The time of day there (here, if no zone is given), with the day where it is another one."""
    then, now = (datetime.fromtimestamp(seconds, zone) for seconds in (at / 1000, time.time()))
    return f"{then:%H:%M}" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M}"


BRIEFLY = 3.0
"""Seconds that `status` waits for hosts that are still being connected."""


def status(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Show hosts and agents."""
    return with_room(_status, args)


async def _status(client: Client, args: argparse.Namespace) -> int:
    now, wanted = await wait_briefly(client), " ".join(args.filter)
    if wrong := problem(wanted):
        raise Stop(Exit.USAGE, wrong)
    fleet = client.fleet
    rows = [row for row in views.agent_rows(fleet, now) if fits(fleet.agents[row.id], row, wanted)]
    if args.json:
        agents = [fleet.agents[row.id] for row in rows]
        output.json_answer("status", Asked(fleet, now, agents, (await client.figures()).figures))
        return Exit.DONE
    if wanted:
        if rows:
            agent_table(fleet, rows, now)
        else:
            output.talk(f"none of {len(fleet.agents)} agents fits {ascii(wanted)[:90]}")
        return Exit.DONE
    if fleet.hosts:
        host_table(fleet, now)
    if rows:
        output.data("")
        agent_table(fleet, rows, now)
    if line := queue_line(fleet, now):
        output.talk(line)
    for alarm in views.worst_first(client.fleet):
        output.talk(f"{alarm.level}: {alarm.text}")
    _teach(client.fleet)
    return Exit.DONE


async def wait_briefly(client: Client) -> int:
    """Wait a moment for the hosts of a fresh engine; the time then, in UTC milliseconds."""
    await wait_settled(client, seconds=BRIEFLY)
    return client.now()


def host_table(fleet: Fleet, now: int, *, wide: bool = False) -> None:
    """Print the hosts; `wide`: with all their figures, which no phone has room for."""
    head = ("WAIT", "LOAD", "SWAP", "DISK", "IN/s", "OUT/s") if wide else ()
    rows: list[tuple[str, ...]] = [("HOST", "LINK", "AGE", "CPU", "RAM", "OF", *head, "AGENTS", "ADDRESS")]
    rows += [
        (
            row.name,
            row.link.value,
            row.age,
            percent(row.cpu_percent),
            size(row.memory_used),
            size(row.memory_total),
            *(_figures(fleet.hosts[row.name]) if wide else ()),
            str(row.agents),
            _standing(row, now),
        )
        for row in views.host_rows(fleet, now)
    ]
    output.table(rows, right=frozenset(range(2, len(rows[0]) - 1)))


def _figures(host: Host) -> tuple[str, ...]:
    """Waiting for a disk, load, swap used, disk left, bytes a second in and out."""
    sample = host.sample or HostSample(0)
    load = "–" if sample.load_1m is None else f"{sample.load_1m:.1f}"
    sizes = (sample.swap_used, sample.disk_free, sample.network_in, sample.network_out)
    return (percent(sample.iowait_percent), load, *map(size, sizes))


def agent_table(fleet: Fleet, rows: Iterable[views.AgentRow], now: int) -> None:
    """Print agents in this order."""
    drawn = [("", "AGENT", "STATE", "AGE", "MODEL", "RAM", "CPU", "COST", "NOW")]
    drawn += [
        (
            views.GLYPHS[row.state],
            f"{row.id}{'?' * row.doubted}{_taken_over(fleet.agents[row.id])}",
            f"{row.state.value} ({row.pending})" if row.pending else row.state.value,
            row.age,
            row.model,
            row.memory,
            percent(row.cpu_percent),
            row.cost or "–",
            _line(fleet.agents[row.id], row, now),
        )
        for row in rows
    ]
    output.table(drawn, right=frozenset((3, 5, 6, 7)))


def _taken_over(agent: Agent) -> str:
    """The name that an agent of others was taken over with, behind its id; verbs take either."""
    return f" ({agent.called})" if agent.adoption else ""


def _line(agent: Agent, row: views.AgentRow, now: int) -> str:
    """What says most about an agent; of a limited one first when that ends."""
    until = views.limit_end(agent, now) if row.state is State.LIMITED else None
    return f"until {clock(until)}: {row.line}" if until else row.line


def _standing(row: views.HostRow, now: int) -> str:
    if row.question:
        return f"{row.question.title}: {command(row.name, row.question)}"
    taken = f"{row.taken}: controlroom host take {row.name}" if row.taken else ""
    drain = views.drain_words(row.drain, now, row.progress) if row.drain else ""
    return "; ".join(filter(None, (taken, drain, row.reason))) or row.address


def _teach(fleet: Fleet) -> None:
    if not fleet.hosts:
        output.talk("no hosts: add one with controlroom host add user@address")
    elif not fleet.agents:
        output.talk("no agents: start one with controlroom spawn NAME --task 'what it should do'")
    for budget in fleet.budgets.values():
        if budget.granted and budget.ends:
            granted = amount(budget.granted, budget.unit)
            output.talk(f"budget {budget.name}: agents may spend {granted} more even if this machine is off")
    for agent in fleet.agents.values():
        if doubts := doubt_words(agent):
            output.talk(f"{agent.id}? {doubts}")
    for name, question in fleet.questions():
        if name in fleet.agents:
            output.talk(f"{name} {asking(question)}; answer it with {command(name, question)}")
