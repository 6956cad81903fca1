"""What was ordered of an agent's run, joined with what its host says of it: field by field, which of the two counts.

What this room ordered is known here: the ledger holds it. What a host says is a claim, and so is what an agent says,
which runs as the same user as its runner and can write every file of its run. So nothing that later orders go by is
taken from there where the ledger knows; a claim that differs is shown and audited. A run that this room did not order
(another room did, or the ledger was lost) is shown as claimed: it has the least rights, and nothing is begun by what
is claimed of it unless a person says so.
"""

import hashlib
import json
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from controlroom.domain.model import Agent, Evidence, State, with_changes
from controlroom.domain.orders import Claim, Work
from controlroom.domain.words import named_some
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.sanitize import redact, sanitize
from controlroom.text.states import KINDS, AgentKind, Cause

TASK = 200
"""Characters of a task that are shown."""

PATH = 400
"""Characters that are shown of a folder's path."""

HONEST = frozenset({"model", "billing"})
"""Fields in which an honest host may differ: Claude falls back to another model, or finds another key."""

_ANY_MODEL = ("default", "best", "inherit", "opusplan")
"""Names of models (model configuration page of Claude Code) that stand for whichever Claude takes."""


class Rule(Enum):
    """Whose word counts for a field."""

    NAMES = "it names the run: one that was not ordered under this name is claimed as a whole"
    ORDERED = "what was ordered; another word of the host is a claim that differs"
    IN_FULL = "what was ordered; the host may say it in full, as a model's or a folder's whole name"
    BOTH = "what was ordered; where that differs from the host's word nobody knows, and both kinds of budgets bind"
    HOST = "the host's: nobody else can know it, and nothing but what is done on that host goes by it"
    HOME = "this room's own: no host says it"


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("host", "name", "epoch"), Rule.NAMES),
    **dict.fromkeys(("kind", "profile", "task"), Rule.ORDERED),
    **dict.fromkeys(("model", "cwd"), Rule.IN_FULL),
    "billing": Rule.BOTH,
    **dict.fromkeys(
        ("state", "since", "detail", "cause", "started", "ended", "exit_code", "exit_signal", "pid"), Rule.HOST
    ),
    **dict.fromkeys(("session", "question", "limited_until", "denied", "log_bytes", "evidence", "trouble"), Rule.HOST),
    **dict.fromkeys(("checks", "nothing_changed", "worktree", "mark", "script"), Rule.HOST),
    **dict.fromkeys(("rss", "cpu_percent", "processes", "subagents", "last_line", "last_line_at"), Rule.HOST),
    **dict.fromkeys(
        ("stray_key", "billing_doubt", "forged", "rss_bound", "grant", "run_spent", "run_tokens", "place", "pane"),
        Rule.HOST,
    ),
    **dict.fromkeys(("spent", "pending", "ordered", "claims", "edited", "adoption"), Rule.HOME),
}
"""By field of `Agent`. A grant counts only if it was given here. Permission mode, environment and credential are fields
of no agent: they come from the config alone, by the profile that was ordered."""


@dataclass(frozen=True)
class OrderedRun:
    """What was ordered of one run, as the ledger keeps it."""

    host: str
    name: str
    epoch: int
    kind: AgentKind
    profile: str
    model: str
    cwd: str
    payer: str
    """Who pays, as its profile said: `plan`; "": it did not say."""
    task: str
    """As it is shown."""
    task_digest: str
    command_digest: str
    """What tells whether a host gives back the same; "": not known."""
    op: int
    chosen: str = ""
    """The model that a person or a task chose for this and later runs; empty: as the profile says."""
    credential: str = ""
    """Which of the credentials that its profile names."""
    worktree: str = ""
    """What a git worktree of its own begins from; empty: it works in its folder itself."""
    chosen_credential: str = ""
    """The one that a person or a task chose for this and later runs; empty: nobody did."""
    lead: str = ""
    """The lead that began this and the runs before it; empty: none did."""
    at: int = 0
    """When it was ordered, by the clock of home; 0: not known any more. Kept with the orders."""
    resumed: bool = False
    """It goes on with what the run before it was to do, and was told only that. Kept with the orders."""
    ended: bool = False
    """An order has ended it. Kept with the orders."""
    paused: bool = False
    """That order was to pause it."""
    also: str = ""
    """The model that it is being told to go on with, or went on from: its host may say either."""
    first: "OrderedRun | None" = None
    """The run whose task a resumed one goes on with; None: not resumed, or not known any more."""

    @property
    def key(self) -> tuple[str, str, int]:
        """What names it."""
        return self.host, self.name, self.epoch

    @property
    def given(self) -> "OrderedRun":
        """The run that was given the task: this one, unless it only goes on."""
        return self.first or self

    @property
    def work(self) -> Work:
        """What later orders go by."""
        credential, chosen = self.credential, self.chosen_credential
        place = self.cwd, self.chosen, credential, self.worktree
        return Work(self.kind, self.profile, self.model, *place, chosen, self.lead)

    def is_task(self, text: str) -> bool:
        """Whether a text is the task that was ordered."""
        if self.task_digest:
            return digest(text) == self.task_digest
        return len(self.task) < TASK and " ".join(text.split()) == self.task

    def is_also(self, model: str) -> bool:
        """Whether this is the model that it changes to or from."""
        return bool(self.also) and _is_model(self.also, model)

    def is_command(self, command: Sequence[str]) -> bool:
        """Whether this is the command that was ordered."""
        return bool(self.command_digest) and digest_of(command) == self.command_digest


def digest(text: str) -> str:
    """Digest of a text."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def digest_of(command: Sequence[str]) -> str:
    """Digest of a command; "" for none."""
    return digest(json.dumps(list(command))) if command else ""


def shown(task: str) -> str:
    """What is shown of a task: the same whether it comes from an order or back from a host."""
    return redact(sanitize(task[:TASK], TASK))


def shown_value(text: str) -> str:
    """What is shown of a model or a folder that was ordered: a name in it may hold whatever a terminal obeys."""
    return redact(sanitize(text, PATH))


def joined(seen: Agent, run: OrderedRun | None, known: Agent | None = None, *, killed: bool = False) -> Agent:
    """An agent as it is to be shown and acted on. `run`: what was ordered of it; `known`: as it was till now.

    `killed`: this room ordered its end, and that was not refused.
    """
    if killed and _was_killed(seen):
        seen = _ended(seen, "killed")
    if run is None:
        kind = seen.kind if seen.kind in KINDS else AgentKind.UNKNOWN
        return with_changes(seen, kind=kind, billing="", ordered=None, claims=())
    billing, payer = _payer(run, seen, known if known is not None and known.epoch == seen.epoch else None)
    task, model, cwd = run.task or seen.task, shown_value(run.model), shown_value(run.cwd)
    claims = (
        *_differs("kind", run.kind, seen.kind, same=seen.kind in (AgentKind.UNSAID, run.kind)),
        *_differs("profile", run.profile, seen.profile, same=seen.profile in ("", run.profile)),
        *_differs("model", model, seen.model, same=_is_model(model, seen.model) or run.is_also(seen.model)),
        *_differs("cwd", cwd, seen.cwd, same=_is_folder(cwd, seen.cwd) or (bool(run.worktree) and _is_worktree(seen))),
        *_differs("task", "", "", same=not seen.task or _is_shown(task, seen.task)),
        *payer,
    )
    differ = {claim.field for claim in claims}
    return with_changes(
        _as_ordered(seen, run),
        kind=run.kind,
        profile=run.profile,
        model=model if "model" in differ or not seen.model else seen.model,
        cwd=cwd if "cwd" in differ or not seen.cwd else seen.cwd,
        task=run.given.task or task,
        billing=billing,
        ordered=run.work,
        claims=claims,
    )


def paused(agent: Agent) -> Agent:
    """An agent whose run has ended because that was ordered, and that goes on when that is ordered, too."""
    if agent.state not in (State.DONE, State.PAUSED) or not agent.has_ended:
        return agent
    return with_changes(agent, state=State.PAUSED, detail="until it is resumed", cause=Cause.NONE)


def _as_ordered(seen: Agent, run: OrderedRun) -> Agent:
    if run.paused:
        return paused(seen)
    return _ended(seen, "ended by an order") if run.ended and seen.state is State.PAUSED else seen


_KILLS = (9, 15)
"""SIGKILL and SIGTERM: what ends a run that was ordered to end."""


def _was_killed(seen: Agent) -> bool:
    """Whether it failed because something ended it from outside, as far as its host knows."""
    by_signal = seen.exit_signal in _KILLS and seen.cause in (Cause.UNSAID, Cause.NONE)
    return seen.state is State.FAILED and (by_signal or seen.cause is Cause.RUNNER_KILLED)


def _ended(seen: Agent, words: str) -> Agent:
    """An agent that an order has ended: it waits for nothing, and does not go on by itself."""
    runner = Evidence("runner", seen.state, seen.detail, seen.since, agrees=False)
    return with_changes(seen, state=State.DONE, detail=words, cause=Cause.KILLED, evidence=(runner, *seen.evidence))


def claimed_work(agent: Agent) -> Work:
    """What is claimed of a run that this room did not order."""
    return Work(agent.kind, agent.profile, agent.model, agent.cwd)


def claimed_words(agent: Agent) -> str:
    """What is claimed of a run that this room did not order, in a row; "" for one that it did."""
    if agent.adopted or agent.ordered is not None:
        return ""
    named = (("profile", agent.profile), ("model", agent.model), ("folder", agent.cwd))
    return ", ".join((f"kind {agent.kind}", *(f"{name} {value}" for name, value in named if value)))


def doubt_words(agent: Agent) -> str:
    """What is only claimed of an agent, or claimed otherwise than it was ordered; "" when nothing is."""
    if claimed := claimed_words(agent):
        return f"not ordered by this room; {agent.host} claims: {claimed}"
    differ = [claim_words(claim) for claim in agent.claims if claim.field not in HONEST]
    return f"{agent.host} says {'; '.join(differ)}: what was ordered counts" if differ else ""


def deaf_words(agents: Iterable[Agent]) -> str:
    """Which of a host's agents do not obey this room, though it owns the host, and what to do; "" for none."""
    deaf = [agent.name for agent in agents if claimed_words(agent) and not agent.has_ended]
    if not deaf:
        return ""
    names = named_some(deaf)
    return (
        f"{names} still obey the room that began them: messages, answers and interrupts of this room are refused "
        "there. Reassign them to go on, or kill them: both work"
    )


def claim_words(claim: Claim) -> str:
    """Say in a few words how a claim differs."""
    name = {"cwd": "folder", "billing": "payer"}.get(claim.field, claim.field)
    if not claim.said:
        return f"another {name} than was ordered"
    return f"{name} {claim.said}, but {claim.ordered or 'none'} was ordered"


def _differs(field: str, ordered: str, said: str, *, same: bool) -> tuple[Claim, ...]:
    return () if same else (Claim(field, ordered, said),)


def _payer(run: OrderedRun, seen: Agent, known: Agent | None) -> tuple[str, tuple[Claim, ...]]:
    """Who pays. The payer of a run stays the same: once its host has given two, it is not known."""
    if known is not None and not run.payer and (disputed := _about_payer(known)):
        return "", disputed
    before = run.payer or (known.billing if known is not None else "")
    if before and seen.billing and before != seen.billing:
        return "", (Claim("billing", before, seen.billing),)
    return "" if seen.billing_doubt else seen.billing or run.payer, ()


def _about_payer(agent: Agent) -> tuple[Claim, ...]:
    return tuple(claim for claim in agent.claims if claim.field == "billing")


def _is_model(ordered: str, said: str) -> bool:
    """Whether a model may be what was ordered: an alias is said in full, a name with its date."""
    name = ordered.lower().split("[")[0].removeprefix("claude-")
    if not name or not said or name in _ANY_MODEL:
        return True
    return name in said.lower() or said.lower().split("[")[0] in ordered.lower()


def _is_folder(ordered: str, said: str) -> bool:
    """Whether a folder may be what was ordered: one below the host user's home is said in full."""
    wanted = posixpath.normpath(ordered) if ordered else ""
    if wanted in ("", "~") or not said:
        return True
    if wanted.startswith("/"):
        return posixpath.normpath(said) == wanted
    below = wanted.removeprefix("~/")  # of `~other` a folder of that name is meant: no shell reads it
    return f"/{posixpath.normpath(said)}".endswith(f"/{below}")


def _is_worktree(seen: Agent) -> bool:
    """Whether an agent's folder may be a worktree that was made for it."""
    place = posixpath.normpath(seen.cwd)
    return seen.worktree is not None and re.search(rf"/worktrees/{re.escape(seen.name)}\.\d+/.", place) is not None


def _is_shown(task: str, said: str) -> bool:
    """Whether what a host shows of a task is what is known of it, in whichever way it was shortened."""
    one, other = ("".join(text.replace("␤", " ").split()).rstrip("…") for text in (task, said))
    return one.startswith(other) or other.startswith(one)
