"""What a host says of an agent's work is bounded, and paths can be asked for again as they are."""

from __future__ import annotations

from controlroom.engine.config.config import Withheld
from controlroom.engine.frontends.watcher_view import Watcher
from controlroom.engine.hosts.translate_changes import MOST_FILES, to_changes, to_diff
from controlroom.protocol.messages import AgentChanges, AskChanges, AskDiff, DiffPage
from controlroom.text.changes import ChangedFile, Changes, DiffPlace
from controlroom.wire.inquiries import CutLine, DiffRead


def test_numbers_names_and_their_count_have_bounds() -> None:
    files = (ChangedFile("a\udcff", added=-3, removed=2**60), ChangedFile(""), ChangedFile("x" * 5000))
    told = Changes(branch="\x1b[31mmain" * 200, base="--output=x", head="a" * 40, commits=-1, files=files)
    changes = to_changes(told)
    assert changes is not None
    assert (changes.base, changes.head, changes.commits, changes.left_out) == ("", "a" * 40, 0, 2)
    assert changes.files == (ChangedFile("a\udcff", added=0, removed=2**31),)
    assert "\x1b" not in changes.branch
    assert len(changes.branch) <= 300
    many = to_changes(Changes(files=tuple(ChangedFile(str(number)) for number in range(MOST_FILES + 7))))
    assert many is not None
    assert (len(many.files), many.left_out) == (MOST_FILES, 7)


def test_a_diff_ends_no_earlier_than_it_begins() -> None:
    read = to_diff(DiffRead(1, "", DiffPlace(-1, 2**60, 0, 0), 50, 3, tuple([CutLine(0, -5)] * 2000)))
    assert read is not None
    assert (read.place, read.start, read.total) == (DiffPlace(0, 2**31, 0, 0), 50, 50)
    assert (len(read.cut), read.cut[0].left_out) == (1000, 0)
    assert to_diff(DiffRead(1, reason="no")) is None
    assert to_changes(None) is None


def test_a_watcher_reads_a_diff_unless_logs_are_withheld() -> None:
    asked = AskChanges(1, "vm1/a", 1), AskDiff(2, "vm1/a", 1, "file")
    for question in asked:
        assert Watcher(Withheld()).instead(question) is None
        assert Watcher(Withheld(tasks=True)).instead(question) is None
    listed, page = (Watcher(Withheld(logs=True)).instead(question) for question in asked)
    assert isinstance(listed, AgentChanges)
    assert isinstance(page, DiffPage)
    assert "withheld from watchers" in listed.reason
    assert page.read is None
