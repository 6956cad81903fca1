"""Something that a person can do: what keys, palette, footer, help and verbs know of it."""

from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Action:
    """Something that a person can do."""

    name: str
    key: str
    """The key on the screen, unless the config names another: one plain character, or `enter`, `space`.

    Empty: it is found in the palette."""
    title: str
    """One or two words, for the footer."""
    help: str
    """A sentence, for the help screen and the palette. `{name}` stands for the key of another action."""
    where: str = "overview agent"
    """The screens it belongs to: overview, agent, questions, tasks, hosts, costs and others; or `anywhere`."""
    needs: str = ""
    """What must be chosen: `agent`, `question`, `host`, `task`, a `row` of whatever the table holds, or nothing."""
    danger: bool = False
    """It ends something: it asks first, and names its target."""
    changes: bool = False
    """It changes the fleet: a watcher has no such action."""
    operators: bool = False
    """Nor this, though it changes nothing: it hands out a terminal, or has a host run programs."""
    verb: str = ""
    """The same on the command line."""
    many: bool = False
    """It can be done to all that is marked at once; what is ended or answered is listed first."""
    footer: int = 0
    """Place in the footer, 1 first; 0: not there."""
    more_keys: tuple[str, ...] = ()
    """Other keys that do the same."""

    @property
    def looks(self) -> bool:
        """Whether a watcher has it, too."""
        return not (self.changes or self.operators)

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that does it, the one that is shown first."""
        return (self.key, *self.more_keys) if self.key else ()

    def stands_on(self, screen: str) -> bool:
        """Whether it can be done on a screen."""
        return self.where == "anywhere" or screen in self.where.split()
