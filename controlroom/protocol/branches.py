"""What front ends ask about the work of agents, and are told."""

from dataclasses import dataclass

from controlroom.domain.branch_work import BranchWork


@dataclass(frozen=True)
class AskWork:
    """What has an agent done, and committed? Answered by `WorkTold`."""

    id: int
    agent: str
    epoch: int


@dataclass(frozen=True)
class WorkTold:
    """The answer to `AskWork`; none, for this reason."""

    id: int
    work: BranchWork | None = None
    reason: str = ""
