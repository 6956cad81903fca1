"""The verbs for leads: agents that lead others by a token."""

import argparse
import hashlib
import os
import secrets
from pathlib import Path

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.room import code_of, order, with_room
from controlroom.cli.rules import read_span
from controlroom.cli.status import clock
from controlroom.cli.tasks import moment
from controlroom.client.client import Client
from controlroom.domain.budgets import BudgetUnit
from controlroom.domain.display.leads import LeadRow, lead_rows
from controlroom.domain.leads import NAME, USUAL, AddLead, Lead, LeadVerb, RemoveLead, read_verbs
from controlroom.domain.money.budget import amount, read_limit
from controlroom.domain.words import nearest
from controlroom.protocol.home import HomeProblem, find_home, make_private


def add(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Give a lead its rights."""
    return with_room(_add, args)


async def _add(client: Client, args: argparse.Namespace) -> int:
    if client.where:
        raise Stop(Exit.REFUSED, f"the token belongs on the machine of the engine: run this on {client.where}")
    lead = _lead(args, client.now())
    path = _token_file(args.token_file, lead.name)
    there = client.fleet.leads.get(lead.name)
    if there is not None and not there.removed:
        raise Stop(Exit.REFUSED, f"there is a lead {lead.name} already: controlroom lead remove {lead.name}")
    token = secrets.token_urlsafe(32)
    _write(path, token, replaces=not args.token_file)
    result = await client.submit(AddLead(lead, hashlib.sha256(token.encode()).hexdigest()))
    if not result.ok:
        path.unlink(missing_ok=True)
        raise Stop(code_of(result), result.reason or "no reason was given")
    output.talk(f"lead {lead.name} may act: {result.reason}; its token is in {path}, which only you can read")
    return Exit.DONE


def _token_file(named: str, lead: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(named))) if named else find_home(os.environ).lead_token(lead)


def _lead(args: argparse.Namespace, now: int) -> Lead:
    """What is given. Raises `Stop`."""
    if not NAME.fullmatch(args.name):
        raise Stop(Exit.USAGE, f"{ascii(args.name)[:60]} cannot name a lead: use 1 to 41 of a-z 0-9 _ -")
    try:
        verbs = read_verbs(word for word in args.verbs.split(",") if word.strip()) if args.verbs else USUAL
        limit = read_limit(args.limit, BudgetUnit.BILLED)
        until = moment(args.until, now / 1000) if args.until else 0
    except ValueError as problem:
        raise Stop(Exit.USAGE, str(problem)) from None
    until = now + read_span(args.lasts) if args.lasts else until
    if not args.host or not args.profile:
        raise Stop(Exit.USAGE, "where, and of which profiles? say --host and --profile, each as often as need be")
    return Lead(args.name, verbs, tuple(args.host), tuple(args.profile), args.agents, limit, until)


def _write(path: Path, token: str, *, replaces: bool) -> None:
    """Write a token into a new file that only this user can read. Raises `Stop`."""
    try:
        if replaces:
            make_private(path.parent)
            path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{token}\n")
    except FileExistsError:
        raise Stop(Exit.REFUSED, f"{path} is there already: name a new file for the token") from None
    except HomeProblem as problem:
        raise Stop(Exit.REFUSED, str(problem)) from None
    except OSError as error:
        raise Stop(Exit.REFUSED, f"the token cannot be written to {path}: {error.strerror}") from None


def show(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Show the leads."""
    return with_room(_show, args)


async def _show(client: Client, args: argparse.Namespace) -> int:
    rows = lead_rows(client.fleet, client.now())
    if args.json:
        output.json_answer("lead list", rows)
    elif rows:
        output.table([_HEAD, *map(_cells, rows)])
    else:
        output.talk("no leads: give an agent the right to lead others with controlroom lead add NAME --limit 20 …")
    return Exit.DONE


_HEAD = ("LEAD", "MAY", "ON", "STARTS", "AT WORK", "SPENT", "UNTIL")


def _cells(row: LeadRow) -> tuple[str, ...]:
    lead = row.lead
    may = "all but answer" if set(USUAL) == set(lead.verbs) else "all" if LeadVerb.ANSWER in lead.verbs else ""
    plans = f", {amount(row.covered, BudgetUnit.COVERED)} of plans" if row.covered else ""
    spent = f"{amount(row.billed, BudgetUnit.BILLED)} of {amount(lead.limit, BudgetUnit.BILLED)}{plans}"
    until = row.over or (clock(lead.until) if lead.until else "")
    at_work = f"{row.at_work} of {lead.agents}"
    hosts, profiles = ", ".join(lead.hosts), ", ".join(lead.profiles)
    return lead.name, may or ", ".join(lead.verbs), hosts, profiles, at_work, spent, until


def remove(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """End the rights of a lead."""
    return with_room(_remove, args)


async def _remove(client: Client, args: argparse.Namespace) -> int:
    names = [lead.name for lead in client.fleet.leads.values() if not lead.removed]
    if args.name not in names:
        near = nearest(args.name, names) or (f"; there are {', '.join(sorted(names))}" if names else "; there is none")
        raise Stop(Exit.NOT_FOUND, f"there is no lead {ascii(args.name)[:60]}{near}")
    code = await order(client, RemoveLead(args.name, args.kill), f"lead {args.name} is removed")
    if not client.where:
        find_home(os.environ).lead_token(args.name).unlink(missing_ok=True)
    return code


def serve(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Serve the verbs of a lead to an agent."""
    return entry_points.mcp(args.token_file)
