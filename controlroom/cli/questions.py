"""The verbs of questions: all that are open, those that ask alike together, and answers to them."""

import argparse

from controlroom.cli import output
from controlroom.cli.agents import are_several, carry_out, to_all
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import typed
from controlroom.cli.room import find_agent, order, with_room
from controlroom.cli.status import wait_briefly
from controlroom.client.client import Client
from controlroom.domain import intents
from controlroom.domain.display.filters import is_term
from controlroom.domain.keys.many import answer_to_all
from controlroom.domain.open_questions import Asking, alike
from controlroom.domain.questions import Question, asking, command, read_answer
from controlroom.domain.words import age, named_some
from controlroom.text.states import ItemAnswer, Verdict

_VERDICTS = ("allow", "always", "deny")


def questions(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Show all open questions."""
    return with_room(_questions, args)


async def _questions(client: Client, args: argparse.Namespace) -> int:
    now = await wait_briefly(client)
    asked = alike(client.fleet)
    if args.json:
        output.json_answer("questions", asked)
    elif asked:
        rows = [("ID", "ASKED BY", "AGE", "WHAT")]
        rows += [(each.id, _who(each), age(now - each.question.asked), asking(each.question)) for each in asked]
        output.table(rows, right=frozenset((2,)))
        for each in asked:
            output.talk(f"{each.id}: {_how(each)}")
    else:
        output.talk("nothing is asked now")
    return Exit.DONE


def _who(asked: Asking) -> str:
    return asked.whom[0] if len(asked.whom) == 1 else f"{len(asked.whom)} agents: {named_some(asked.whom)}"


def _how(asked: Asking) -> str:
    return command(_name(asked), asked.question)


def _name(asked: Asking) -> str:
    """What `answer` calls those who ask this."""
    return asked.whom[0] if len(asked.whom) == 1 else f"--alike {asked.id}"


def to_intent(args: argparse.Namespace, agent: str, asked: Question) -> intents.AnswerQuestion:
    """What is wanted for an agent, by its id. Raises `Stop` for words that say nothing, or too much."""
    if args.parts and (args.verdict not in (None, Verdict.ALLOW) or args.text):
        raise Stop(Exit.USAGE, "--choose and --words are an answer of their own: leave out the verdict and its text")
    if not args.parts and args.verdict is None:
        raise Stop(Exit.USAGE, f"what is the answer? {command(agent, asked)}")
    answers = _answers(args.parts, asked) if args.parts else ()
    return intents.AnswerQuestion(
        agent, asked.id, Verdict(args.verdict or Verdict.ALLOW), args.text, asked.digest, answers
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


def answer(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Answer what agents ask."""
    if args.alike and args.everyone:
        raise Stop(Exit.USAGE, "--alike names who asks: leave out --all")
    nobody = args.alike or (args.everyone and not (args.verdict is not None and is_term(args.agent)))
    if nobody and args.agent is not None:
        args.text = [*[args.verdict] * (args.verdict is not None), *args.text]
        args.verdict, args.agent = args.agent, None
    if args.verdict not in (None, *_VERDICTS):
        raise Stop(
            Exit.USAGE, f"an answer is {', '.join(_VERDICTS[:-1])} or {_VERDICTS[-1]}, not {ascii(args.verdict)[:40]}"
        )
    args.text = typed(" ".join(args.text), "the answer")
    return with_room(_answer, args)


async def _answer(client: Client, args: argparse.Namespace) -> int:
    if args.alike:
        return await _answer_alike(client, args)
    if are_several(args):
        return await _answer_all(client, args)
    agent = await find_agent(client, args.agent)
    if agent.question is None:
        raise Stop(Exit.REFUSED, f"{agent.id} asks nothing now ({client.fleet.state_of(agent)})")
    intent = to_intent(args, agent.id, agent.question)
    also = "; ".join(agent.question.always) if intent.verdict == Verdict.ALWAYS else ""
    return await order(
        client, intent, f"{intent.verdict}: {agent.question.title}" + f"\n  until its session ends: {also}" * bool(also)
    )


async def _answer_all(client: Client, args: argparse.Namespace) -> int:
    if args.parts:
        raise Stop(Exit.USAGE, "--choose and --words answer one agent: say which")
    if args.verdict is None:
        raise Stop(Exit.USAGE, "what is the answer? say allow, always or deny")
    return await to_all(client, args, str(args.verdict), text=args.text)


async def _answer_alike(client: Client, args: argparse.Namespace) -> int:
    """Answer all who ask this, as it is listed now: who asks something else meanwhile, or later, is not answered."""
    await wait_briefly(client)
    asked = next((each for each in alike(client.fleet) if each.id == args.alike), None)
    if asked is None:
        what = ascii(args.alike)[:40]
        raise Stop(Exit.NOT_FOUND, f"nobody asks {what} now: controlroom questions says what is asked")
    if asked.whom[0] in client.fleet.hosts:
        raise Stop(Exit.REFUSED, f"a host asks that: {command(asked.whom[0], asked.question)}")
    intent = to_intent(args, _name(asked), asked.question)
    return await carry_out(
        client, args, answer_to_all(client.fleet, asked, intent.verdict, intent.answers, intent.text)
    )
