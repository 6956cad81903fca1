"""Which agents are started again without being asked, and which are kept running, as profiles say it."""

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import OpenStrEnum


class Restart(OpenStrEnum):
    """Which ends of an agent are followed by another run. Those that a person ordered never are."""

    NEVER = "never"
    FAILURE = "on-failure"
    """It failed, was killed from outside, or nobody saw how it ended."""
    ALWAYS = "always"
    """Also when it has done its task."""
    UNKNOWN = ""


@dataclass(frozen=True)
class RestartRules:
    """What a profile says of starting its agents again, and of those that are kept running."""

    restart: Restart = Restart.NEVER
    starts: int = 5
    """Starts without being asked in `within`; then it is given up."""
    within: int = 600_000
    """Milliseconds."""
    pause: int = 10_000
    """Milliseconds before the first of them; doubled for each further one in `within`."""
    after_reboot: bool = False
    """What a reboot of its host ended goes on in its session."""
    keep: int = 0
    """Agents of the profile that are kept running."""
    hosts: tuple[str, ...] = ()
    """Where those run; none named: anywhere."""
    after_trouble: tuple[str, ...] = ()
    """Troubles (`text.states.TROUBLES`) after which an agent that was ended for them begins again."""
    after_limit: bool = False
    """What a limit stopped goes on in its session once that ends."""

    @property
    def starts_any(self) -> bool:
        """Whether an agent of the profile may be started without being asked."""
        again = self.restart in (Restart.FAILURE, Restart.ALWAYS)
        return again or self.keep > 0 or self.after_reboot or bool(self.after_trouble) or self.after_limit
