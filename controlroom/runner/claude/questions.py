"""What Claude asks a person, taken apart where it is known what it is; and the answers in the form that it takes.

Claude Code 2.1.332, observed over the control channel:
  - `AskUserQuestion` asks one to four questions, each with choices of which one or (`multiSelect`) several are taken,
    or words. It is answered by allowing it with `answers` put into its input: by the words of each question its
    answer, several labels with `, ` between them;
  - `ExitPlanMode` has its plan in its input. It proposes no rules; allowed with `setMode`, it goes on in that mode.
Read by the runner, which must stay small.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from controlroom.runner.outcome import Refused
from controlroom.text.event_text import ASKED_LIMIT, asked
from controlroom.text.json_fields import tables, text
from controlroom.text.redact import redact
from controlroom.wire.signing import digest_of

PERMISSION, PLAN, CHOICES = "permission", "plan", "choices"
ASKS, SHOWS_PLAN = "AskUserQuestion", "ExitPlanMode"

_ITEMS, _OPTIONS = 6, 9
_SHORT, _LONG, _PREVIEW = 300, 2_000, 3_000
"""Characters of a label or header, of a question or description, and of a preview, at most."""


class Option(NamedTuple):
    """One choice, as `wire.messages.OptionSeen`."""

    label: str
    description: str
    preview: str


class Item(NamedTuple):
    """One of the questions asked together, as `wire.messages.ItemSeen`."""

    question: str
    header: str
    options: tuple[Option, ...]
    several: bool
    own_words: bool


class Question(NamedTuple):
    """What is asked. `given` is the tool's input, as it must be sent back."""

    id: str
    tool: str
    text: str
    at: int
    given: dict[str, Any]
    suggestions: list[dict[str, Any]]
    kind: str = PERMISSION
    items: tuple[Item, ...] = ()
    cut: bool = False
    """It asks more than is shown: nothing but a no is an answer."""

    @property
    def digest(self) -> str:
        """What an answer to it must carry."""
        return digest_of(self.id, self.kind, self.tool, self.text, self.items)

    def shown(self) -> dict[str, Any]:
        """Give what a person is shown, as the fields of `wire.messages.QuestionSeen`."""
        items = [{**item._asdict(), "options": [option._asdict() for option in item.options]} for item in self.items]
        shown = {"id": self.id, "tool": self.tool, "text": self.text, "at": self.at, "kind": self.kind, "items": items}
        return {**shown, "cut": self.cut}


class Answer(NamedTuple):
    """The answer to one item: choices by number, from 1, and words."""

    choices: tuple[int, ...]
    words: str


def ask(
    ident: str,
    tool: str,
    given: dict[str, Any],
    at: int,
    suggestions: list[dict[str, Any]],
    words: str = "",
    *,
    own_words: Callable[[dict[str, Any]], bool] = bool,
) -> Question:
    """Make a question of a tool call (`at`: UTC ms). `words`: what to show, where that is not made of `given`.

    What is shown holds no secret, so that the digest at home is the same. `own_words` says of one of
    several questions whether words can be an answer.
    """
    kind = {ASKS: CHOICES, SHOWS_PLAN: PLAN}.get(tool, PERMISSION)
    items = _items(given, own_words) if kind == CHOICES else ()
    shown = words or asked(tool, given)
    cut = not _fits(given, items) if kind == CHOICES else len(shown) > ASKED_LIMIT
    text_ = redact(shown[:ASKED_LIMIT])
    return Question(ident, redact(tool), text_, at, given, suggestions, kind, items, cut)


def _fits(given: dict[str, Any], items: tuple[Item, ...]) -> bool:
    """Say whether all that is asked is in its items."""
    asks = _asks(given)
    options = [option for one in asks for option in tables(one.get("options"))]
    named = [(one, "question", _LONG) for one in asks] + [(one, "header", _SHORT) for one in asks]
    named += [(one, name, most) for one in options for name, most in _PARTS]
    return len(items) == len(asks) and all(len(text(one.get(name), most + 1)) <= most for one, name, most in named)


def _items(given: dict[str, Any], own_words: Callable[[dict[str, Any]], bool]) -> tuple[Item, ...]:
    """Give its questions; none when there are more than anybody can be shown."""
    asks = _asks(given)
    if len(asks) > _ITEMS or any(len(tables(one.get("options"))) > _OPTIONS for one in asks):
        return ()
    return tuple(
        Item(
            _said(one, "question", _LONG),
            _said(one, "header", _SHORT),
            tuple(map(_option, tables(one.get("options")))),
            one.get("multiSelect") is True,
            own_words(one),
        )
        for one in asks
    )


_PARTS = (("label", _SHORT), ("description", _LONG), ("preview", _PREVIEW))


def _option(given: dict[str, Any]) -> Option:
    return Option(_said(given, "label", _SHORT), _said(given, "description", _LONG), _said(given, "preview", _PREVIEW))


def _said(value: dict[str, Any], name: str, most: int) -> str:
    return redact(text(value.get(name), most))


def has_previews(one: dict[str, Any]) -> bool:
    """Say whether the choices of a question have previews: on a terminal they leave no room for words."""
    return any(option.get("preview") for option in tables(one.get("options")))


def _asks(given: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in tables(given.get("questions")) if isinstance(one.get("question"), str)]


def read_answers(question: Question, said: object) -> tuple[Answer, ...]:
    """Read the answers to all items of a question. Raises `Refused` when one of them does not fit."""
    answers = [Answer(_numbers(one.get("choices")), text(one.get("words"), 1_000_000)) for one in tables(said)]
    if not question.items or len(answers) != len(question.items):
        raise Refused(f"it asks {len(question.items)} questions, and {len(answers)} answers came")
    for item, answer in zip(question.items, answers, strict=True):
        fits = all(0 < number <= len(item.options) for number in answer.choices)
        if not fits or (len(answer.choices) > 1 and not item.several) or (answer.words and not item.own_words):
            raise Refused("an answer does not fit its question")
        if not answer.choices and not answer.words.strip():
            raise Refused("a question has no answer")
    return tuple(answers)


def _numbers(said: object) -> tuple[int, ...]:
    """Give the numbers of choices; what is none is a choice that does not exist."""
    if not isinstance(said, list):
        return ()
    return tuple(number if type(number) is int else 0 for number in said)


def filled(question: Question, answers: tuple[Answer, ...]) -> dict[str, Any]:
    """Give the input of the tool with the answers in it, by the labels as Claude gave them."""
    said: dict[str, str] = {}
    for one, answer in zip(_asks(question.given), answers, strict=True):
        labels = [text(option.get("label")) for option in tables(one.get("options"))]
        chosen = [labels[number - 1] for number in answer.choices]
        said[one["question"]] = ", ".join([*chosen, *[answer.words.strip()] * bool(answer.words.strip())])
    return {**question.given, "answers": said}


def answer_words(request: dict[str, Any]) -> str:
    """Say for the log what an answer says: `allow: 1,3 · by hand`."""
    rows = []
    for one in tables(request.get("answers")):
        numbers = ",".join(map(str, _numbers(one.get("choices"))))
        rows.append(" ".join(part for part in (numbers, text(one.get("words"), 500)) if part))
    said = " · ".join(rows) or text(request.get("text"), 100_000)
    return f"{text(request.get('verdict'), 40)}: {said}" if said else text(request.get("verdict"), 40)
