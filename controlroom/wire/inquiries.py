"""What home asks a node that changes nothing there, and what the node finds. Each answer carries its question's id.

A node answers every inquiry, with a reason when there is nothing to give. Text and bytes are as the host has them.
"""

from dataclasses import dataclass

from controlroom.wire.spec import AgentSpec

# --------------------------------------------------------------------------- home -> node


@dataclass(frozen=True)
class ReadSpec:
    """How was this epoch of an agent to be run, and what is its whole task? Answered by `SpecRead`."""

    id: int
    name: str
    epoch: int


@dataclass(frozen=True)
class ShowScreen:
    """What stands on an agent's terminal now? Answered by `ScreenShown`."""

    id: int
    name: str


# --------------------------------------------------------------------------- node -> home


@dataclass(frozen=True)
class SpecRead:
    """The answer to `ReadSpec`; no spec: it cannot be read, for this reason."""

    id: int
    spec: AgentSpec | None = None
    task: str = ""
    reason: str = ""


@dataclass(frozen=True)
class ScreenShown:
    """The answer to `ShowScreen`: the screen's lines as base64, colours as SGR; nothing, for this reason."""

    id: int
    data: str = ""
    columns: int = 0
    rows: int = 0
    reason: str = ""


Inquiry = ReadSpec | ShowScreen
Finding = SpecRead | ScreenShown
