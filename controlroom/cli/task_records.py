"""What the verbs of tasks print with `--json`, and `status` of how work flows."""

import shlex
from collections.abc import Mapping
from functools import partial

from controlroom.cli.record_fields import Field, Kind, field_of
from controlroom.domain.model import Fleet
from controlroom.domain.queue.rules import RULES
from controlroom.domain.tasks import AttemptEnd, QueueRules, TaskState
from controlroom.text.checks import AS_PROFILE, CheckState

_MILLISECONDS = {name: f"{name}_seconds" for name in ("stagger", "retry", "aging", "backoff")}


_CHECK = (
    field_of(Kind.TEXT, "command"),
    field_of(Kind.TEXT, "failure", says="exit 2, no end in 15 min; null: it passed"),
    Field("seconds", Kind.SECONDS, lambda run: round(1000 * run.seconds)),
)

CHECKS = (
    field_of(Kind.TEXT, "state", says=", ".join(state.value for state in CheckState if state.value)),
    field_of(Kind.RECORDS, "runs", says="that have ended, in order; if one failed, the last", fields=_CHECK),
    field_of(Kind.TEXT, "command", says="the one that runs now"),
    field_of(Kind.COUNT, "told", says="how often the agent was told of a failure"),
    field_of(Kind.COUNT, "attempts", says="how often it is told at most"),
    field_of(Kind.TIME, "at"),
    field_of(Kind.TEXT, "output", says="the end of what the one that failed printed"),
)

_ATTEMPT = (
    field_of(Kind.TEXT, "agent", "id"),
    field_of(Kind.COUNT, "run", "epoch"),
    field_of(Kind.TIME, "started_at", "at"),
    field_of(Kind.TIME, "ended_at", "ended"),
    field_of(Kind.TEXT, "end", says=", ".join(end.value for end in AttemptEnd if end.value)),
    field_of(Kind.TEXT, "reason"),
    field_of(Kind.TEXT, "session"),
    field_of(Kind.TEXT, "credential", says="which of those that its profile names"),
    field_of(Kind.USD, "spent_usd", "spent", "what its agent had cost by its end, at list prices"),
    field_of(Kind.RECORD, "checks", says="what came of the checks of its work; null: none have run", fields=CHECKS),
)

_CHECK_ORDER = (
    Field("commands", Kind.TEXTS, lambda order: map(shlex.join, order.commands), "as a shell would take them"),
    Field("minutes", Kind.NUMBER, lambda order: order.minutes or None, "that each may take; null: as its profile says"),
    Field(
        "attempts",
        Kind.COUNT,
        lambda order: None if order.attempts < 0 else order.attempts,
        "null: as its profile says",
    ),
    field_of(Kind.FLAG, "clean", says="false: as its profile says"),
    field_of(Kind.TEXTS, "guarded", says="none: as its profile says"),
)

_TASK = (
    field_of(Kind.TEXT, "id", "task.id"),
    field_of(Kind.TEXT, "title", "task.title"),
    field_of(Kind.TEXT, "state", "task.state", "waiting, running, held, done, failed or dropped"),
    field_of(Kind.TIME, "since", "task.since"),
    field_of(Kind.TIME, "added_at", "task.added"),
    field_of(Kind.COUNT, "priority", "task.priority"),
    field_of(Kind.TEXT, "profile", "task.profile"),
    field_of(Kind.TEXT, "host", "task.host", "where it must run; null: anywhere"),
    field_of(Kind.TEXTS, "labels", "task.labels", "what its host must have"),
    field_of(Kind.TEXT, "model", "task.model"),
    field_of(Kind.TEXT, "folder", "task.cwd"),
    field_of(Kind.TEXT, "worktree", "task.worktree", "what its git worktree begins from; null: as its profile says"),
    field_of(Kind.TEXT, "credential", "task.credential", "that was chosen for it; null: the one with the most left"),
    field_of(Kind.TEXTS, "after", "task.after", "the tasks that must be done first"),
    field_of(Kind.TEXT, "key", "task.key"),
    field_of(Kind.TEXT, "task_version", "version", "for task edit --version; null where its text was not read"),
    field_of(Kind.TIME, "not_before_at", "task.not_before"),
    field_of(Kind.TEXT, "every", "task.every", "how often it is done again; null: once"),
    field_of(Kind.TIME, "next_at", "next", "when it is done again, as far as that is known"),
    field_of(Kind.TEXT, "added_by", "task.origin.who"),
    field_of(Kind.TEXT, "source", "task.origin.source", "operator, file or agent"),
    field_of(Kind.TEXT, "lead", "task.origin.lead", "the lead that gave it; null: none did"),
    field_of(Kind.TEXT, "agent", "row.agent", "that carries it out, or last did"),
    Field(
        "wait", Kind.TEXT, lambda shown: shown.task.wait and shown.task.wait.reason, "why it waits, in a word or two"
    ),
    field_of(Kind.TEXT, "reason", "task.reason", "why it is held, has failed or was dropped, in words"),
    field_of(Kind.TEXTS, "why", "lines", "what controlroom why says"),
    field_of(Kind.USD, "spent_usd", "task.spent", "what its ended attempts cost, at list prices"),
    Field("max_cost_usd", Kind.USD, lambda shown: shown.task.max_cost or None, "null: no limit"),
    Field("max_hours", Kind.NUMBER, lambda shown: shown.task.max_hours or None, "of one attempt; null: its profile's"),
    Field(
        "verify",
        Kind.RECORD,
        lambda shown: None if shown.task.checks == AS_PROFILE else shown.task.checks,
        "what proves its work; null: as its profile says",
        _CHECK_ORDER,
    ),
    field_of(Kind.RECORDS, "attempts", "task.attempts", fields=_ATTEMPT),
)

_STOP = (field_of(Kind.TEXT, "who"), field_of(Kind.TIME, "since", "at"), field_of(Kind.TEXT, "reason"))


def _rule(name: str) -> Field:
    kind = Kind.SECONDS if name in _MILLISECONDS else Kind.COUNT
    if name.endswith("_percent"):
        kind = Kind.PERCENT
    if name == "min_disk":
        return field_of(Kind.BYTES, "min_disk_bytes", name)
    return field_of(kind, _MILLISECONDS.get(name, name), name)


def _counted(state: TaskState, shown: tuple[Fleet, Mapping[TaskState, int]]) -> int:
    return shown[1][state]


_RESTARTS = (
    Field("agent", Kind.TEXT, lambda pair: pair[0], "its id; of one that a profile keeps running, its name"),
    Field("starts", Kind.COUNT, lambda pair: len(pair[1].starts), "without being asked, of those that still count"),
    Field("starting", Kind.FLAG, lambda pair: pair[1].starting),
    Field("gave_up", Kind.TEXT, lambda pair: pair[1].gave_up, "why it is not started any more"),
    Field("wait", Kind.TEXT, lambda pair: pair[1].wait and pair[1].wait.reason, "why it is not started now"),
    Field("refused", Kind.TEXT, lambda pair: pair[1].refused, "why its last start was refused"),
)

_QUEUE = (
    *(
        Field(state.value, Kind.COUNT, partial(_counted, state), "tasks in this state")
        for state in TaskState
        if state.value
    ),
    Field("held_by", Kind.RECORD, lambda shown: shown[0].queue.hold, "null: the queue is not held", _STOP),
    Field("halted_by", Kind.RECORD, lambda shown: shown[0].queue.halt, "null: the room is not halted", _STOP),
    Field("blocked", Kind.TEXT, lambda shown: shown[0].queue.blocked and shown[0].queue.blocked.reason),
    Field(
        "restarts",
        Kind.RECORDS,
        lambda shown: sorted(shown[0].queue.restarts.items()),
        "agents that are started without being asked",
        _RESTARTS,
    ),
    Field("rules", Kind.RECORD, lambda shown: shown[0].queue.rules, "", tuple(map(_rule, vars(QueueRules())))),
    Field(
        "changed",
        Kind.TEXTS,
        lambda shown: [name for name, rule in RULES.items() if rule.field in shown[0].queue.changed],
        "rules that queue set has changed, by the names that it takes",
    ),
)

_ALL = (Field("tasks", Kind.RECORDS, lambda things: things, "", _TASK),)

_ALIKE = (
    field_of(Kind.TEXT, "wait", "reason", "in a word or two; null: held, given up, or about to be looked at"),
    field_of(Kind.TEXTS, "why", "lines", "the reason in words, and when it is looked at next"),
    field_of(Kind.TEXTS, "tasks", says="in the order in which they start"),
    field_of(Kind.TEXTS, "agents", says="that are to start without being asked"),
)

_WHY_ALL = (
    Field("queue", Kind.TEXT, lambda shown: shown[0], "how the queue stands, in a line; null: it is empty"),
    Field("groups", Kind.RECORDS, lambda shown: shown[1], "what does not move, alike reasons together", _ALIKE),
)

TASK_ANSWERS: Mapping[str, tuple[Field, ...]] = {
    "task add": _ALL,
    "task list": _ALL,
    "task show": (*_TASK, field_of(Kind.TEXT, "text", says="the whole text")),
    "why": _TASK,
    "why --all": _WHY_ALL,
    "queue show": _QUEUE,
}
"""By the verb."""

# --------------------------------------------------------------------------- how work flows

_TOKENS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")

_PROFILE = (
    field_of(Kind.TEXT, "profile", "key"),
    field_of(Kind.TEXT, "billing", says="api: a key pays; plan: a plan covers it; null: not known"),
    field_of(Kind.COUNT, "messages"),
    *(field_of(Kind.COUNT, f"{name}_tokens", name) for name in _TOKENS),
    field_of(Kind.USD, "usd", "micro"),
)

FIGURES = (
    *(field_of(Kind.COUNT, f"tasks_{name}", name) for name in ("waiting", "running", "held")),
    field_of(Kind.SECONDS, "oldest_wait_seconds", "oldest_wait", "of the task that has waited longest"),
    field_of(Kind.SECONDS, "median_wait_seconds", "median_wait"),
    field_of(
        Kind.SECONDS,
        "watched_seconds",
        "watched",
        "how much of the last hour an engine ran: what follows is about that time",
    ),
    field_of(Kind.NUMBER, "tasks_done_per_hour", "done"),
    field_of(Kind.NUMBER, "tasks_failed_per_hour", "failed", "for good"),
    field_of(Kind.NUMBER, "attempts_per_hour", "attempts"),
    field_of(Kind.COUNT, "agents", says="that live on hosts that are up, without adopted ones"),
    field_of(Kind.NUMBER, "agents_mean"),
    field_of(Kind.COUNT, "agents_peak"),
    field_of(Kind.COUNT, "agents_most", "most_agents", "the queue starts no more than that (queue.max_agents)"),
    field_of(Kind.COUNT, "agents_working", "working"),
    field_of(Kind.NUMBER, "agents_working_mean", "working_mean"),
    field_of(Kind.COUNT, "agents_working_peak", "working_peak"),
    field_of(Kind.PERCENT, "busy_percent", says="of the time in which agents lived, how much they worked"),
    field_of(Kind.COUNT, "answers", says="of the API in the last hour whose duration transcripts tell"),
    field_of(Kind.SECONDS, "answer_median_seconds", "answer_median"),
    field_of(Kind.SECONDS, "answer_95_percent_seconds", "answer_95", "95 of 100 took no longer"),
    field_of(Kind.NUMBER, "rate_limited_per_hour", "rate_limited", "answers 429, as transcripts tell them"),
    field_of(Kind.NUMBER, "overloaded_per_hour", "overloaded", "answers 529, as transcripts tell them"),
    field_of(Kind.USD, "finished_task_usd", "task_cost", "what a task that was done today has cost on average"),
    field_of(Kind.COUNT, "finished_tasks", "tasks_costed", "how many tasks that average is of"),
    field_of(Kind.USD, "agent_hour_billed_usd", "agent_hour_billed", "what an hour of an agent has cost today"),
    field_of(Kind.USD, "agent_hour_covered_usd", "agent_hour_covered", "the same, of what plans cover"),
    field_of(Kind.RECORDS, "profiles", "rows", "what they have used since the day began", _PROFILE),
)

USED = (
    field_of(Kind.TEXT, "account"),
    field_of(Kind.TEXT, "limit", "name"),
    field_of(Kind.TEXT, "kind", says="window, bucket (a minute) or credit"),
    field_of(Kind.PERCENT, "used_percent"),
    field_of(Kind.TIME, "resets_at", "resets"),
    field_of(Kind.TIME, "read_at", "at"),
)
