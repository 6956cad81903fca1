"""An agent's work as a small engine tells of it: a plain change, a rename, a binary file, and a hostile one."""

from __future__ import annotations

from controlroom.text.changes import BaseKind, ChangedFile, ChangeKind, Changes, FileSort

FILES = (
    ChangedFile("docs/install.md", added=2, removed=1),
    ChangedFile("docs/new name.md", ChangeKind.RENAMED, "docs/old.md", uncommitted=True),
    ChangedFile("logo.png", ChangeKind.ADDED, binary=True, sort_was=FileSort.NOTHING),
    ChangedFile("evil\x1b[31m\u202e.md", ChangeKind.UNTRACKED, added=1, sort_was=FileSort.NOTHING, uncommitted=True),
)
WORK = Changes("/work", "agent/web-2", "a" * 40, BaseKind.WORKTREE, head="b" * 40, commits=3, files=FILES)

DIFFS = {
    FILES[0].path: b"@@ -1,4 +1,5 @@ # Install\n one\n-two\n+two, with words\n+and a third\n four\n five\n",
    FILES[3].path: b"@@ -0,0 +1 @@\n+\x1b]0;owned\x07 \xe2\x80\xaeabc\n",
}
"""From their first `@@` on, by path."""
