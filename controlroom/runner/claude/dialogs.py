"""What Claude asks a person on its screen: dialogs that are read there, and the keys that answer them.

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
from collections.abc import Iterable, Sequence
from itertools import accumulate, takewhile
from typing import Any

from controlroom.runner.claude.questions import ASKS, EDITORS, EDITS, SHOWS_PLAN, Lasting, has_previews
from controlroom.text.event_text import ASKED_LIMIT, asked
from controlroom.text.json_fields import tables, text
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern
from controlroom.text.sanitize import redact
from controlroom.text.states import ItemAnswer

_TOP = pattern("(?:← +| )[☐☒] .*")
_RULE = pattern("─{20,}")
_SPACES = pattern(r"[\s│]+")
_REVIEW = pattern(r"Reviewyouranswers(.*?)(?:Readytosubmityouranswers\?)?❯?1\.Submitanswers❯?2\.Cancel")
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


_STARTUP = (
    ("Is this a project you created or one you trust?", "whether you trust its folder"),
    ("Choose the text style", "what it asks once, at the first start of all"),
    ("Select login method", "how to log in"),
    ("Do you want to use this API key?", "whether to use the API key of its environment"),
    ("Bypass Permissions mode", "whether you accept the mode bypassPermissions"),
)
"""By what its screen says, what Claude asks before its session begins (2.1.332)."""


def startup(screen: list[str]) -> str:
    """Return what Claude asks before its session begins, "" where that is not known."""
    words = _squeezed("".join(screen))
    return next((asks for says, asks in _STARTUP if _squeezed(says) in words), "")


YES = "1. Yes"

_ONLY_THE_PLAN = pattern(r" *(?:❯ )? *([1-9])\. Yes, manually approve edits *")
_PLAN_AND_EDITS = pattern(r" *(?:❯ )? *([1-9])\. Yes, auto-accept edits *")
_FIRST_OF_PLAN = pattern(r" *❯? *1\. Yes\b.*")
_EDIT_ON = (
    "Yes, and switch to accept edits (auto-approve file edits and common file commands) for this session (shift+tab)"
)
_PROMPT_CHOICE = pattern(r" (?:❯ |  )([1-9])\. (.+)")
_MORE_OF_A_CHOICE = " " * 6
_TOOLS = {
    "Bash command": "Bash", "Read file": "Read", "Fetch": "WebFetch",
    "Create file": "Write", "Overwrite file": "Write", "Edit file": "Edit",
}  # fmt: skip
_PLAN_BEGINS = ("Ready to code?", "Here is Claude's plan:")
_LEAVES_PLANNING = "Exitplanmode?Claudewantstoexitplanmode❯1.Yes,andswitchtodefault(askeachtime)forthissession2.No"
_PLAN_INDENT, _PLAN_EDGE = "   ", 2
_MORE_BEYOND = pattern(" +[↑↓]$")
_PART_OF_A_PLAN = "Its screen shows only a part of the plan, this one:"
_FENCE = pattern(r"^ *(?:```|~~~).*$", re.MULTILINE)
_LINK = pattern(r"\[([^\]\n]*)\]\([^)\n]*\)")
_ITEM = pattern(r"^ *(?:[0-9]{1,9}[.)]|[a-z]{1,5}\.) ", re.MULTILINE)
_SIGNS = pattern(r"[\W_]+")
_NOISE = ("Tip: ", "Do you want to ")
_CUT_OFF = pattern(r" ↑ \d+ more lines?")
_NUMBER = pattern(r" *\d+ ")
_NOTHING_IN_IT = "(Nocontent)"
_FROM_ELSEWHERE = pattern(r"^(?:…|~/|(?:\.\./)+)")
_NOT_ALIKE = pattern(r"[^\w!-~]+")
_GAPS = pattern(r"[ \t\n\r\f\v]+")
_OWN_WORDS = "Type something"
_LEFT_BY_ESCAPE = ("Esc to cancel", "(esc)")
_HEADER = pattern(r" ☐ (?P<one>\S.*)|← +☐ (?P<several>[^☐☒✔]*\S) +✔ Submit +→")
_CHOICE = pattern(r"[❯ ] ([1-9])\. (.+)")
_SEVERAL_CHOICE = pattern(r"[❯ ] ([1-9])\. \[[ ✔]\] (.+)")
_PART_OF_QUESTIONS = "Its screen shows only a part of what it asks, this:"
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
    if not edits and shows_no_plan(screen):
        return "1"
    frames = [number for number, row in enumerate(screen) if row[:2] == "  " and _is_rule(row[2:], "─")]
    choices = [(number, match[1]) for number, row in enumerate(screen) if (match := rows.fullmatch(row))]
    if len(choices) != 1 or choices[0][0] < max(frames, default=-1):
        return ""
    return choices[0][1] if any(_FIRST_OF_PLAN.fullmatch(row) for row in screen) else ""


def shows_no_plan(screen: list[str]) -> bool:
    """Return whether the dialog on a screen asks to leave plan mode without a plan, to ask each time from then on."""
    top = max((number for number, row in enumerate(screen) if _is_rule(row, "▔")), default=len(screen))
    return _squeezed("".join(screen[top + 1 :])).lstrip("─") == _LEAVES_PLANNING


def is_call(screen: list[str], tool: str, given: dict[str, Any]) -> bool:
    """Return whether the dialog on a screen is about this call of a tool, as far as it is on the screen."""
    if tool == ASKS:
        return read(screen, tables(given.get("questions"))) is not None
    if tool != SHOWS_PLAN:
        return asks_for(screen, tool, given)
    words = _all(given, "plan")
    if shows_no_plan(screen):
        return not words
    drawn = _drawn_plan(screen)
    return drawn is not None and bool(approves_plan(screen)) and _is_plan(drawn, words)


def lasting(screen: list[str], tool: str) -> tuple[Lasting, ...]:
    """Return what `always` allows beside what a dialog asks: only what one of its choices grants, and no more."""
    key = approves_plan(screen, edits=True) if tool == SHOWS_PLAN else edits_from_now_on(screen)
    return (EDITS,) if key and tool in (SHOWS_PLAN, *EDITORS) else ()


class _Prompt(NamedTuple):
    """The parts of a permission prompt, as rows."""

    title: str
    """"" where its first rows are not on the screen."""
    above: list[str]
    """What stands between title and what is called: the path of a file, what the model says of a command."""
    called: list[str]
    below: list[str]
    part: bool
    """Only the end of what is called is on the screen."""


def _prompt(screen: list[str]) -> "_Prompt | None":
    top = max((number for number, row in enumerate(screen) if _is_rule(row, "─")), default=-1)
    end = max((number for number, row in enumerate(screen) if row.lstrip("❯ ").startswith(YES)), default=-1)
    marks = [number for number in range(top + 1, end) if _is_rule(screen[number], "╌")]
    cut = top < 0 or any(_CUT_OFF.fullmatch(row) for row in screen[end:])
    if not marks or (len(marks) < 2 and not cut) or not offers(screen, YES):
        return None
    first = marks[0] if len(marks) > 1 else top
    title, *above = _words(screen[top + 1 : max(first, 0)]) or [""]
    below = _words(screen[marks[-1] + 1 : end])
    return _Prompt("" if cut else title, above, screen[first + 1 : marks[-1]], below, len(marks) < 2)


def asks_for(screen: list[str], tool: str, given: dict[str, Any]) -> bool:
    """Return whether the permission prompt on a screen is about this call, as far as it is on the screen.

    A command must be the same word for word; of a file the path, and what is shown of what would be written; of any
    other call what it is about.
    """
    shown = _prompt(screen)
    if shown is None or _TOOLS.get(shown.title, tool) != tool:
        return False
    if tool == "Bash":
        return _is_command(shown, _all(given, "command"))
    if tool in ("Write", "Edit"):
        return _is_file(shown, tool, _all(given, "file_path")) and _is_written(shown, given)
    subject = _letters(asked(tool, given).split("\n", 1)[0])
    return any(_is_about(subject, given, _letters("".join(rows))) for rows in (shown.above, shown.called))


def _is_about(subject: str, given: dict[str, Any], letters: str) -> bool:
    """Return whether letters of a prompt say what a call is about, as a whole, and nothing else of its arguments."""
    names = {f"{_letters(name)}:": _letters(value) if isinstance(value, str) else "" for name, value in given.items()}
    name = "|".join(map(re.escape, names)) or "(?!)"
    whole = rf"(?:^|[(\[{{\"']|{name}){re.escape(subject)}(?:[)\]}}\"']*$|[\"'],|[\"']?,?(?:{name}))"
    alike = all(name not in letters or f"{name}{value}" in letters for name, value in names.items())
    return bool(subject) and alike and re.search(whole, letters) is not None


_COMPARED = 100_000
"""Characters of an argument that are compared, its last ones: more is on no screen, and takes the runner long."""


def _all(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    return value[-_COMPARED:] if isinstance(value, str) else ""


def _is_command(shown: _Prompt, command: str) -> bool:
    """Return whether a prompt shows a command, or the end of it: its letters, and its gaps but where rows begin."""
    letters = ""
    begins: set[int] = set()
    gaps: set[int] = set()
    for row in shown.called:
        for number, word in enumerate(_lettered(row)):
            (gaps if number else begins).add(len(letters))
            letters += word
    words = _lettered(command)
    whole = "".join(words)
    before = len(whole) - len(letters)
    ends = set(accumulate(map(len, words)))
    same = whole.endswith(letters) if shown.part else whole == letters
    return (
        bool(letters) and same and {end - before for end in ends if before < end < len(whole)} - begins == gaps - begins
    )


def _is_file(shown: _Prompt, tool: str, path: str) -> bool:
    edits = any(row.startswith("Do you want to make this edit ") for row in shown.below)
    if edits is not (tool == "Edit"):
        return False
    if not shown.title:
        return _letters(path.rpartition("/")[2]) in _letters("".join(shown.below))
    row = "".join(row for row in shown.above if not row.startswith(_NOISE))
    whole, there = _letters(path), _letters(_FROM_ELSEWHERE.sub("", row))
    return bool(there) and (whole == there or whole.endswith(there if row.startswith("…") else f"/{there}"))


def _is_written(shown: _Prompt, given: dict[str, Any]) -> bool:
    """Return whether what a prompt shows as new in a file, and as gone, is what a call writes there and takes away."""
    margin = min((len(match[0]) for row in shown.called if (match := _NUMBER.match(row))), default=0)
    if "content" in given and any(row.startswith("Do you want to create ") for row in shown.below):
        new, rows = _letters(_all(given, "content")), _letters("".join(row[margin:] for row in shown.called))
        return rows == (new or _NOTHING_IN_IT) or (shown.part and new.endswith(rows))
    if "content" in given:
        return _changes(shown.called, margin, "+", _all(given, "content"))
    new, old = _all(given, "new_string"), _all(given, "old_string")
    if not _letters(new) or not _letters(old):
        come, gone = (_marked(shown.called, margin, mark) for mark in "+-")
        pair = (come, gone, _letters(old)) if _letters(old) else (gone, come, _letters(new))
        return _differ_by(*pair, part=shown.part)
    return all(_changes(shown.called, margin, mark, words) for mark, words in (("+", new), ("-", old)))


def _differ_by(less: list[str], more: list[str], letters: str, *, part: bool) -> bool:
    """Return whether runs of rows are those beside them with a text put in, or taken out, and nothing else.

    `part`: only the end of what is called is on the screen.
    """
    if not less:
        return bool(more) and all(lines == letters or (part and letters.endswith(lines)) for lines in more)
    places = [[at for at in range(len(lines) + 1) if lines.startswith(letters, at)] for lines in more]
    return len(less) == len(more) and all(
        any(lines[:at] + lines[at + len(letters) :] == left for at in there)
        for left, lines, there in zip(less, more, places, strict=True)
    )


def _changes(rows: list[str], margin: int, mark: str, words: str) -> bool:
    """Return whether rows with a mark are lines of a text; its first and its last line may be parts of lines."""
    lines_ = words.strip("\n").split("\n")
    first, last = _letters(lines_[0]), _letters(lines_[-1])
    whole = _letters(words)
    return all(
        lines in whole or whole in lines or lines.endswith(first) or lines.startswith(last)
        for lines in _marked(rows, margin, mark)
    )


def _marked(rows: list[str], margin: int, wanted: str) -> list[str]:
    """Return the letters of rows with a mark: of rows next to each other, and the rest of long ones, together."""
    runs, mark = [""], ""
    for row in rows:
        before, number = mark, row[:margin].strip()
        if number:
            mark = row[margin : margin + 1] if number.isdecimal() else ""
        if mark == wanted != before:
            runs.append("")
        if mark == wanted:
            runs[-1] += _letters(row[margin + bool(number) :])
    return runs[1:]


def _letters(words: str) -> str:
    """Return what every terminal draws alike: no gaps, marks, signs, or what is not seen."""
    return _NOT_ALIKE.sub("", words)


def _lettered(row: str) -> list[str]:
    return [word for word in map(_letters, _GAPS.split(row)) if word]


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
    if shows_no_plan(screen):
        return Dialog(SHOWS_PLAN, asked(SHOWS_PLAN, {}), {})
    drawn = _drawn_plan(screen)
    if drawn is None or not drawn.words.strip():
        return None
    words = f"{_PART_OF_A_PLAN}\n{drawn.words}" if drawn.cut else drawn.words
    return Dialog(SHOWS_PLAN, words, {}, drawn.cut)


class _DrawnPlan(NamedTuple):
    words: str
    cut: bool
    """A part of it is on the screen."""


def _drawn_plan(screen: list[str]) -> "_DrawnPlan | None":
    """Read the plan on a screen; None when none is to be approved."""
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
            return _DrawnPlan(_undented(words), cut=False)
    return _DrawnPlan(_undented(_MORE_BEYOND.sub("", row) for row in rows if row not in (rule, mark)), cut=True)


def _undented(rows: Iterable[str]) -> str:
    return "\n".join(row.removeprefix(_PLAN_INDENT) for row in rows).strip("\n")


def _is_plan(drawn: _DrawnPlan, plan: str) -> bool:
    """Return whether a plan is drawn on the screen, or the part of it that is there.

    Markdown is drawn without its signs and the names of its code blocks, with numbers and letters of its own before
    the items of lists, and links with or without their places.
    """
    shown = drawn.words
    for begins in _PLAN_BEGINS if drawn.cut else ():
        shown = shown.removeprefix(begins).lstrip("\n")
    meant = _FENCE.sub("", plan)
    for written in (meant, _LINK.sub(r"\1", meant)):
        pairs = (shown, written), (_ITEM.sub("", shown), _ITEM.sub("", written))
        for there, whole in ((_SIGNS.sub("", one), _SIGNS.sub("", other)) for one, other in pairs):
            if there and (there == whole or (drawn.cut and there in whole)):
                return True
    return False


def permission(screen: list[str]) -> "Dialog | None":
    """Read a permission prompt; None when there is none, or it is not on the screen from its first row on."""
    shown = _prompt(screen)
    if shown is None or not shown.title:
        return None
    called = _words(shown.called)
    words = [*called, *(row for row in shown.above + shown.below if not row.startswith(_NOISE))]
    text_ = "\n".join(words)[: ASKED_LIMIT + 1]
    return Dialog(_TOOLS.get(shown.title, shown.title), text_, {}) if called else None


def choices(screen: list[str]) -> "Dialog | None":
    """Read a page with numbered choices; None when there is none. What its screen shows in part is said to be that."""
    top = max((number for number, row in enumerate(screen) if _TOP.fullmatch(row)), default=-1)
    if top < 0 or not offers(screen, "1. "):
        return None
    asks = _one_question(screen, top)
    if asks is not None:
        given = {"questions": [asks]}
        return Dialog(ASKS, asked(ASKS, given), given)
    rows = [row.strip() for row in takewhile(lambda row: not _RULE.fullmatch(row), screen[top:])]
    return Dialog(ASKS, "\n".join([_PART_OF_QUESTIONS, *filter(None, rows)]), {}, cut=True)


def _one_question(screen: list[str], top: int) -> dict[str, Any] | None:
    """Read a question that stands below its header; None when there are several, or its choices have previews."""
    header = _HEADER.fullmatch(screen[top])
    options: list[dict[str, Any]] = []
    question: list[str] = []
    if header is None:
        return None
    several = header["several"] is not None
    for row in screen[top + 1 :]:
        choice = (_SEVERAL_CHOICE if several else _CHOICE).match(row)
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
    asks = {"header": (header["one"] or header["several"]).strip(), "question": " ".join(question)}
    return {**asks, "multiSelect": several, "options": options} if options and question else None


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
