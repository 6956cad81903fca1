"""What an agent has changed in git: all of it is seen, page by page, whatever names and contents are like."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from controlroom.domain.display.diff import remarks, shown_path
from controlroom.node.git.changes import MOST_DIFF, list_changes
from controlroom.runner.worktree.record import Worktree, write
from controlroom.text.changes import DIFF_LINE, DIFF_PAGE, BaseKind, ChangedFile, ChangeKind, FileSort, LineKind
from controlroom.wire.inquiries import ListChanges
from tests.node.work_in_git import WorkInGit, git, lines_of


@pytest.fixture
def work(tmp_path: Path) -> WorkInGit:
    return WorkInGit(tmp_path)


def test_committed_uncommitted_and_unknown_work_is_all_seen(work: WorkInGit) -> None:
    work.write("docs/a.md", "line one\n" + "".join(f"line {number}\n" for number in range(2, 31)))
    work.commit("second")
    work.write("old.py", "x = 0\n")
    work.write("new.txt", "a\nb\n")
    changes, files = work.changes(), work.by_path()
    assert (changes.base, changes.base_kind, changes.branch, changes.commits) == (
        work.first,
        BaseKind.START,
        "main",
        1,
    )
    assert set(files) == {"docs/a.md", "old.py", "new.txt"}
    a, old, new = files["docs/a.md"], files["old.py"], files["new.txt"]
    assert (a.added, a.removed, a.uncommitted, a.kind) == (1, 1, False, ChangeKind.CHANGED)
    assert (old.added, old.removed, old.uncommitted) == (0, 19, True)
    assert (new.added, new.kind, new.uncommitted) == (2, ChangeKind.UNTRACKED, True)
    assert [(line.kind, line.old, line.new, line.text) for line in work.lines(a)][:3] == [
        (LineKind.HUNK, 0, 0, "@@ -1,4 +1,4 @@"),
        (LineKind.REMOVED, 1, 0, "line 1"),
        (LineKind.ADDED, 0, 1, "line one"),
    ]
    assert [line.text for line in work.lines(new)] == ["@@ -0,0 +1,2 @@", "a", "b"]


def test_renames_binaries_modes_and_links_are_said(work: WorkInGit) -> None:
    git(work.top, "mv", "old.py", "new name.py")
    (work.top / "docs/a.md").chmod(0o755)
    work.write("picture.png", b"\x89PNG\0\0")
    (work.top / "gone.txt").unlink()
    (work.top / "gone.txt").symlink_to("/etc/passwd")
    (work.top / "link").symlink_to("docs/a.md")
    work.commit("all")
    work.write("loose.bin", b"\0\1")
    files = work.by_path()
    assert (files["new name.py"].was, files["new name.py"].kind) == ("old.py", ChangeKind.RENAMED)
    assert remarks(files["new name.py"]) == ["was old.py"]
    assert remarks(files["docs/a.md"]) == ["now executable"]
    assert files["picture.png"].binary
    assert files["loose.bin"].binary
    assert (files["gone.txt"].sort, files["gone.txt"].kind) == (FileSort.SYMLINK, ChangeKind.RETYPED)
    assert remarks(files["link"]) == ["a symlink"]
    assert work.read("picture.png").binary
    assert work.read("loose.bin").binary
    assert work.lines("new name.py") == []
    retyped = [(line.kind, line.text) for line in work.lines("gone.txt") if line.kind is not LineKind.HUNK]
    assert retyped[:2] == [(LineKind.REMOVED, "away"), (LineKind.ADDED, "/etc/passwd")]


def test_a_rename_with_changes_shows_only_what_changed(work: WorkInGit) -> None:
    git(work.top, "mv", "docs/a.md", "docs/b.md")
    work.write("docs/b.md", "line one\n" + "".join(f"line {number}\n" for number in range(2, 31)))
    work.commit("moved")
    changed = [line.text for line in work.lines("docs/b.md") if line.kind in (LineKind.ADDED, LineKind.REMOVED)]
    assert changed == ["line 1", "line one"]


def test_a_long_diff_comes_in_pages_that_each_know_where_they_stand(work: WorkInGit) -> None:
    work.write("long.txt", "".join(f"{number}\n" for number in range(1, 2501)))
    pages = [work.read("long.txt", start) for start in (0, DIFF_PAGE, 2 * DIFF_PAGE)]
    assert [page.total for page in pages] == [2501] * 3
    lines = [line for page in pages for line in lines_of(page)]
    assert [(line.new, line.text) for line in lines[1:]] == [(number, str(number)) for number in range(1, 2501)]
    assert len({page.version for page in pages}) == 1
    work.write("long.txt", "other\n")
    assert work.read("long.txt").version != pages[0].version


def test_a_line_that_looks_like_a_heading_is_a_line(work: WorkInGit) -> None:
    work.write("old.py", "-- a\n++ b\n@@ -1 +1 @@\ndiff --git a/x b/x\n\\ No newline at end of file")
    lines = work.lines("old.py")
    added = [line.text for line in lines if line.kind is LineKind.ADDED]
    assert added == ["-- a", "++ b", "@@ -1 +1 @@", "diff --git a/x b/x", "\\ No newline at end of file"]
    assert [line.kind for line in lines].count(LineKind.HUNK) == 1
    assert lines[-1].text == "no newline at the end of the file"


HOSTILE = (
    "sk-ant-abcdefgh",
    "a\nb", "--output=x", ":(glob)*", "\x1b]0;owned\x07", "\u202egnp.exe", "tab\there", '"quoted"', "ü"
)  # fmt: skip


def test_hostile_names_are_read_and_shown_as_plain_characters(work: WorkInGit) -> None:
    for number, name in enumerate(HOSTILE):
        work.write(f"{name}/{name}", f"{number}\n")
    raw = os.fsencode(work.top) + b"/\xff\xfe.txt"
    Path(os.fsdecode(raw)).write_bytes(b"bytes\n")
    for committed in (False, True):
        if committed:
            work.commit("hostile")
        files = work.by_path()
        for number, name in enumerate(HOSTILE):
            (_, line) = work.lines(files[f"{name}/{name}"])
            assert line.text == str(number)
        assert work.lines("\udcff\udcfe.txt")[-1].text == "bytes"
    for path in files:
        shown = shown_path(path)
        assert shown.isprintable()
        assert "\u202e" not in shown
        assert "sk-ant-abc" not in shown


def test_hostile_contents_become_plain_characters(work: WorkInGit) -> None:
    evil = "\x1b[31mred\x1b[0m \x1b]52;c;aGk=\x07 \u202eabc sk-ant-api03-secret \x00".replace("\x00", "")
    work.write("evil.txt", f"{evil}\r\n" + "x" * 50_000 + "\n" + "é" * 2000 + "\n")
    first, long, wide = (line for line in work.lines("evil.txt") if line.kind is LineKind.ADDED)
    assert "\x1b" not in first.text
    assert "\u202e" not in first.text
    assert "secret" not in first.text
    assert first.text.endswith("␍")
    assert len(long.text) + long.left_out == 50_000
    assert len(long.text) == DIFF_LINE - 1
    assert set(wide.text) == {"é"}


def test_files_that_git_ignores_are_not_read(work: WorkInGit) -> None:
    work.write(".gitignore", "secret.env\n")
    work.write("secret.env", "TOKEN=1\n")
    assert "secret.env" not in work.by_path()
    asked = work.read(ChangedFile("secret.env", ChangeKind.UNTRACKED))
    assert "is gone, or git knows it" in asked.reason
    assert not asked.data
    outside = work.read(ChangedFile("../state/agents/docs-1.1/spec.json", ChangeKind.UNTRACKED))
    assert outside.reason
    assert not outside.data


def test_what_is_too_large_is_read_as_far_as_it_goes(work: WorkInGit) -> None:
    work.write("big.txt", "0123456789" * 10 + "\n")
    work.commit("small")
    work.write("big.txt", ("0123456789" * 10 + "\n") * (MOST_DIFF // 100))
    read = work.read("big.txt")
    assert read.endless
    assert read.total < MOST_DIFF // 100
    work.write("loose.txt", ("0123456789" * 10 + "\n") * (MOST_DIFF // 100))
    assert not work.by_path()["loose.txt"].counted
    assert "larger than" in work.read("loose.txt").reason


def test_a_file_that_git_was_told_to_forget_is_seen_twice(work: WorkInGit) -> None:
    git(work.top, "rm", "-q", "--cached", "gone.txt")
    kinds = sorted(file.kind for file in work.changes().files if file.path == "gone.txt")
    assert kinds == [ChangeKind.REMOVED, ChangeKind.UNTRACKED]
    assert [line.text for line in work.lines(ChangedFile("gone.txt", ChangeKind.UNTRACKED))][1:] == ["away"]


def test_before_the_first_commit_everything_is_new(work: WorkInGit) -> None:
    git(work.top, "checkout", "-q", "--orphan", "fresh")
    changes = work.changes()
    assert (changes.base, changes.head) == ("", "")
    assert {file.path: file.added for file in changes.files} == {"docs/a.md": 30, "old.py": 20, "gone.txt": 1}


def test_a_folder_without_git_is_said(work: WorkInGit, tmp_path: Path) -> None:
    (work.top / ".git").rename(tmp_path / "aside")
    listed = list_changes(ListChanges(1, "docs-1", 1), str(work.state), work.environ)
    assert listed.changes is None
    assert "is in no git repository" in listed.reason
    nobody = list_changes(ListChanges(1, "docs-2", 1), str(work.state), work.environ)
    assert "run 1 of 'docs-2' is not on this host" in nobody.reason


def test_a_repository_within_is_named_and_not_entered(work: WorkInGit) -> None:
    git(work.top, "init", "-q", "inner")
    (work.top / "inner" / "file").write_text("x\n")
    file = work.by_path()["inner/"]
    assert file.sort is FileSort.REPOSITORY
    assert not file.counted


def test_nothing_is_sent_but_what_was_asked_for(work: WorkInGit) -> None:
    work.write("docs/a.md", "changed\n")
    work.write("old.py", "changed, too\n")
    assert b"too" not in base64.b64decode(work.read("docs/a.md").data)


def test_where_git_has_kept_nothing_the_base_is_where_the_branches_parted(work: WorkInGit) -> None:
    git(work.top, "checkout", "-q", "-b", "agent/docs-1")
    work.write("new.txt", "a\n")
    work.commit("second")
    for log in (work.top / ".git" / "logs").rglob("*"):
        if log.is_file():
            log.unlink()
    changes = work.changes()
    assert (changes.base, changes.base_kind, changes.base_name) == (work.first, BaseKind.BRANCH, "main")
    assert [file.path for file in changes.files] == ["new.txt"]
    git(work.top, "branch", "-q", "-D", "main")
    changes = work.changes()
    assert (changes.base_kind, changes.files) == (BaseKind.HEAD, ())


def test_an_agent_in_a_worktree_of_its_own_is_compared_with_what_that_was_made_from(work: WorkInGit) -> None:
    folder = work.state / "worktrees" / "docs-1.1"
    folder.mkdir(parents=True)
    git(work.top, "worktree", "add", "-q", "-b", "agent/docs-1", str(folder / "tree"))
    (folder / "tree" / "new.txt").write_text("a\n")
    git(folder / "tree", "add", "-A")
    git(folder / "tree", "commit", "-q", "-m", "second")
    work.write("old.py", "the person's own change\n")
    tree, shared = str(folder / "tree"), str(work.top / ".git")
    made = ("docs-1", 1, 1, tree, "", "agent/docs-1", work.first, "main", shared, str(work.top))
    write(str(folder), Worktree(*made, ready=True))
    changes = work.changes()
    assert (changes.base, changes.base_kind, changes.branch) == (work.first, BaseKind.WORKTREE, "agent/docs-1")
    assert [file.path for file in changes.files] == ["new.txt"]
    assert work.lines("new.txt")[-1].text == "a"
