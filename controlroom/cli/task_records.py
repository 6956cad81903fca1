"""What the verbs of tasks print with `--json`."""

from collections.abc import Mapping
from functools import partial

from controlroom.cli.record_fields import Field, Kind, field_of
from controlroom.domain.model import Fleet
from controlroom.domain.tasks import AttemptEnd, QueueRules, TaskState

_MILLISECONDS = {"stagger": "stagger_seconds", "retry": "retry_seconds", "aging": "aging_seconds"}


_ATTEMPT = (
    field_of(Kind.TEXT, "agent", "id"),
    field_of(Kind.COUNT, "run", "epoch"),
    field_of(Kind.TIME, "started_at", "at"),
    field_of(Kind.TIME, "ended_at", "ended"),
    field_of(Kind.TEXT, "end", says=", ".join(end.value for end in AttemptEnd if end.value)),
    field_of(Kind.TEXT, "reason"),
    field_of(Kind.TEXT, "session"),
    field_of(Kind.USD, "spent_usd", "spent", "what its agent had cost by its end, at list prices"),
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
    field_of(Kind.TEXT, "model", "task.model"),
    field_of(Kind.TEXT, "folder", "task.cwd"),
    field_of(Kind.TEXTS, "after", "task.after", "the tasks that must be done first"),
    field_of(Kind.TEXT, "key", "task.key"),
    field_of(Kind.TIME, "not_before_at", "task.not_before"),
    field_of(Kind.TEXT, "every", "task.every", "how often it is done again; null: once"),
    field_of(Kind.TEXT, "added_by", "task.origin.who"),
    field_of(Kind.TEXT, "source", "task.origin.source", "operator or file"),
    field_of(Kind.TEXT, "agent", "row.agent", "that carries it out, or last did"),
    Field(
        "wait", Kind.TEXT, lambda shown: shown.task.wait and shown.task.wait.reason, "why it waits, in a word or two"
    ),
    field_of(Kind.TEXT, "reason", "task.reason", "why it is held, has failed or was dropped, in words"),
    field_of(Kind.TEXTS, "why", "lines", "what controlroom why says"),
    field_of(Kind.USD, "spent_usd", "task.spent", "what its ended attempts cost, at list prices"),
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
        Field(state.value, Kind.COUNT, partial(_counted, state), f"tasks that are {state.value}")
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
    Field("changed", Kind.TEXTS, lambda shown: sorted(shown[0].queue.changed), "rules that queue set has changed"),
)

_ALL = (Field("tasks", Kind.RECORDS, lambda things: things, "", _TASK),)

TASK_ANSWERS: Mapping[str, tuple[Field, ...]] = {
    "task add": _ALL,
    "task list": _ALL,
    "task show": (*_TASK, field_of(Kind.TEXT, "text", says="the whole text")),
    "why": _TASK,
    "queue show": _QUEUE,
}
"""By the verb."""
