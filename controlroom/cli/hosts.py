"""The verbs for hosts."""

import argparse
from dataclasses import replace

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import host_of, typed
from controlroom.cli.records import Asked, Checked
from controlroom.cli.room import PATIENCE, code_of, order, settled, wait_for, with_room
from controlroom.cli.status import host_table, report, wait_briefly
from controlroom.client.client import Client
from controlroom.domain import intents
from controlroom.domain.address import short_name
from controlroom.domain.claims import deaf_words
from controlroom.domain.display import checkup
from controlroom.domain.display.drains import progress_words
from controlroom.domain.model import Fleet, Host, LinkState, Question
from controlroom.domain.questions import QuestionKind, command
from controlroom.domain.tasks import BATCH, Drain
from controlroom.domain.words import size
from controlroom.text.states import Verdict


def add(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Add a host, and see how we stand with it."""
    return with_room(_add, args)


async def _add(client: Client, args: argparse.Namespace) -> int:
    name, labels = args.name or short_name(args.address), tuple(args.label or ())
    return await joined(client, intents.AddHost(name, args.address, args.fingerprint or "", labels, args.size or ""))


async def joined(client: Client, intent: intents.AddHost) -> int:
    """Add a host and see how we stand with it, asking a person on the way. Raises `Stop` when it is not up."""
    outcome = await client.submit(intent, wait=True, deadline=PATIENCE)
    if code_of(outcome) is Exit.REFUSED:
        raise Stop(Exit.REFUSED, outcome.reason)
    output.data(intent.name)
    output.talk(f"{intent.name} is in the room; connecting to {intent.address}")
    return await _see_through(client, intent.name)


async def _see_through(client: Client, name: str) -> int:
    """Wait until the host is up, asking its question on the way if a person is there to answer."""
    host = await _settled(client, name)
    while host.question and output.person_is_there():
        asked = host.question
        output.talk(asked.text)
        if asked.kind is QuestionKind.SECRET:
            answer = _said(asked)
        else:
            verdict = Verdict.ALLOW if output.ask(f"Is that the key of {name}?") else Verdict.DENY
            answer = intents.AnswerQuestion(name, asked.id, verdict)
        answer = replace(answer, subject=name)
        await order(client, answer, f"{answer.verdict}: {asked.title}")
        if answer.verdict == Verdict.DENY:
            return Exit.REFUSED
        host = await _after(client, name, asked)
    return _standing(host)


def _said(asked: Question) -> intents.AnswerQuestion:
    """Have a secret said, on the terminal without showing it or on stdin; nothing said is no."""
    secret = output.secret(asked.title)
    return intents.AnswerQuestion("", asked.id, Verdict.ALLOW if secret else Verdict.DENY, secret)


async def _after(client: Client, name: str, asked: Question) -> Host:
    """Wait until a question is settled, and the host with it."""
    await wait_for(client, lambda fleet: name not in fleet.hosts or fleet.hosts[name].question != asked, PATIENCE)
    return await _settled(client, name)


async def _settled(client: Client, name: str) -> Host:
    def known(fleet: Fleet) -> bool:
        return name in fleet.hosts and settled(fleet.hosts[name])

    await wait_for(client, known, PATIENCE)
    return host_of(client.fleet, name)


def _standing(host: Host) -> int:
    """How we stand with a host. Raises `Stop` when it is not up."""
    if host.question:
        where = " (then say it on the terminal, or on stdin)" if host.question.kind is QuestionKind.SECRET else ""
        raise Stop(Exit.ASKED, f"{host.question.text}\nto answer: {command(host.name, host.question)}{where}")
    if host.link is LinkState.UP:
        output.talk(f"{host.name} is up{_facts(host)}")
        return Exit.DONE
    reason = host.reason or "no reason was given"
    if host.link is LinkState.REFUSED:
        raise Stop(Exit.REFUSED, f"{host.name} is in the room, but cannot be used: {reason}")
    raise Stop(Exit.UNKNOWN, f"{host.name} is in the room, but not reached yet: {reason}; the engine keeps trying")


def _facts(host: Host) -> str:
    if host.facts is None:
        return ""
    facts = host.facts
    return f": {facts.platform}, {facts.cores} cores, {size(facts.memory_total)}, {facts.tmux_words}"


def show(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """List the hosts."""
    return with_room(_show, args)


async def _show(client: Client, args: argparse.Namespace) -> int:
    now = await wait_briefly(client)
    if args.json:
        output.json_answer("host list", Asked(client.fleet, now))
    elif client.fleet.hosts:
        host_table(client.fleet, now, wide=True)
    else:
        output.talk("no hosts: add one with controlroom host add user@address")
    return Exit.DONE


def answer(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Answer a host's question: is that its key, or what opens it."""
    return with_room(_answer, args)


async def _answer(client: Client, args: argparse.Namespace) -> int:
    host_of(client.fleet, args.name)
    host = await _settled(client, args.name)
    if host.question is None:
        raise Stop(Exit.REFUSED, f"{host.name} asks nothing now ({host.link})")
    asked, verdict = host.question, args.verdict or ("allow" if args.secret else "")
    secret = asked.kind is QuestionKind.SECRET
    if not verdict or (verdict == Verdict.ALLOW and args.secret != secret):
        wanted = "a secret: say --secret, or deny" if secret else "yes or no: say allow or deny"
        raise Stop(Exit.USAGE, f"{host.name} wants {wanted}")
    intent = intents.AnswerQuestion(host.name, asked.id, Verdict(verdict))
    if args.secret and verdict == Verdict.ALLOW:
        intent = replace(_said(asked), subject=host.name)
    code = await order(client, intent, f"{intent.verdict}: {asked.title}")
    return code if intent.verdict == Verdict.DENY else _standing(await _after(client, args.name, asked))


def remove(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Take a host out of the room."""
    return with_room(_remove, args)


async def _remove(client: Client, args: argparse.Namespace) -> int:
    host_of(client.fleet, args.name)
    return await order(client, intents.RemoveHost(args.name), f"{args.name} is out of the room; its agents live on")


def retry(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Try to reach a host now."""
    return with_room(_retry, args)


async def _retry(client: Client, args: argparse.Namespace) -> int:
    before = host_of(client.fleet, args.name)
    await order(client, intents.RetryHost(before.name), f"trying {before.name} ({before.address})")
    await wait_for(client, lambda fleet: fleet.hosts.get(before.name) != before, PATIENCE)
    return await _see_through(client, before.name)


def check(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """See whether a host has all that agents need."""
    return with_room(_check, args)


async def _check(client: Client, args: argparse.Namespace) -> int:
    host_of(client.fleet, args.name)
    host = await _settled(client, args.name)
    told = await client.check(args.name)
    if args.json:
        output.json_answer("host check", Checked(host, told.checks, told.reason))
    else:
        report(checkup.lines(told.checks))
    if told.reason:
        output.talk(told.reason)
    return Exit.DONE if checkup.is_well(told.checks) and not told.reason else Exit.REFUSED


def take(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Become the owner of a host."""
    return with_room(_take, args)


async def _take(client: Client, args: argparse.Namespace) -> int:
    host_of(client.fleet, args.name)
    await _settled(client, args.name)
    code = await order(client, intents.TakeHost(args.name), f"this room owns {args.name} now")
    if deaf := deaf_words(client.fleet.agents_on(args.name)):
        output.talk(deaf)
    return code


def drain(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Have a host take nothing new."""
    if args.go_on:
        if args.move or args.batch or args.reason:
            raise Stop(Exit.USAGE, "--continue goes on with the drain as it was ordered: say it alone")
        args.intent, args.done = intents.ContinueDrain(args.name), f"the drain of {args.name} goes on"
        return with_room(_ordered, args)
    if args.batch and not args.move:
        raise Stop(Exit.USAGE, "--batch says how many agents move at once: say --move, too")
    args.intent = intents.DrainHost(args.name, typed(args.reason, "the reason"), args.move, args.batch or BATCH)
    args.done = f"{args.name} takes nothing new, until controlroom host undrain {args.name}"
    return with_room(_ordered, args)


def replace_host(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Have one host take the place of another."""
    reason = typed(args.reason, "the reason")
    args.intent = intents.ReplaceHost(args.name, args.by, reason, args.batch or BATCH)
    args.done = f"{args.by} takes the place of {args.name}: controlroom host list says how far that is"
    return with_room(_ordered, args)


def relieve(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Have as many agents go on elsewhere as advice about a host says."""
    args.intent, args.done = intents.RelieveHost(args.name), f"{args.name} is relieved"
    return with_room(_ordered, args)


def undrain(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Have a host take work again."""
    args.intent, args.done = intents.UndrainHost(args.name), f"{args.name} takes work again"
    return with_room(_ordered, args)


async def _ordered(client: Client, args: argparse.Namespace) -> int:
    host = host_of(client.fleet, args.name)
    code = await order(client, args.intent, args.done)
    if isinstance(args.intent, intents.DrainHost) and args.intent.move:
        moving = replace(host, drain=host.drain or Drain("", 0, move=True))
        if words := progress_words(client.fleet, moving, client.now()):
            output.talk(words)
    return code
