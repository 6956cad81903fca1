"""How an agent is to be run: what home orders, and what stands in `spec.json` on the host.

Named tuples, for a dataclass would cost each runner memory.
"""

from controlroom.text.checks import CheckOrder
from controlroom.text.lazy_named_tuple import NamedTuple


class Credential(NamedTuple):
    """What an agent logs in with. At most one is set; none: whatever the login shell's environment holds."""

    plan: bool = False
    """Claude's own login: API keys are taken out of the environment."""
    file: str = ""
    """A file on the host that holds a key or token; `~` is the host user's home."""
    command: tuple[str, ...] = ()
    """A command on the host that prints a key or token."""


class AgentSpec(NamedTuple):
    """How to run one agent, but for its task. Zeros and empty texts mean: not set."""

    kind: str = "headless"
    command: tuple[str, ...] = ()
    """argv: kind `command` what runs, else the Claude program instead of `claude` from PATH.

    Kind `command` without one: that of the agent's earlier epoch, which its host holds."""
    profile: str = ""
    model: str = ""
    permission_mode: str = ""
    cwd: str = ""
    """Absolute, or relative to the host user's home; `~` too. Empty: the home."""
    env: dict[str, str] = {}  # noqa: RUF012 - nothing writes into it
    env_file: str = ""
    """A file on the host with NAME=value lines."""
    credential: Credential = Credential()
    max_hours: float = 0.0
    max_quiet: float = 0.0
    """Seconds without anything heard of it that are trouble."""
    max_same_failures: int = 0
    """Failures of the same call in a row that are trouble."""
    max_memory: int = 0
    """Bytes of all its processes beyond which it is trouble."""
    max_processes: int = 0
    end_on: tuple[str, ...] = ()
    """Troubles that end it, by their cause (`text.states`): the others are only told."""
    max_log_bytes: int = 1024**3
    max_turns: int = 0
    max_output_tokens: int = 0
    max_budget_usd: str = ""
    """A decimal number, given to Claude as `--max-budget-usd` as it is written."""
    fallback: tuple[str, ...] = ()
    """Models to go on with when the API has no room for its own."""
    resume: str = ""
    """A Claude session to go on with (`--resume`)."""
    worktree: str = ""
    """What a git worktree of its own begins from: a branch, a commit, or HEAD (what `cwd` stands at); empty: none."""
    worktree_setup: tuple[str, ...] = ()
    """The command that makes its worktree ready."""
    worktree_setup_minutes: float = 0.0
    worktree_ports: int = 0
    """How many ports in a row are kept free for it."""
    checks: CheckOrder = CheckOrder()
    """What proves its work, and is run when it says that it is done."""
    mcp: str = ""
    """What Claude is given as --mcp-config, as JSON: how an agent that leads others reaches its tools. It holds no
    token, but names the file that does."""
