"""What front ends ask about fleet files, and what the engine answers."""

from collections.abc import Mapping
from dataclasses import field

from controlroom.domain.fleet_files import FleetFile
from controlroom.domain.fleets.plans import FleetPlan
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class PlanFleet:
    """What would applying a fleet file do? Answered by `FleetPlanned`."""

    id: int
    file: FleetFile


@dataclass(frozen=True)
class AskDrift:
    """How are things not as a fleet file was applied? Answered by `FleetPlanned`."""

    id: int
    fleet: str


@dataclass(frozen=True)
class ExportFleet:
    """What runs now, as a fleet file of this name? Answered by `FleetExported`."""

    id: int
    name: str


@dataclass(frozen=True)
class FleetPlanned:
    """The answer to `PlanFleet` and `AskDrift`; none, for this reason."""

    id: int
    plan: FleetPlan | None = None
    reason: str = ""


@dataclass(frozen=True)
class FleetExported:
    """The answer to `ExportFleet`; none, for this reason."""

    id: int
    file: FleetFile | None = None
    left: Mapping[str, str] = field(default_factory=dict)
    """What cannot stand in such a file, and why, by id."""
    reason: str = ""


FleetQuestion = PlanFleet | AskDrift | ExportFleet
FleetAnswer = FleetPlanned | FleetExported
