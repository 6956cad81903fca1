"""What agents have done, for people, for scripts and for pull requests; and one branch made of many."""

import argparse
import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from controlroom.cli import output
from controlroom.cli.agents import find_agents
from controlroom.cli.branches import accept_one
from controlroom.cli.costs import moment
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.room import code_of, find_agent, money_zone, wait_settled, with_room
from controlroom.client.client import Client
from controlroom.domain.display.collected import HEAD, RIGHT, Collected, last_words, markdown, notes, row
from controlroom.domain.display.filters import is_pattern, is_term
from controlroom.domain.keys.many import AT_ONCE
from controlroom.domain.model import Agent
from controlroom.domain.tasks import TaskState
from controlroom.text.names import branch_name_problem


def collect(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Show what agents have done, and merge it where that is wanted."""
    if not (args.agent or args.everyone or args.since or args.tasks):
        raise Stop(Exit.USAGE, "which agents? say a name, a pattern in quotes, --since today, --tasks, or --all")
    if not args.merge_into and (args.rebase or args.push or args.give_back):
        raise Stop(Exit.USAGE, "--rebase, --push and --give-back are about a merge: say --merge-into BRANCH")
    if args.merge_into and (problem := branch_name_problem(args.merge_into)):
        raise Stop(Exit.USAGE, problem)
    return with_room(_collect, args)


async def _collect(client: Client, args: argparse.Namespace) -> int:
    agents = await _chosen(client, args)
    gate = asyncio.Semaphore(AT_ONCE)
    collected = list(await asyncio.gather(*(_look(client, agent, gate) for agent in agents)))
    code = Exit.DONE
    if args.merge_into:
        code = await _merge(client, args, collected)
    if args.json:
        output.json_answer("collect", collected)
    elif args.markdown:
        output.data(markdown(collected, client.now()).removesuffix("\n"))
    else:
        rows = [(row(one, client.now()), last_words(one)) for one in collected]
        output.noted_table(HEAD, rows, RIGHT)
        for words in (words for one in collected for words in notes(one)):
            output.note(words)
    return code


async def _look(client: Client, agent: Agent, gate: asyncio.Semaphore) -> Collected:
    async with gate:
        told = await client.work(agent.id, agent.epoch)
    return Collected(agent, told.work, told.reason)


# --------------------------------------------------------------------------- which agents


async def _chosen(client: Client, args: argparse.Namespace) -> Sequence[Agent]:
    """The agents that are meant: in the order of the tasks, else as they were named, else by id. Raises `Stop`."""
    agents = await _named(client, args) if args.agent or args.everyone else None
    if agents is None:
        await wait_settled(client)
        ours = (agent for agent in client.fleet.agents.values() if not agent.adopted)
        agents = sorted(ours, key=lambda agent: agent.id)
    if args.tasks:
        agents = list(_of_tasks(client, agents))
    if args.since:
        since = moment(args.since, client.now() / 1000, money_zone(client.fleet)) * 1000
        agents = [agent for agent in agents if agent.has_ended and agent.ended >= since]
    if not agents:
        raise Stop(Exit.NOT_FOUND, "there is no such agent; see controlroom status")
    return agents


async def _named(client: Client, args: argparse.Namespace) -> Sequence[Agent]:
    if any(is_term(word) or is_pattern(word) for word in args.agent) or args.everyone:
        return (await find_agents(client, args))[0]
    named = [await find_agent(client, word) for word in args.agent]
    return list({agent.id: agent for agent in named}.values())


def _of_tasks(client: Client, agents: Iterable[Agent]) -> Iterable[Agent]:
    """Those whose run did a task that is done, in the order in which the tasks were added."""
    wanted = {(agent.id, agent.epoch): agent for agent in agents}
    for task in sorted(client.fleet.tasks.values(), key=lambda task: task.number):
        if task.state is TaskState.DONE and task.last and (agent := wanted.pop((task.last.id, task.last.epoch), None)):
            yield agent


# --------------------------------------------------------------------------- one branch of many


async def _merge(client: Client, args: argparse.Namespace, collected: list[Collected]) -> Exit:
    """Merge them one after the other, up to the first that is not merged; what came of each is noted with it."""
    _check_places(args, collected)
    for index, one in enumerate(collected):
        if one.why:
            output.talk(f"left out: {one.agent.id}: {one.why}")
            continue
        head = one.work.head if one.work else ""
        result = await accept_one(client, one.agent, args.merge_into, args, head)
        collected[index] = replace(one, result=result)
        if not result.ok:
            rest = [other.agent.id for other in collected[index + 1 :] if not other.why]
            output.talk(f"stopped there; not tried: {', '.join(rest)}" if rest else "stopped there")
            return code_of(result)
    if not any(one.result for one in collected):
        raise Stop(Exit.REFUSED, "nobody has committed anything: there is nothing to merge")
    return Exit.DONE


def _check_places(args: argparse.Namespace, collected: Sequence[Collected]) -> None:
    """See that one branch can hold them all: what lies in several clones meets at the origin. Raises `Stop`."""
    works = [(one.agent.host, one.work) for one in collected if one.work and not one.why]
    origins = {work.origin for _, work in works}
    if len(origins) > 1:
        named = ", ".join(sorted(origin or "one without an origin" for origin in origins))
        raise Stop(Exit.REFUSED, f"these agents work in several repositories, and nothing was merged: {named}")
    if len({(host, work.clone) for host, work in works}) > 1 and not args.push:
        raise Stop(
            Exit.REFUSED,
            "these agents work in several clones, and nothing was merged: say --push, so that the branch goes through "
            "the origin",
        )
