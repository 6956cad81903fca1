"""What an agent has done, as its host says: its last words, and what it has committed since its work began.

Commits are hexadecimal; subjects, paths and answers are as the host has them until they are translated.
"""

from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Commit:
    """One commit; `at`: UTC milliseconds, as whoever made it said."""

    id: str
    subject: str
    at: int


@dataclass(frozen=True)
class FileChange:
    """A file that differs from the base, and lines; None for what is no text."""

    path: str
    added: int | None
    removed: int | None


@dataclass(frozen=True)
class BranchWork:
    """What one agent has done."""

    answer: str = ""
    """What it said last; empty: nothing was found."""
    answered: int = 0
    answer_cut: bool = False
    clone: str = ""
    """The repository's folder on its host; empty: it works in none, for this reason."""
    reason: str = ""
    origin: str = ""
    """Which repository that was cloned from, without credentials."""
    branch: str = ""
    """Empty: its head is a commit alone."""
    head: str = ""
    base: str = ""
    """The commit that its work began at; empty: that is not known, nor what was changed since."""
    base_name: str = ""
    commits: tuple[Commit, ...] = ()
    """The newest ones, newest first; `commit_count` counts all."""
    commit_count: int = 0
    files: tuple[FileChange, ...] = ()
    """The first ones by name; `file_count` counts all."""
    file_count: int = 0
    added: int = 0
    removed: int = 0
    uncommitted: int = 0
    """Files that are changed, or new, and not committed."""
    unpushed: int = 0
    """Commits that are on no branch of a remote, as far as its clone knows."""
    only_here: int = 0
    """Commits that no other branch has, here or at a remote, nor a tag: lost when this one is dropped."""
