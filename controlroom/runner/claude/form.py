"""The pages on which an interactive Claude asks questions with choices: reads one off its screen, names the next key.

Claude Code 2.1.332, observed:
  - above a page stands `☐ Header` of the one question, or `←  ☐ Region  ☒ Parts  ✔ Submit  →` of several questions, or
    of one that takes several choices; below it a rule `───`;
  - a digit takes a choice and goes on to the next page; of several choices it marks `[✔]` or unmarks one, and Tab goes
    on; on the row after the choices words are typed, Enter takes them (of several choices: Tab, then Enter);
  - choices with previews stand to the left of a box, without their descriptions; a digit moves there, Enter takes;
  - Left goes back a page, but not from a row of words. After the last page all answers are shown for review, with
    `1. Submit answers`; one question alone with one choice has no review;
  - a key that comes just after a page may be lost.
What is read must be the whole page as it was asked, word for word: a page that is not on the screen as a whole, or that
a model has drawn, is none. Read by the runner, which must stay small.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from controlroom.runner.claude.questions import Answer, has_previews
from controlroom.text.json_fields import tables, text

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


class Step(NamedTuple):
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
    fits = [number for number, one in enumerate(asks) if below == _below(one)]
    pages = [page for number in fits if (page := _page(rest[:end], number, asks[number]))]
    return pages[0] if len(pages) == 1 else None


def step(page: Page, asks: Sequence[dict[str, Any]], answers: Sequence[Answer]) -> "Step | None":
    """Say what to do on a page so that these answers are given; None: nothing that can be done from here."""
    if page.number == len(asks):
        return Step("1") if page.words == _review(asks, answers) else None
    one, answer = asks[page.number], answers[page.number]
    most = len(tables(one.get("options")))
    if one.get("multiSelect") is True:
        return _mark(page, most, answer)
    if answer.words.strip():
        return (
            Step("Enter") if _stand(page, answer) and page.at == most + 1 else _write(page, most, answer, f"{most + 1}")
        )
    there = has_previews(one) and page.at == answer.choices[0]
    return Step("Enter" if there else str(answer.choices[0]))


def _mark(page: Page, most: int, answer: Answer) -> "Step | None":
    """Mark what is to be taken of several choices, then write, then go on."""
    differ = sorted(set(page.taken) ^ set(answer.choices))
    if differ:
        return Step(str(differ[0])) if 0 < page.at <= most else Step("Up")
    if not answer.words.strip() and (page.marked or page.words not in _EMPTY):
        return None
    if answer.words.strip() and not _stand(page, answer):
        return _write(page, most, answer, "Down" if page.at else "Up")
    return Step("Tab") if page.at else Step("Enter")


def _stand(page: Page, answer: Answer) -> bool:
    return page.words == _squeezed(answer.words)


def _write(page: Page, most: int, answer: Answer, there: str) -> Step:
    """Bring words onto their row, which the key `there` leads to."""
    if page.at != most + 1:
        return Step(there)
    return Step(words=answer.words) if page.words in _EMPTY else Step("C-u")


def _page(rows: list[str], number: int, one: dict[str, Any]) -> "Page | None":
    options = tables(one.get("options"))
    edge = next((row.index(_BOX) for row in rows if _BOX in row), 0) if has_previews(one) else 0
    first = next((at for at, row in enumerate(rows) if _BOX in row), 0)
    shown = rows[:first] + [row[:edge] for row in rows[first:]] if edge else rows
    found = re.fullmatch(_pattern(one, options), _squeezed("".join(shown)))
    if found is None:
        return None
    part = found.groupdict()
    numbers = range(1, len(options) + 1)
    at = next((one for one in (*numbers, len(options) + 1) if part.get(f"at{one}")), 0)
    taken = tuple(one for one in numbers if "✔" in part[f"box{one}"])
    return Page(number, taken, at, part.get("words") or "", "✔" in (part.get("boxed") or ""))


def _pattern(one: dict[str, Any], options: Sequence[dict[str, Any]]) -> str:
    """Give what the page of a question looks like without its white space."""
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
    """Give what stands below the rule: it tells how many choices there are."""
    number = f"{len(tables(one.get('options'))) + 2}. "
    return f"{'' if has_previews(one) else number}Chat about this"


def _review(asks: Sequence[dict[str, Any]], answers: Sequence[Answer]) -> str:
    """Give what the review shows of these answers."""
    rows = []
    for one, answer in zip(asks, answers, strict=True):
        labels = [text(option.get("label")) for option in tables(one.get("options"))]
        said = [labels[number - 1] for number in sorted(answer.choices)]
        rows.append(f"●{text(one.get('question'))}→{','.join([*said, *[answer.words] * bool(answer.words.strip())])}")
    return _squeezed("".join(rows))


def _squeezed(words: str) -> str:
    return _SPACES.sub("", words)
