"""The state of a folder in a git repository, as git objects: its commit, its index and its files.

A bare repository of ours in the folder of the move borrows the objects of the other one, and takes what is in no commit
yet; so neither the repository that is left nor the one that is reached keeps anything of that, secrets in ignored files
among it. Nothing that came with a repository runs (`runner.git`): files that pass through a filter would arrive as git
keeps them, and populated submodules not at all, so both are refused unless a setup makes them again.
"""

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence

from controlroom.node.git.branches import branch_of, head_of, origin_of
from controlroom.runner.files import create, open_regular
from controlroom.runner.git import (
    BUNDLE,
    GitFailed,
    Identity,
    Place,
    Repository,
    displayable,
    opened_at,
    reachable,
)
from controlroom.runner.worktree import included
from controlroom.runner.worktree.hidden import hidden_changes
from controlroom.runner.worktree.making import fit_name
from controlroom.runner.worktree.record import Worktree
from controlroom.runner.worktree.unready import filters, is_pointer
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern
from controlroom.wire.carrying import MOST_LEFT, Folder

SECONDS = 600.0
"""Seconds that one git may take: it reads, packs or writes a whole repository."""

SCRATCH = "scratch.git"
HEAD, INDEX, FILES = "refs/carried/head", "refs/carried/index", "refs/carried/work"

_WHO = Identity("Control Room", "controlroom@localhost")
_NAMES = 64 * 1024 * 1024
_INDEX_MOST = 1024**3
_UNDER_WAY = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "BISECT_LOG": "a bisect",
}
_DATA = ("core.filemode", "core.symlinks", "core.ignorecase", "core.precomposeunicode", "core.autocrlf", "core.eol")
_PLAIN = pattern("[A-Za-z0-9]{1,20}")
_CREDENTIALS = pattern(r"(?<=^https://)[^@/]*@|(?<=^ssh://)([^@/:]*):[^@/]*(?=@)")


class Unsaved(NamedTuple):
    """What is in no commit as it is."""

    gone: list[str]
    there: list[str]
    size: int


@contextlib.contextmanager
def scratch(tree: Repository, folder: str) -> Iterator[Repository]:
    """Open a bare repository of ours in `folder`, with another one's work tree and its objects on loan."""
    path = os.path.join(folder, SCRATCH)
    if not os.path.isdir(path):
        _make_scratch(tree, f"{path}.new")
        os.rename(f"{path}.new", path)
    with opened_at(Place(tree.place.top, path, path), tree.environ) as ours:
        yield ours


def _make_scratch(tree: Repository, path: str) -> None:
    shutil.rmtree(path, ignore_errors=True)
    for inner in ("objects/info", "objects/pack", "refs", "info"):
        os.makedirs(os.path.join(path, inner), mode=0o700)
    objects = os.path.realpath(os.path.join(tree.place.common, "objects"))
    settings = [(key, tree.settings[key][-1]) for key in _DATA if tree.settings.get(key)]
    sha256 = object_format(tree) == "sha256"
    lines = ["[core]\n\tbare = false\n", f"\trepositoryformatversion = {int(sha256)}\n"]
    lines += [f"\t{key.partition('.')[2]} = {value}\n" for key, value in settings if _PLAIN.fullmatch(value)]
    lines += ["[extensions]\n\tobjectformat = sha256\n"] * sha256
    for name, text in (
        ("HEAD", "ref: refs/heads/none\n"),
        ("config", "".join(lines)),
        ("objects/info/alternates", f"{objects}\n"),
    ):
        with open(create(os.path.join(path, name)), "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
    with contextlib.suppress(OSError):
        _copied(os.path.join(tree.place.common, "info", "exclude"), os.path.join(path, "info", "exclude"))


def _copied(source: str, target: str) -> None:
    descriptor, size = open_regular(source)
    with open(descriptor, "rb") as file:
        if size > _INDEX_MOST:
            raise GitFailed(f"{displayable(source)} has more than {_INDEX_MOST >> 20} MiB")
        with open(create(target), "wb") as copy:
            shutil.copyfileobj(file, copy)


def object_format(tree: Repository) -> str:
    """Say by which hash a repository names its objects."""
    return "sha256" if "sha256" in tree.settings.get("extensions.objectformat", []) else "sha1"


# ---------------------------------------------------------------------- what there is


def check(tree: Repository, *, has_setup: bool) -> None:
    """See that all of a folder's state can be carried. Raises `GitFailed` with what cannot."""
    where = displayable(tree.place.top)
    if not tree.place.top:
        raise GitFailed(f"{displayable(tree.place.git_dir)} is a bare repository, in which nobody works")
    for name, what in _UNDER_WAY.items():
        if os.path.lexists(os.path.join(tree.place.git_dir, name)):
            raise GitFailed(f"{what} is under way in {where}: let the agent end or abort it")
    if tree.run("ls-files", "--unmerged", "-z", limit=_NAMES).out:
        raise GitFailed(f"{where} has conflicts that are not resolved: let the agent resolve them")
    if os.path.lexists(os.path.join(tree.place.common, "shallow")):
        raise GitFailed(f"{where} is a shallow clone, and its history cannot be carried: git fetch --unshallow there")
    if inner := tree.submodules(populated=True):
        raise GitFailed(f"the submodule {displayable(inner[0])} in {where} is checked out, and would stay behind")
    for path, name in [] if has_setup else filters(tree):
        if name != "lfs" or not is_pointer(os.path.join(tree.place.top, path)):
            kept = "is kept in Git LFS" if name == "lfs" else f"passes through the filter {displayable(name, 60)}"
            raise GitFailed(
                f"{displayable(path)} in {where} {kept}, which is not run here: it would not arrive as it is. "
                "Let the profile's worktree_setup make such files"
            )


def look(tree: Repository, made: Worktree | None, cwd: str, have: Sequence[str]) -> Folder:
    """Describe a folder while its agent may be at work: trees are not told. Raises `GitFailed`."""
    unsaved = changes(tree)
    files, ignored = included_files(tree)
    head = head_of(tree)
    known = [f"^{commit}" for commit in known_commits(tree, have)]
    used = tree.run("rev-list", "--objects", "--disk-usage", "--stdin", given=_lines([head, *known]), seconds=SECONDS)
    names = _left(tree, files)
    return Folder(
        head,
        "",
        "",
        branch_of(tree),
        made.base if made else "",
        made.onto if made else "",
        _inner(tree, cwd),
        fit_name(made.checkout or tree.place.top if made else tree.place.top),
        origin_of(tree),
        _url(tree),
        object_format(tree),
        len(unsaved.gone) + len(unsaved.there),
        int(used.text or 0) + unsaved.size + ignored,
        tuple(names[:MOST_LEFT]),
        max(0, len(names) - MOST_LEFT),
    )


def _inner(tree: Repository, cwd: str) -> str:
    inner = os.path.relpath(os.path.realpath(cwd), tree.place.top)
    return "" if inner == "." or inner.startswith("..") else inner


def _url(tree: Repository) -> str:
    """How the origin is reached, without anybody's password; "": not over ssh or https."""
    url = tree.remotes().get("origin", "")
    bare = _CREDENTIALS.sub(lambda match: match[1] or "", url)
    return bare if reachable(bare) else ""


def known_commits(tree: Repository, names: Sequence[str]) -> list[str]:
    """Return those of the names that are commits here."""
    plain = [name for name in names if re.fullmatch("[0-9a-f]{40}([0-9a-f]{24})?", name)]
    told = tree.run("cat-file", "--batch-check=%(objectname) %(objecttype)", given=_lines(plain)) if plain else None
    return [line.split(" ")[0] for line in told.text.split("\n") if line.endswith(" commit")] if told else []


def _lines(words: Sequence[str]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode("utf-8", "surrogateescape")


def changes(tree: Repository) -> Unsaved:
    """Name the files that are other than the index of `tree` has them; those that are new, too."""
    listed = tree.run("ls-files", "-z", "--modified", "--deleted", limit=_NAMES).fields
    new = tree.run("ls-files", "-z", "--others", "--exclude-standard", limit=_NAMES).fields
    top, paths = tree.place.top, dict.fromkeys([*listed, *new, *hidden_changes(tree)])
    there = {path: status for path in paths if not path.endswith("/") and (status := _status(top, path)) is not None}
    gone = [path for path in listed if path not in there]
    return Unsaved(list(dict.fromkeys(gone)), list(there), sum(status.st_size for status in there.values()))


def _status(top: str, path: str) -> os.stat_result | None:
    """The status of a file or link, which lies there itself and not behind a link; None: there is none."""
    whole = os.path.join(top, path)
    try:
        status = os.lstat(whole)
    except OSError:
        return None
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        return None
    above = os.path.dirname(path)
    real = os.path.realpath(top)
    return status if os.path.realpath(os.path.join(top, above)) == os.path.normpath(os.path.join(real, above)) else None


def included_files(tree: Repository) -> tuple[list[str], int]:
    """Return the ignored files that `.worktreeinclude` names, and their bytes. Raises `Unfit` and `GitFailed`."""
    paths, size = included.named(tree)
    return [path for path in paths if _status(tree.place.top, path) is not None], size


def _left(tree: Repository, files: Sequence[str]) -> list[str]:
    """Name what stays behind: ignored files and folders, and repositories within this one."""
    words = "ls-files", "-z", "--others", "--directory"
    ignored = tree.run(*words, "--ignored", "--exclude-standard", limit=_NAMES).fields
    others = tree.run("ls-files", "-z", "--others", "--exclude-standard", limit=_NAMES).fields
    inner = [path for path in others if path.endswith("/")]
    taken = set(files)
    return [displayable(path, 120) for path in dict.fromkeys([*ignored, *inner]) if path not in taken]


# ---------------------------------------------------------------------- trees


def take_index(tree: Repository, ours: Repository) -> str:
    """Have the index of `tree` in the scratch repository, too; return its tree. Raises `GitFailed`."""
    path = os.path.join(ours.place.git_dir, "index")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with contextlib.suppress(FileNotFoundError):
        _copied(os.path.join(tree.place.git_dir, "index"), path)
    return ours.text("write-tree")


def take_files(ours: Repository, files: Sequence[str] = ()) -> str:
    """Have all files of the work tree in the index of the scratch repository, with these ignored ones; their tree."""
    if hidden := hidden_changes(ours):
        for flag in ("--no-assume-unchanged", "--no-skip-worktree"):
            ours.run("update-index", flag, "-z", "--stdin", given=_null(hidden))
    unsaved = changes(ours)
    ours.run("update-index", "--force-remove", "-z", "--stdin", given=_null(unsaved.gone), seconds=SECONDS)
    words = "update-index", "--add", "--replace", "-z", "--stdin"
    ours.run(*words, given=_null([*unsaved.there, *files]), seconds=SECONDS)
    return ours.text("write-tree")


def _null(paths: Sequence[str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def keep(ours: Repository, name: str, tree: str, parent: str) -> str:
    """Make a commit of a tree, kept under a name in the scratch repository; return it."""
    commit = ours.run("commit-tree", tree, "-p", parent, "-m", "carried", identity=_WHO).text
    ours.run("update-ref", name, commit)
    return commit


def check_fits(ours: Repository, trees: Sequence[str]) -> None:
    """See that the disk has room for the files of each tree: a pack of them may be a thousandth of that. Raises
    `GitFailed`, also for a tree of more files than anybody has.
    """
    system = os.statvfs(ours.place.top)
    free = system.f_bavail * system.f_frsize
    for tree in dict.fromkeys(trees):
        size = expanded_size(ours, tree)
        if size > free:
            raise GitFailed(f"its files take {size >> 20:,} MiB, and {free >> 20:,} MiB of disk are left here")


def expanded_size(ours: Repository, tree: str) -> int:
    """Return what the files of a tree take on a disk, in bytes. Raises `GitFailed` when there are too many of them."""
    entries = ours.run("ls-tree", "-r", "-l", "-z", tree, seconds=SECONDS, limit=_NAMES).fields
    sizes = (entry.partition("\t")[0].split()[-1:] for entry in entries)
    return sum(int(size[0]) for size in sizes if size and size[0].isdigit())


def bundle(ours: Repository, target: str, names: Sequence[str], without: Sequence[str]) -> None:
    """Write what the names lead to, without what the other host has, into a bundle. Raises `GitFailed`."""
    given = _lines([*names, *(f"^{commit}" for commit in without)])
    ours.run("bundle", "create", "--quiet", target, "--stdin", given=given, seconds=SECONDS)


def fetch(repository: Repository, source: str, name: str, to: str) -> None:
    """Take what a bundle of ours holds into a repository, under a name there. Raises `GitFailed`."""
    descriptor, _ = open_regular(source)
    with open(descriptor, "rb") as file:
        if not file.read(16).startswith((b"# v2 git bundle", b"# v3 git bundle")):
            raise GitFailed("what came is no bundle")
    words = "fetch", "--quiet", "--no-tags", "--force", "--update-head-ok", source, f"{name}:{to}"
    repository.run(*words, remote=BUNDLE, seconds=SECONDS)
