"""What a person must answer, whether an answer fits what was asked, and answering several items in turn."""

from collections.abc import Sequence
from dataclasses import replace

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Item, ItemAnswer, StrEnum


class QuestionKind(StrEnum):
    """What a question wants: leave to use a tool, a yes to a plan, choices or words, a yes to the key of a host that we
    have never met, or a passphrase, password or code (the answer is kept nowhere but in memory)."""

    PERMISSION = "permission"
    PLAN = "plan"
    CHOICES = "choices"
    HOST_KEY = "host_key"
    SECRET = "secret"  # noqa: S105 - what is asked for, not one


@dataclass(frozen=True)
class Question:
    """Something a person must answer. The id names one asking: an answer to an older one is refused."""

    id: str
    kind: QuestionKind
    title: str
    """A few words: `run: git push origin docs/update`, `plan: Rework the tests`, `Which region?`."""
    text: str
    """All of it; may have several lines."""
    asked: int
    items: tuple[Item, ...] = ()
    """What is to be chosen; none for a question that is answered with yes or no."""
    digest: str = ""
    """Names all that is shown of what an agent asks: another one under the same id is another question."""
    cut: bool = False
    """It asks more than can be shown here: nothing but a no is an answer from here."""
    always: tuple[str, ...] = ()
    """What the answer `always` allows beside this, until its session ends, in words; nothing: it is no answer to it."""
    tool: str = ""
    """The tool that wants leave, as Claude names it."""
    input: str = ""
    """The tool's input, whole, as JSON in ASCII: what rules go by; "": it is not known whole."""

    @property
    def lines(self) -> list[str]:
        """All that is to be read before it is answered."""
        lines = self.text.split("\n") if self.text.strip() else [self.title]
        return [*lines, ALWAYS, *(f"- {_plain(each)}" for each in self.always)] if self.always else lines


_DOES = {
    "Bash": "run",
    "Edit": "change",
    "MultiEdit": "change",
    "NotebookEdit": "change",
    "Write": "write",
    "Read": "read",
    "Glob": "look for files",
    "Grep": "search files for",
    "WebFetch": "fetch",
    "WebSearch": "search the web for",
    "Task": "start a subagent",
    "Agent": "start a subagent",
    "Skill": "use the skill",
    "AskUserQuestion": "ask you",
}
"""What tools of Claude Code do, in plain words."""


def wish(tool: str, what: str) -> str:
    """What a tool call wants to do, in plain words: `run: git push origin main`."""
    server, _, remote = tool.removeprefix("mcp__").partition("__") if tool.startswith("mcp__") else ("", "", tool)
    does = _DOES.get(tool) or f"use {f'{remote} of {server}' if server else tool}"
    return f"{does}: {what}" if what and what != tool else does


def _plain(words: str) -> str:
    tool, _, what = words.partition(": ")
    return wish(tool, what) if tool in _DOES else words


def asking(question: Question) -> str:
    """What somebody asks, as the rest of a sentence: `wants to run: git push origin main`."""
    begins = {QuestionKind.PERMISSION: "wants to ", QuestionKind.PLAN: "shows its "}
    return f"{begins.get(question.kind, 'asks: ')}{question.title}"


ALWAYS = "always, for this session, also allows:"
NOTHING_LASTING = "its question names nothing that `always` could allow: allow it once"
CUT = (
    "it asks more than can be shown here: deny it and tell it to ask for less at once, or, if it is interactive, "
    "attach and answer it there"
)


class Unfit(ValueError):
    """An answer that does not fit; the words say why, and how it would."""


def wants_words(question: Question | None) -> bool:
    """Whether it is answered with choices or words, not with yes or no."""
    return question is not None and question.kind is QuestionKind.CHOICES


def same(one: Question | None, other: Question | None) -> bool:
    """Whether two are one asking that shows the same."""
    return one is other or (one is not None and other is not None and _mark(one) == _mark(other))


def _mark(question: Question) -> tuple[str, str, bool]:
    return question.id, question.digest, question.cut


def fitting(question: Question, text: str, answers: Sequence[ItemAnswer]) -> tuple[ItemAnswer, ...]:
    """The answer to each item: `answers`, or what `text` says. Raises `Unfit` for what leaves one open."""
    if not question.items:
        return ()
    if not answers:
        answers = _of_text(question, text)
    if len(answers) != len(question.items):
        raise Unfit(f"it asks {_counted(len(question.items), 'question')}, and {len(answers)} of them have an answer")
    return tuple(_checked(question, number, answer) for number, answer in enumerate(answers, 1))


def _of_text(question: Question, text: str) -> list[ItemAnswer]:
    """Read answers to all items from words: of several items from as many lines."""
    rows = text.strip().split("\n")
    if len(question.items) == 1:
        rows = [text.strip()]
    if len(rows) != len(question.items):
        number = len(question.items)
        each = " ".join(f"--question {one} --choose 1" for one in range(1, number + 1))
        raise Unfit(f"it asks {number} questions: give each its answer, as in {each}")
    return [read_answer(item, row) for item, row in zip(question.items, rows, strict=True)]


def read_answer(item: Item, words: str) -> ItemAnswer:
    """Read an answer to one item: numbers of choices, their labels, or words of one's own."""
    answer = words.strip()
    labels = {option.label.strip().casefold(): number for number, option in enumerate(item.options, 1)}
    if answer.casefold() in labels:
        return ItemAnswer((labels[answer.casefold()],))
    parts = [part.strip().casefold() for part in answer.split(",")]
    if item.options and all(map(_is_number, answer.replace(",", " ").split())):
        parts = answer.replace(",", " ").split()
    chosen = [int(part[:6]) if _is_number(part) else labels.get(part) for part in parts if item.options]
    numbers = tuple(dict.fromkeys(number for number in chosen if number is not None))
    one_of_many = len(parts) == 1 or item.several or all(map(_is_number, parts))
    whole = bool(answer and chosen) and one_of_many and None not in chosen
    return ItemAnswer(numbers) if whole else ItemAnswer((), answer)


def _is_number(part: str) -> bool:
    return part.isascii() and part.isdecimal()


def _checked(question: Question, number: int, answer: ItemAnswer) -> ItemAnswer:
    """See that an answer fits the item of this number. Raises `Unfit`."""
    item = question.items[number - 1]
    name = _named(question, number)
    there = _counted(len(item.options), "choice")
    wrong = next((one for one in answer.choices if not 0 < one <= len(item.options)), None)
    if wrong is not None:
        own = f" (if {wrong} is your own answer: --words)" if item.own_words else ""
        raise Unfit(f"there is no {wrong}: {name} has {there}{own}")
    if len(answer.choices) > 1 and not item.several:
        raise Unfit(f"{name} takes one choice, not {len(answer.choices)}")
    if not answer.choices and not answer.words.strip():
        raise Unfit(f"{name} has no answer: say {how(item)}")
    if answer.words.strip() and not item.own_words:
        raise Unfit(f"{name} takes {how(item)}: attach to answer it otherwise")
    return answer


def how(item: Item) -> str:
    """Say in a few words what is an answer."""
    choices = "" if not item.options else "numbers of choices" if item.several else "the number of a choice"
    return " or ".join([choices] * bool(choices) + ["words"] * item.own_words) or "nothing from here"


def _named(question: Question, number: int) -> str:
    header = question.items[number - 1].header
    if len(question.items) == 1:
        return f"the question ({header})" if header else "the question"
    return f"question {number} ({header})" if header else f"question {number}"


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'s' * (number != 1)}"


def answer_words(question: Question, answers: Sequence[ItemAnswer]) -> list[str]:
    """What was answered, a line for each item: `Region: eu-1`."""
    rows = []
    for item, answer in zip(question.items, answers, strict=False):
        labels = [item.options[number - 1].label for number in answer.choices if 0 < number <= len(item.options)]
        words = ", ".join([*labels, *[answer.words.strip()] * bool(answer.words.strip())])
        rows.append(f"{item.header or item.question}: {words or '–'}")
    return rows


def command(subject: str, question: Question) -> str:
    """The verb that answers a question of an agent or host."""
    if question.kind is QuestionKind.SECRET:
        return f"controlroom host answer {subject} --secret"
    if question.kind is QuestionKind.HOST_KEY:
        return f"controlroom host answer {subject} allow (or deny)"
    if question.kind is not QuestionKind.CHOICES:
        return f"controlroom answer {subject} allow (or {'always, or ' * bool(question.always)}deny)"
    if len(question.items) < 2:
        return f"controlroom answer {subject} " + ("--choose N" if question.items else "allow WORDS")
    each = (f"--question {number} --choose N" for number in range(1, len(question.items) + 1))
    return f"controlroom answer {subject} {' '.join(each)}"


@dataclass(frozen=True)
class Row:
    """One line that shows a step. `number`: what a tap on it, or its digit, takes; 0: nothing."""

    text: str
    number: int = 0
    strong: bool = False


@dataclass(frozen=True)
class Draft:
    """The answers so far, an empty one for an item without. After the last of several items all are looked at again."""

    question: Question
    answers: tuple[ItemAnswer, ...] = ()
    step: int = 0
    """The item that is asked now, from 0; their number: all are answered."""

    @property
    def item(self) -> Item | None:
        """What is asked now; None: all is answered."""
        items = self.question.items
        return items[self.step] if self.step < len(items) else None

    @property
    def offered(self) -> int:
        """How many numbers can be taken now."""
        item = self.item
        return min(9, len(item.options) if item else len(self.question.items))

    @property
    def now(self) -> ItemAnswer:
        """What is said to the item that is asked now."""
        return self.answers[self.step] if self.step < len(self.answers) else ItemAnswer()

    @property
    def ready(self) -> bool:
        """Whether everything has its answer and was on show, so that it can be sent."""
        try:
            fitting(self.question, "", self._all)
        except Unfit:
            return False
        return self.step >= len(self.question.items) - (len(self.question.items) == 1)

    def take(self, number: int) -> "Draft":
        """Take (or leave) a choice and go on when that was all; with all answered, go back to the item of a number."""
        item = self.item
        if not 0 < number <= self.offered:
            return self
        if item is None:
            return replace(self, step=number - 1)
        if not item.several:
            return self._said(ItemAnswer((number,)))._onward()
        kept = tuple(one for one in self.now.choices if one != number)
        return self._said(self.now._replace(choices=kept if number in self.now.choices else (*kept, number)))

    def say(self, words: str) -> "Draft":
        """Answer the item that is asked now in words, or by the numbers or labels in them. Raises `Unfit`."""
        if self.item is None:
            return self
        return self._said(read_answer(self.item, words)).onward()

    def onward(self) -> "Draft":
        """Go on to the next item. Raises `Unfit` when this one has no answer that fits."""
        item = self.item
        if item is None:
            return self
        if not self.now.choices and not self.now.words:
            raise Unfit(f"it wants an answer: {how(item)}")
        fitting(replace(self.question, items=(item,)), "", (self.now,))
        return self._onward()

    @property
    def _all(self) -> tuple[ItemAnswer, ...]:
        missing = len(self.question.items) - len(self.answers)
        return (*self.answers, *[ItemAnswer()] * missing)

    def _said(self, answer: ItemAnswer) -> "Draft":
        numbered = enumerate(self._all)
        return replace(self, answers=tuple(answer if number == self.step else one for number, one in numbered))

    def _onward(self) -> "Draft":
        """The next item without an answer; with one item alone it stays."""
        number = len(self.question.items)
        if number == 1:
            return self
        open_ones = [at for at, one in enumerate(self._all) if not one.choices and not one.words.strip()]
        return replace(self, step=next((at for at in open_ones if at > self.step), min(open_ones, default=number)))

    def rows(self) -> list[Row]:
        """The lines that show what is asked now, or all that was answered."""
        item = self.item
        if item is None:
            answers = answer_words(self.question, self.answers)
            return [Row("Is this your answer?", strong=True)] + [
                Row(f"  {number}. {row}", number) for number, row in enumerate(answers, 1)
            ]
        several = len(self.question.items)
        head = " · ".join(
            [f"question {self.step + 1} of {several}"] * (several > 1) + [item.header] * bool(item.header)
        )
        shown = [Row(head)] * (several > 1) + [Row(item.question, strong=True)]
        for number, option in enumerate(item.options, 1):
            words = " - ".join(part for part in (option.label, option.description) if part)
            mark = ("[x] " if number in self.now.choices else "[ ] ") if item.several else ""
            shown.append(Row(f"  {mark}{number}. {words}", number))
            shown += [Row(f"     │ {line}", number) for line in option.preview.split("\n") if option.preview]
        return shown + [Row(f"  your words: {self.now.words}")] * bool(self.now.words)
