"""A review of an agent's work: comments on lines of its diff, and the one message that they become."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from controlroom.domain.display.diff import SIGNS, DiffLine, shown_path
from controlroom.domain.model import Agent
from controlroom.text.changes import LineKind

if TYPE_CHECKING:
    from controlroom.domain.intents import Intent

MOST = 200
"""Comments of one review at most."""
LONGEST = 4000
"""Characters of one comment at most."""
_QUOTE = 200


class Comment(NamedTuple):
    """What a person says about a line."""

    path: str
    """As it was listed."""
    old: int
    new: int
    """The line's numbers in the base and in the new file; 0: it is not there. Both 0: about the file as a whole."""
    kind: LineKind
    quote: str
    """What stands in the line."""
    text: str

    @property
    def place(self) -> tuple[str, int, int]:
        """Where it stands: one comment each."""
        return self.path, self.old, self.new


def comment_on(path: str, line: DiffLine | None, text: str) -> Comment:
    """A comment on a line; None: on the file as a whole."""
    if line is None or not (line.old or line.new):
        return Comment(path, 0, 0, LineKind.SAME, "", text[:LONGEST])
    quote = line.text if len(line.text) <= _QUOTE else f"{line.text[:_QUOTE]}…"
    return Comment(path, line.old, line.new, line.kind, quote, text[:LONGEST])


def commented(comments: Iterable[Comment], comment: Comment) -> tuple[Comment, ...]:
    """Put a comment among others, in place of one on the same line; one without words takes that away."""
    others = [one for one in comments if one.place != comment.place]
    return tuple(sorted([*others, *[comment] * bool(comment.text.strip())], key=_order))


def _order(comment: Comment) -> tuple[str, int, int]:
    return comment.path, comment.new or comment.old, comment.old


def where(comment: Comment) -> str:
    """Say where a comment stands: the file, and the line in it."""
    path = shown_path(comment.path)
    if comment.new:
        return f"{path}, line {comment.new}"
    return f"{path}, line {comment.old} of the old file" if comment.old else path


def message(comments: Sequence[Comment], base: str) -> str:
    """Write the message that an agent is sent: each comment below its file, its line, and what stands there."""
    which = f" (compared with {base[:10]})" if base else ""
    parts = [f"A review of your changes{which}. {len(comments)} comment{'s' * (len(comments) != 1)}:"]
    for comment in comments:
        sign = SIGNS.get(comment.kind, " ")
        quote = [f"> {sign} {comment.quote}".rstrip()] if comment.old or comment.new else []
        parts.append("\n".join([f"{where(comment)}:", *quote, comment.text.strip()]))
    return "\n\n".join(parts)


def sent_to(agent: Agent, text: str) -> "Intent":
    """How an agent is told: while it runs by a message; one that has ended goes on in its session with it."""
    from controlroom.domain.intents import ResumeAgent, SendMessage  # the first frame of a screen has no reviews

    if agent.has_ended:
        return ResumeAgent(agent.id, agent.epoch, text)
    return SendMessage(agent.id, agent.epoch, text)
