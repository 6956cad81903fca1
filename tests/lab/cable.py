"""What a bad network does to a frame: delay, jitter, loss, duplication, reordering, a rate, a cut."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

Direction = Literal["up", "down"]  # from the host, to the host
DIRECTIONS: tuple[Direction, Direction] = ("up", "down")
Cut = Literal["none", "up", "down", "both"]


@dataclass(frozen=True)
class Conditions:
    """The state of one direction of a cable."""

    delay: float = 0.0  # milliseconds
    jitter: float = 0.0  # milliseconds, either way
    loss: float = 0.0  # per cent
    dup: float = 0.0  # per cent
    reorder: float = 0.0  # per cent of the frames that may overtake
    rate: float = 0.0  # kbit/s, 0: no limit
    queue: float = 1000.0  # milliseconds of waiting, at most, behind the rate limit
    cut: Cut = "none"

    def silent(self, direction: Direction) -> bool:
        """Whether nothing goes this way."""
        return self.cut in ("both", direction)


class Lane:
    """One direction: where its frames go, and when the next one may."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.conditions = Conditions()
        self.free_at = 0.0  # when the last frame behind the rate limit is through
        self.last_at = 0.0  # when the last delayed frame arrives


class Cable:
    """Two TAP descriptors and what lies between them."""

    def __init__(self, host: str, inner: int, outer: int, seed: int) -> None:
        self.host = host
        self.descriptors = (inner, outer)
        self.lanes: dict[Direction, Lane] = {"up": Lane(outer), "down": Lane(inner)}
        self.random = random.Random(f"{seed}:{host}")
        self.counts: Counter[str] = Counter()

    def set(self, directions: tuple[Direction, ...], clear: bool, changes: dict[str, object]) -> None:
        """Change the conditions of some directions; `clear` first makes them perfect."""
        for direction in directions:
            lane = self.lanes[direction]
            lane.conditions = replace(Conditions() if clear else lane.conditions, **changes)  # type: ignore[arg-type]

    def happens(self, per_cent: float) -> bool:
        return bool(per_cent) and self.random.random() * 100 < per_cent

    def arrivals(self, direction: Direction, size: int, now: float) -> Iterator[float]:
        """When a frame of `size` bytes arrives: never, once, or twice; monotonic seconds."""
        conditions = self.lanes[direction].conditions
        if conditions.silent(direction):
            self.counts["cut"] += 1
            return
        if self.happens(conditions.loss):
            self.counts["lost"] += 1
            return
        copies = 2 if self.happens(conditions.dup) else 1
        self.counts["dup"] += copies - 1
        for _ in range(copies):
            sent = self.through_rate(direction, size, now)
            if sent is not None:
                yield self.delayed(direction, sent)

    def through_rate(self, direction: Direction, size: int, now: float) -> float | None:
        """When the frame has passed the rate limit; None if the queue before it is full."""
        lane = self.lanes[direction]
        if not lane.conditions.rate:
            return now
        start = max(now, lane.free_at)
        if start - now > lane.conditions.queue / 1000:
            self.counts["overflow"] += 1
            return None
        lane.free_at = start + size * 8 / (lane.conditions.rate * 1000)
        return lane.free_at

    def delayed(self, direction: Direction, sent: float) -> float:
        """When a frame sent at `sent` arrives; frames keep their order unless asked otherwise."""
        lane = self.lanes[direction]
        conditions = lane.conditions
        if not (conditions.delay or conditions.jitter):
            return sent
        spread = self.random.uniform(-conditions.jitter, conditions.jitter)
        at = sent + max(0.0, conditions.delay + spread) / 1000
        if not self.happens(conditions.reorder):
            at = lane.last_at = max(at, lane.last_at)
        return at
