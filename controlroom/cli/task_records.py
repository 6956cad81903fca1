"""What the verbs of tasks print with `--json`."""

from collections.abc import Mapping
from functools import partial
from operator import attrgetter

from controlroom.cli.record_fields import Field, Kind
from controlroom.domain.model import Fleet
from controlroom.domain.tasks import AttemptEnd, QueueRules, TaskState

_MILLISECONDS = {"stagger": "stagger_seconds", "retry": "retry_seconds", "aging": "aging_seconds"}


def _field(kind: Kind, name: str, get: str = "", says: str = "", fields: tuple[Field, ...] = ()) -> Field:
    return Field(name, kind, attrgetter(get or name), says, fields)


_ATTEMPT = (
    _field(Kind.TEXT, "agent", "id"),
    _field(Kind.COUNT, "run", "epoch"),
    _field(Kind.TIME, "started_at", "at"),
    _field(Kind.TIME, "ended_at", "ended"),
    _field(Kind.TEXT, "end", says=", ".join(end.value for end in AttemptEnd if end.value)),
    _field(Kind.TEXT, "reason"),
    _field(Kind.TEXT, "session"),
    _field(Kind.USD, "spent_usd", "spent", "what its agent had cost by its end, at list prices"),
)

_TASK = (
    _field(Kind.TEXT, "id", "task.id"),
    _field(Kind.TEXT, "title", "task.title"),
    _field(Kind.TEXT, "state", "task.state", "waiting, running, held, done, failed or dropped"),
    _field(Kind.TIME, "since", "task.since"),
    _field(Kind.TIME, "added_at", "task.added"),
    _field(Kind.COUNT, "priority", "task.priority"),
    _field(Kind.TEXT, "profile", "task.profile"),
    _field(Kind.TEXT, "host", "task.host", "where it must run; null: anywhere"),
    _field(Kind.TEXT, "model", "task.model"),
    _field(Kind.TEXT, "folder", "task.cwd"),
    _field(Kind.TEXTS, "after", "task.after", "the tasks that must be done first"),
    _field(Kind.TEXT, "key", "task.key"),
    _field(Kind.TIME, "not_before_at", "task.not_before"),
    _field(Kind.TEXT, "every", "task.every", "how often it is done again; null: once"),
    _field(Kind.TEXT, "added_by", "task.origin.who"),
    _field(Kind.TEXT, "source", "task.origin.source", "operator or file"),
    _field(Kind.TEXT, "agent", "row.agent", "that carries it out, or last did"),
    Field(
        "wait", Kind.TEXT, lambda shown: shown.task.wait and shown.task.wait.reason, "why it waits, in a word or two"
    ),
    _field(Kind.TEXT, "reason", "task.reason", "why it is held, has failed or was dropped, in words"),
    _field(Kind.TEXTS, "why", "lines", "what controlroom why says"),
    _field(Kind.USD, "spent_usd", "task.spent", "what its ended attempts cost, at list prices"),
    _field(Kind.RECORDS, "attempts", "task.attempts", fields=_ATTEMPT),
)

_STOP = (_field(Kind.TEXT, "who"), _field(Kind.TIME, "since", "at"), _field(Kind.TEXT, "reason"))


def _rule(name: str) -> Field:
    kind = Kind.SECONDS if name in _MILLISECONDS else Kind.COUNT
    if name.endswith("_percent"):
        kind = Kind.PERCENT
    if name == "min_disk":
        return _field(Kind.BYTES, "min_disk_bytes", name)
    return _field(kind, _MILLISECONDS.get(name, name), name)


def _counted(state: TaskState, shown: tuple[Fleet, Mapping[TaskState, int]]) -> int:
    return shown[1][state]


_QUEUE = (
    *(
        Field(state.value, Kind.COUNT, partial(_counted, state), f"tasks that are {state.value}")
        for state in TaskState
        if state.value
    ),
    Field("held_by", Kind.RECORD, lambda shown: shown[0].queue.hold, "null: the queue is not held", _STOP),
    Field("halted_by", Kind.RECORD, lambda shown: shown[0].queue.halt, "null: the room is not halted", _STOP),
    Field("blocked", Kind.TEXT, lambda shown: shown[0].queue.blocked and shown[0].queue.blocked.reason),
    Field("rules", Kind.RECORD, lambda shown: shown[0].queue.rules, "", tuple(map(_rule, vars(QueueRules())))),
    Field("changed", Kind.TEXTS, lambda shown: sorted(shown[0].queue.changed), "rules that queue set has changed"),
)

_ALL = (Field("tasks", Kind.RECORDS, lambda things: things, "", _TASK),)

TASK_ANSWERS: Mapping[str, tuple[Field, ...]] = {
    "task add": _ALL,
    "task list": _ALL,
    "task show": (*_TASK, _field(Kind.TEXT, "text", says="the whole text")),
    "why": _TASK,
    "queue show": _QUEUE,
}
"""By the verb."""
