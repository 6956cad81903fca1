"""The verbs that act on agents, one or several at once, and on their questions and terminals."""

import argparse
import asyncio
import sys
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from itertools import zip_longest

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import check_profile, host_of, read_text, task_text, typed
from controlroom.cli.records import Done
from controlroom.cli.room import (
    ORDER_PATIENCE,
    code_of,
    confirmed,
    find_agent,
    order,
    person_types,
    wait_settled,
    with_room,
)
from controlroom.client.client import Attachment, Client, NoAttachment
from controlroom.domain import intents
from controlroom.domain.display.filters import empty_term, fits, is_pattern, is_term, problem
from controlroom.domain.display.views import agent_row
from controlroom.domain.intents import Intent
from controlroom.domain.keys.actions import BY_NAME
from controlroom.domain.keys.availability import unavailable
from controlroom.domain.keys.many import AT_ONCE, Plan, Target, plan, summed
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.orders import Result
from controlroom.domain.preconditions import default_host
from controlroom.domain.words import age
from controlroom.text.states import Outcome


def _words(args: argparse.Namespace) -> list[str]:
    """The words that say which agents are meant; in one word of `send` and `answer`, commas or spaces part them."""
    if args.agent is None or isinstance(args.agent, list):
        return args.agent or []
    text = str(args.agent)
    return text.split() if is_term(text) else text.replace(",", " ").split()


def are_several(args: argparse.Namespace) -> bool:
    """Whether more than one agent may be meant. Raises `Stop` when none is named."""
    words = _words(args)
    if args.everyone and any(not is_term(word) for word in words):
        raise Stop(Exit.USAGE, "name agents, or say --all: not both")
    if not words and not args.everyone and not getattr(args, "ended", False):
        raise Stop(Exit.USAGE, "which agents? say a name, a pattern in quotes, state:failed, or --all")
    return not words or len(words) > 1 or is_term(words[0]) or is_pattern(words[0])


async def find_agents(client: Client, args: argparse.Namespace) -> tuple[list[Agent], set[str]]:
    """The agents that names, patterns and filters mean, and the ids of those that were named. Raises `Stop`.

    What others started is meant once it was taken over, and by `--ended`: what has ended can be forgotten.
    """
    words, ended = _words(args), getattr(args, "ended", False)
    names, terms = [word for word in words if not is_term(word)], " ".join(word for word in words if is_term(word))
    if wrong := empty_term(words) or problem(terms):
        raise Stop(Exit.USAGE, wrong)
    by_id: dict[str, Agent] = {}
    named: set[str] = set()
    for name in names or ["*"]:
        if is_pattern(name):
            await wait_settled(client)
            by_id |= {agent.id: agent for agent in matching(client.fleet, name, ended=ended)}
        else:
            agent = await find_agent(client, name)
            by_id[agent.id] = agent
            named.add(agent.id)
    fleet, now = client.fleet, client.now()
    fitting = [agent for agent in by_id.values() if fits(agent, agent_row(fleet, agent, now), terms)]
    agents = [agent for agent in fitting if agent.has_ended or not ended]
    if not agents:
        what = " ".join([*words, *["--ended"] * ended]) or "--all"
        raise Stop(Exit.NOT_FOUND, f"no agent matches {ascii(what)[:90]}; see controlroom status")
    return sorted(agents, key=lambda agent: agent.id), named


def matching(fleet: Fleet, pattern: str, *, ended: bool = False) -> list[Agent]:
    """The agents that a pattern fits: their ids when it has a slash, else their names."""
    ours = (agent for agent in fleet.agents.values() if _is_meant(agent, ended=ended))
    return [agent for agent in ours if fnmatchcase(agent.id if "/" in pattern else agent.name, pattern)]


def _is_meant(agent: Agent, *, ended: bool) -> bool:
    """Whether a pattern may mean an agent: nobody means what others started, unless it was taken over and lives."""
    return not agent.adopted or (agent.has_ended if ended else agent.held and agent.runs)


_LISTED = frozenset({"reassign", "retry", "allow", "always", "deny"})
"""What is listed and asked first when it is done to several, beside what is dangerous anyway."""


async def to_all(
    client: Client, args: argparse.Namespace, action: str, *, text: str = "", keep: bool = False, host: str = ""
) -> int:
    """Do an action to several agents. Of a pattern's agents, those that it cannot be done to are left out."""
    agents, named = await find_agents(client, args)
    leave = getattr(args, "leave", False)
    todo = plan(client.fleet, [agent.id for agent in agents], action, host=host).saying(text, keep, host, leave)
    return await carry_out(client, args, todo, named, host=host)


async def carry_out(
    client: Client, args: argparse.Namespace, todo: Plan[Agent], named: Collection[str] = (), *, host: str = ""
) -> int:
    """Do what is planned, after a list where it takes one. Of those that were `named` none may be left out."""
    action, as_json = todo.action, getattr(args, "json", False)
    for agent, reason in todo.left_out:
        if agent.id in named and not as_json:
            several = len(todo.targets) + len(todo.left_out) > 1
            raise Stop(Exit.REFUSED, f"{reason}: nothing was done to any of them" if several else reason)
        output.talk(f"left out: {agent.id}: {reason}")
    if not todo.targets and not as_json:
        raise Stop(Exit.REFUSED, "there is nobody left to do it to")
    listed = BY_NAME[action].danger or action in _LISTED
    if listed and not args.yes and not (todo.alike and len(todo.targets) == 1):
        _confirm(client.fleet, todo, client.now())
    gate, patience = asyncio.Semaphore(AT_ONCE), _patience(host, keep=_keeps_sessions(todo))
    outcomes = await asyncio.gather(*(_submit(client, target.intent, gate, patience) for target in todo.targets))
    for target, outcome in zip(todo.targets, outcomes, strict=True):
        if host and outcome.ok:
            output.data(f"{host}/{target.subject.name}")
    if as_json:
        output.json_answer(action, _results(client.fleet, todo, outcomes))
    else:
        output.talk(summed(todo, outcomes))
    codes = {code_of(outcome) for outcome in outcomes}
    if any(agent.id in named for agent, _ in todo.left_out) or not todo.targets:
        codes.add(Exit.REFUSED)
    return next((code for code in (Exit.UNKNOWN, Exit.REFUSED) if code in codes), Exit.DONE)


def _keeps_sessions(todo: Plan[Agent]) -> bool:
    moves = (target.intent for target in todo.targets)
    return any(isinstance(intent, intents.ReassignAgent) and intent.keep_session for intent in moves)


def _results(fleet: Fleet, todo: Plan[Agent], outcomes: Sequence[Result]) -> list[Done]:
    """What became of each agent; those that were left out are refused."""
    results = zip(todo.targets, outcomes, strict=True)
    done = [_result(fleet, target.subject, outcome) for target, outcome in results]
    refused = [_result(fleet, agent, Result(Outcome.REFUSED, reason)) for agent, reason in todo.left_out]
    return sorted([*done, *refused], key=lambda each: each.agent.id)


def _result(fleet: Fleet, agent: Agent, outcome: Result) -> Done:
    now = fleet.agents.get(agent.id, agent)
    return Done(now, now.epoch, str(Outcome.DONE if outcome.ok else outcome.outcome), outcome.reason)


def _confirm(fleet: Fleet, todo: Plan[Agent], now: int) -> None:
    """Show the list, and let the person type how many they are. Raises `Stop` when they do not."""
    for target, following in zip_longest(todo.targets, todo.targets[1:]):
        agent = target.subject
        output.talk(f"  {agent.id}  {fleet.state_of(agent)}, {age(now - agent.since)}")
        if _asked(target) != _asked(following):
            for line in _asked(target):  # what several ask stands once, below the last of them
                output.talk(f"    {line}")
    person_types(todo.title, str(len(todo.targets)))


def _asked(target: Target[Agent] | None) -> list[str]:
    """What is about to be answered, line by line."""
    if target is None or not isinstance(target.intent, intents.AnswerQuestion) or target.subject.question is None:
        return []
    return target.subject.question.lines


async def _submit(client: Client, intent: Intent, gate: asyncio.Semaphore, patience: float) -> Result:
    async with gate:
        return await client.submit(intent, wait=True, deadline=patience)


MOVE_PATIENCE = 240.0
"""Seconds to wait for a move: ending a stubborn tree takes the longest."""

CARRY_PATIENCE = 1800.0
"""The same for one that takes session and folder along: a large repository may have to pass a slow link."""


def _patience(host: str, *, keep: bool) -> float:
    if not host:
        return ORDER_PATIENCE
    return CARRY_PATIENCE if keep else MOVE_PATIENCE


def spawn(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Start an agent; print its id."""
    args.task = task_text(args.task, args.task_file)
    if args.task is None and not args.command and not args.profile and args.kind in ("", "headless"):
        raise Stop(Exit.USAGE, "what should it do? say --task TEXT or --task-file F, or a command after --")
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
        host=host,
        profile=args.profile,
        kind=args.kind,
        model=typed(args.model, "the model"),
        cwd=typed(args.cwd, "the folder"),
        command=args.command,
        credential=args.credential,
        anyway=args.anyway,
        worktree=args.worktree,
    )
    code = await order(client, intent, f"{host}/{args.name} is started")
    output.data(f"{host}/{args.name}")
    return code


def kill(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """End an agent, after asking."""
    return with_room(_kill, args)


async def _kill(client: Client, args: argparse.Namespace) -> int:
    if are_several(args):
        return await to_all(client, args, "kill")
    agent = await find_agent(client, args.agent[0])
    _check(client.fleet, agent, "kill")
    since = f"{client.fleet.state_of(agent)}, {age(client.now() - agent.since)}"
    confirmed(f"Kill {agent.id} ({since}) and everything it started?", args.yes)
    kill = intents.KillAgent(agent.id, agent.epoch, agent.mark)
    return await order(client, kill, f"{agent.id} is ended, nothing of it is left")


def reassign(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Give agents a new task, or another host."""
    args.task = task_text(args.task, args.task_file)
    if args.leave and not (args.host and args.keep):
        raise Stop(Exit.USAGE, "--leave-folder needs --host H and --continue: without these no folder goes along")
    if args.task is None and not args.host:
        raise Stop(Exit.USAGE, "what should it do now? say --task TEXT or --task-file F, or --host H to move it")
    return with_room(_reassign, args)


async def _reassign(client: Client, args: argparse.Namespace) -> int:
    if are_several(args):
        return await _reassign_all(client, args)
    agent = await find_agent(client, args.agent[0])
    if args.host and args.host != agent.host:
        return await _move(client, agent, args)
    if args.task is None:
        raise Stop(Exit.USAGE, f"{agent.id} is on {args.host} already: say --task to give it another task")
    intent = intents.ReassignAgent(agent.id, agent.epoch, args.task, args.keep, trust=args.trust)
    return await order(client, intent, f"{agent.id} has its new task, as run {agent.epoch + 1}")


async def _reassign_all(client: Client, args: argparse.Namespace) -> int:
    if args.host:
        host_of(client.fleet, args.host)
        await wait_settled(client, args.host)
    return await to_all(client, args, "reassign", text=args.task or "", keep=args.keep, host=args.host)


def retry(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Give agents the same task again."""
    return with_room(_retry, args)


async def _retry(client: Client, args: argparse.Namespace) -> int:
    if are_several(args):
        return await to_all(client, args, "retry")
    agent = await find_agent(client, args.agent[0])
    _check(client.fleet, agent, "retry")
    if not agent.has_ended:
        confirmed(f"{agent.id} still runs ({client.fleet.state_of(agent)}). End that, and begin again?", args.yes)
    done = f"{agent.id} has its task again, as run {agent.epoch + 1}"
    return await order(client, intents.RetryAgent(agent.id, agent.epoch), done)


async def _move(client: Client, agent: Agent, args: argparse.Namespace) -> int:
    host_of(client.fleet, args.host)
    await wait_settled(client, args.host)
    wanted = agent.id, agent.epoch, args.task or "", args.keep, args.host, args.trust
    intent = intents.ReassignAgent(*wanted, leave_folder=args.leave)
    moved = f"{args.host}/{agent.name}"
    goes_on = "it goes on" if args.keep else "its task goes on"
    words = f"{agent.id} has ended, and {goes_on} as {moved}"
    code = await order(client, intent, words, _patience(args.host, keep=args.keep))
    output.data(moved)
    return code


def send(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Say something to agents."""
    if args.everyone and args.agent is not None and not (args.text and is_term(args.agent)):
        args.text, args.agent = [args.agent, *args.text], None
    if not args.text:
        raise Stop(Exit.USAGE, "say what? controlroom send AGENT TEXT")
    args.text = read_text("-", "the message") if args.text == ["-"] else typed(" ".join(args.text), "the message")
    return with_room(_send, args)


async def _send(client: Client, args: argparse.Namespace) -> int:
    if are_several(args):
        return await to_all(client, args, "message", text=args.text)
    agent = await find_agent(client, args.agent)
    return await order(client, intents.SendMessage(agent.id, agent.epoch, args.text), f"{agent.id} has the message")


def interrupt(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Stop an agent's turn."""
    return with_room(_interrupt, args)


async def _interrupt(client: Client, args: argparse.Namespace) -> int:
    if are_several(args):
        return await to_all(client, args, "interrupt")
    agent = await find_agent(client, args.agent[0])
    return await order(client, intents.InterruptAgent(agent.id, agent.epoch, agent.mark), f"{agent.id} is interrupted")


def model(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Have agents go on with another model."""
    args.model = typed(args.model, "the model")
    return with_room(_model, args)


async def _model(client: Client, args: argparse.Namespace) -> int:
    if are_several(args) or args.json:
        return await to_all(client, args, "model", text=args.model)
    agent = await find_agent(client, args.agent[0])
    intent = intents.SetModel(agent.id, agent.epoch, args.model)
    return await order(client, intent, f"{agent.id} is set to {args.model}")


def pause(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """End the runs of agents, and keep their sessions."""
    return with_room(_pause, args)


async def _pause(client: Client, args: argparse.Namespace) -> int:
    are_several(args)
    return await to_all(client, args, "pause")


def resume(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Let agents go on where they stopped."""
    return with_room(_resume, args)


async def _resume(client: Client, args: argparse.Namespace) -> int:
    if not args.agent and not args.everyone and client.fleet.queue.halt is not None:
        return await order(client, intents.ResumeRoom(), "the halt is over")
    if not args.agent and not args.everyone:
        raise Stop(Exit.USAGE, "the room is not halted: say which agents are to go on, or --all")
    return await to_all(client, args, "resume")


def forget(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Remove an ended agent, after asking."""
    return with_room(_forget, args)


async def _forget(client: Client, args: argparse.Namespace) -> int:
    if are_several(args):
        return await to_all(client, args, "forget")
    agent = await find_agent(client, args.agent[0])
    _check(client.fleet, agent, "forget")
    confirmed(f"Remove {agent.id} and its logs from {agent.host}?", args.yes)
    return await order(client, intents.ForgetAgent(agent.id, agent.epoch), f"{agent.id} is removed")


def _check(fleet: Fleet, agent: Agent, action: str) -> None:
    """See that an action makes sense before a person is asked. Raises `Stop`; the engine decides again."""
    if reason := unavailable(BY_NAME[action], fleet, agent.id):
        raise Stop(Exit.REFUSED, reason)


def attach(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Attach; the engine is left alone while the terminal is away."""
    if not (output.is_terminal(sys.stdin) and output.is_terminal(sys.stdout)):
        raise Stop(Exit.USAGE, "attach needs a terminal; for scripts there is: controlroom logs AGENT -f")
    attachments: list[Attachment] = []
    args.found = attachments
    with_room(_prepare, args)
    if why := attachments[0].why_read_only:
        output.talk(f"read-only: {why}")
    if problem := attachments[0].run():
        raise Stop(Exit.UNKNOWN, problem)
    return Exit.DONE


async def _prepare(client: Client, args: argparse.Namespace) -> int:
    agent = await find_agent(client, args.agent)
    try:
        args.found.append(await client.attachment(agent.id, read_only=args.read_only))
    except NoAttachment as problem:
        raise Stop(Exit.REFUSED, str(problem)) from None
    return Exit.DONE
