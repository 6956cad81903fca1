"""What git alone does not bring into a worktree: submodules, files in Git LFS, hooks of a folder that is not there.

Nothing that came with a repository is run by us to make them. The profile's `worktree_setup` may, as its person says;
what is missing after it keeps the agent from starting, with a sentence.
"""

import os

from controlroom.runner.files import read_piece
from controlroom.runner.git import Repository, displayable

_MOST = 128 * 1024 * 1024
_POINTER = b"version https://git-lfs.github.com/spec/"
_ATTRIBUTES_MOST = 1024 * 1024


def missing(tree: Repository, checkout: str, *, has_setup: bool) -> str:
    """Say what the worktree lacks that the checkout ("": there is none) has; "" when it lacks nothing.

    `has_setup`: a command has been run to make what is missing. Raises `GitFailed`.
    """
    return _submodule(tree, checkout) or _hooks(tree, checkout) or _filtered(tree, checkout, has_setup=has_setup)


def _submodule(tree: Repository, checkout: str) -> str:
    absent = sorted({*tree.submodules()} - {*tree.submodules(populated=True)})
    needed = [path for path in absent if checkout and os.path.lexists(os.path.join(checkout, path, ".git"))]
    if not needed:
        return ""
    return (
        f"the submodule {displayable(needed[0])} is not checked out in the worktree: "
        "let worktree_setup do that (git submodule update --init)"
    )


def _hooks(tree: Repository, checkout: str) -> str:
    path = (tree.settings.get("core.hookspath") or [""])[-1]
    if not path or os.path.isabs(path) or path.startswith("~") or not checkout:
        return ""
    if not os.path.isdir(os.path.join(checkout, path)) or os.path.isdir(os.path.join(tree.place.top, path)):
        return ""
    return (
        f"the hooks of this repository lie in {displayable(path)} (core.hooksPath), which is not in the worktree: "
        "let worktree_setup make it, or name it in .worktreeinclude"
    )


def _filtered(tree: Repository, checkout: str, *, has_setup: bool) -> str:
    top = tree.place.top
    for path, name in filters(tree):
        if name == "lfs":
            if is_pointer(os.path.join(top, path)) and not is_pointer(os.path.join(checkout or top, path)):
                return (
                    f"{displayable(path)} is kept in Git LFS, and is a pointer in the worktree: "
                    "let worktree_setup fetch such files (git lfs pull)"
                )
        elif not has_setup:
            return (
                f"{displayable(path)} passes through the filter {displayable(name, 60)}, which is not run here: "
                "let worktree_setup make such files"
            )
    return ""


def filters(tree: Repository) -> list[tuple[str, str]]:
    """The files that pass through a filter, each with its name."""
    listed = tree.run("ls-files", "-z", limit=_MOST)
    attributes = [path for path in listed.fields if os.path.basename(path) == ".gitattributes"]
    if not any(b"filter" in read_piece(os.path.join(tree.place.top, path), 0, _ATTRIBUTES_MOST) for path in attributes):
        return []
    said = tree.run("check-attr", "-z", "--stdin", "filter", given=listed.out, limit=2 * _MOST).fields
    triples = zip(said[::3], said[2::3], strict=False)
    return [(path, name) for path, name in triples if name not in ("unspecified", "unset", "set")]


def is_pointer(path: str) -> bool:
    """Return whether a file is what git keeps of one in Git LFS."""
    return read_piece(path, 0, len(_POINTER)) == _POINTER
