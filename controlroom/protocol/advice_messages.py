"""What front ends ask for advice, and what the engine answers: a part of `protocol`."""

from dataclasses import dataclass

from controlroom.domain.calculators.estimate import Estimate, Wish
from controlroom.domain.calculators.ways import Comparison, Terms


@dataclass(frozen=True)
class AskComparison:
    """What would the use of the last days cost in other ways? Answered by `Compared`."""

    id: int
    days: int
    terms: Terms


@dataclass(frozen=True)
class AskEstimate:
    """What would such a fleet need? Answered by `Estimated`."""

    id: int
    wish: Wish


@dataclass(frozen=True)
class Compared:
    """The answer to `AskComparison`; none, for this reason."""

    id: int
    comparison: Comparison | None = None
    reason: str = ""


@dataclass(frozen=True)
class Estimated:
    """The answer to `AskEstimate`; none, for this reason."""

    id: int
    estimate: Estimate | None = None
    reason: str = ""
