"""What a host says of worktrees is a claim: names that can be ones, one-line texts, numbers in range."""

from __future__ import annotations

from controlroom.engine.hosts.translate import HostContext
from controlroom.engine.hosts.translate_worktrees import MOST, to_worktrees
from controlroom.wire.worktrees import WorktreeFound, WorktreesListed

NOON = 1_795_348_800_000


def test_hostile_names_are_left_out_and_texts_are_one_plain_line() -> None:
    names = ("a.1", "../a.1", "a.1\n", "b.1")
    found = tuple(WorktreeFound(key, "a", 1, 1, "/x\x1b[2J\ny", "br\u202eanch") for key in names)
    told = to_worktrees(WorktreesListed(1, found), HostContext("vm1", "room", NOON))
    assert [one.id for one in told] == ["vm1/a.1"]
    assert told[0].path.isprintable()
    assert told[0].branch == "br<U+202E>anch"


def test_numbers_that_cannot_be_are_bounded_or_not_known() -> None:
    lies = WorktreeFound("a.1", "a", 1, 1, "/x", "b", made=2**62, bytes=-5, uncommitted=-7, only_here=2**70)
    (told,) = to_worktrees(WorktreesListed(1, (lies,)), HostContext("vm1", "room", NOON))
    assert (told.made, told.bytes, told.uncommitted, told.only_here) == (NOON, 0, None, 10**9)
    many = tuple(WorktreeFound(f"a.{number}", "a", 1, 1, "/x", "b") for number in range(1, MOST + 50))
    assert len(to_worktrees(WorktreesListed(1, many), HostContext("vm1", "room", NOON))) == MOST
