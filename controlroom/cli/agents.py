"""The verbs that act on agents, one or several at once, and on their questions and terminals."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import check_profile, host_of, read_text, task_text, typed
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
from controlroom.domain.intents import Intent
from controlroom.domain.keys.actions import BY_NAME, unavailable
from controlroom.domain.keys.many import AT_ONCE, Plan, plan, summed
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.orders import Result
from controlroom.domain.preconditions import default_host
from controlroom.domain.questions import Question, command, read_answer
from controlroom.domain.words import age
from controlroom.text.states import ItemAnswer, Verdict


def to_intent(args: argparse.Namespace, agent: Agent, asked: Question) -> intents.AnswerQuestion:
    """What is wanted. Raises `Stop` for words that say nothing, or too much."""
    if args.parts and (args.verdict not in (None, Verdict.ALLOW) or args.text):
        raise Stop(Exit.USAGE, "--choose and --words are an answer of their own: leave out the verdict and its text")
    if not args.parts and args.verdict is None:
        raise Stop(Exit.USAGE, f"what is the answer? {command(agent.id, asked)}")
    answers = _answers(args.parts, asked) if args.parts else ()
    return intents.AnswerQuestion(
        agent.id, asked.id, Verdict(args.verdict or Verdict.ALLOW), args.text, asked.digest, answers
    )


def _answers(parts: tuple[tuple[str, str], ...], asked: Question) -> tuple[ItemAnswer, ...]:
    """Put the parts together, one answer an item; an item that was left out has an empty one."""
    answers: dict[int, ItemAnswer] = {}
    number = 1 if len(asked.items) == 1 else 0
    for option, value in parts:
        if option == "question":
            number = _number(value, len(asked.items))
        elif not number:
            raise Stop(Exit.USAGE, f"--{option} of which question? say --question N before it: 1 to {len(asked.items)}")
        else:
            answers[number] = _joined(
                answers.get(number, ItemAnswer()), asked, number, option, typed(value, "the answer")
            )
    return tuple(answers.get(number, ItemAnswer()) for number in range(1, len(asked.items) + 1))


def _number(value: str, most: int) -> int:
    number = int(value) if value.isascii() and value.isdecimal() and len(value) < 4 else 0
    if not 0 < number <= most:
        raise Stop(Exit.REFUSED, f"there is no question {value}: it asks {most}")
    return number


def _joined(known: ItemAnswer, asked: Question, number: int, option: str, value: str) -> ItemAnswer:
    if option == "words":
        if known.words:
            raise Stop(Exit.USAGE, f"question {number} has two answers in words")
        return ItemAnswer(known.choices, value)
    chosen = read_answer(asked.items[number - 1], value)
    if not chosen.choices:
        raise Stop(
            Exit.REFUSED, f"question {number} has no choice {value}: say it with --words if it is your own answer"
        )
    return ItemAnswer((*known.choices, *(one for one in chosen.choices if one not in known.choices)), known.words)


_PATTERN = frozenset("*?[")


def several(texts: Sequence[str]) -> bool:
    """Whether these words may mean more than one agent."""
    return len(texts) > 1 or any(_PATTERN & set(text) for text in texts)


async def find_agents(client: Client, texts: Sequence[str]) -> tuple[list[Agent], set[str]]:
    """The agents that names and patterns mean, and the ids of those that were named. Raises `Stop`."""
    by_id: dict[str, Agent] = {}
    named: set[str] = set()
    for text in texts:
        if _PATTERN & set(text):
            await wait_settled(client)
            by_id |= {agent.id: agent for agent in matching(client.fleet, text)}
        else:
            agent = await find_agent(client, text)
            by_id[agent.id] = agent
            named.add(agent.id)
    return sorted(by_id.values(), key=lambda agent: agent.id), named


def matching(fleet: Fleet, pattern: str) -> list[Agent]:
    """The agents that a pattern fits: their ids when it has a slash, else their names. Raises `Stop` at none.

    What others started is never meant.
    """
    ours = (agent for agent in fleet.agents.values() if not agent.adopted)
    fitting = [agent for agent in ours if fnmatchcase(agent.id if "/" in pattern else agent.name, pattern)]
    if not fitting:
        raise Stop(Exit.NOT_FOUND, f"no agent fits {ascii(pattern)[:90]}; see controlroom status")
    return fitting


async def to_all(client: Client, texts: Sequence[str], action: str, *, text: str = "", yes: bool = True) -> int:
    """Do an action to several agents. Of a pattern's agents, those that it cannot be done to are left out."""
    agents, named = await find_agents(client, texts)
    todo = plan(client.fleet, [agent.id for agent in agents], action).saying(text)
    for agent, reason in todo.left_out:
        if agent.id in named:
            raise Stop(Exit.REFUSED, f"{reason}: nothing was done to any of them")
        output.talk(f"left out: {agent.id}: {reason}")
    if not todo.targets:
        raise Stop(Exit.REFUSED, "there is nobody left to do it to")
    if BY_NAME[action].danger and not yes:
        _confirm(client.fleet, todo, client.now())
    gate = asyncio.Semaphore(AT_ONCE)
    outcomes = await asyncio.gather(*(_submit(client, target.intent, gate) for target in todo.targets))
    output.talk(summed(todo, outcomes))
    codes = {code_of(outcome) for outcome in outcomes}
    return next((code for code in (Exit.UNKNOWN, Exit.REFUSED) if code in codes), Exit.DONE)


def _confirm(fleet: Fleet, todo: Plan, now: int) -> None:
    """Show the list, and let the person type how many they are. Raises `Stop` when they do not."""
    for target in todo.targets:
        agent = target.agent
        output.talk(f"  {agent.id}  {fleet.state_of(agent)}, {age(now - agent.since)}")
    person_types(todo.title, str(len(todo.targets)))


async def _submit(client: Client, intent: Intent, gate: asyncio.Semaphore) -> Result:
    async with gate:
        return await client.submit(intent, wait=True, deadline=ORDER_PATIENCE)


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
        host=host,
        profile=args.profile,
        kind=args.kind,
        model=typed(args.model, "the model"),
        cwd=typed(args.cwd, "the folder"),
        command=args.command,
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
    """Return an agent a new task."""
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
    also = "; ".join(agent.question.always) if intent.verdict == Verdict.ALWAYS else ""
    return await order(
        client, intent, f"{intent.verdict}: {agent.question.title}" + f"\n  until its session ends: {also}" * bool(also)
    )


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
