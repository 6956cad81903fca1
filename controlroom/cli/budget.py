"""Budgets: what stands, and changing it in a running room."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from datetime import tzinfo

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import check_profile, host_of
from controlroom.cli.room import money_zone, order, wait_for, with_room
from controlroom.cli.status import clock, wait_briefly
from controlroom.client.client import Client
from controlroom.domain import intents
from controlroom.domain.budgets import Budget, BudgetUnit, Period, ScopeKind, StopOrder, read_scope
from controlroom.domain.decide import Refused, decide
from controlroom.domain.limits.headroom import window_name
from controlroom.domain.model import Fleet
from controlroom.domain.money.budget import BudgetRule, amount, described, ladder, problem, read_limit
from controlroom.domain.money.ladder import difference, previewed, rule_of, waits_for
from controlroom.domain.words import nearest, percent

_COUNTED = 3.0
"""Seconds that a fresh engine may take to count what is gone."""


def show(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Show how the budgets stand."""
    return with_room(_show, args)


async def _show(client: Client, args: argparse.Namespace) -> int:
    await wait_briefly(client)
    await wait_for(client, _is_counted, _COUNTED)
    budgets = [client.fleet.budgets[name] for name in sorted(client.fleet.budgets)]
    if args.json:
        output.json_answer("budget show", budgets)
    elif budgets:
        zone = money_zone(client.fleet)
        output.table([_HEAD, *(_cells(budget, zone) for budget in budgets)], right=frozenset(range(3, 8)))
        for alarm in client.fleet.alarms.values():
            output.talk(alarm.text)
    else:
        output.talk("no budgets: set one with controlroom budget set day --limit 8")
    return Exit.DONE


def _is_counted(fleet: Fleet) -> bool:
    return all(budget.spent is not None for budget in fleet.budgets.values())


_HEAD = ("BUDGET", "SCOPE", "PERIOD", "GONE", "OF", "", "GRANTED", "AT MOST +", "LADDER", "RUNS OUT", "RESETS")


def _cells(budget: Budget, zone: tzinfo) -> tuple[str, ...]:
    def when(at: int) -> str:
        return clock(at, zone)

    return (
        budget.name,
        budget.scope,
        window_name(budget.window) if budget.unit is BudgetUnit.WINDOW else budget.period,
        amount(budget.spent, budget.unit),
        amount(budget.limit, budget.unit),
        percent(budget.percent),
        amount(budget.granted, budget.unit) if budget.granted else "",
        amount(budget.overshoot, budget.unit) if budget.overshoot or budget.overshoot_unknown else "",
        ("disarmed: " if budget.dry_run else "") + ladder(budget.rungs),
        runs_out_when(budget, when),
        when(budget.ends) if budget.ends else "",
    )


def runs_out_when(budget: Budget, when: Callable[[int], str]) -> str:
    """When the stop line is reached at this rate; `when` writes a time."""
    if budget.spent is not None and budget.spent >= budget.stop:
        return "gone"
    return when(budget.runs_out) if budget.runs_out else ""


def set_one(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Set a budget, or change one."""
    return with_room(_set_one, args)


async def _set_one(client: Client, args: argparse.Namespace) -> int:
    await wait_for(client, _is_counted, _COUNTED)
    budget = client.fleet.budgets.get(args.name)
    rule = _rule(args, budget)
    if wrong := problem(rule):
        raise Stop(Exit.USAGE, wrong)
    kind, name = read_scope(rule.scope)
    if kind is ScopeKind.HOST:
        host_of(client.fleet, name)
    elif kind is ScopeKind.PROFILE:
        check_profile(client.fleet, name)
    if args.preview:
        return _preview(client, budget, rule)
    changes = difference(budget, rule)
    wanted = intents.SetBudget(rule, rule_of(budget) if budget else None, new=budget is None)
    code = await order(client, wanted, f"budget {rule.name}: {described(rule)}")
    for words in changes:
        output.talk(f"  {words}")
    if note := waits_for(rule, client.fleet):
        output.talk(note)
    return code


def _preview(client: Client, budget: Budget | None, rule: BudgetRule) -> int:
    """Say what would change. Raises `Stop` with the reason for which it would be refused."""
    refused = decide(client.fleet, intents.SetBudget(rule), 0, client.now())
    if isinstance(refused, Refused):
        raise Stop(Exit.REFUSED, refused.reason)
    for words in previewed(budget, rule):
        output.data(words)
    return Exit.DONE


def _rule(args: argparse.Namespace, budget: Budget | None) -> BudgetRule:
    """The budget that is meant: what is said, on top of what is there already. Raises `Stop`."""
    rule = rule_of(budget) if budget else None
    unit = rule.unit if rule else BudgetUnit.WINDOW if args.window else BudgetUnit.BILLED
    unit = BudgetUnit(args.unit or unit)
    if args.limit is None and (rule is None or rule.unit is not unit):
        raise Stop(Exit.USAGE, f"how much? say --limit: controlroom budget set {args.name} --limit 8")
    try:
        limit = rule.limit if args.limit is None and rule else read_limit(args.limit, unit)
    except ValueError as error:
        raise Stop(Exit.USAGE, f"--limit: {error}") from None
    options = {"limit": limit, "unit": unit, "scope": args.scope, "window": args.window, "rungs": args.ladder}
    options |= {"period": args.period and Period(args.period), "order": args.order and StopOrder(args.order)}
    options["dry_run"] = args.disarmed
    return replace(
        rule or BudgetRule(args.name, limit), **{key: value for key, value in options.items() if value is not None}
    )


def remove(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Remove a budget."""
    return with_room(_remove, args)


async def _remove(client: Client, args: argparse.Namespace) -> int:
    if args.name not in client.fleet.budgets:
        names = f"; there are {', '.join(sorted(client.fleet.budgets))}" if client.fleet.budgets else ": there is none"
        near = nearest(args.name, client.fleet.budgets) or names
        raise Stop(Exit.NOT_FOUND, f"there is no budget {ascii(args.name)[:60]}{near}")
    return await order(
        client, intents.RemoveBudget(args.name), f"budget {args.name} is removed; what it paused goes on"
    )
