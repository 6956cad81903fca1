"""One grammar of filters, for the screen and for verbs: which agents or tasks are meant by what somebody typed.

`state:failed host:vm1 -docs` means: all of it must fit. `KIND:VALUE` compares one thing, of several values with commas
any; a value may be a pattern with `*` and `?`. A word stands somewhere in the row. `-` before either turns it round.
"""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache

from controlroom.domain.display.views import AgentRow
from controlroom.domain.model import Agent, State
from controlroom.domain.tasks import Task, TaskState
from controlroom.domain.words import nearest
from controlroom.text.lazy_dataclass import dataclass

_PATTERN = frozenset("*?[")


def _states(agent: Agent, row: AgentRow) -> tuple[str, ...]:
    """What `state:` compares: the state itself, and what several states have in common."""
    return row.state.value, "ended" if agent.has_ended else "live", *(["asks"] * (agent.question is not None))


_VALUES: Mapping[str, Callable[[Agent, AgentRow], tuple[str, ...]]] = {
    "state": _states,
    "host": lambda agent, row: (agent.host,),
    "name": lambda agent, row: (agent.name, agent.called),
    "profile": lambda agent, row: (agent.profile,),
    "model": lambda agent, row: (agent.model, row.model),
    "kind": lambda agent, row: (agent.kind.value,),
    "cause": lambda agent, row: (agent.cause.value,),
    "fleet": lambda agent, row: (row.fleet,),
}
"""What each kind of term compares of an agent."""


def _task_hosts(task: Task) -> tuple[str, ...]:
    return task.host, *(attempt.host for attempt in task.attempts[-1:])


_TASK_VALUES: Mapping[str, Callable[[Task], tuple[str, ...]]] = {
    "state": lambda task: (task.state.value, "open" if task.state.is_open else "ended"),
    "host": _task_hosts,
    "name": lambda task: (task.id, task.key, *(attempt.agent for attempt in task.attempts[-1:])),
    "profile": lambda task: (task.profile,),
    "model": lambda task: (task.model,),
}
"""What each kind of term compares of a task; another kind fits none."""

KINDS = tuple(_VALUES)
TASK_KINDS = tuple(_TASK_VALUES)
"""What a filter can compare of an agent, of a task."""

STATES = (*(state.value for state in State), "ended", "live", "asks")
TASK_STATES = (*(state.value for state in TaskState if state.value), "open", "ended")


@dataclass(frozen=True)
class Term:
    """One part of a filter."""

    kind: str
    """What is compared: a state, a host; empty: a word."""
    values: tuple[str, ...]
    """Any of these; of a word itself, in small letters."""
    negated: bool = False

    def fits(self, values_of: Callable[[str], tuple[str, ...]], text: str) -> bool:
        """Whether something is meant. `values_of`: what a kind compares of it; `text`: all that its row says."""
        if not self.kind:
            return (self.values[0] in text) is not self.negated
        theirs = [own.lower() for own in values_of(self.kind)]
        return any(_matches(self.kind, value, theirs) for value in self.values) is not self.negated


def _matches(kind: str, value: str, theirs: Iterable[str]) -> bool:
    """Whether a value is one of theirs: whole, or as a pattern; a state may be begun, of a model any part will do."""
    if is_pattern(value):
        return any(fnmatchcase(own, value) for own in theirs)
    if kind == "state":
        return any(own.startswith(value) for own in theirs)
    return any(value in own if kind == "model" and value else value == own for own in theirs)


def is_pattern(word: str) -> bool:
    """Whether a word stands for whatever fits it."""
    return bool(_PATTERN & set(word))


def empty_term(words: Iterable[str]) -> str:
    """What compares with nothing, in a sentence: `state:$S` without an S would mean all of them. "": nothing does."""
    for word in words:
        _, sign, value = word.partition(":")
        if word == "-" or (is_term(word) and sign and not value.strip(",")):
            return f"{ascii(word)[:40]} has no value: say one, or --all for all of them"
    return ""


def is_term(word: str) -> bool:
    """Whether a word of a command line is a part of a filter, and no name or pattern of agents."""
    return word.startswith("-") or (word.partition(":")[0] in _VALUES and ":" in word)


@lru_cache(maxsize=64)
def terms_of(text: str) -> tuple[Term, ...]:
    """Read a filter."""
    return tuple(_term(word) for word in text.lower().split() if word != "-")


def _term(word: str) -> Term:
    negated = word.startswith("-")
    word = word[1:] if negated else word
    kind, sign, value = word.partition(":")
    if sign and kind in _VALUES:
        return Term(kind, tuple(part for part in value.split(",") if part) or ("",), negated)
    return Term("", (word,), negated)


def problem(text: str, states: Iterable[str] = STATES) -> str:
    """What cannot be meant by a filter of agents, or of tasks by their `states`, in a sentence; "": nothing."""
    states = tuple(states)
    for term in terms_of(text):
        for value in term.values if term.kind == "state" else ():
            if not any(_matches("state", value, (state,)) for state in states):
                near = nearest(value, states) or f": say {', '.join(states[:-1])} or {states[-1]}"
                return f"there is no state {ascii(value)[:40]}{near}"
    return ""


def fits(agent: Agent, row: AgentRow, text: str) -> bool:
    """Whether an agent is meant by a filter; an empty one means all."""
    terms = terms_of(text)
    if not terms:
        return True
    parts = (row.id, row.state, agent.model, agent.profile, agent.task, row.line, row.pending)
    shown = " ".join(parts).lower()
    return all(term.fits(lambda kind: _VALUES[kind](agent, row), shown) for term in terms)


def task_fits(task: Task, line: str, text: str) -> bool:
    """Whether a task is meant by a filter; an empty one means all. `line`: why it stands where it stands."""
    terms = terms_of(text)
    agents = (attempt.id for attempt in task.attempts[-1:])
    parts = (task.id, task.state.value, task.text or task.title, task.profile, task.model, task.host, task.key, line)
    shown = " ".join((*parts, *agents)).lower() if terms else ""
    return all(
        term.fits(lambda kind: _TASK_VALUES[kind](task) if kind in _TASK_VALUES else (), shown) for term in terms
    )
