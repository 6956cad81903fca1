"""Translates what a host says of worktrees that lie there: names that can be ones, one-line texts, numbers in range."""

from controlroom.domain.worktrees import KeptWorktree, is_key
from controlroom.engine.hosts.translate import HostContext, short
from controlroom.wire.worktrees import WorktreeFound, WorktreesListed

MOST = 200
"""Worktrees of one host that are told of."""

_PATH, _LINE = 400, 300
_MOST, _MOST_BYTES = 10**9, 2**60


def to_worktrees(listed: WorktreesListed, setting: HostContext) -> tuple[KeptWorktree, ...]:
    """Make what a host found fit to show. What bears a name that none can have is left out."""
    named = {one.key: one for one in listed.worktrees[:MOST] if is_key(one.key, one.agent)}
    return tuple(_kept(one, setting) for one in named.values())


def _kept(found: WorktreeFound, setting: HostContext) -> KeptWorktree:
    return KeptWorktree(
        setting.host,
        found.key,
        found.agent,
        short(found.path, _PATH),
        short(found.branch, _PATH),
        short(found.onto, _PATH),
        short(found.origin, _PATH),
        short(found.checkout, _PATH),
        setting.time(found.made),
        found.ready,
        found.alive,
        min(max(0, found.bytes), _MOST_BYTES),
        found.bytes_bound,
        _count(found.uncommitted),
        _count(found.only_here),
        short(found.problem, _LINE),
    )


def _count(number: int) -> int | None:
    return min(number, _MOST) if number >= 0 else None
