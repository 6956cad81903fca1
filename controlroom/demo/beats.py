"""What a scene is made of. A scene is a generator of beats; where it asks, it is sent whether it was allowed.

Seconds are of the scene's own time: the player multiplies them with its pace.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True)
class Say:
    """The agent says something, `after` seconds of thought."""

    text: str
    after: float = 1.0


@dataclass(frozen=True)
class Use:
    """The agent uses a tool, which takes some seconds and gives a result."""

    tool: str
    input: Mapping[str, object]
    result: str
    takes: float = 1.0
    failed: bool = False
    added: int = 0
    """Lines that an edit added."""
    removed: int = 0


@dataclass(frozen=True)
class Ask:
    """The agent may use this tool only if a person allows it. The scene is sent True or False."""

    use: Use


@dataclass(frozen=True)
class Forbidden:
    """A tool call that the permission rules deny without asking anybody."""

    use: Use


@dataclass(frozen=True)
class NearLimit:
    """A plan window is nearly used up: `share` of it, 0 to 1."""

    share: float
    window: str = "five_hour"


@dataclass(frozen=True)
class HitLimit:
    """A plan window is used up. The agent waits for its reset, at the next full hour but one."""

    window: str = "five_hour"


@dataclass(frozen=True)
class Fail:
    """The run ends with an error that Claude Code reports in a sentence."""

    text: str
    error: str = "authentication_failed"


@dataclass(frozen=True)
class Crash:
    """The process dies by a signal."""

    signal: int


@dataclass(frozen=True)
class Print:
    """A command writes one line (it may hold colours), `after` seconds after the one before."""

    text: str
    after: float = 0.5
    error: bool = False
    """Written to the error output."""


@dataclass(frozen=True)
class Exit:
    """A command ends with this code."""

    code: int


Beat = Say | Use | Ask | Forbidden | NearLimit | HitLimit | Fail | Crash | Print | Exit
Beats = Generator[Beat, bool, None]


@dataclass(frozen=True)
class Scene:
    """One story. `play` gets the dice of its agent: the same seed plays the same story."""

    play: Callable[[Random], Beats]
    task: str
    kind: str = "headless"
    model: str = "claude-sonnet-5-5"
    interrupted_after: float = 0.0
    """Seconds after which the demo interrupts the agent, as a person would; 0: never."""
    names: tuple[str, ...] = field(default=())
    """Names its agents go by."""
    login: str = "you"
    """Whose plan it uses: `you`, which has room all day, or another that the story itself says all about."""
