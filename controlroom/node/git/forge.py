"""Asks the forge of an origin about pull requests, with GitHub's own program `gh`, and makes one.

`gh` carries the person's own login, and is asked for single requests (`gh api --include`): what became of each is told
by the number that the forge answers with, and never by a sentence. It runs far from the repository, whose config would
be git's to it. What the forge or `gh` say is a claim; no token of theirs is in what is told. Observed with gh 2.23; the
requests: GitHub's REST API, Pull requests.
"""

import json
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from controlroom.runner.git import SHOWN_MOST, displayable, spawned
from controlroom.text.json_fields import table, text
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern
from controlroom.text.sanitize import redact

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer, at most."""

CREATED, UNPROCESSABLE = 201, 422

_NO_LOGIN = 4
"""`gh` ends with it where it has no login: GitHub CLI manual, Exit codes."""

_LATER = frozenset({408, 425})
"""A forge that answers so, or with 500 and more, may still do what it was asked."""

_STATUS = pattern(rb"HTTP/[0-9.]{1,4} ([1-5][0-9]{2})\b[^\n]*\n")
_HEAD_END = pattern(rb"\r?\n\r?\n")
_TOKEN = pattern(r"[A-Za-z0-9_]{32,}|(?:gh[a-z]|github_pat)_\w+|(?<=://)[^\s@/]*@", re.IGNORECASE)
_TOKENS = ("GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
_NOT_OURS = ("GH_DEBUG", "DEBUG", "GH_FORCE_TTY", "CLICOLOR_FORCE", "GH_REPO", "GH_PAGER", "PAGER")


class Answer(NamedTuple):
    """What the forge answered. `status`: the number of HTTP; 0: it did not answer, or not so that it can be read."""

    status: int
    value: Any = None
    why: str = ""
    """What is wrong in words that may be shown; "": nothing is said."""
    no_login: bool = False

    @property
    def is_good(self) -> bool:
        """Whether it did what it was asked."""
        return 200 <= self.status < 300

    @property
    def is_open(self) -> bool:
        """Whether it may still do what it was asked: it did not say that it has not."""
        return self.status < 200 or self.status >= 500 or self.status in _LATER

    @property
    def words(self) -> str:
        """What it said, with its number."""
        number = f"HTTP {self.status}" if self.status else ""
        return ": ".join(part for part in (number, self.why) if part) or "it did not say why"


class PullRequest(NamedTuple):
    """What is wanted of a forge: the merge of one branch of a repository into another."""

    branch: str
    into: str
    title: str
    body: str
    draft: bool


class Forge(NamedTuple):
    """A repository at a forge, and the `gh` that speaks to it."""

    program: str
    host: str
    name: str
    """`team/docs`."""
    environ: Mapping[str, str]
    seconds: float
    """For one request."""

    def address(self, number: int) -> str:
        """Where a person sees a pull request: made of what is known here, for what a forge says may lead anywhere."""
        return f"https://{self.host}/{self.name}/pull/{number}"

    def look(self) -> Answer:
        """Ask for the repository itself. It is good only where `gh` is logged in: who is nobody is told no rights."""
        answer = self._ask("GET", f"repos/{self.name}")
        if answer.is_good and not isinstance(table(answer.value).get("permissions"), dict):
            return Answer(answer.status, no_login=True)
        return answer._replace(no_login=answer.no_login or answer.status == 401)

    def existing(self, branch: str, into: str) -> tuple[int, Answer]:
        """Look for an open pull request; return its number, 0 where there is none, and the answer, which may be bad."""
        head = quote(f"{self.name.partition('/')[0]}:{branch}", safe="")
        query = f"state=open&per_page=20&base={quote(into, safe='')}&head={head}"
        answer = self._ask("GET", f"repos/{self.name}/pulls?{query}")
        if answer.is_good and not isinstance(answer.value, list):
            return 0, Answer(0, why="its answer cannot be read")
        shown = answer.value if answer.is_good else ()
        return next((_number(each) for each in shown if _ends(each) == (branch, into) and _number(each)), 0), answer

    def create(self, wanted: PullRequest) -> tuple[int, Answer]:
        """Ask for a pull request; return its number, 0 where none is told, and the answer."""
        fields = {"title": wanted.title, "body": wanted.body, "head": wanted.branch, "base": wanted.into}
        answer = self._ask("POST", f"repos/{self.name}/pulls", {**fields, "draft": wanted.draft})
        return _number(answer.value) if answer.status == CREATED else 0, answer

    def _ask(self, method: str, path: str, given: Mapping[str, Any] | None = None) -> Answer:
        """Make one request. Raises `GitFailed` where `gh` cannot be run."""
        words = ["api", "--include", "--hostname", self.host, "--method", method, path]
        body = b"" if given is None else json.dumps(given, ensure_ascii=False).encode("utf-8", "replace")
        there = ["/bin/sh", "-c", 'cd / && exec "$0" "$@"', self.program, *words, *["--input", "-"] * bool(body)]
        environ = {name: value for name, value in self.environ.items() if name not in _NOT_OURS}
        environ |= {"GH_HOST": self.host, "GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1"}
        said = spawned(there, environ, body, time.monotonic() + self.seconds, MAX_ANSWER)
        if said.late:
            return Answer(0, why=f"no answer within {self.seconds:g} s")
        if said.cut:
            return Answer(0, why="its answer is too long")
        whole = said.err if len(said.err) < SHOWN_MOST else " ".join(said.err.split(" ")[1:-1])  # no half of a token
        return self._read(said.out) or Answer(0, why=self._shown(whole), no_login=said.code == _NO_LOGIN)

    def _read(self, out: bytes) -> Answer | None:
        """Read an answer with its head; None: it is none."""
        first, end = _STATUS.match(out), _HEAD_END.search(out)
        if first is None or end is None:
            return None
        try:
            value = json.loads(out[end.end() :])
        except (ValueError, RecursionError):
            value = None
        status = int(first[1])
        return Answer(status, value, "" if 200 <= status < 300 else self._shown(_complaint(value)))

    def _shown(self, words: str) -> str:
        """What may be shown of what somebody said: one line, and nothing that may be a token."""
        words = displayable(words, 4_000)
        for name in _TOKENS:
            if token := self.environ.get(name):
                words = words.replace(token, "…")
        return _TOKEN.sub("…", redact(words))[:300]


def _complaint(value: Any) -> str:
    """What a forge says is wrong: its `message`, and those of its `errors`."""
    errors = table(value).get("errors")
    more = [text(table(error).get("message")) for error in errors[:3]] if isinstance(errors, list) else []
    return "; ".join(part[:300] for part in (text(table(value).get("message")), *more) if part)


def _number(value: Any) -> int:
    number = table(value).get("number")
    return number if type(number) is int and 0 < number < 10**12 else 0


def _ends(value: Any) -> tuple[str, str]:
    """The branch that a pull request brings, and the one that it goes to."""
    return text(table(table(value).get("head")).get("ref")), text(table(table(value).get("base")).get("ref"))
