"""The verbs for rules, which answer what agents ask."""

import argparse
import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import read_text
from controlroom.cli.room import find_agent, order, with_room
from controlroom.cli.status import clock
from controlroom.client.client import Client
from controlroom.domain.permissions.calls import given_of
from controlroom.domain.permissions.claude_rules import Imported, read_settings
from controlroom.domain.permissions.intents import AddRule, KeptRule, RemoveRule
from controlroom.domain.permissions.rules import Rule, RuleVerdict, problem_of, read_what
from controlroom.domain.words import nearest
from controlroom.protocol.rule_messages import Judged, Rules


def show(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Show the rules as they stand."""
    return with_room(_show, args)


async def _show(client: Client, args: argparse.Namespace) -> int:
    told = await _rules(client)
    if args.json:
        output.json_answer("rules list", told)
        return Exit.DONE
    if told.rules:
        output.table([_HEAD, *map(_cells, told.rules)])
    else:
        output.talk('no rules: people answer everything; make one with controlroom rules add NAME "Bash: git status *"')
    if args.floor:
        for name, value in _floor(told).items():
            output.data(f"floor {name}: {value}")
    if told.trouble:
        output.talk(told.trouble)
    return Exit.DONE


_HEAD = ("RULE", "SAYS", "WHAT", "FOR", "USED", "LAST", "UNTIL")


def _cells(kept: KeptRule) -> tuple[str, ...]:
    rule = kept.rule
    used = f"{kept.used} of {rule.uses}" if rule.uses else str(kept.used)
    until = "over" if kept.over else clock(rule.expires) if rule.expires else ""
    return rule.name, rule.verdict, rule.what, rule.where, used, clock(kept.last) if kept.last else "", until


def _floor(told: Rules) -> Mapping[str, str]:
    floor = told.floor
    lists = {"branches": floor.branches, "scratch": floor.scratch, "credentials": floor.credentials}
    lists |= {"secrets": floor.secrets, "own": floor.own, "asks": floor.asks}
    deletes = "denied outside the agent's folder" if floor.deletes else "not looked at"
    return {"deletes": deletes, **{name: " ".join(values) or "-" for name, values in lists.items()}}


async def _rules(client: Client) -> Rules:
    told = await client.rules()
    if told.reason:
        raise Stop(Exit.REFUSED, told.reason)
    return told


def add(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Add a rule."""
    return with_room(_add, args)


async def _add(client: Client, args: argparse.Namespace) -> int:
    rule = _rule(args, client.now())
    if wrong := problem_of(rule):
        raise Stop(Exit.USAGE, wrong)
    where = f" ({rule.where})" if rule.where else ""
    return await order(client, AddRule(rule, args.replace), f"rule {rule.name}: {rule.verdict} {rule.what}{where}")


def _rule(args: argparse.Namespace, now: int) -> Rule:
    tool, pattern = read_what(args.what)
    verdict = RuleVerdict.DENY if args.deny else RuleVerdict.ASK if args.ask else RuleVerdict.ALLOW
    where = args.folder, args.profile, args.host, args.agent
    expires = now + read_span(args.lasts) if args.lasts else 0
    return Rule(args.name, verdict, tool, pattern, *where, expires, args.uses)


def read_span(text: str) -> int:
    """Read a span of time as milliseconds: `90m`, `12h`, `7d`. Raises `Stop`."""
    match = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if match is None or not int(match[1]):
        raise Stop(Exit.USAGE, f"{ascii(text)[:40]} is no span of time: say 90m, 12h or 7d")
    return int(match[1]) * {"m": 60_000, "h": 3_600_000, "d": 86_400_000}[match[2]]


def remove(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Remove a rule."""
    return with_room(_remove, args)


async def _remove(client: Client, args: argparse.Namespace) -> int:
    names = [kept.rule.name for kept in (await _rules(client)).rules]
    if args.name not in names:
        near = nearest(args.name, names) or (f"; there are {', '.join(sorted(names)[:20])}" if names else "")
        raise Stop(Exit.NOT_FOUND, f"there is no rule {ascii(args.name)[:60]}{near}")
    return await order(client, RemoveRule(args.name), f"rule {args.name} is removed")


def test(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Say what the rules say of a call."""
    return with_room(_test, args)


async def _test(client: Client, args: argparse.Namespace) -> int:
    tool, what = read_what(args.what)
    agent = (await find_agent(client, args.agent)).id if args.agent else ""
    folder = args.folder or ("" if agent else os.getcwd())
    given = given_of(tool, what)
    if given is None:
        raise Stop(
            Exit.USAGE, f"{ascii(what)[:60]} is no input of {tool}: say FIELD=TEXT, or JSON as in '{{\"number\": 4}}'"
        )
    said = await client.try_call(tool, json.dumps(given), agent, args.host, args.profile, folder)
    if said.reason:
        raise Stop(Exit.REFUSED, said.reason)
    if args.json:
        output.json_answer("rules test", said)
        return Exit.DONE
    output.data(_VERDICTS.get(said.verdict, _VERDICTS[""]))
    _explain(said)
    if not agent and not args.folder:
        output.talk(f"asked for an agent in {folder}: say --agent or --folder for another one")
    return Exit.DONE


_VERDICTS = {
    RuleVerdict.ALLOW: "allow",
    RuleVerdict.DENY: "deny",
    RuleVerdict.ASK: "ask: a person answers",
    "": "no rule: a person answers",
}


def _explain(said: Judged) -> None:
    if said.rules and not said.parts:
        output.talk(f"by {', '.join(said.rules)}: {said.why}")
    elif not said.parts:
        output.talk(said.why)
    for part in said.parts:
        why = f"allowed by {part.rule}" if part.rule else part.why or "no rule allows it"
        output.talk(f"  {part.what}: {why}")


def take_in(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Take in the rules of Claude's settings."""
    return with_room(_take_in, args)


async def _take_in(client: Client, args: argparse.Namespace) -> int:
    there = [kept.rule for kept in (await _rules(client)).rules]
    found = _read_all(args.file, there)
    said = {_says(rule) for rule in there}
    code = Exit.DONE
    for each in found:
        rule = each.rule and replace(each.rule, folder=args.folder, profile=args.profile, host=args.host)
        if rule is None:
            output.talk(f"left out: {each.source} ({each.why})")
        elif _says(rule) in said:
            output.talk(f"there already: {each.source}")
        elif args.dry_run:
            output.data(f"{rule.name}: {rule.verdict} {rule.what}")
        else:
            said.add(_says(rule))
            code = max(code, Exit(await order(client, AddRule(rule), f"rule {rule.name}: {rule.verdict} {rule.what}")))
    if not found:
        output.talk("no permission rules stand there")
    return code


class _Said(NamedTuple):
    verdict: str
    what: str
    where: str


def _says(rule: Rule) -> _Said:
    return _Said(rule.verdict, rule.what, rule.where)


def _read_all(files: list[str], there: list[Rule]) -> list[Imported]:
    names = {rule.name for rule in there}
    found: list[Imported] = []
    for file in files:
        found += read_settings(_settings(file), names | {each.rule.name for each in found if each.rule})
    return found


def _settings(file: str) -> dict[str, Any]:
    """Read a settings file of Claude. Raises `Stop`."""
    try:
        value = json.loads(read_text(file, "the settings"))
    except (ValueError, RecursionError):
        raise Stop(Exit.USAGE, f"{ascii(file)[:100]} is no JSON: name a settings.json of Claude Code") from None
    return value if isinstance(value, dict) else {}
