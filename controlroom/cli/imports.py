"""The verb that counts what was used before Control Room, and its offer in the first steps."""

import argparse
from collections.abc import Iterable

from controlroom.cli import output
from controlroom.cli.costs import moment
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import host_of
from controlroom.cli.room import code_of, money_zone, wait_for, wait_settled, with_room
from controlroom.client.client import Client
from controlroom.domain.imports import (
    DeclineImport,
    FindTranscripts,
    ImportState,
    ImportUsage,
    UsageImport,
    import_words,
)
from controlroom.domain.model import Fleet, LinkState

PATIENCE = 24 * 3600.0
"""Seconds that the verb looks on at most; the import goes on without it."""

_ANSWER = 30.0


def take_in(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Count old transcripts, or never."""
    return with_room(_take_in, args)


async def _take_in(client: Client, args: argparse.Namespace) -> int:
    await wait_settled(client, args.host or "")
    hosts = [host_of(client.fleet, args.host)] if args.host else list(client.fleet.hosts.values())
    chosen = hosts if args.host or args.never else [host for host in hosts if host.link is LinkState.UP]
    if not chosen:
        raise Stop(Exit.REFUSED, "no host is up: see controlroom host list")
    names = [host.name for host in chosen]
    if args.never:
        for name in names:
            await _submit(client, DeclineImport(name))
            output.talk(f"the old transcripts of {name} are not counted, and nobody is asked again")
        return Exit.DONE
    since = round(moment(args.since, client.now() / 1000, money_zone(client.fleet)) * 1000) if args.since else 0
    begun = {name: client.fleet.hosts[name].imported for name in names}
    for name in names:
        await _submit(client, ImportUsage(name, since))
    await _look_on(client, names, begun)
    return _ended(client, names, json=args.json)


async def _submit(client: Client, intent: ImportUsage | DeclineImport | FindTranscripts) -> None:
    """Have it done. Raises `Stop`."""
    outcome = await client.submit(intent, wait=True, deadline=_ANSWER)
    if not outcome.ok:
        raise Stop(code_of(outcome), outcome.reason or "no reason was given")


async def _look_on(client: Client, names: Iterable[str], begun: dict[str, UsageImport | None]) -> None:
    """Say how far each import is, until all have ended."""
    told: dict[str, object] = {}

    def ended(fleet: Fleet) -> bool:
        states = {name: _of(fleet, name) for name in names}
        for name, now in states.items():
            if now is not None and now != begun.get(name) and now.is_open and now.size:
                step = 10 * now.read // now.size, now.reason
                if told.get(name) != step:
                    told[name] = step
                    output.talk(f"{name}: {import_words(now, client.now())}")
        return all(now is None or (now != begun.get(name) and not now.is_open) for name, now in states.items())

    await wait_for(client, ended, PATIENCE)


def _of(fleet: Fleet, name: str) -> UsageImport | None:
    host = fleet.hosts.get(name)
    return (host.imported or UsageImport(ImportState.UNKNOWN)) if host is not None else None


def _ended(client: Client, names: Iterable[str], *, json: bool) -> int:
    hosts = [host for name in names if (host := client.fleet.hosts.get(name)) is not None]
    if json:
        output.json_answer("costs import", hosts)
    for host in hosts if not json else ():
        imported = host.imported or UsageImport(ImportState.UNKNOWN)
        output.talk(f"{host.name}: {import_words(imported, client.now())}")
    whole = all(host.imported is not None and host.imported.state is ImportState.DONE for host in hosts)
    if whole and not json:
        output.talk("see controlroom costs --by day --since 30d, and controlroom plan")
    return Exit.DONE if whole else Exit.UNKNOWN


async def offer(client: Client, name: str) -> None:
    """Offer, in the first steps, to count the old transcripts of a host; nobody there: say how."""
    outcome = await client.submit(FindTranscripts(name), wait=True, deadline=_ANSWER)
    host = client.fleet.hosts.get(name)
    if not outcome.ok or host is None or host.imported is None or host.imported.state is not ImportState.OFFERED:
        return
    output.hanging(f"{name:<8} ", f"has {import_words(host.imported, client.now())}")
    if not output.person_is_there():
        output.hanging("         ", f"to count them: controlroom costs import {name} (if not: --never)")
    elif output.ask("Count them now, so that costs and plan begin with them? It goes on by itself."):
        await _submit(client, ImportUsage(name))
    else:
        await _submit(client, DeclineImport(name))
        output.hanging("         ", f"they are not counted; if you think better of it: controlroom costs import {name}")
