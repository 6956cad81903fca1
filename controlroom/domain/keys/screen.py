"""What the room's config says about the screen: which colours, which keys, where a person's own themes lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ScreenSettings:
    """The settings of a front end on this machine, as the user wrote them: themes and keys are checked later."""

    themes: Path
    """The folder of the user's own themes; it need not be there."""
    memory: Path
    """The file in which the screen remembers what was chosen on it."""
    theme: str = ""
    """The theme that the config names; empty: none."""
    keys: Mapping[str, object] | None = None
    """The table [keys] of the config: action -> key, or keys."""
    bell: bool = True
    """Whether the terminal rings when something is asked, and its title says how much."""
    source: str = "config.toml"
    """The path of the config, for sentences about it."""
    problem: str = ""
    """Why the config could not be read, in a sentence."""
