"""What front ends ask about the room itself, and what the engine answers: a part of `protocol`."""

from dataclasses import dataclass

from controlroom.domain.attached import FrontEnd
from controlroom.domain.audit import AuditLine
from controlroom.domain.money.doubted import DoubtedUse
from controlroom.domain.money.runways import Runway


@dataclass(frozen=True)
class AskAudit:
    """Who did what: the newest `count` lines of the audit that contain `text`? Answered by `Audit`."""

    id: int
    count: int = 100
    text: str = ""


@dataclass(frozen=True)
class AskAttached:
    """Who is attached to the engine now? Answered by `Attached`."""

    id: int


@dataclass(frozen=True)
class AskRunways:
    """How far can agents go alone? Answered by `Runways`."""

    id: int


@dataclass(frozen=True)
class CheckLedger:
    """Is the ledger whole, and do its sums add up? Answered by `LedgerTended`."""

    id: int


@dataclass(frozen=True)
class BackUpLedger:
    """Copy the ledger into a new file on this machine. Answered by `LedgerTended`."""

    id: int
    path: str


@dataclass(frozen=True)
class AskDoubted:
    """Which bookings were set aside as impossible? Answered by `SetAside`."""

    id: int


@dataclass(frozen=True)
class SetAside:
    """The answer to `AskDoubted`, oldest first."""

    id: int
    bookings: tuple[DoubtedUse, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Attached:
    """The answer to `AskAttached`."""

    id: int
    front_ends: tuple[FrontEnd, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Runways:
    """The answer to `AskRunways`: of every agent that a grant binds."""

    id: int
    ways: tuple[Runway, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Audit:
    """The answer to `AskAudit`, oldest line first; none, for this reason."""

    id: int
    lines: tuple[AuditLine, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class LedgerTended:
    """The answer to `CheckLedger` (what is wrong) and `BackUpLedger` (the path of the copy)."""

    id: int
    lines: tuple[str, ...] = ()
    reason: str = ""
    """Why it could not be done."""
