"""The rules of the queue: what each may be, and how operators change those of the config."""

from collections.abc import Mapping
from dataclasses import replace

from controlroom.domain.preconditions import Refusal
from controlroom.domain.tasks import Queue, QueueRules
from controlroom.domain.words import nearest

BOUNDS: Mapping[str, tuple[int, int]] = {
    "max_tasks": (1, 100_000),
    "max_agents": (0, 10_000),
    "max_agents_per_host": (0, 10_000),
    "stagger": (0, 3_600_000),
    "memory_percent": (1, 100),
    "min_disk": (0, 1 << 40),
    "max_attempts": (1, 100),
    "retry": (0, 86_400_000),
    "aging": (0, 365 * 86_400_000),
    "backoff": (0, 86_400_000),
    "window_percent": (1, 100),
    "load_percent": (0, 100_000),
}
"""The least and the most of each rule, in its own unit: of a count, per cent, milliseconds or bytes."""


def ruled(queue: Queue, rules: QueueRules, changed: Mapping[str, int]) -> Queue:
    """The queue with the config's rules, and over them those that an operator has changed."""
    return replace(queue, rules=replace(rules, **changed), changed=dict(changed))


def changed(queue: Queue, rules: QueueRules, wished: Mapping[str, int | None]) -> Queue:
    """The queue with other rules; None: as the config's `rules` say again. Raises `Refusal`."""
    for name, value in wished.items():
        if name not in BOUNDS:
            raise Refusal(f"{ascii(name)[:40]} is no rule of the queue{nearest(name, BOUNDS)}")
        least, most = BOUNDS[name]
        if value is not None and not least <= value <= most:
            raise Refusal(f"{name} is a whole number from {least} to {most}")
    kept = {name: value for name, value in queue.changed.items() if name not in wished}
    return ruled(queue, rules, kept | {name: value for name, value in wished.items() if value is not None})


def change_words(wished: Mapping[str, int | None]) -> str:
    """What is said of rules that were changed."""
    return ", ".join(f"{name} {'as configured' if value is None else value}" for name, value in wished.items())
