"""One grammar of filters, for the screen and for verbs: which agents are meant by what somebody typed.

`state:failed host:vm1 -docs` means: all of it must fit. `KIND:VALUE` compares one thing, of several values with commas
any; a value may be a pattern with `*` and `?`. A word stands somewhere in the row. `-` before either turns it round.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from controlroom.domain.display.views import AgentRow
from controlroom.domain.model import Agent, State
from controlroom.domain.words import nearest

_PATTERN = frozenset("*?[")


def _states(agent: Agent, row: AgentRow) -> tuple[str, ...]:
    """What `state:` compares: the state itself, and what several states have in common."""
    return row.state.value, "ended" if agent.has_ended else "live", *(["asks"] * (agent.question is not None))


_VALUES: Mapping[str, Callable[[Agent, AgentRow], tuple[str, ...]]] = {
    "state": _states,
    "host": lambda agent, row: (agent.host,),
    "name": lambda agent, row: (agent.name,),
    "profile": lambda agent, row: (agent.profile,),
    "model": lambda agent, row: (agent.model, row.model),
    "kind": lambda agent, row: (agent.kind.value,),
    "cause": lambda agent, row: (agent.cause.value,),
}
"""What each kind of term compares."""

KINDS = tuple(_VALUES)

_STATES = (*(state.value for state in State), "ended", "live", "asks")


@dataclass(frozen=True)
class Term:
    """One part of a filter."""

    kind: str
    """One of `KINDS`; empty: a word."""
    values: tuple[str, ...]
    """Any of these; of a word itself, in small letters."""
    negated: bool = False

    def fits(self, agent: Agent, row: AgentRow, text: str) -> bool:
        """Whether an agent is meant; `text`: all that its row says, in small letters."""
        if not self.kind:
            return (self.values[0] in text) is not self.negated
        theirs = [own.lower() for own in _VALUES[self.kind](agent, row)]
        return any(_matches(self.kind, value, theirs) for value in self.values) is not self.negated


def _matches(kind: str, value: str, theirs: Iterable[str]) -> bool:
    """Whether a value is one of theirs: whole, or as a pattern; a state may be begun, of a model any part will do."""
    if _PATTERN & set(value):
        return any(fnmatchcase(own, value) for own in theirs)
    if kind == "state":
        return any(own.startswith(value) for own in theirs)
    return any(value in own if kind == "model" and value else value == own for own in theirs)


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


def problem(text: str) -> str:
    """What cannot be meant by a filter, in a sentence; "": nothing."""
    for term in terms_of(text):
        for value in term.values if term.kind == "state" else ():
            if not any(_matches("state", value, (state,)) for state in _STATES):
                near = nearest(value, _STATES) or f": say {', '.join(_STATES[:-1])} or {_STATES[-1]}"
                return f"there is no state {ascii(value)[:40]}{near}"
    return ""


def fits(agent: Agent, row: AgentRow, text: str) -> bool:
    """Whether an agent is meant by a filter; an empty one means all."""
    terms = terms_of(text)
    if not terms:
        return True
    parts = (row.id, row.state, agent.model, agent.profile, agent.task, row.line, row.pending)
    shown = " ".join(parts).lower()
    return all(term.fits(agent, row, shown) for term in terms)
