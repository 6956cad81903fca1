"""All open questions of the fleet, those that ask alike together, and who is reached by one answer to them.

Two agents ask alike when they would do the same: by the tool and its whole input, but for what Claude says about its
call, once folder, worktree and branch of each are set aside: `make -C /home/ann/a1` of one is `make -C /home/ann/a2` of
the other. Where the input is not known whole, all that is shown counts. Plans, and what hosts ask, are answered one by
one.
"""

import json
import re
from collections.abc import Hashable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from controlroom.domain.model import Agent, Fleet
from controlroom.domain.questions import Question, QuestionKind
from controlroom.text.lazy_dataclass import dataclass

_ID = 16
"""Hexadecimal digits that name what is asked: nobody finds another call of the same name."""
_TOGETHER = (QuestionKind.PERMISSION, QuestionKind.CHOICES)
"""What can be answered for several at once."""


@dataclass(frozen=True)
class Asker:
    """An agent by its id, or a host by its name, with its question: an answer is for that alone."""

    subject: str
    question: Question


@dataclass(frozen=True)
class Asking:
    """Those who ask alike, the one who has waited longest first."""

    id: str
    """Names what is asked, whoever asks it: another question has another one."""
    askers: tuple[Asker, ...]

    @property
    def question(self) -> Question:
        """The question of the first of them."""
        return self.askers[0].question

    @property
    def whom(self) -> tuple[str, ...]:
        """Ids of agents, or the name of a host."""
        return tuple(asker.subject for asker in self.askers)


def alike(fleet: Fleet) -> list[Asking]:
    """All open questions, each in one group: those that ask alike together, the oldest first."""
    groups: dict[Hashable, list[Asker]] = {}
    for subject, question in fleet.questions():
        agent = fleet.agents.get(subject)
        together = agent is not None and question.kind in _TOGETHER
        key = _likeness(agent, question) if agent is not None and together else (subject, question.id, question.digest)
        groups.setdefault(key, []).append(Asker(subject, question))
    return [Asking(_named(key), tuple(askers)) for key, askers in groups.items()]


def _named(key: Hashable) -> str:
    return sha256(repr(key).encode(errors="backslashreplace")).hexdigest()[:_ID]


_REMARKS: Mapping[str, frozenset[str]] = {name: frozenset({"description"}) for name in ("Bash", "Task", "Agent")}
"""What Claude says about a call in its input, and nothing follows from (Claude Code 2.1.332, observed)."""


def _likeness(agent: Agent, question: Question) -> Hashable:
    """What is equal for those who ask alike."""
    own = _own(agent)
    told = _input(own, question)
    if told is None:
        lines = tuple(_set_aside(own, line) for line in question.lines)
        return question.kind, question.tool, question.items, question.cut, lines
    return question.kind, question.tool, told, tuple(_set_aside(own, words) for words in question.always)


class _Own(NamedTuple):
    """What differs from agent to agent in what is asked."""

    folders: tuple[str, ...]
    branch: str


def _own(agent: Agent) -> _Own:
    tree = agent.worktree
    path, branch = (tree.path, tree.branch) if tree is not None else ("", "")
    return _Own(tuple(filter(None, (folder.rstrip("/") for folder in (agent.cwd, path)))), branch)


def _input(own: _Own, question: Question) -> str | None:
    """The tool's whole input, but for what is the agent's own; None: it is not known."""
    if question.cut or not question.input:
        return None
    remarks = _REMARKS.get(question.tool, frozenset())
    try:
        given = json.loads(question.input)
        told = {name: _told(own, value) for name, value in given.items() if name not in remarks}
        return json.dumps(told, sort_keys=True)
    except (ValueError, AttributeError, RecursionError):
        return None


def _told(own: _Own, value: Any) -> Any:
    """A value of an input, its texts as lists of the parts between which stands what is the agent's own."""
    if isinstance(value, str):
        return {"text": _set_aside(own, value)}
    if isinstance(value, dict):
        return {"fields": {name: _told(own, each) for name, each in value.items()}}
    return {"list": [_told(own, each) for each in value]} if isinstance(value, list) else value


def _set_aside(own: _Own, text: str) -> tuple[str | int, ...]:
    """The parts of a text between which a folder (0, 1) stands for itself or begins a path, or a branch (2) stands."""
    there = [(kind, folder) for kind, folder in enumerate(own.folders) if folder in text]
    found = [(kind, rf"(?<![\w./-]){re.escape(folder)}(?![\w.-])") for kind, folder in there]
    if own.branch and own.branch in text:
        found.append((2, rf"(?<![\w.-]){re.escape(own.branch)}(?![\w./-])"))
    if not found:
        return (text,)
    found.sort(key=lambda each: -len(each[1]))
    parts, at = list[str | int](), 0
    for match in re.finditer("|".join(f"({pattern})" for _, pattern in found), text):
        parts += [text[at : match.start()], found[(match.lastindex or 1) - 1][0]]
        at = match.end()
    return (*parts, text[at:])
