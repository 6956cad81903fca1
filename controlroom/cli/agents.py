"""The verbs that steer agents."""

import argparse

from controlroom.cli import output
from controlroom.cli.answers import to_intent
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import check_profile, host_of, read_text, task_text, typed
from controlroom.cli.many import several, to_all
from controlroom.cli.room import confirmed, find_agent, order, wait_settled, with_room
from controlroom.client.client import Client
from controlroom.domain import intents
from controlroom.domain.keys.actions import BY_NAME, unavailable
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.preconditions import default_host
from controlroom.domain.words import age

MOVE_PATIENCE = 240.0
"""Seconds to wait for a move: ending a stubborn tree takes the longest."""


def spawn(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Start an agent; print its id."""
    args.task = task_text(args.task, args.task_file)
    if args.task is None and not args.command and not args.profile and args.kind in ("", "headless"):
        raise Stop(Exit.USAGE, "what is it to do? say --task TEXT or --task-file F, or a command after --")
    args.command = tuple(typed(word, "the command") for word in args.command)
    return with_room(_spawn, args)


async def _spawn(client: Client, args: argparse.Namespace) -> int:
    host = args.host or default_host(client.fleet)
    if host:
        host_of(client.fleet, host)
    check_profile(client.fleet, args.profile)
    await wait_settled(client, host)
    intent = intents.SpawnAgent(
        args.name,
        args.task or "",
        host,
        args.profile,
        args.kind,
        typed(args.model, "the model"),
        typed(args.cwd, "the folder"),
        args.command,
    )
    code = await order(client, intent, f"{host}/{args.name} is started")
    output.data(f"{host}/{args.name}")
    return code


def kill(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """End an agent, after asking."""
    return with_room(_kill, args)


async def _kill(client: Client, args: argparse.Namespace) -> int:
    if several(args.agent):
        return await to_all(client, args.agent, "kill", yes=args.yes)
    agent = await find_agent(client, args.agent[0])
    _check(client.fleet, agent, "kill")
    since = f"{client.fleet.state_of(agent)}, {age(client.now() - agent.since)}"
    confirmed(f"Kill {agent.id} ({since}) and everything it started?", args.yes)
    return await order(client, intents.KillAgent(agent.id, agent.epoch), f"{agent.id} is ended, nothing of it is left")


def reassign(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Give an agent a new task."""
    args.task = task_text(args.task, args.task_file)
    if args.task is None and not args.host:
        raise Stop(Exit.USAGE, "what is it to do now? say --task TEXT or --task-file F, or --host H to move it")
    return with_room(_reassign, args)


async def _reassign(client: Client, args: argparse.Namespace) -> int:
    agent = await find_agent(client, args.agent)
    if args.host and args.host != agent.host:
        return await _move(client, agent, args)
    if args.task is None:
        raise Stop(Exit.USAGE, f"{agent.id} is on {args.host} already: say --task to give it another task")
    intent = intents.ReassignAgent(agent.id, agent.epoch, args.task, args.keep, trust=args.trust)
    return await order(client, intent, f"{agent.id} has its new task, as epoch {agent.epoch + 1}")


async def _move(client: Client, agent: Agent, args: argparse.Namespace) -> int:
    host_of(client.fleet, args.host)
    await wait_settled(client, args.host)
    intent = intents.ReassignAgent(agent.id, agent.epoch, args.task or "", args.keep, args.host, args.trust)
    moved = f"{args.host}/{agent.name}"
    code = await order(client, intent, f"{agent.id} has ended, and its task goes on as {moved}", MOVE_PATIENCE)
    output.data(moved)
    return code


def send(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Say something to an agent."""
    args.text = read_text("-", "the message") if args.text == ["-"] else typed(" ".join(args.text), "the message")
    return with_room(_send, args)


async def _send(client: Client, args: argparse.Namespace) -> int:
    names = [name for name in args.agent.split(",") if name] or [args.agent]
    if several(names):
        return await to_all(client, names, "message", text=args.text)
    agent = await find_agent(client, args.agent)
    return await order(client, intents.SendMessage(agent.id, agent.epoch, args.text), f"{agent.id} has the message")


def answer(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Answer what an agent asks."""
    args.text = typed(" ".join(args.text), "the answer")
    return with_room(_answer, args)


async def _answer(client: Client, args: argparse.Namespace) -> int:
    agent = await find_agent(client, args.agent)
    if agent.question is None:
        raise Stop(Exit.REFUSED, f"{agent.id} asks nothing now ({client.fleet.state_of(agent)})")
    intent = to_intent(args, agent, agent.question)
    return await order(client, intent, f"{intent.verdict}: {agent.question.title}")


def interrupt(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Stop an agent's turn."""
    return with_room(_interrupt, args)


async def _interrupt(client: Client, args: argparse.Namespace) -> int:
    if several(args.agent):
        return await to_all(client, args.agent, "interrupt")
    agent = await find_agent(client, args.agent[0])
    return await order(client, intents.InterruptAgent(agent.id, agent.epoch), f"{agent.id} is interrupted")


def forget(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Remove an ended agent, after asking."""
    return with_room(_forget, args)


async def _forget(client: Client, args: argparse.Namespace) -> int:
    if several(args.agent):
        return await to_all(client, args.agent, "forget", yes=args.yes)
    agent = await find_agent(client, args.agent[0])
    _check(client.fleet, agent, "forget")
    confirmed(f"Remove {agent.id} and its logs from {agent.host}?", args.yes)
    return await order(client, intents.ForgetAgent(agent.id, agent.epoch), f"{agent.id} is removed")


def _check(fleet: Fleet, agent: Agent, action: str) -> None:
    """See that an action makes sense before a person is asked. Raises `Stop`; the engine decides again."""
    if reason := unavailable(BY_NAME[action], fleet, agent.id):
        raise Stop(Exit.REFUSED, reason)
