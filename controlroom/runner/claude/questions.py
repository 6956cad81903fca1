"""What Claude asks a person, over its control channel or on its screen, and the answers in the form that it takes.

Claude Code 2.1.332, observed over the control channel:
  - `AskUserQuestion` asks one to four questions, each with choices of which one or (`multiSelect`) several are taken,
    or words. It is answered by allowing it with `answers` put into its input: by the words of each question its
    answer, several labels with `, ` between them;
  - `ExitPlanMode` has its plan in its input. It proposes no rules; allowed with `setMode`, it goes on in that mode;
  - with a permission it proposes what would spare it the next one (`permission_suggestions`): for a command a rule of
    its words or their beginning, and the folder that it touches; for an edit the mode `acceptEdits`.

On a screen (2.1.330), for when the transcript does not say what is asked:
  - now and then, on a busy machine, a tool call stands in the transcript only when its prompt has been answered;
  - a permission prompt has a rule `───` above it, its title, what the model says of the call, and between two `╌╌╌`
    what is called; then the choices, of which `1. Yes` is the first;
  - a question with choices begins with `☐ Header` and has numbers before its choices; `←` is before several;
  - a plan is approved by a list of its own: what its first choice grants beside depends on the settings (`Yes, and use
    auto mode`; `Yes, auto-accept edits` where that is switched off), `Yes, manually approve edits` grants nothing more;
    Escape goes on planning. It stands below a row of `▔`, between two `╌╌╌` (2.1.332): as Markdown that has been drawn,
    each row of it three columns in; where there is more, an arrow stands at the right edge. Its `allowedPrompts` are
    not shown, and grant nothing there: what they name is asked about all the same;
  - below the prompt for a file, the second choice lets Claude edit files until the session ends. Below other prompts it
    is a rule that Claude writes into the settings of the project, for all later sessions, too;
  - what a model writes into either is indented or marked with `│`: no row of its text begins where rules and marks do.

The pages of questions with choices on a screen (2.1.332):
  - above a page stands `☐ Header` of the one question, or `←  ☐ Region  ☒ Parts  ✔ Submit  →` of several questions, or
    of one that takes several choices; below it a rule `───`;
  - a digit takes a choice and goes on to the next page; of several choices it marks `[✔]` or unmarks one, and Tab goes
    on; on the row after the choices words are typed, Enter takes them (of several choices: Tab, then Enter);
  - choices with previews stand to the left of a box, without their descriptions; a digit moves there, Enter takes;
  - Left goes back a page, but not from a row of words. After the last page all answers are shown for review, with
    `1. Submit answers`; one question alone with one choice has no review;
  - a key that comes just after a page may be lost.
What is read must be the whole page as it was asked, word for word: a page that is not on the screen as a whole, or that
a model has drawn, is none.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from posixpath import normpath
from typing import Any, NamedTuple

from controlroom.runner.outcome import Refused
from controlroom.text.event_text import ASKED_LIMIT, asked
from controlroom.text.json_fields import tables, text
from controlroom.text.sanitize import redact
from controlroom.text.states import ItemAnswer
from controlroom.wire.runner import Answer, ItemSeen, OptionSeen, digest_of

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
    items: tuple[ItemSeen, ...] = ()
    cut: bool = False
    """It asks more than is shown: nothing but a no is an answer."""

    @property
    def digest(self) -> str:
        """What an answer to it must carry."""
        return digest_of(self.id, self.kind, self.tool, self.text, self.items, self.always)

    @property
    def always(self) -> tuple[str, ...]:
        """`lasting` in words, as a person is shown it."""
        return tuple(permission.words for permission in self.lasting)

    def shown(self) -> dict[str, Any]:
        """Return what a person is shown, as the fields of `wire.messages.QuestionSeen`."""
        items = [{**item._asdict(), "options": [option._asdict() for option in item.options]} for item in self.items]
        shown = {"id": self.id, "tool": self.tool, "text": self.text, "at": self.at, "kind": self.kind, "items": items}
        return {**shown, "cut": self.cut, "always": self.always}


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
) -> Question:
    """Make a question of a tool call (`at`: UTC ms). `words`: what to show, where that is not made of `given`.

    What is shown holds no secret, so that the digest at home is the same. `own_words` says of one of
    several questions whether words can be an answer. `cut`: the words are known to be a part.
    """
    kind = {ASKS: CHOICES, SHOWS_PLAN: PLAN}.get(tool, PERMISSION)
    items = _items(given, own_words) if kind == CHOICES else ()
    shown = words or asked(tool, given)
    cut |= not _fits(given, items) if kind == CHOICES else len(shown) > ASKED_LIMIT
    text_ = redact(shown[:ASKED_LIMIT])
    return Question(ident, redact(tool), text_, at, given, lasting, kind, items, cut)


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


def _fits(given: dict[str, Any], items: tuple[ItemSeen, ...]) -> bool:
    """Return whether all that is asked is in its items."""
    asks = _asks(given)
    options = [option for one in asks for option in tables(one.get("options"))]
    named = [(one, "question", _LONG) for one in asks] + [(one, "header", _SHORT) for one in asks]
    named += [(one, name, most) for one in options for name, most in _PARTS]
    return len(items) == len(asks) and all(len(text(one.get(name), most + 1)) <= most for one, name, most in named)


def _items(given: dict[str, Any], own_words: Callable[[dict[str, Any]], bool]) -> tuple[ItemSeen, ...]:
    """Return its questions; none when there are more than anybody can be shown."""
    asks = _asks(given)
    if len(asks) > _ITEMS or any(len(tables(one.get("options"))) > _OPTIONS for one in asks):
        return ()
    return tuple(
        ItemSeen(
            _said(one, "question", _LONG),
            _said(one, "header", _SHORT),
            tuple(map(_option, tables(one.get("options")))),
            one.get("multiSelect") is True,
            own_words(one),
        )
        for one in asks
    )


_PARTS = (("label", _SHORT), ("description", _LONG), ("preview", _PREVIEW))


def _option(given: dict[str, Any]) -> OptionSeen:
    return OptionSeen(
        _said(given, "label", _SHORT), _said(given, "description", _LONG), _said(given, "preview", _PREVIEW)
    )


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
    return f"{answer.verdict}: {words}" if words else answer.verdict


_TOP = re.compile("(?:← +| )[☐☒] .*")
_RULE = re.compile("─{20,}")
_SPACES = re.compile(r"[\s│]+")
_REVIEW = re.compile(r"Reviewyouranswers(.*?)(?:Readytosubmityouranswers\?)?❯?1\.Submitanswers❯?2\.Cancel")
_EMPTY = ("", "Typesomething", "Typesomething.")
_BOX = "┌"


class Page(NamedTuple):
    """What is on the screen."""

    number: int
    """The question that is asked, from 0; as many as there are questions: all answers are shown for review."""
    taken: tuple[int, ...] = ()
    """The choices that are marked, by number."""
    at: int = 0
    """The choice with the cursor; one more than there are choices: the row of words; 0: none of them."""
    words: str = ""
    """What stands on the row of words, or all answers on review; without white space."""
    marked: bool = False
    """Whether the row of words is marked as taken."""


class DialogStep(NamedTuple):
    """What to do next: press a key, or paste words."""

    key: str = ""
    words: str = ""


def read(screen: list[str], asks: Sequence[dict[str, Any]]) -> "Page | None":
    """Read the page on a screen of these questions (of the tool's input); None when it is not certain which it is."""
    top = max((number for number, row in enumerate(screen) if _TOP.fullmatch(row)), default=-1)
    if top < 0:
        return None
    rest = screen[top + 1 :]
    review = _REVIEW.fullmatch(_squeezed("".join(rest)))
    if review:
        return Page(len(asks), words=review[1])
    end = next((number for number, row in enumerate(rest) if _RULE.fullmatch(row)), len(rest))
    below = "".join(rest[end + 1 : end + 2]).strip()
    fits = [number for number, item in enumerate(asks) if below == _below(item)]
    pages = [page for number in fits if (page := _page(rest[:end], number, asks[number]))]
    return pages[0] if len(pages) == 1 else None


def step(page: Page, asks: Sequence[dict[str, Any]], answers: Sequence[ItemAnswer]) -> "DialogStep | None":
    """Return what to do on a page so that these answers are given; None: nothing that can be done from here."""
    if page.number == len(asks):
        return DialogStep("1") if page.words == _review(asks, answers) else None
    item, answer = asks[page.number], answers[page.number]
    most = len(tables(item.get("options")))
    if item.get("multiSelect") is True:
        return _mark(page, most, answer)
    if answer.words.strip():
        return (
            DialogStep("Enter")
            if _stand(page, answer) and page.at == most + 1
            else _write(page, most, answer, f"{most + 1}")
        )
    there = has_previews(item) and page.at == answer.choices[0]
    return DialogStep("Enter" if there else str(answer.choices[0]))


def _mark(page: Page, most: int, answer: ItemAnswer) -> "DialogStep | None":
    """Mark what is to be taken of several choices, then write, then go on."""
    differ = sorted(set(page.taken) ^ set(answer.choices))
    if differ:
        return DialogStep(str(differ[0])) if 0 < page.at <= most else DialogStep("Up")
    if not answer.words.strip() and (page.marked or page.words not in _EMPTY):
        return None
    if answer.words.strip() and not _stand(page, answer):
        return _write(page, most, answer, "Down" if page.at else "Up")
    return DialogStep("Tab") if page.at else DialogStep("Enter")


def _stand(page: Page, answer: ItemAnswer) -> bool:
    return page.words == _squeezed(answer.words)


def _write(page: Page, most: int, answer: ItemAnswer, there: str) -> DialogStep:
    """Bring words onto their row, which the key `there` leads to."""
    if page.at != most + 1:
        return DialogStep(there)
    return DialogStep(words=answer.words) if page.words in _EMPTY else DialogStep("C-u")


def _page(rows: list[str], number: int, one: dict[str, Any]) -> "Page | None":
    options = tables(one.get("options"))
    edge = next((row.index(_BOX) for row in rows if _BOX in row), 0) if has_previews(one) else 0
    first = next((at for at, row in enumerate(rows) if _BOX in row), 0)
    shown = rows[:first] + [row[:edge] for row in rows[first:]] if edge else rows
    match = re.fullmatch(_pattern(one, options), _squeezed("".join(shown)))
    if match is None:
        return None
    part = match.groupdict()
    numbers = range(1, len(options) + 1)
    at = next((one for one in (*numbers, len(options) + 1) if part.get(f"at{one}")), 0)
    taken = tuple(one for one in numbers if "✔" in part[f"box{one}"])
    return Page(number, taken, at, part.get("words") or "", "✔" in (part.get("boxed") or ""))


def _pattern(one: dict[str, Any], options: Sequence[dict[str, Any]]) -> str:
    """Return what the page of a question looks like without its white space."""
    previews, last = has_previews(one), len(options) + 1
    parts = [re.escape(_squeezed(text(one.get("question"))))]
    for number, option in enumerate(options, 1):
        label, words = (re.escape(_squeezed(text(option.get(key)))) for key in ("label", "description"))
        parts.append(rf"(?P<at{number}>❯?){number}\.(?P<box{number}>(?:\[✔?\])?){label}✔?{'' if previews else words}")
    if not previews:
        parts.append(rf"(?P<at{last}>❯?){last}\.(?P<boxed>(?:\[✔?\])?)(?P<words>.*?)")
        parts.append("❯?(?:Submit|Next)" if one.get("multiSelect") is True else "")
    return "".join(parts)


def _below(one: dict[str, Any]) -> str:
    """Return what stands below the rule: it tells how many choices there are."""
    number = f"{len(tables(one.get('options'))) + 2}. "
    return f"{'' if has_previews(one) else number}Chat about this"


def _review(asks: Sequence[dict[str, Any]], answers: Sequence[ItemAnswer]) -> str:
    """Return what the review shows of these answers."""
    rows = []
    for item, answer in zip(asks, answers, strict=True):
        labels = [text(option.get("label")) for option in tables(item.get("options"))]
        chosen = [labels[number - 1] for number in sorted(answer.choices)]
        rows.append(
            f"●{text(item.get('question'))}→{','.join([*chosen, *[answer.words] * bool(answer.words.strip())])}"
        )
    return _squeezed("".join(rows))


def _squeezed(words: str) -> str:
    return _SPACES.sub("", words)


YES = "1. Yes"

_ONLY_THE_PLAN = re.compile(r" *(?:❯ )? *([1-9])\. Yes, manually approve edits *")
_PLAN_AND_EDITS = re.compile(r" *(?:❯ )? *([1-9])\. Yes, auto-accept edits *")
_FIRST_OF_PLAN = re.compile(r" *❯? *1\. Yes\b.*")
_EDIT_ON = (
    "Yes, and switch to accept edits (auto-approve file edits and common file commands) for this session (shift+tab)"
)
_PROMPT_CHOICE = re.compile(r" (?:❯ |  )([1-9])\. (.+)")
_MORE_OF_A_CHOICE = " " * 6
_TOOLS = {"Bash command": "Bash", "Create file": "Write", "Overwrite file": "Write", "Edit file": "Edit"}
_PLAN_BEGINS = ("Ready to code?", "Here is Claude's plan:")
_PLAN_INDENT, _PLAN_EDGE = "   ", 2
_MORE_BEYOND = re.compile(" +[↑↓]$")
_PART_OF_A_PLAN = "Its screen shows only a part of the plan, this one:"
_NOISE = ("Tip: ", "Do you want to ")
_CUT_OFF = re.compile(r" ↑ \d+ more lines?")
_OWN_WORDS = "Type something"
_LEFT_BY_ESCAPE = ("Esc to cancel", "(esc)")
_HEADER = re.compile(r" ☐ (\S.*)")
_CHOICE = re.compile(r"[❯ ] ([1-9])\. (.+)")
_RULE_LEAST = 20


class Dialog(NamedTuple):
    """A dialog that is open. `given`: the tool's input, as far as the screen shows it. `cut`: it shows a part."""

    tool: str
    text: str
    given: dict[str, Any]
    cut: bool = False


def offers(screen: list[str], first: str) -> bool:
    """Return whether the last thing on a screen is a list that begins with this choice and is left with Escape."""
    rows = [row.strip() for row in screen if row.strip()][-20:]
    left = any(words in row for row in rows for words in _LEFT_BY_ESCAPE)
    return left and any(row.lstrip("❯ ").startswith(first) for row in rows)


def approves_plan(screen: list[str], *, edits: bool = False) -> str:
    """Return the key that approves the plan on a screen and grants nothing more; "" where that is not certain.

    `edits`: that grants edits of files, too, and nothing else. A plan that has such a row in its own text is not
    answered: there are two of them then.
    """
    rows = _PLAN_AND_EDITS if edits else _ONLY_THE_PLAN
    frames = [number for number, row in enumerate(screen) if row[:2] == "  " and _is_rule(row[2:], "─")]
    choices = [(number, match[1]) for number, row in enumerate(screen) if (match := rows.fullmatch(row))]
    if len(choices) != 1 or choices[0][0] < max(frames, default=-1):
        return ""
    return choices[0][1] if any(_FIRST_OF_PLAN.fullmatch(row) for row in screen) else ""


def asks_for(screen: list[str], tool: str) -> bool:
    """Return whether a permission prompt on a screen may be about this tool: none that is read there says another."""
    shown = permission(screen)
    return offers(screen, YES) and (shown is None or shown.tool not in _TOOLS.values() or shown.tool == tool)


def dialog_title(screen: list[str]) -> str:
    """Return the first words below the last rule on a screen, which are a dialog's title; "": where text is typed."""
    rule = max((number for number, row in enumerate(screen) if _is_rule(row, "─") or _is_rule(row, "▔")), default=-1)
    title = next((row.strip() for row in screen[rule + 1 :] if row.strip()), "") if rule >= 0 else ""
    return "" if title[:1] in ("❯", ">") else redact(title[:80])


def edits_from_now_on(screen: list[str]) -> str:
    """Return the key which grants the edit that a prompt is about, and those to come, and nothing more; "": none does.

    A name of a file that draws choices of its own is not answered: they are out of order then, or have other words.
    """
    last = max((number for number, row in enumerate(screen) if _is_rule(row, "╌")), default=len(screen))
    rows = screen[last + 1 :]
    starts = [number for number, row in enumerate(rows) if _PROMPT_CHOICE.fullmatch(row)]
    listed: list[tuple[str, str]] = []
    for row in rows[starts[0] : starts[-1] + 1] if starts else ():
        if match := _PROMPT_CHOICE.fullmatch(row):
            listed.append((match[1], match[2]))
        elif row.startswith(_MORE_OF_A_CHOICE):
            listed[-1] = listed[-1][0], f"{listed[-1][1]} {row.strip()}"
        else:
            return ""
    in_order = [key for key, _ in listed] == [str(number + 1) for number in range(len(listed))]
    keys = [key for key, words in listed if words == _EDIT_ON]
    return keys[0] if in_order and len(keys) == 1 and offers(screen, YES) else ""


def plan(screen: list[str]) -> "Dialog | None":
    """Read a plan that is to be approved, as Claude has drawn it; None when there is none.

    It is whole when nothing but the frame of the dialog is left beside it; a part is said to be one, and is `cut`.
    """
    top = max((number for number, row in enumerate(screen) if _is_rule(row, "▔")), default=len(screen))
    line = max((len(row) for row in screen[top : top + 1]), default=0) - 2 * _PLAN_EDGE
    rule, mark = (f"{' ' * _PLAN_EDGE}{drawn * line}" for drawn in "─╌")
    end = max((number for number, row in enumerate(screen) if number > top and row == rule), default=0)
    if not end or not approves_plan(screen[end:]):
        return None
    rows = screen[top + 1 : end]
    marks = [number for number, row in enumerate(rows) if row == mark]
    if len(marks) > 1:
        frame, words = rows[: marks[0]] + rows[marks[-1] + 1 :], rows[marks[0] + 1 : marks[-1]]
        if all(row == rule or row.strip() in ("", *_PLAN_BEGINS) for row in frame):
            return _plan(words)
    return _plan([_MORE_BEYOND.sub("", row) for row in rows if row not in (rule, mark)], cut=True)


def _plan(rows: list[str], *, cut: bool = False) -> "Dialog | None":
    words = "\n".join(row.removeprefix(_PLAN_INDENT) for row in rows).strip("\n")
    return Dialog(SHOWS_PLAN, f"{_PART_OF_A_PLAN}\n{words}" if cut else words, {}, cut) if words.strip() else None


def permission(screen: list[str]) -> "Dialog | None":
    """Read a permission prompt; None when there is none, or it is not on the screen from its first row on."""
    top = max((number for number, row in enumerate(screen) if _is_rule(row, "─")), default=-1)
    end = max((number for number, row in enumerate(screen) if row.lstrip("❯ ").startswith(YES)), default=-1)
    marks = [number for number in range(top + 1, end) if _is_rule(screen[number], "╌")]
    cut_off = any(_CUT_OFF.fullmatch(row) for row in screen[end:])
    if top < 0 or cut_off or len(marks) < 2 or not offers(screen, YES):
        return None
    title, *rest = _words(screen[top + 1 : marks[0]]) or [""]
    called = _words(screen[marks[0] + 1 : marks[-1]])
    warned = _words(screen[marks[-1] + 1 : end])
    words = [*called, *(row for row in rest + warned if not row.startswith(_NOISE))]
    return Dialog(_TOOLS.get(title, title), "\n".join(words)[: ASKED_LIMIT + 1], {}) if title and called else None


def choices(screen: list[str]) -> "Dialog | None":
    """Read one question with numbered choices of which one is taken; None when there is none on the screen."""
    top = max((number for number, row in enumerate(screen) if _HEADER.match(row)), default=-1)
    header = _HEADER.match(screen[top]) if top >= 0 else None
    options: list[dict[str, Any]] = []
    question: list[str] = []
    for row in screen[top + 1 :]:
        choice = _CHOICE.match(row)
        if choice and choice[2].startswith(_OWN_WORDS):
            break
        if choice and int(choice[1]) == len(options) + 1:
            options.append({"label": choice[2].strip(), "description": ""})
        elif options:
            options[-1]["description"] = f"{options[-1]['description']} {row.strip()}".strip()
        else:
            question += _words([row])
    else:
        return None
    several = any(row.startswith("←") for row in question)
    if header is None or several or not options or not question or not offers(screen, f"1. {options[0]['label']}"):
        return None
    asks = {"header": header[1].strip(), "question": " ".join(question), "multiSelect": False, "options": options}
    tool_input = {"questions": [asks]}
    return Dialog(ASKS, asked(ASKS, tool_input), tool_input)


def plan_or_permission(screen: list[str]) -> "Dialog | None":
    """Read what Claude asks a permission for; a plan is one of these for it."""
    return plan(screen) or permission(screen)


READERS = {"permission prompt": plan_or_permission, "input needed": choices}
"""Who reads the dialog, by what the session file says that Claude waits for."""


def _is_rule(row: str, mark: str) -> bool:
    return len(row) >= _RULE_LEAST and set(row) == {mark}


def _words(rows: list[str]) -> list[str]:
    """Return what stands in rows, without the mark before a model's own text."""
    words = [row.strip() for row in rows]
    return [row[1:].strip() if row.startswith("│") else row for row in words if row.strip("│ ")]
