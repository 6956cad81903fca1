"""What is said on the command line to the questions of an agent: `--question 1 --choose 1,3 --question 2 --words T`."""

import argparse

from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import typed
from controlroom.domain import intents
from controlroom.domain.model import Agent
from controlroom.domain.questions import ItemAnswer, Question, command, read_answer


def to_intent(args: argparse.Namespace, agent: Agent, asked: Question) -> intents.AnswerQuestion:
    """Give what is wanted. Raises `Stop` for words that say nothing, or too much."""
    if args.parts and (args.verdict not in (None, "allow") or args.text):
        raise Stop(Exit.USAGE, "--choose and --words are an answer of their own: leave out the verdict and its text")
    if not args.parts and args.verdict is None:
        raise Stop(Exit.USAGE, f"what is the answer? {command(agent.id, asked)}")
    answers = _answers(args.parts, asked) if args.parts else ()
    return intents.AnswerQuestion(agent.id, asked.id, args.verdict or "allow", args.text, asked.digest, answers)


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
