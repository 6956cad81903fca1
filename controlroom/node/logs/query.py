"""What is searched for: bytes that stand wherever it is found, and the test on what a person would read."""

import importlib
import itertools
import json
import re
import sys
from typing import Any

LONGEST = 1000
"""Characters of a query at most."""

_SHORTEST = 3
"""Characters of an expression's own text that are worth being looked for first."""
_MARKS, _MARK = 8, 200


class QueryProblem(Exception):
    """There can be no such search; the text is a sentence for people."""


class Query:
    """A text, or a regular expression. Raises `QueryProblem` when it is neither."""

    def __init__(self, text: str, *, regex: bool = False, exact: bool = False) -> None:
        if not text or "\n" in text or len(text) > LONGEST:
            raise QueryProblem(f"search for one line of 1 to {LONGEST} characters")
        self.exact = exact
        self._text = text if exact else text.lower()
        self._expression = _compiled(text, exact) if regex else None
        sought = _literal(text, exact) if regex else text
        self.needles = tuple(_needles(sought, exact)) if sought else ()
        """One of these stands in every record that shows the text; without any, each record must be looked at.

        Unless `exact`, they are meant for bytes whose ASCII letters are small.
        """

    def found(self, line: str) -> tuple[str, ...] | None:
        """Give what an expression stands for in a line (a text: nothing), or None when it is not there."""
        if self._expression is None:
            return () if self._text in (line if self.exact else line.lower()) else None
        met = [match[0] for match in itertools.islice(self._expression.finditer(line), _MARKS)]
        return tuple(dict.fromkeys(mark[:_MARK] for mark in met if mark)) if met else None


def _compiled(text: str, exact: bool) -> re.Pattern[str]:
    try:
        return re.compile(text, 0 if exact else re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise QueryProblem(f"this is no regular expression: {error}") from None


def _literal(text: str, exact: bool) -> str:
    """Give the longest text that stands in everything an expression matches; "" when none is sure."""
    parser = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
    parsed = parser.parse(text)
    if exact and parsed.state.flags & re.IGNORECASE:
        return ""
    runs = [""]
    _collect(parsed, runs)
    longest = max(runs, key=len)
    return longest if len(longest) >= _SHORTEST else ""


def _collect(parsed: Any, runs: list[str]) -> None:
    """Add what stands in a sequence one after the other to the last run; what may vary begins a new one."""
    for what, given in parsed:
        name = str(what)
        if name == "LITERAL":
            runs[-1] += chr(given)
        elif name == "SUBPATTERN" and not given[1] and not given[2]:
            _collect(given[3], runs)
        elif name != "AT":
            runs.append("")


def _needles(text: str, exact: bool) -> set[bytes]:
    """Give the text as it may stand in a record: as it is, or within JSON. Other letters than ASCII: in usual case."""
    cases = {text} if exact else {text.lower(), text.upper(), text.capitalize()}
    forms = {form for case in cases for form in (case, json.dumps(case, ensure_ascii=False)[1:-1])}
    forms |= {json.dumps(case)[1:-1] for case in cases}
    whole = {form.encode("utf-8", "surrogatepass") for form in forms}
    return whole if exact else {form.lower() for form in whole}
