"""What one run of an agent may spend, from home to its runner, which sees to it alone.

An allowance is a ceiling over a whole run (an agent's epoch), by the runner's own count from the run's first message
on; so a grant that comes twice, late or out of order changes nothing, and the number says which one is newer.
"""

from dataclasses import field

from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Allowance:
    """Ceilings of one run; what is None has none. Only one of the first two is about any run: its billing says which
    (both, while it is not known)."""

    billed: int | None = None
    """Micro-dollars that a key may pay."""
    covered: int | None = None
    """Micro-dollars at list prices that a plan's login may cover."""
    tokens: int | None = None
    """Tokens of all kinds."""
    windows: dict[str, int] = field(default_factory=dict)
    """Per cent of a plan's windows (`five_hour`, `seven_day`, …) up to which it may go on."""


@dataclass(frozen=True)
class Prices:
    """The price sheet (`metering.prices`) that grants go by from now on. Said before the first of them."""

    mark: str
    """Names it: the first 12 hexadecimal digits of the SHA-256 of its canonical JSON."""
    sheet: str
    """That JSON."""


@dataclass(frozen=True)
class Grant:
    """From now on this is what a run may spend. Answered by `Reply`: done means that its runner goes by it."""

    id: int
    name: str
    epoch: int
    number: int
    """Rises with each grant of the room; a runner that goes by a higher one refuses it."""
    allowance: Allowance = field(default_factory=Allowance)
    lasts: int = 0
    """Milliseconds from its arrival until it ends by itself; 0: never. An end is the same as money that is gone."""
    prices: str = ""
    """The mark of the sheet it goes by."""
    key: str = ""
    """The room's public key (Ed25519, hexadecimal)."""
    signature: str = ""
    """The room's, under `wire.signing.grant_bytes`, for runners that began before they knew of `bound`."""
    owner: str = ""
    """The room and the host (`wire.signing.owner_of`)."""
    bound: str = ""
    """The room's signature with the owner: its runner goes by no grant without it."""


GrantOrder = Prices | Grant
