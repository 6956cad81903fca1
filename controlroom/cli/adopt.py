"""`controlroom adopt`: take over agents that others started, and have their sessions go on under runners."""

import argparse
import asyncio
from collections.abc import Sequence
from fnmatch import fnmatchcase

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import check_profile, host_of, typed
from controlroom.cli.records import Done
from controlroom.cli.room import code_of, confirmed, find_agent, person_types, wait_for, wait_settled, with_room
from controlroom.client.client import Client
from controlroom.domain import intents
from controlroom.domain.display.filters import empty_term, fits, is_pattern, is_term, problem
from controlroom.domain.display.views import agent_row
from controlroom.domain.keys.actions import BY_NAME
from controlroom.domain.keys.availability import unavailable
from controlroom.domain.keys.many import AT_ONCE
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.orders import Result
from controlroom.domain.words import age
from controlroom.text.states import Outcome

PATIENCE = 240.0
"""Seconds to wait for one that is begun anew: ending a stubborn tree takes the longest."""

_SEEN = 6.0
"""Seconds for hosts to say what others have started there."""


def adopt(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Take agents over."""
    if args.everyone and any(not is_term(word) for word in args.agent):
        raise Stop(Exit.USAGE, "name agents, or say --all: not both")
    if not args.agent and not args.everyone:
        raise Stop(Exit.USAGE, "which agents? say a name, a pattern in quotes, host:vm1, or --all")
    args.task = typed(args.task, "the task")
    return with_room(_adopt, args)


async def _adopt(client: Client, args: argparse.Namespace) -> int:
    check_profile(client.fleet, args.profile)
    if args.host:
        host_of(client.fleet, args.host)
    agents = await _meant(client, args)
    if args.name and len(agents) > 1:
        raise Stop(Exit.USAGE, f"--name is for one agent, and {len(agents)} are meant")
    todo = [agent for agent in agents if not _why_not(client.fleet, agent)]
    left_out = [(agent, reason) for agent in agents if (reason := _why_not(client.fleet, agent))]
    if not args.json:
        for agent, reason in left_out:
            output.talk(f"left out: {agent.id}: {reason}")
    if not todo and not args.json:
        raise Stop(Exit.REFUSED, "there is nobody left to take over")
    _ask(client, todo, args)
    gate = asyncio.Semaphore(AT_ONCE)
    results = await asyncio.gather(*(_submit(client, _intent(agent, args), gate) for agent in todo))
    if args.json:
        refused = [_done(client.fleet, agent, Result(Outcome.REFUSED, reason)) for agent, reason in left_out]
        done = [_done(client.fleet, agent, result) for agent, result in zip(todo, results, strict=True)]
        output.json_answer("adopt", sorted([*done, *refused], key=lambda each: each.agent.id))
    else:
        _tell(client.fleet, todo, results, restart=args.restart)
    codes = {code_of(result) for result in results} | ({Exit.REFUSED} if not todo else set())
    return next((code for code in (Exit.UNKNOWN, Exit.REFUSED) if code in codes), Exit.DONE)


async def _meant(client: Client, args: argparse.Namespace) -> list[Agent]:
    """The agents of others that names, patterns and filters mean. Raises `Stop`."""
    names = [word for word in args.agent if not is_term(word)]
    terms = " ".join(word for word in args.agent if is_term(word))
    if wrong := empty_term(args.agent) or problem(terms):
        raise Stop(Exit.USAGE, wrong)
    await wait_settled(client, args.host)
    by_id: dict[str, Agent] = {}
    for name in names or ["*"]:
        if is_pattern(name):
            await wait_for(client, lambda fleet, name=name: bool(_matching(fleet, name, args.host)), _SEEN)  # type: ignore[misc]
            by_id |= {agent.id: agent for agent in _matching(client.fleet, name, args.host)}
        else:
            agent = await find_agent(client, name)
            by_id[agent.id] = agent
    now = client.now()
    agents = [agent for agent in by_id.values() if fits(agent, agent_row(client.fleet, agent, now), terms)]
    if not agents:
        what = " ".join(args.agent) or "--all"
        raise Stop(Exit.NOT_FOUND, f"no agent that others started matches {ascii(what)[:90]}; see controlroom status")
    return sorted(agents, key=lambda agent: agent.id)


def _matching(fleet: Fleet, pattern: str, host: str) -> list[Agent]:
    """The living agents of others that a pattern fits, without shells in which somebody types."""
    theirs = [agent for agent in fleet.agents.values() if agent.adopted and agent.runs and agent.mark]
    here = [agent for agent in theirs if host in ("", agent.host)]
    names = ((agent, {agent.name, agent.name[1:], agent.called}) for agent in here)
    return [
        agent
        for agent, called in names
        if any(fnmatchcase(f"{agent.host}/{name}" if "/" in pattern else name, pattern) for name in called)
    ]


def _why_not(fleet: Fleet, agent: Agent) -> str:
    return unavailable(BY_NAME["adopt"], fleet, agent.id) or ""


def _ask(client: Client, todo: Sequence[Agent], args: argparse.Namespace) -> None:
    """Show whom it is about; one that is ended, or several, are asked for first. Raises `Stop`."""
    if args.yes or not (args.restart or len(todo) > 1):
        return
    for agent in todo:
        session = f", session {agent.session[:8]}" if agent.session else ", no session"
        state = f"{client.fleet.state_of(agent)}, {age(client.now() - agent.since)}"
        output.talk(f"  {agent.id}  {agent.place}, {state}{session}")
    ends = ", end them now, and go on with their sessions under runners" if args.restart else ""
    if len(todo) > 1:
        person_types(f"Take {len(todo)} agents over{ends}?", str(len(todo)))
    else:
        confirmed(f"Take {todo[0].id} over, end it now, and go on with its session under a runner?", args.yes)


def _intent(agent: Agent, args: argparse.Namespace) -> intents.AdoptAgent:
    return intents.AdoptAgent(
        agent.id, agent.mark, args.name, args.profile, args.restart, when_ended=args.when_ended, task=args.task
    )


async def _submit(client: Client, intent: intents.AdoptAgent, gate: asyncio.Semaphore) -> Result:
    async with gate:
        return await client.submit(intent, wait=True, deadline=PATIENCE)


def _done(fleet: Fleet, agent: Agent, result: Result) -> Done:
    now = fleet.agents.get(result.agent) or fleet.agents.get(agent.id, agent)
    return Done(now, now.epoch, str(Outcome.DONE if result.ok else result.outcome), result.reason)


def _tell(fleet: Fleet, todo: Sequence[Agent], results: Sequence[Result], *, restart: bool) -> None:
    """Print the ids that they have now; say what became of the others. Raises `Stop` when nobody was taken over."""
    for agent, result in zip(todo, results, strict=True):
        if not result.ok and len(todo) == 1:
            raise Stop(code_of(result), result.reason or "no reason was given")
        if result.ok:
            output.data(result.agent if restart else agent.id)
        what = "goes on under a runner" if restart else result.reason
        output.talk(f"{agent.id}: {what}" if result.ok else f"{agent.id}: {result.outcome}: {result.reason}")
    if any(result.ok for result in results) and not restart:
        output.talk("a signal to its processes is all that reaches one that was taken over: kill, pause, interrupt")
