"""The verbs that do something with what an agent has committed."""

import argparse

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import typed
from controlroom.cli.room import code_of, confirmed, find_agent, person_types, with_room
from controlroom.client.client import Client
from controlroom.domain.branch_conflicts import give_back
from controlroom.domain.branch_intents import Accept, DropWork, PullRequest, PushBranch
from controlroom.domain.display.collected import Collected, markdown, title, would_be_lost
from controlroom.domain.model import Agent
from controlroom.domain.orders import Result
from controlroom.text.branch_work import BranchWork

PATIENCE = 590.0
"""Seconds to wait for a merge or a push: checks run, and remotes answer when they do."""


def accept(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Merge what an agent has committed."""
    return with_room(_accept, args)


async def _accept(client: Client, args: argparse.Namespace) -> int:
    agent = await find_agent(client, args.agent)
    return code_of(await accept_one(client, agent, args.into, args))


async def accept_one(client: Client, agent: Agent, into: str, args: argparse.Namespace, head: str = "") -> Result:
    """Merge what one agent has committed, and say what came of it; `head`: the commit that was shown."""
    intent = Accept(agent.id, agent.epoch, into, args.rebase, args.push, head)
    result = await client.submit(intent, deadline=PATIENCE)
    output.talk(f"{agent.id}: {result.reason}" if result.reason else f"{agent.id} is merged into {into}")
    if not result.conflicts:
        return result
    for path in result.conflicts:
        output.talk(f"  {path}")
    if args.give_back:
        back = await client.submit(give_back(agent, into, result.conflicts, pushed=args.push))
        output.talk(
            f"given back to {agent.id}, which is to resolve it" if back.ok else f"not given back: {back.reason}"
        )
    else:
        output.talk(
            f"resolve it where {agent.name} works, or have it do so: controlroom accept {agent.id} --into {into} "
            "--give-back"
        )
    return result


def push(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Push an agent's branch."""
    return with_room(_push, args)


async def _push(client: Client, args: argparse.Namespace) -> int:
    agent = await find_agent(client, args.agent)
    result = await client.submit(PushBranch(agent.id, agent.epoch, args.branch), deadline=PATIENCE)
    return _told(agent, result)


def pull_request(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Ask for the merge of an agent's branch."""
    args.title = typed(args.title, "the title")
    return with_room(_pull_request, args)


async def _pull_request(client: Client, args: argparse.Namespace) -> int:
    agent = await find_agent(client, args.agent)
    told = await client.work(agent.id, agent.epoch)
    collected = Collected(agent, told.work, told.reason)
    if collected.why or told.work is None:
        raise Stop(Exit.REFUSED, f"{agent.id}: {collected.why}")
    body = markdown([collected], client.now())
    intent = PullRequest(
        agent.id, agent.epoch, args.into, args.title or title(told.work), body, args.draft, told.work.head
    )
    return _told(agent, await client.submit(intent, deadline=PATIENCE), data=True)


def drop(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Remove what was made for an agent."""
    return with_room(_drop, args)


async def _drop(client: Client, args: argparse.Namespace) -> int:
    agent = await find_agent(client, args.agent)
    typed_name, head = args.typed, ""
    if not (args.yes or args.typed):
        told = await client.work(agent.id, agent.epoch)
        head = told.work.head if told.work else ""
        typed_name = _asked(agent, told.work)
    result = await client.submit(DropWork(agent.id, agent.epoch, typed_name, head), deadline=PATIENCE)
    if result.ok:
        output.talk(f"{agent.id}: dropped {result.reason}")
    else:
        raise Stop(code_of(result), f"{agent.id}: {result.reason or 'no reason was given'}")
    return Exit.DONE


def _asked(agent: Agent, work: BranchWork | None) -> str:
    """Ask the person; give the agent's name where they typed it. Raises `Stop` when they do not want it."""
    lost = would_be_lost(work) if work else ""
    if not lost:
        confirmed(f"Drop the worktree and the branch of {agent.id}?", False)
        return ""
    person_types(f"Drop the worktree and the branch of {agent.id}, and lose {lost}?", agent.name)
    return agent.name


def _told(agent: Agent, result: Result, *, data: bool = False) -> int:
    """Say what came of an order; `data`: what was done is what the verb prints."""
    if not result.ok:
        raise Stop(code_of(result), f"{agent.id}: {result.reason or 'no reason was given'}")
    (output.data if data else output.talk)(result.reason or f"{agent.id}: done")
    return Exit.DONE
