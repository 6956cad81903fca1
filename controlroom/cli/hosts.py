"""The verbs for hosts."""

import argparse

from controlroom.cli import output
from controlroom.cli.arguments import host_name
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.explain import report
from controlroom.cli.find import host_of
from controlroom.cli.room import PATIENCE, code_of, order, settled, wait_for, with_room
from controlroom.cli.starters import Starters
from controlroom.cli.status import host_table, wait_briefly
from controlroom.domain import checkup, intents, views
from controlroom.domain.model import Fleet, Host, LinkState
from controlroom.domain.words import size
from controlroom.fleet.client import Client


def add(args: argparse.Namespace, starters: Starters) -> int:
    """Add a host, and see how we stand with it."""
    return with_room(_add, args)


async def _add(client: Client, args: argparse.Namespace) -> int:
    name = args.name or host_name(args.address)
    intent = intents.AddHost(name, args.address, args.fingerprint or "")
    outcome = await client.submit(intent, wait=True, deadline=PATIENCE)
    if code_of(outcome) is Exit.REFUSED:
        raise Stop(Exit.REFUSED, outcome.reason)
    output.data(name)
    output.talk(f"{name} is in the room; connecting to {args.address}")
    return await _see_through(client, name)


async def _see_through(client: Client, name: str) -> int:
    """Wait until the host is up, asking its question on the way if a person is there to answer."""
    host = await _settled(client, name)
    if host.question and output.person_is_there():
        output.talk(host.question.text)
        verdict = "allow" if output.ask(f"Is that the key of {name}?") else "deny"
        await order(client, intents.AnswerQuestion(name, host.question.id, verdict), f"{verdict}: the key of {name}")
        if verdict == "deny":
            return Exit.REFUSED
        asked = host.question
        await wait_for(client, lambda fleet: name not in fleet.hosts or fleet.hosts[name].question != asked, PATIENCE)
        host = await _settled(client, name)
    return _standing(host)


async def _settled(client: Client, name: str) -> Host:
    def known(fleet: Fleet) -> bool:
        return name in fleet.hosts and settled(fleet.hosts[name])

    await wait_for(client, known, PATIENCE)
    return host_of(client.fleet, name)


def _standing(host: Host) -> int:
    """Say how we stand with a host. Raises `Stop` when it is not up."""
    if host.question:
        answer = f"controlroom host answer {host.name} allow (or deny)"
        raise Stop(Exit.ASKED, f"{host.question.text}\nto answer: {answer}")
    if host.link is LinkState.UP:
        output.talk(f"{host.name} is up{_facts(host)}")
        return Exit.DONE
    reason = host.reason.removeprefix(f"{host.name}: ") or "no reason was given"
    if host.link is LinkState.REFUSED:
        raise Stop(Exit.REFUSED, f"{host.name} is in the room, but cannot be used: {reason}")
    raise Stop(Exit.UNKNOWN, f"{host.name} is in the room, but not reached yet: {reason}; the engine keeps trying")


def _facts(host: Host) -> str:
    if host.facts is None:
        return ""
    tmux = f"tmux {host.facts.tmux}" if host.facts.tmux else "no tmux"
    return f": {host.facts.platform}, {host.facts.cores} cores, {size(host.facts.memory_total)}, {tmux}"


def show(args: argparse.Namespace, starters: Starters) -> int:
    """List the hosts."""
    return with_room(_show, args)


async def _show(client: Client, args: argparse.Namespace) -> int:
    now = await wait_briefly(client)
    if args.json:
        output.json_data(views.status(client.fleet, now)["hosts"])
    elif client.fleet.hosts:
        host_table(client.fleet, now, wide=True)
    else:
        output.talk("no hosts: add one with controlroom host add user@address")
    return Exit.DONE


def answer(args: argparse.Namespace, starters: Starters) -> int:
    """Answer a host's question about its key."""
    return with_room(_answer, args)


async def _answer(client: Client, args: argparse.Namespace) -> int:
    host_of(client.fleet, args.name)
    host = await _settled(client, args.name)
    if host.question is None:
        raise Stop(Exit.REFUSED, f"{host.name} asks nothing now ({host.link})")
    intent = intents.AnswerQuestion(host.name, host.question.id, args.verdict)
    code = await order(client, intent, f"{args.verdict}: {host.question.title}")
    if args.verdict == "deny":
        return code
    asked = host.question
    await wait_for(client, lambda fleet: fleet.hosts[args.name].question != asked, PATIENCE)
    return _standing(await _settled(client, args.name))


def remove(args: argparse.Namespace, starters: Starters) -> int:
    """Take a host out of the room."""
    return with_room(_remove, args)


async def _remove(client: Client, args: argparse.Namespace) -> int:
    host_of(client.fleet, args.name)
    return await order(client, intents.RemoveHost(args.name), f"{args.name} is out of the room; its agents live on")


def check(args: argparse.Namespace, starters: Starters) -> int:
    """See whether a host has all that agents need."""
    return with_room(_check, args)


async def _check(client: Client, args: argparse.Namespace) -> int:
    host_of(client.fleet, args.name)
    host = await _settled(client, args.name)
    told = await client.check(args.name)
    if args.json:
        output.json_data({**checkup.record(host, told.checks), "reason": told.reason or None})
    else:
        report(checkup.lines(told.checks))
    if told.reason:
        output.talk(told.reason)
    return Exit.DONE if checkup.is_well(told.checks) and not told.reason else Exit.REFUSED


def take(args: argparse.Namespace, starters: Starters) -> int:
    """Become the owner of a host."""
    return with_room(_take, args)


async def _take(client: Client, args: argparse.Namespace) -> int:
    host_of(client.fleet, args.name)
    await _settled(client, args.name)
    return await order(client, intents.TakeHost(args.name), f"this room owns {args.name} now")
