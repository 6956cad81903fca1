"""This terminal on an agent's tmux session, until its person leaves."""

import argparse
import sys

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.room import find_agent, with_room
from controlroom.client.client import Attachment, Client, NoAttachment


def attach(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Attach; the engine is left alone while the terminal is away."""
    if not (output.is_terminal(sys.stdin) and output.is_terminal(sys.stdout)):
        raise Stop(Exit.USAGE, "attach needs a terminal; for scripts there is: controlroom logs AGENT -f")
    found: list[Attachment] = []
    args.found = found
    with_room(_prepare, args)
    if why := found[0].why_read_only:
        output.talk(f"read-only: {why}")
    if problem := found[0].run():
        raise Stop(Exit.UNKNOWN, problem)
    return Exit.DONE


async def _prepare(client: Client, args: argparse.Namespace) -> int:
    agent = await find_agent(client, args.agent)
    try:
        args.found.append(await client.attachment(agent.id, read_only=args.read_only))
    except NoAttachment as problem:
        raise Stop(Exit.REFUSED, str(problem)) from None
    return Exit.DONE
