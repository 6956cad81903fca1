"""Changes that git does not tell of, for the index says that a file is to be taken for unchanged, or is left out.

An agent can say so of any file (`git update-index --assume-unchanged`, `--skip-worktree`).
"""

import os
import stat

from controlroom.runner.git import Repository

_NAMES = 64 * 1024 * 1024


def hidden_changes(repository: Repository) -> list[str]:
    """The paths of files that are there, and other than the index has them, without git telling. Raises `GitFailed`."""
    tagged = repository.run("ls-files", "-v", "-z", limit=_NAMES).fields
    paths = [line[2:] for line in tagged if line[:1].islower() or line[:1] == "S"]
    present = [path for path in paths if os.path.lexists(os.path.join(repository.place.top, path))]
    if not present:
        return []
    entries = [line.partition("\t") for line in repository.run("ls-files", "--stage", "-z", limit=_NAMES).fields]
    staged = {path: words.split(" ")[1] for words, _, path in entries}
    plain = [path for path in present if "\n" not in path and _is_file(os.path.join(repository.place.top, path))]
    given = b"".join(os.fsencode(path) + b"\n" for path in plain)
    hashed = dict(
        zip(plain, repository.run("hash-object", "--stdin-paths", given=given).text.split("\n"), strict=False)
    )
    return [path for path in present if hashed.get(path) != staged.get(path)]


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False
