"""Files that git ignores and an agent needs, like `.env`: copied from the checkout as `.worktreeinclude` names them.

The file has patterns as `.gitignore` has them. What they name is copied only if git ignores it: what git keeps is in
the worktree already.
"""

import contextlib
import os
import shutil
import stat
import tempfile

from controlroom.runner.files import read_regular
from controlroom.runner.git import Repository, displayable
from controlroom.runner.outcome import Unfit

FILE = ".worktreeinclude"
MOST_FILES, MOST_BYTES = 10_000, 1024**3
_PATTERNS_MOST = 64 * 1024
_LISTED_MOST = 64 * 1024 * 1024
_NONE_IGNORED = 1
"""What `git check-ignore` ends with when nothing of it is ignored."""


def copy_included(repository: Repository, target: str) -> tuple[int, int]:
    """Copy from the checkout of `repository` to the worktree `target`; return how many files and bytes.

    Raises `Unfit` when they are too many or cannot be copied, `GitFailed`.
    """
    paths, size = named(repository)
    return sum(_copied(repository.place.top, target, path) for path in paths), size


def named(repository: Repository) -> tuple[list[str], int]:
    """Return the ignored files of a checkout that are to go along, and their bytes. Raises `Unfit`, `GitFailed`."""
    top = repository.place.top
    try:
        patterns = read_regular(os.path.join(top, FILE), _PATTERNS_MOST) if top else b""
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise Unfit(f"{FILE} of {displayable(top)} cannot be read: {error.strerror}") from None
    paths = _ignored(repository, patterns) if patterns.strip() else []
    if len(paths) > MOST_FILES:
        raise Unfit(f"{FILE} of {displayable(top)} names {len(paths):,} files, more than {MOST_FILES:,}: {_INSTEAD}")
    size = sum(_size(os.path.join(top, path)) for path in paths)
    if size > MOST_BYTES:
        raise Unfit(
            f"{FILE} of {displayable(top)} names {size >> 20:,} MiB, more than {MOST_BYTES >> 20:,}: {_INSTEAD}"
        )
    return paths, size


_INSTEAD = "let worktree_setup make the large ones"


def _ignored(repository: Repository, patterns: bytes) -> list[str]:
    """The files that the patterns name and git ignores."""
    with tempfile.NamedTemporaryFile(prefix="controlroom-git-") as file:
        file.write(patterns)
        file.flush()
        named = repository.run(
            "ls-files", "-z", "--others", "--ignored", f"--exclude-from={file.name}", limit=_LISTED_MOST
        )
    given = b"".join(b"./%s\0" % path for path in named.out.split(b"\0") if path)
    if not given:
        return []
    listed = repository.run("check-ignore", "-z", "--stdin", check=False, given=given, limit=_LISTED_MOST)
    if listed.code not in (0, _NONE_IGNORED):
        raise Unfit(f"what git ignores of {FILE} cannot be found out: {listed.err or 'it took too long'}")
    return [path.removeprefix("./") for path in listed.fields if not path.endswith("/")]


def _size(path: str) -> int:
    with contextlib.suppress(OSError):
        status = os.lstat(path)
        return status.st_size if stat.S_ISREG(status.st_mode) else 0
    return 0


def _copied(top: str, target: str, path: str) -> bool:
    """Copy one file, with its mode; a link as a link. False: it is gone, no file, or something is there already."""
    source, made = os.path.join(top, path), os.path.join(target, path)
    try:
        status = os.lstat(source)
        if os.path.lexists(made) or not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            return False
        if not _lies_in(target, os.path.dirname(made)):
            raise Unfit(f"{FILE} names {displayable(path)}, which would lie outside of the worktree: leave it out")
        os.makedirs(os.path.dirname(made), exist_ok=True)
        shutil.copy2(source, made, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Unfit(f"{displayable(path)} cannot be copied into the worktree: {error.strerror or error}") from None
    return True


def _lies_in(target: str, folder: str) -> bool:
    """Whether a folder lies in the worktree: what git put there may be a link to anywhere."""
    real = os.path.realpath(target)
    return os.path.commonpath((real, os.path.realpath(folder))) == real
