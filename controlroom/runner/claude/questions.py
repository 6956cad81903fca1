"""What Claude asks a person, and the answers in the form that it takes.

Claude Code 2.1.332, observed over the control channel:
  - `AskUserQuestion` asks one to four questions, each with choices of which one or (`multiSelect`) several are taken,
    or words. It is answered by allowing it with `answers` put into its input: by the words of each question its
    answer, several labels with `, ` between them;
  - `ExitPlanMode` has its plan in its input. It proposes no rules; allowed with `setMode`, it goes on in that mode;
  - with a permission it proposes what would spare it the next one (`permission_suggestions`): for a command a rule of
    its words or their beginning, and the folder that it touches; for an edit the mode `acceptEdits`.
"""

import json
from collections.abc import Callable, Iterator
from posixpath import normpath
from typing import Any

from controlroom.runner.outcome import Refused
from controlroom.text.event_text import ASKED_LIMIT, asked
from controlroom.text.json_fields import tables, text
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.sanitize import redact
from controlroom.text.states import Item, ItemAnswer, Option
from controlroom.wire.runner import Answer, digest_of

PERMISSION, PLAN, CHOICES = "permission", "plan", "choices"
ASKS, SHOWS_PLAN = "AskUserQuestion", "ExitPlanMode"

_ITEMS, _OPTIONS = 6, 9
_SHORT, _LONG, _PREVIEW = 300, 2_000, 3_000
"""Characters of a label or header, of a question or description, and of a preview, at most."""


class Question(NamedTuple):
    """What is asked. `given` is the tool's input, as it must be sent back."""

    id: str
    tool: str
    text: str
    at: int
    given: dict[str, Any]
    lasting: tuple["Lasting", ...] = ()
    """What the answer `always` allows beside this call, for this session; nothing: `always` is no answer to it."""
    kind: str = PERMISSION
    items: tuple[Item, ...] = ()
    cut: bool = False
    """It asks more than is shown: nothing but a no is an answer."""
    whole: str = ""
    """`given` as home may be told it; "": it is not the whole input of the tool, or too long, or holds a secret."""

    @property
    def digest(self) -> str:
        """What an answer to it must carry."""
        return digest_of(self.id, self.kind, self.tool, self.text, self.items, self.always, self.whole)

    @property
    def always(self) -> tuple[str, ...]:
        """`lasting` in words, as a person is shown it."""
        return tuple(permission.words for permission in self.lasting)

    def shown(self) -> dict[str, Any]:
        """Return what a person is shown, as the fields of `wire.messages.QuestionSeen`."""
        items = [{**item._asdict(), "options": [option._asdict() for option in item.options]} for item in self.items]
        shown = {"id": self.id, "tool": self.tool, "text": self.text, "at": self.at, "kind": self.kind, "items": items}
        return {**shown, "cut": self.cut, "always": self.always, "input": self.whole}


class Lasting(NamedTuple):
    """One thing that is allowed from now on: in words, and as Claude takes it."""

    words: str
    update: dict[str, Any]


def ask(
    ident: str,
    tool: str,
    given: dict[str, Any],
    at: int,
    lasting: tuple[Lasting, ...] = (),
    words: str = "",
    *,
    own_words: Callable[[dict[str, Any]], bool] = bool,
    cut: bool = False,
    known: bool = False,
) -> Question:
    """Make a question of a tool call (`at`: UTC ms). `words`: what to show, where that is not made of `given`.

    What is shown holds no secret, so that the digest at home is the same. `own_words` says of one of
    several questions whether words can be an answer. `cut`: the words are known to be a part. `known`: `given` is the
    whole input of the call, and was not read from a screen.
    """
    kind = {ASKS: CHOICES, SHOWS_PLAN: PLAN}.get(tool, PERMISSION)
    items = _items(given, own_words) if kind == CHOICES else ()
    shown = words or asked(tool, given)
    cut |= not _fits(given, items) if kind == CHOICES else len(shown) > ASKED_LIMIT
    text_ = redact(shown[:ASKED_LIMIT])
    whole = whole_input(given) if known and not cut and kind == PERMISSION else ""
    return Question(ident, redact(tool), text_, at, given, lasting, kind, items, cut, whole)


INPUT_LIMIT = 32 * 1024
"""Characters of a tool's input, as JSON, that home is told at most: rules answer nothing of which they have a part."""


def whole_input(given: dict[str, Any]) -> str:
    """Write a tool's input as JSON in ASCII; "" where it is too long, or holds what must not be told."""
    try:
        told = json.dumps(given)
    except (TypeError, ValueError, RecursionError):
        return ""
    return told if len(told) <= INPUT_LIMIT and redact(told) == told else ""


# ---------------------------------------------------------------------- what `always` allows

_MOST, _WORDS = 12, 300
"""Things that `always` allows at most, and characters of each in words."""

EDITS = Lasting(
    "edits of files in its folders, without asking (mode acceptEdits)",
    {"type": "setMode", "mode": "acceptEdits", "destination": "session"},
)
"""What `always` allows with a plan, and with an edit on a terminal, as a choice of Claude's own dialog does."""

EDITORS = ("Write", "Edit", "NotebookEdit")
"""Tools that edit a file."""


def proposed(suggestions: list[dict[str, Any]]) -> tuple[Lasting, ...]:
    """Read what Claude proposes with a permission: rules and folders, and edits where no rule says it more narrowly.

    Each part is built anew from what its words say, for this session alone; what cannot be shown whole and plainly is
    left out. Of modes only `acceptEdits` is taken: any other would change what was ordered for the whole run.
    """
    parts = [part for each in suggestions for part in (*_rules(each), *_folders(each))]
    edits = {"type": "setMode", "mode": "acceptEdits"}
    if any(edits.items() <= each.items() for each in suggestions) and not any("rules" in part.update for part in parts):
        parts.append(EDITS)
    plain = [part for part in parts if part.words.isprintable() and len(part.words) <= _WORDS]
    return tuple(part for part in plain if redact(part.words) == part.words)[:_MOST]


def _rules(suggestion: dict[str, Any]) -> Iterator[Lasting]:
    if suggestion.get("type") != "addRules" or suggestion.get("behavior") != "allow":
        return
    for rule in tables(suggestion.get("rules")):
        tool, content = rule.get("toolName"), rule.get("ruleContent")
        if isinstance(tool, str) and tool and isinstance(content, (str, type(None))):
            kept = {"toolName": tool, **({"ruleContent": content} if content else {})}
            update = {"type": "addRules", "rules": [kept], "behavior": "allow", "destination": "session"}
            yield Lasting(_rule_words(tool, content or ""), update)


def _rule_words(tool: str, content: str) -> str:
    """Say what a rule allows: all of a tool, what begins with some words, or what its pattern says."""
    if not content.strip(" *:"):
        return f"every use of {tool}"
    begin = content[:-2] if content[-2:] in (" *", ":*") else ""
    if begin and "*" not in begin:
        return f"{tool}: whatever begins with: {begin}"
    return f"{tool}: {content}"


def _folders(suggestion: dict[str, Any]) -> Iterator[Lasting]:
    if suggestion.get("type") != "addDirectories":
        return
    folders = suggestion.get("directories")
    for folder in folders if isinstance(folders, list) else ():
        if (
            isinstance(folder, str)
            and folder.startswith("/")
            and not folder.startswith("//")
            and normpath(folder) == folder
        ):
            words = f"the folder {folder} and all below it, as if it were its own"
            update = {"type": "addDirectories", "directories": [folder], "destination": "session"}
            yield Lasting("every folder there is (/), as if it were its own" if folder == "/" else words, update)


# ---------------------------------------------------------------------- what is to be chosen


def _fits(given: dict[str, Any], items: tuple[Item, ...]) -> bool:
    """Return whether all that is asked is in its items."""
    asks = _asks(given)
    options = [option for one in asks for option in tables(one.get("options"))]
    named = [(one, "question", _LONG) for one in asks] + [(one, "header", _SHORT) for one in asks]
    named += [(one, name, most) for one in options for name, most in _PARTS]
    return len(items) == len(asks) and all(len(text(one.get(name), most + 1)) <= most for one, name, most in named)


def _items(given: dict[str, Any], own_words: Callable[[dict[str, Any]], bool]) -> tuple[Item, ...]:
    """Return its questions; none when there are more than anybody can be shown."""
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
    """Return whether the choices of a question have previews: on a terminal they leave no room for words."""
    return any(option.get("preview") for option in tables(one.get("options")))


def _asks(given: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in tables(given.get("questions")) if isinstance(item.get("question"), str)]


def checked_answers(question: Question, answers: tuple[ItemAnswer, ...]) -> tuple[ItemAnswer, ...]:
    """The answers, which are to all items of a question. Raises `Refused` when one of them does not fit."""
    if not question.items or len(answers) != len(question.items):
        raise Refused(f"it asks {len(question.items)} questions, and {len(answers)} answers came")
    for item, answer in zip(question.items, answers, strict=True):
        fits = all(0 < number <= len(item.options) for number in answer.choices)
        if not fits or (len(answer.choices) > 1 and not item.several) or (answer.words and not item.own_words):
            raise Refused("an answer does not fit its question")
        if not answer.choices and not answer.words.strip():
            raise Refused("a question has no answer")
    return answers


def filled(question: Question, answers: tuple[ItemAnswer, ...]) -> dict[str, Any]:
    """Return the input of the tool with the answers in it, by the labels as Claude gave them."""
    choices: dict[str, str] = {}
    for item, answer in zip(_asks(question.given), answers, strict=True):
        labels = [text(option.get("label")) for option in tables(item.get("options"))]
        chosen = [labels[number - 1] for number in answer.choices]
        choices[item["question"]] = ", ".join([*chosen, *[answer.words.strip()] * bool(answer.words.strip())])
    return {**question.given, "answers": choices}


def answer_words(answer: Answer) -> str:
    """Sum up an answer for the log: `allow: 1,3 · by hand`."""
    rows = []
    for item in answer.answers:
        numbers = ",".join(map(str, item.choices))
        rows.append(" ".join(part for part in (numbers, item.words[:500]) if part))
    words = " · ".join(rows) or answer.text[:100_000]
    verdict = f"{answer.verdict}, by rule {answer.by[:200]}" if answer.by else str(answer.verdict)
    return f"{verdict}: {words}" if words else verdict
