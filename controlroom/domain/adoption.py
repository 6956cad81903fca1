"""An agent that others started and that this room has taken over: its name here, and which processes it stands for.

What it is bound to never changes: a mark names one process of one run of its host's machine (`wire.adopted` says how).
The same name with another process is another agent, which nobody has taken over.
"""

from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Adoption:
    """What was ordered of an agent that was taken over."""

    name: str
    """What it is called here: no other agent of its host has this name."""
    mark: str
    """Of the process that was shown when it was taken over."""
    script: str = ""
    """The mark of the script that runs it and nothing else, which ends with it; what it runs next is it, too."""
    at: int = 0
    who: str = ""
    profile: str = ""
    """Whose limits bind it (`adopted_care`), and what it is begun with under a runner."""
    session: str = ""
    """The Claude session that it was in."""
    when_ended: bool = False
    """It goes on under a runner once its process has ended by itself."""
    task: str = ""
    """What it is told then."""

    def is_of(self, mark: str, script: str) -> bool:
        """Whether it stands for what its host shows with these marks."""
        if not mark:
            return False
        return self.mark == mark or (bool(self.script) and self.script in (script, mark))

    @property
    def can_do(self) -> str:
        """What can be done for it, and no more."""
        script = ", with the script that runs it" if self.script else ""
        return f"it {ONLY_SIGNALS}: it can be interrupted (SIGINT) and ended (SIGTERM, then SIGKILL){script}"


ONLY_SIGNALS = "was not started here, so a signal to its processes is all that reaches it"
