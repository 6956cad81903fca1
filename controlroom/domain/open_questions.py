"""All open questions of the fleet, those that ask alike together, and who is reached by one answer to them.

Two agents ask alike when they would do the same: by the kind of their questions and by what these say once the folder
that each works in is set aside, for `make -C /home/ann/a1 test` of one is `make -C /home/ann/a2 test` of the other.
Plans, and what hosts ask, are answered one by one.
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import sha256

from controlroom.domain.model import Agent, Fleet
from controlroom.domain.questions import Question, QuestionKind

_ID = 8
"""Hexadecimal digits that name what is asked."""
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


def _likeness(agent: Agent, question: Question) -> Hashable:
    """What is equal for those who ask alike.

    Titles may be cut: the same is asked where the first lines are the same, too. What follows is shown for each.
    """
    folder = agent.cwd.rstrip("/")
    texts = (question.title, question.lines[0], *question.always)
    return question.kind, question.items, question.cut, tuple(_set_aside(folder, text) for text in texts)


def _set_aside(folder: str, text: str) -> tuple[str, ...]:
    """The parts of a text between which a folder stands for itself or begins a path."""
    if not folder or folder not in text:
        return (text,)
    return tuple(re.split(rf"(?<![\w./-]){re.escape(folder)}(?![\w.-])", text))
