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
from controlroom.domain.model import Fleet, Host, LinkState

AWAY, STANDS = 60.0, 600.0
"""Seconds for which the verb looks on while nothing changes: at hosts that are all away, and at any that is up."""

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
    """Say how far each import is, until all have ended, or nothing moves any more."""
    told: dict[str, object] = {}

    def under_way(fleet: Fleet) -> dict[str, tuple[UsageImport, bool]]:
        """Those that have not ended, each with whether its host is up."""
        states = {
            name: (imported, fleet.hosts[name].link is LinkState.UP) for name in names if (imported := _of(fleet, name))
        }
        return {name: state for name, state in states.items() if state[0] == begun.get(name) or state[0].is_open}

    while left := under_way(client.fleet):
        for name, (now, _) in left.items():
            step = 10 * now.read // now.size if now.size else 0, now.reason
            if now != begun.get(name) and now.size and told.get(name) != step:
                told[name] = step
                output.talk(f"{name}: {import_words(now, client.now())}")
        patience = STANDS if any(is_up for _, is_up in left.values()) else AWAY
        if not await wait_for(client, lambda fleet, left=left: under_way(fleet) != left, patience):  # type: ignore[misc]
            return


def _of(fleet: Fleet, name: str) -> UsageImport | None:
    host = fleet.hosts.get(name)
    return (host.imported or UsageImport(ImportState.UNKNOWN)) if host is not None else None


def _ended(client: Client, names: Iterable[str], *, json: bool) -> int:
    hosts = [host for name in names if (host := client.fleet.hosts.get(name)) is not None]
    if json:
        output.json_answer("costs import", hosts)
    for host in hosts if not json else ():
        imported = host.imported or UsageImport(ImportState.UNKNOWN)
        goes_on = f"; {_goes_on(host)}" if imported.is_open else ""
        output.talk(f"{host.name}: {import_words(imported, client.now())}{goes_on}")
    whole = all(host.imported is not None and host.imported.state is ImportState.DONE for host in hosts)
    if whole and not json:
        output.talk("see controlroom costs --by day --since 30d, and controlroom plan")
    return Exit.DONE if whole else Exit.UNKNOWN


def _goes_on(host: Host) -> str:
    when = "" if host.link is LinkState.UP else f", as soon as {host.name} is back"
    return f"it goes on by itself{when}; to look on: controlroom costs import {host.name}"


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
