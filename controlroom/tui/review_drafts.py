"""Comments on agents' work that were not sent yet: kept in a file, so that they outlive the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from controlroom.domain.model import Agent
from controlroom.tui.theme.memory import Memory

if TYPE_CHECKING:  # the first frame does not wait for it
    from controlroom.domain.review import Comment

_AGENTS = 50
"""Agents whose comments are kept; the oldest drafts give way."""
_MOST_BYTES = 4 * 1024 * 1024


class ReviewDrafts:
    """Comments by agent. A draft is of one run, and goes on with later runs of the agent."""

    def __init__(self, memory: Memory | None) -> None:
        """Keep them beside what the screen remembers; without that, as long as the screen lives."""
        self._file = memory.beside("reviews.json", _MOST_BYTES) if memory else None
        self._drafts: dict[str, tuple[int, int, tuple[Comment, ...]]] | None = None

    def of(self, agent: Agent) -> tuple[Comment, ...]:
        """The comments on an agent's work; those on another one that had its name before are gone."""
        epoch, started, comments = self._all().get(agent.id, (0, 0, ()))
        same = epoch < agent.epoch or (epoch == agent.epoch and started == agent.started)
        return comments if same else ()

    def keep(self, agent: Agent, comments: Sequence[Comment]) -> bool:
        """Keep these from now on; says whether that outlives the screen."""
        from controlroom.domain.review import MOST

        drafts = self._all()
        drafts.pop(agent.id, None)
        if comments:
            drafts[agent.id] = agent.epoch, agent.started, tuple(comments[:MOST])
        while len(drafts) > _AGENTS:
            del drafts[next(iter(drafts))]
        return self._file is not None and self._file.write(
            {key: [epoch, started, [list(one) for one in each]] for key, (epoch, started, each) in drafts.items()}
        )

    def _all(self) -> dict[str, tuple[int, int, tuple[Comment, ...]]]:
        if self._drafts is None:
            kept = self._file.read() if self._file else {}
            self._drafts = {key: draft for key, value in kept.items() if (draft := _draft(value)) is not None}
        return self._drafts


def _draft(value: Any) -> tuple[int, int, tuple[Comment, ...]] | None:
    from controlroom.domain.review import MOST

    match value:
        case [int(epoch), int(started), list(comments)]:
            return epoch, started, tuple(one for each in comments[:MOST] if (one := _comment(each)) is not None)
    return None


def _comment(value: Any) -> Comment | None:
    from controlroom.domain.review import LONGEST, Comment
    from controlroom.text.changes import LineKind

    match value:
        case [str(path), int(old), int(new), str(kind), str(quote), str(text)]:
            return Comment(path, old, new, LineKind(kind), quote, text[:LONGEST])
    return None
