"""The audit: who did what, as the ledger keeps it."""

from controlroom.domain.branch_intents import DropWork, PullRequest, PushBranch
from controlroom.domain.imports import DeclineImport, FindTranscripts, ImportUsage
from controlroom.domain.intents import (
    AddHost,
    AddTasks,
    ApplyFleet,
    ContinueDrain,
    DrainHost,
    DropTask,
    EditTask,
    HaltRoom,
    HoldQueue,
    HoldTask,
    Intent,
    MoveTask,
    ReleaseQueue,
    ReleaseTask,
    RelieveHost,
    RemoveBudget,
    RemoveHost,
    ReplaceHost,
    ResumeRoom,
    RetryHost,
    RetryTask,
    SetBudget,
    SetModel,
    SetQueue,
    SettleUsage,
    TakeHost,
    UndrainHost,
)
from controlroom.domain.leads import AddLead, RemoveLead
from controlroom.domain.permissions.intents import AddRule, RemoveRule
from controlroom.domain.worktrees import DropWorktree
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class AuditLine:
    """Who did what to what, and what came of it. `at`: UTC milliseconds; `target`: an agent's id, or a host."""

    at: int
    who: str
    verb: str
    target: str
    epoch: int
    outcome: str
    reason: str


_VERBS: dict[type, str] = {
    SetModel: "model",
    PushBranch: "push",
    PullRequest: "pull-request",
    DropWork: "drop",
    DropWorktree: "worktree drop",
    AddHost: "host add",
    RemoveHost: "host remove",
    TakeHost: "host take",
    RetryHost: "host retry",
    DrainHost: "host drain",
    ReplaceHost: "host replace",
    RelieveHost: "host relieve",
    ContinueDrain: "host drain --continue",
    UndrainHost: "host undrain",
    SetBudget: "budget set",
    RemoveBudget: "budget remove",
    AddTasks: "task add",
    EditTask: "task edit",
    MoveTask: "task move",
    HoldTask: "task hold",
    ReleaseTask: "task release",
    DropTask: "task drop",
    RetryTask: "task retry",
    HoldQueue: "queue hold",
    ReleaseQueue: "queue release",
    SetQueue: "queue set",
    HaltRoom: "halt",
    ResumeRoom: "resume",
    ImportUsage: "costs import",
    DeclineImport: "costs import --never",
    FindTranscripts: "costs import",
    ApplyFleet: "fleet apply",
    AddRule: "rules add",
    RemoveRule: "rules remove",
    AddLead: "lead add",
    RemoveLead: "lead remove",
}


def verb_of(intent: Intent) -> str:
    """`SpawnAgent` -> spawn, `AddHost` -> host add."""
    if isinstance(intent, SettleUsage):
        return "ledger accept" if intent.accept else "ledger strike"
    name = type(intent).__name__
    short = name.removesuffix("Agent").removesuffix("Message").removesuffix("Question").lower()
    return _VERBS.get(type(intent)) or short


def target_of(intent: Intent) -> str:
    """Name what an intent is about, for the audit."""
    names = (getattr(intent, part, "") for part in ("agent", "subject", "name", "task", "worktree"))
    return str(next((name for name in names if name), ""))[:90]
