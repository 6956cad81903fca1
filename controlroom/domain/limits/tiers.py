"""What the API lets through in a minute: ceilings by tier and model class, and what a tier may spend in a month.

Each model class has a bucket of its own for each kind, refilled continuously; the models of a class share it. Of the
input only what was not read from the cache counts, of the output only what was produced (rate-limits page of the
Claude API, 2026). A ceiling that nobody has told us is None, never a guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlroom.metering.prices import bare_name


@dataclass(frozen=True)
class Ceilings:
    """The most that a model class may use in a minute."""

    requests: int
    input: int
    """Tokens that are not read from the cache: input and cache writes."""
    output: int


@dataclass(frozen=True)
class Tier:
    """One step of an organisation at the API."""

    key: str
    name: str
    spend_cap: int | None = None
    """Micro-dollars in a calendar month (UTC), after which everything is refused; None: there is none, or not known."""


@dataclass(frozen=True)
class ModelClass:
    """Models that share one bucket of each kind."""

    key: str
    models: tuple[str, ...]
    ceilings: Mapping[str, Ceilings] = field(default_factory=dict)
    """By the tier's key; a tier that is missing has no known ceiling."""
    unsure: str = ""
    """What of it only follows by analogy, in words; empty: nothing."""


@dataclass(frozen=True)
class Tiers:
    """All that is known of the API's tiers."""

    tiers: tuple[Tier, ...] = ()
    """From the lowest up."""
    classes: tuple[ModelClass, ...] = ()

    def tier(self, key: str) -> Tier | None:
        """Give a tier by its key."""
        return next((tier for tier in self.tiers if tier.key == key), None)

    def class_of(self, model: str) -> ModelClass | None:
        """Give the class of a model, however dated or prefixed its name is; None: it is in no class that we know."""
        names = {model.split("[")[0].lower(), bare_name(model.split("[")[0].lower())}
        return next((one for one in self.classes if names.intersection(one.models)), None)

    def ceilings(self, tier: str, model: str) -> Ceilings | None:
        """Give what a tier lets through of a model; None: nobody has told us."""
        found = self.class_of(model)
        return found.ceilings.get(tier) if found else None
