"""What somebody wants done with the rules of a room, and how each of them stands."""

from controlroom.domain.permissions.rules import Rule
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class AddRule:
    """Write a rule into rules.toml. One of this name must not be there, unless it is to be replaced."""

    rule: Rule
    replaces: bool = False

    @property
    def name(self) -> str:
        """The rule's."""
        return self.rule.name


@dataclass(frozen=True)
class RemoveRule:
    """Take a rule out of rules.toml."""

    name: str


RuleIntent = AddRule | RemoveRule


@dataclass(frozen=True)
class KeptRule:
    """A rule as it stands now."""

    rule: Rule
    used: int = 0
    """How many calls it has answered."""
    last: int = 0
    """When it last did: UTC milliseconds; 0: never."""
    over: bool = False
    """It says nothing any more: its time is over, or its uses are gone."""
