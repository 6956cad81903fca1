"""What front ends ask about rules, and what the engine answers."""

from dataclasses import field

from controlroom.domain.permissions.floor import Floor
from controlroom.domain.permissions.intents import KeptRule
from controlroom.domain.permissions.judge import Part
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class AskRules:
    """How do the rules stand? Answered by `Rules`."""

    id: int


@dataclass(frozen=True)
class TryCall:
    """What would the rules say of a call of a tool? Nothing is answered or counted. Answered by `Judged`."""

    id: int
    tool: str
    input: str
    """The tool's input as JSON."""
    agent: str = ""
    """An agent whose call it would be, by id; its place, profile and folder hold, where they are not said here."""
    host: str = ""
    profile: str = ""
    folder: str = ""


@dataclass(frozen=True)
class Rules:
    """The answer to `AskRules`, in the order of their file."""

    id: int
    rules: tuple[KeptRule, ...] = ()
    floor: Floor = field(default_factory=Floor)
    trouble: str = ""
    """What is wrong with the file; then these are the rules that were read before."""
    reason: str = ""


@dataclass(frozen=True)
class Judged:
    """The answer to `TryCall`."""

    id: int
    verdict: str = ""
    """`allow`, `deny` or `ask`; "": no rule answers it."""
    rules: tuple[str, ...] = ()
    why: str = ""
    parts: tuple[Part, ...] = ()
    reason: str = ""
