"""What a dialog on the screen of an interactive Claude asks, for when its transcript does not say so.

Claude Code 2.1.330, observed:
  - now and then, on a busy machine, a tool call stands in the transcript only when its prompt has been answered;
  - a permission prompt has a rule `───` above it, its title, what the model says of the call, and between two `╌╌╌`
    what is called; then the choices, of which `1. Yes` is the first;
  - a question with choices begins with `☐ Header` and has numbers before its choices; `←` is before several;
  - a plan is approved by a list of its own: what its first choice grants beside depends on the settings (`Yes, and use
    auto mode`; `Yes, auto-accept edits` where that is switched off), `Yes, manually approve edits` grants nothing more;
    Escape goes on planning;
  - what a model writes into either is indented or marked with `│`: no row of its text begins where rules and marks do.
Read by the runner, which must stay small.
"""

import re
from typing import Any, NamedTuple

from controlroom.runner.claude.questions import ASKS
from controlroom.text.event_text import ASKED_LIMIT, asked

YES = "1. Yes"

_ONLY_THE_PLAN = re.compile(r" *(?:❯ )? *([1-9])\. Yes, manually approve edits *")
_PLAN_AND_EDITS = re.compile(r" *(?:❯ )? *([1-9])\. Yes, auto-accept edits *")
_FIRST_OF_PLAN = re.compile(r" *❯? *1\. Yes\b.*")
_TOOLS = {"Bash command": "Bash"}
_NOISE = ("Tip: ", "Do you want to ")
_CUT_OFF = re.compile(r" ↑ \d+ more lines?")
_OWN_WORDS = "Type something"
_LEFT_BY_ESCAPE = ("Esc to cancel", "(esc)")
_HEADER = re.compile(r" ☐ (\S.*)")
_CHOICE = re.compile(r"[❯ ] ([1-9])\. (.+)")
_RULE_LEAST = 20


class Dialog(NamedTuple):
    """A dialog that is open. `given`: the tool's input, as far as the screen shows it."""

    tool: str
    text: str
    given: dict[str, Any]


def offers(screen: list[str], first: str) -> bool:
    """Say whether the last thing on a screen is a list that begins with this choice and is left with Escape."""
    rows = [row.strip() for row in screen if row.strip()][-20:]
    left = any(words in row for row in rows for words in _LEFT_BY_ESCAPE)
    return left and any(row.lstrip("❯ ").startswith(first) for row in rows)


def approves_plan(screen: list[str], *, edits: bool = False) -> str:
    """Give the key that approves the plan on a screen and grants nothing more; "" where that is not certain.

    `edits`: that grants edits of files, too, and nothing else. A plan that has such a row in its own text is not
    answered: there are two of them then.
    """
    rows = _PLAN_AND_EDITS if edits else _ONLY_THE_PLAN
    found = [match[1] for row in screen if (match := rows.fullmatch(row))]
    return found[0] if len(found) == 1 and any(_FIRST_OF_PLAN.fullmatch(row) for row in screen) else ""


def permission(screen: list[str]) -> "Dialog | None":
    """Read a permission prompt; None when there is none, or it is not on the screen from its first row on."""
    top = max((number for number, row in enumerate(screen) if _is_rule(row, "─")), default=-1)
    end = max((number for number, row in enumerate(screen) if row.lstrip("❯ ").startswith(YES)), default=-1)
    marks = [number for number in range(top + 1, end) if _is_rule(screen[number], "╌")]
    cut_off = any(_CUT_OFF.fullmatch(row) for row in screen[end:])
    if top < 0 or cut_off or len(marks) < 2 or not offers(screen, YES):
        return None
    title, *said = _words(screen[top + 1 : marks[0]]) or [""]
    called = _words(screen[marks[0] + 1 : marks[-1]])
    warned = _words(screen[marks[-1] + 1 : end])
    words = [*called, *(row for row in said + warned if not row.startswith(_NOISE))]
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
    given = {"questions": [asks]}
    return Dialog(ASKS, asked(ASKS, given), given)


READERS = {"permission prompt": permission, "input needed": choices}
"""Who reads the dialog, by what the session file says that Claude waits for."""


def _is_rule(row: str, mark: str) -> bool:
    return len(row) >= _RULE_LEAST and set(row) == {mark}


def _words(rows: list[str]) -> list[str]:
    """Give what stands in rows, without the mark before a model's own text."""
    said = [row.strip() for row in rows]
    return [row[1:].strip() if row.startswith("│") else row for row in said if row.strip("│ ")]
