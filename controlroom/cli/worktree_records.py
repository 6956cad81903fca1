"""A git worktree as `--json` prints it: that of an agent, and those that lie on hosts."""

from functools import partial

from controlroom.cli.record_fields import Kind, field_of

_text = partial(field_of, Kind.TEXT)
_time = partial(field_of, Kind.TIME)
_count = partial(field_of, Kind.COUNT)
_flag = partial(field_of, Kind.FLAG)
_bytes = partial(field_of, Kind.BYTES)

WORKTREE = (
    *(_text(name) for name in ("path", "branch")),
    _text("base", "base", "the commit that it began from"),
    _text("onto", "onto", "what that was called; null: what the checkout stood at"),
    _text("repository", "origin", "its origin, the same for each way to reach it"),
    _text("checkout", "checkout", "the folder that it was made from"),
    _count("first_port", lambda worktree: worktree.ports[0] if worktree.ports else None),
    _count("ports", lambda worktree: worktree.ports[1] if worktree.ports else 0),
)

KEPT_WORKTREE = (
    _text("worktree", "id", "what worktree drop takes"),
    *(_text(name) for name in ("host", "agent", "path", "branch")),
    _text("onto", says="what it began from; null: what the checkout stood at"),
    _text("repository", "origin", "its origin, the same for each way to reach it"),
    _text("checkout", says="the folder that it was made from"),
    _time("made_at", "made"),
    _flag("ready", says="it was made to the end"),
    _flag("alive", says="its agent works in it"),
    _bytes("disk_bytes", "bytes"),
    _flag("disk_is_bound", "bytes_bound", "it takes more than that: not all of it was seen in time"),
    _count("uncommitted", says="files that no commit has; null: not known"),
    _count("only_here", says="commits that no other branch, remote or tag has; null: not known"),
    _text("problem", says="why that is not known"),
)
