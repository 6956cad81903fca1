"""What a machine uses and has left, and what it offers agents: read on a host, bounded at home."""

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import DISK_FULL, OpenStrEnum


@dataclass(frozen=True)
class HostSample:
    """Figures of a machine at one moment; bytes, per cent of the machine, load averages. None: no reading."""

    at: int
    """UTC milliseconds."""
    cpu_percent: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    swap_used: int | None = None
    swap_total: int | None = None
    load_1m: float | None = None
    disk_free: int | None = None
    disk_total: int | None = None
    iowait_percent: float | None = None
    """Share of the CPU's time in which it could only wait for a disk."""
    network_in: int | None = None
    network_out: int | None = None
    """Bytes a second over the last few seconds; the loopback does not count."""
    load_5m: float | None = None
    load_15m: float | None = None

    @property
    def disk_is_full(self) -> bool:
        """Whether so little is left that lines of logs are lost; a disk of which nothing is known is not full."""
        return self.disk_free is not None and self.disk_free < DISK_FULL


class FolderProblem(OpenStrEnum):
    """Why no agent can work in a folder."""

    ABSENT = "absent"
    NOT_A_FOLDER = "not a folder"
    READ_ONLY = "read-only"
    """Nothing can be made in it."""
    CLOSED = "closed"
    """It cannot be entered."""
    UNKNOWN = ""
    """Nothing is known that keeps an agent from it."""


@dataclass(frozen=True)
class FolderCheck:
    """A folder as a host found it."""

    path: str
    """As home named it."""
    problem: FolderProblem = FolderProblem.UNKNOWN
    repository: bool | None = None
    """Whether it lies in a git repository."""
    trusted: bool | None = None
    """Whether Claude's question on a terminal, if its folder is trusted, is answered."""
    worktrees_trusted: bool | None = None
    """Whether it is answered for git worktrees of the repository: by the one about its main checkout, and no other."""


@dataclass(frozen=True)
class HostCheck:
    """What a host found of itself that agents need. Sizes are bytes; None and "" mean: could not be found out."""

    clock_offset: int = 0
    """Milliseconds its clock is ahead of ours; worked out at home."""
    python: str = ""
    tmux: str = ""
    """As `tmux -V` says it; "" and no problem: there is none."""
    tmux_problem: str = ""
    claude: str = ""
    """As `claude --version` says it, in the environment that agents get."""
    claude_at: str = ""
    claude_alias: str = ""
    """What `claude` is short for in the login shell, where no program of that name is on its PATH."""
    claude_problem: str = ""
    logged_in: bool | None = None
    login: str = ""
    """How, in Claude's words (`claude.ai`, `api_key`, `oauth_token`, `none`), and the plan after a blank."""
    login_problem: str = ""
    billing: str = ""
    """Who pays, by what is set up: as `AgentSeen.billing`."""
    billing_told: str = ""
    """Likewise, by what Claude says."""
    onboarded: bool | None = None
    """Whether Claude's first questions on a terminal are answered."""
    stray_key: str = ""
    """What goes before the login of a plan that is there, too: the name of a variable or setting."""
    git: str = ""
    environment_problem: str = ""
    """What is wrong with the login shell."""
    disk_free: int | None = None
    disk_total: int | None = None
    inodes_free: int | None = None
    inodes_total: int | None = None
    """0: the file system counts none."""
    memory_free: int | None = None
    memory_total: int | None = None
    swap_free: int | None = None
    swap_total: int | None = None
    max_sessions: int | None = None
    max_startups: str = ""
    max_processes: int | None = None
    """That this user may have; 0: no limit."""
    processes: int | None = None
    """That this user has."""
    inotify_watches: int | None = None
    systemd: bool = False
    """Whether systemd runs this machine."""
    linger: bool | None = None
    ends_at_logout: bool | None = None
    """Whether logind ends what a user leaves running (KillUserProcesses)."""
    state_folder: str = ""
    state_mode: int | None = None
    """Permission bits of the state folder; None: it is not there yet."""
    state_problem: str = ""
    """Why nothing can be written there."""
