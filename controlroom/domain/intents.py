"""What somebody wants, and what is asked of the world when it may be done."""

from collections.abc import Mapping
from dataclasses import field

from controlroom.domain.adoption_intents import AdoptAgent as AdoptAgent
from controlroom.domain.adoption_intents import RestartAdopted as RestartAdopted
from controlroom.domain.adoption_intents import SignalOn as SignalOn
from controlroom.domain.branch_intents import (
    Accept,
    AcceptOn,
    DropOn,
    DropWork,
    PullRequest,
    PullRequestOn,
    PushBranch,
    PushOn,
)
from controlroom.domain.fleet_files import FleetFile
from controlroom.domain.imports import ImportIntent
from controlroom.domain.leads import LeadIntent
from controlroom.domain.link_effects import GiveSecret as GiveSecret
from controlroom.domain.link_effects import RetryLink as RetryLink
from controlroom.domain.link_effects import TrustKey as TrustKey
from controlroom.domain.money.budget import BudgetRule
from controlroom.domain.orders import NO_TERMS, Order, RunTerms
from controlroom.domain.permissions.intents import RuleIntent
from controlroom.domain.tasks import BATCH, TaskChange, TaskWish
from controlroom.domain.worktrees import DropWorktree, DropWorktreeOn
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import AgentKind, ItemAnswer, TellKind, Verdict


@dataclass(frozen=True)
class SpawnAgent:
    """Start an agent under a new name (or one whose last run has ended)."""

    name: str
    task: str
    host: str = ""
    """Empty: `local` when it is in the room, else the only host."""
    profile: str = ""
    kind: str = ""
    """Empty: what the profile says; without a profile `command` when a command is given, else `headless`."""
    model: str = ""
    cwd: str = ""
    command: tuple[str, ...] = ()
    anyway: bool = False
    """Also on a host that was found to lack something which such an agent needs."""
    terms: RunTerms = NO_TERMS
    credential: str = ""
    """Which of those that its profile names a person or a task chose; empty: the one with the most left."""
    worktree: str = ""
    """What a git worktree of its own begins from (`worktrees.HEAD`, a branch); empty: as its profile says."""
    decided: str = ""
    """The one that the queue decided on; empty: it is decided now."""
    lead: str = ""
    """The lead that wants it, be it by a task; empty: a person does."""


@dataclass(frozen=True)
class KillAgent:
    """End an agent and everything it started."""

    agent: str
    epoch: int
    """The epoch it was shown for: refused when that is no longer current."""
    mark: str = ""
    """Of one that others started: the process that it was shown with, likewise."""


@dataclass(frozen=True)
class ReassignAgent:
    """Give an agent a new task: a new epoch in the same folder, its old tree proved gone first."""

    agent: str
    epoch: int
    task: str
    keep_session: bool = False
    """Go on in the same Claude session (`--continue`); to another host it goes with its session and its folder."""
    host: str = ""
    """Move it there: the same task when `task` is empty, as epoch 1 or the next there; empty: it stays."""
    trust: bool = False
    """Go by what its host claims of it, when this room did not order it."""
    terms: RunTerms = NO_TERMS
    decided: str = ""
    """The credential that the queue decided on; empty: the one that was chosen for it, in its session as before, else
    the one with the most left."""
    leave_folder: bool = False
    """To another host it goes with its session alone: its files stay where they are."""


@dataclass(frozen=True)
class RetryAgent:
    """Give an agent the task of this run again, as a new run in the same folder and a new Claude session."""

    agent: str
    epoch: int


GO_ON = "Go on where you stopped."
"""What an agent is told that is to go on."""


@dataclass(frozen=True)
class PauseAgent:
    """End an agent's run, and keep its Claude session for a later one."""

    agent: str
    epoch: int
    mark: str = ""  # as in `KillAgent`


@dataclass(frozen=True)
class ResumeAgent:
    """Have an agent that has ended go on in its Claude session."""

    agent: str
    epoch: int
    task: str = GO_ON
    """What it is told."""
    paced: bool = False
    """Among several: each once there is room for it, one after the other, by the rules of the queue."""


@dataclass(frozen=True)
class SendMessage:
    """Say something to a running agent."""

    agent: str
    epoch: int
    text: str


@dataclass(frozen=True)
class AnswerQuestion:
    """Answer an open question of an agent or a host."""

    subject: str
    """Agent id or host name."""
    question: str
    verdict: Verdict
    """`allow`, `always` or `deny`."""
    text: str = field(default="", repr=False)
    """Words; may be a secret, so it is printed nowhere."""
    digest: str = ""
    """That of the question as it was shown (`Question.digest`): refused when it shows something else by now."""
    answers: tuple[ItemAnswer, ...] = ()
    """One for each of its items; without them `text` says them."""


@dataclass(frozen=True)
class InterruptAgent:
    """Stop an agent's turn; it then waits for a message."""

    agent: str
    epoch: int
    mark: str = ""  # as in `KillAgent`


@dataclass(frozen=True)
class SetModel:
    """Have an agent go on with another model: at once where its Claude can be told, else from its next run on."""

    agent: str
    epoch: int
    model: str
    """As Claude Code names it."""
    lasting: bool = True
    """Its next runs begin with it, too; False: they begin with what their profile says."""


@dataclass(frozen=True)
class ForgetAgent:
    """Remove an ended agent with its logs from its host."""

    agent: str
    epoch: int


@dataclass(frozen=True)
class AddHost:
    """Add a host to the room."""

    name: str
    address: str
    fingerprint: str = ""
    """`SHA256:…` of its key, known from elsewhere: it is then trusted without a question."""
    labels: tuple[str, ...] = ()
    """What tasks and profiles may want of it."""
    size: str = ""
    """What its provider calls a machine like it."""


@dataclass(frozen=True)
class RemoveHost:
    """Take a host out of the room; its agents live on."""

    name: str


@dataclass(frozen=True)
class RetryHost:
    """Try to reach a host now, instead of after the wait that follows a failure or a refusal."""

    name: str


@dataclass(frozen=True)
class TakeHost:
    """Become the owner of a host that another room owns."""

    name: str


@dataclass(frozen=True)
class DrainHost:
    """Have a host take nothing new; what is at work there ends, or with `move` goes on elsewhere."""

    name: str
    reason: str = ""
    move: bool = False
    batch: int = BATCH
    """Agents that leave at once."""


@dataclass(frozen=True)
class ContinueDrain:
    """Have a drain that stands still go on: what has failed is tried again."""

    name: str


@dataclass(frozen=True)
class ReplaceHost:
    """Have one host take the place of another: all that is at work there goes on on it."""

    name: str
    by: str
    """The host that takes its place."""
    reason: str = ""
    batch: int = BATCH
    """Agents that leave at once."""


@dataclass(frozen=True)
class RelieveHost:
    """Have those agents of a host go on elsewhere that advice about it names."""

    name: str


@dataclass(frozen=True)
class UndrainHost:
    """Have a host take work again."""

    name: str


@dataclass(frozen=True)
class SetBudget:
    """Have a budget as this says, from now on; one of the same name becomes it."""

    rule: BudgetRule
    was: BudgetRule | None = None
    """What it was when it was shown: it is refused where the budget is another one by now. None: it was not shown."""
    new: bool = False
    """It is refused where there is a budget of this name."""

    @property
    def name(self) -> str:
        """The budget's name."""
        return self.rule.name


@dataclass(frozen=True)
class RemoveBudget:
    """Have a budget no longer; what it had paused goes on."""

    name: str
    was: BudgetRule | None = None
    """What it was when it was shown, as in `SetBudget`."""


@dataclass(frozen=True)
class SettleUsage:
    """Say of use that was set aside as impossible what it was: `accept` it as claimed, or strike it out."""

    number: int
    accept: bool
    of: str = ""
    """A host, or an agent by its id, all of whose open bookings are meant; then there is no number (0)."""

    @property
    def name(self) -> str:
        """Its number, or whose they are."""
        return self.of or str(self.number)


@dataclass(frozen=True)
class AddTasks:
    """Put tasks into the queue: all of these, or none."""

    tasks: tuple[TaskWish, ...]
    template: str = ""
    """Its text is each task's; its variables are the task's, and `text` is the task's own text."""
    addition: str = ""
    """Names an addition that is too large for one request, and comes in parts; empty: this is all of it."""
    part: int = 0
    """Which of its parts this is, from 0."""
    more: bool = False
    """More parts follow: nothing is added yet."""
    lead: str = ""
    """The lead that adds them; empty: a person does."""


@dataclass(frozen=True)
class EditTask:
    """Have a task that waits otherwise."""

    task: str
    change: TaskChange
    was: TaskChange | None = None
    """What a person was shown of what they change: refused when that is another one now; None: nothing."""
    text_was: str = ""
    """The digest of the whole text that they were shown; empty: none."""
    version: str = ""
    """Of the task as it was read (`queue.edits.version`): refused when anything of it is another; empty: none."""


@dataclass(frozen=True)
class MoveTask:
    """Have a task start before another one; without one, first or last of its priority."""

    task: str
    before: str = ""
    first: bool = False


@dataclass(frozen=True)
class HoldTask:
    """Keep a task from starting until it is released."""

    task: str


@dataclass(frozen=True)
class ReleaseTask:
    """Let a held task start."""

    task: str


@dataclass(frozen=True)
class DropTask:
    """Take a task that is not being done out of the queue."""

    task: str


@dataclass(frozen=True)
class RetryTask:
    """Do a task that has ended again, its attempts counted anew."""

    task: str


@dataclass(frozen=True)
class HoldQueue:
    """Start no more tasks; what runs goes on."""

    reason: str = ""


@dataclass(frozen=True)
class ReleaseQueue:
    """Start tasks again."""


@dataclass(frozen=True)
class SetQueue:
    """Have rules of the queue otherwise than the config says; None: as the config says again."""

    rules: Mapping[str, int | None]


@dataclass(frozen=True)
class ApplyFleet:
    """Have the agents and tasks that a fleet file says, and no others of that fleet."""

    file: FleetFile
    mark: str = ""
    """Of the plan that a person was shown (`FleetPlan.mark`): refused where it would do something else now."""

    @property
    def name(self) -> str:
        """The fleet's name."""
        return self.file.name


@dataclass(frozen=True)
class HaltRoom:
    """Stop everything: every agent of this room is interrupted, or ended, and nothing starts until `ResumeRoom`."""

    kill: bool = False
    reason: str = ""


@dataclass(frozen=True)
class ResumeRoom:
    """End the halt: tasks start again, and the agents that it interrupted are told to go on."""


Intent = (
    SpawnAgent
    | KillAgent
    | ReassignAgent
    | RetryAgent
    | PauseAgent
    | ResumeAgent
    | SendMessage
    | AnswerQuestion
    | InterruptAgent
    | SetModel
    | ForgetAgent
    | AdoptAgent
    | RestartAdopted
    | Accept
    | PushBranch
    | PullRequest
    | DropWork
    | DropWorktree
    | AddHost
    | RemoveHost
    | RetryHost
    | TakeHost
    | DrainHost
    | ContinueDrain
    | ReplaceHost
    | RelieveHost
    | UndrainHost
    | SetBudget
    | RemoveBudget
    | SettleUsage
    | AddTasks
    | EditTask
    | MoveTask
    | HoldTask
    | ReleaseTask
    | DropTask
    | RetryTask
    | HoldQueue
    | ReleaseQueue
    | SetQueue
    | ApplyFleet
    | HaltRoom
    | ResumeRoom
    | RuleIntent
    | LeadIntent
    | ImportIntent
)

# --------------------------------------------------------------------------- effects: asked of the world


@dataclass(frozen=True)
class SpawnOn:
    """Start an agent on its host; with `replaces`, end that epoch first.

    Kind `command` with no command: the one of the agent's earlier epoch, which its host holds.
    """

    host: str
    name: str
    epoch: int
    task: str
    kind: AgentKind
    profile: str = ""
    model: str = ""
    cwd: str = ""
    command: tuple[str, ...] = ()
    resume: str = ""
    replaces: int = 0
    terms: RunTerms = NO_TERMS
    chosen: str = ""
    """The model that a person or a task chose for it; empty: as the profile says."""
    credential: str = ""
    """Which of the credentials that the profile names; empty: it names no several."""
    worktree: str = ""
    """What a git worktree of its own begins from; empty: it works in its folder itself."""
    chosen_credential: str = ""
    """The one that a person or a task chose for it; empty: nobody did."""
    lead: str = ""
    """The lead that began it; empty: none did."""


@dataclass(frozen=True)
class KillOn:
    """End an agent on its host."""

    host: str
    name: str
    epoch: int
    why: str = ""
    """A few words, kept with how it ended."""


@dataclass(frozen=True)
class MoveOn:
    """End an agent on its host, prove it, then start it on another, or under a runner of ours.

    Texts of `start` that home does not keep (a task that is empty, a command of no profile) are filled with what the
    first host holds, if that is what was ordered.
    """

    end: KillOn
    start: SpawnOn
    session: str = ""
    """The Claude session that is carried there; empty: none, it begins its task again."""
    folder: bool = False
    """Its folder is carried there, as it is in its git repository."""
    theirs: SignalOn | None = None
    """How one that others started is ended."""


@dataclass(frozen=True)
class TellOn:
    """Send a message, an answer, an interrupt or a model."""

    host: str
    name: str
    epoch: int
    what: TellKind
    text: str = ""
    question: str = ""
    verdict: Verdict = Verdict.UNKNOWN
    digest: str = ""
    answers: tuple[ItemAnswer, ...] = ()
    by: str = ""
    """The rules that gave an answer, by name; "": a person did."""
    lasting: bool = True
    """Of a model: the next runs begin with it, too."""


@dataclass(frozen=True)
class ForgetOn:
    """Remove an ended agent's folders."""

    host: str
    name: str
    epoch: int


@dataclass(frozen=True)
class TakeOn:
    """Take ownership of a host."""

    host: str


@dataclass(frozen=True)
class ConnectTo:
    """Begin to keep a link to a new host, and remember it."""

    host: str
    address: str
    fingerprint: str = ""


@dataclass(frozen=True)
class DisconnectFrom:
    """Close the link to a host, and forget it."""

    host: str


LinkEffect = RetryLink | TrustKey | GiveSecret
"""What a link is told."""

NodeEffect = (
    SpawnOn | KillOn | ForgetOn | TellOn | TakeOn | SignalOn
    | AcceptOn | PushOn | PullRequestOn | DropOn | DropWorktreeOn
)  # fmt: skip
"""What a node is to carry out."""

Effect = NodeEffect | MoveOn | ConnectTo | DisconnectFrom | LinkEffect


def order_of(effect: NodeEffect, verb: str, op: int, at: int, who: str = "") -> Order:
    """The order to carry out an effect."""
    name, epoch = ("", 0) if isinstance(effect, TakeOn) else (effect.name, effect.epoch)
    return Order(op, verb, effect.host, name, epoch, at, who)
