"""The rules of the queue: what each may be, and how operators change those of the config."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from controlroom.domain.preconditions import Refusal
from controlroom.domain.tasks import Queue, QueueRules
from controlroom.domain.words import nearest


class Rule(NamedTuple):
    """A rule as people write it."""

    field: str
    """Its field of `QueueRules`."""
    least: int
    most: int
    unit: int = 1
    """How much of the field one of it is: milliseconds of a second, bytes of a MiB."""


RULES: Mapping[str, Rule] = {
    "max_tasks": Rule("max_tasks", 1, 100_000),
    "max_agents": Rule("max_agents", 0, 10_000),
    "max_agents_per_host": Rule("max_agents_per_host", 0, 10_000),
    "stagger_seconds": Rule("stagger", 0, 3_600, 1000),
    "memory_percent": Rule("memory_percent", 1, 100),
    "min_disk_mb": Rule("min_disk", 0, 1 << 20, 1 << 20),
    "max_attempts": Rule("max_attempts", 1, 100),
    "retry_seconds": Rule("retry", 0, 86_400, 1000),
    "aging_minutes": Rule("aging", 0, 525_600, 60_000),
    "window_percent": Rule("window_percent", 1, 100),
    "new_window_percent": Rule("new_window_percent", 1, 100),
    "load_percent": Rule("load_percent", 0, 100_000),
    "backoff_seconds": Rule("backoff", 0, 86_400, 1000),
}
"""By their names in the config."""

_BY_FIELD = {rule.field: name for name, rule in RULES.items()}


def wished(name: str, text: str) -> tuple[str, int | None]:
    """A rule that a person has written, as its field has it; an empty text: the config's. Raises `Refusal`."""
    rule = RULES.get(name)
    if rule is None:
        raise Refusal(f"{ascii(name)[:40]} is no rule of the queue{nearest(name, RULES)}")
    whole, point, part = text.partition(".")
    if text and not (
        f"{whole}{part}".isdecimal() and text.isascii() and len(text) < 16 and (not point or rule.unit > 1)
    ):
        raise Refusal(f"{name}: expected a {'' if rule.unit > 1 else 'whole '}number, not {ascii(text)[:40]}")
    return rule.field, round(float(text) * rule.unit) if text else None


def written(name: str, rules: QueueRules) -> str:
    """The value of a rule, as people write it."""
    rule = RULES[name]
    return f"{getattr(rules, rule.field) / rule.unit:.3f}".rstrip("0").rstrip(".")


def ruled(queue: Queue, rules: QueueRules, changed: Mapping[str, int]) -> Queue:
    """The queue with the config's rules, and over them those that an operator has changed."""
    return replace(queue, rules=replace(rules, **changed), changed=dict(changed))


def changed(queue: Queue, rules: QueueRules, wishes: Mapping[str, int | None]) -> Queue:
    """The queue with other rules, by their fields; None: as the config's `rules` say again. Raises `Refusal`."""
    for field, value in wishes.items():
        if field not in _BY_FIELD:
            raise Refusal(f"{ascii(field)[:40]} is no rule of the queue{nearest(field, RULES)}")
        name = _BY_FIELD[field]
        _, least, most, unit = RULES[name]
        if value is not None and not least * unit <= value <= most * unit:
            raise Refusal(f"{name} is a number from {least} to {most}")
    kept = {field: value for field, value in queue.changed.items() if field not in wishes}
    return ruled(queue, rules, kept | {field: value for field, value in wishes.items() if value is not None})


def change_words(queue: Queue, wishes: Mapping[str, int | None]) -> str:
    """What is said of rules that were changed; `queue`: as it is now."""
    names = {field: _BY_FIELD[field] for field in wishes}
    return ", ".join(
        f"{name} {'as configured' if wishes[field] is None else written(name, queue.rules)}"
        for field, name in names.items()
    )
