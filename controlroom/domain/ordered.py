"""What this room ordered of an agent's run, and where its host says something else."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """What was ordered of a run, as far as later orders go by it. Empty texts: nothing was said about it."""

    kind: str
    profile: str = ""
    """It brings the permission mode, the environment, the credential and the limits: from the config, from no host."""
    model: str = ""
    cwd: str = ""


@dataclass(frozen=True)
class Claim:
    """Something that a host says of a run and that cannot be, by what this room ordered."""

    field: str
    ordered: str
    said: str
    """Empty where it may hold what is told to agents."""
