"""Paths as they read: normalized by their words alone. Where a symbolic link leads cannot be known from here."""

import re
from collections.abc import Iterator
from functools import lru_cache
from posixpath import normpath


@lru_cache(maxsize=4096)
def resolved(path: str, folder: str) -> str:
    """A path from `folder` as an absolute one (or from `~`), without dots; "": it cannot be told."""
    if path.startswith(("/", "~")):
        whole = path
    elif folder.startswith(("/", "~")):
        whole = f"{folder}/{path}"
    else:
        return ""
    plain = normpath(whole)
    plain = plain[1:] if plain.startswith("//") else plain
    return "" if plain.startswith("..") or (whole.startswith("~") and not plain.startswith("~")) else plain


def inside(path: str, folder: str) -> bool:
    """Whether a path, from `folder` where it is a relative one, is in the folder for certain, by its words."""
    plain, place = resolved(path, folder), resolved(folder, "")
    return bool(path and plain and place) and (plain == place or plain.startswith(place.rstrip("/") + "/"))


def outside(path: str, folder: str) -> bool:
    """Whether a path is outside `folder` for certain. Where one is from `~` and the other not, nothing is certain."""
    plain, place = resolved(path, folder), resolved(folder, "")
    if not place or place in ("/", "~"):
        return False
    if not plain or plain == "~":
        return path.startswith("~") or ".." in path.split("/")
    return plain[:1] == place[:1] and not inside(path, folder)


_INSIDE = re.compile(r"(?:^|[=:@,])(?=[/~])")
_BEHIND = re.compile(r"\.{1,2}(?=/|$)|/|~")
_ADDRESS = re.compile(r"(?:https?|ssh|git)://[^\s]*", re.IGNORECASE)


def paths_in(word: str) -> Iterator[str]:
    """What in a word of a command may be a path that leads elsewhere: `--out=/etc/x`, `-I../x`, `host:/x`, `@~/x`."""
    plain = _ADDRESS.sub("", word)
    for match in _INSIDE.finditer(plain):
        yield plain[match.end() :]
    if plain.startswith("-") and len(plain) > 2 and plain[1] != "-":
        yield plain[2:]
        if behind := _BEHIND.search(plain, 2):  # of several letters in one word the last may take all that follows
            yield plain[behind.start() :]
    for part in re.split(r"[=:@,]", plain):
        if ".." in part.split("/"):
            yield part


@lru_cache(maxsize=4096)
def pattern(glob: str) -> re.Pattern[str]:
    """Compile a pattern of paths: `**` any folders, `*` and `?` within one name; `X/**` is X itself, too."""
    whole = glob.rstrip("/")
    end = "(?:/.*)?" if whole.endswith("/**") else ""
    whole = whole.removesuffix("/**") if end else whole
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", whole)
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(signs.get(part, re.escape(part)) for part in parts) + end, re.DOTALL)


def is_below(path: str, glob: str, folder: str, *, fold: bool = False) -> bool:
    """Whether a path is what a pattern says, a relative one from `folder`. `fold`: in any case of letters."""
    plain = resolved(path, folder)
    if not path or not plain:
        return False
    if not glob.startswith(("/", "~", "**")):
        if not inside(plain, folder):
            return False
        plain = plain[len(resolved(folder, "").rstrip("/")) + 1 :]
        glob = glob.removeprefix("./")
    if fold:
        plain, glob = plain.casefold(), glob.casefold()
    return pattern(glob).fullmatch(plain) is not None


def is_any(path: str, globs: tuple[str, ...], folder: str) -> bool:
    """Whether a path, in any case of letters, is what one of some patterns says that hold wherever it is."""
    plain = resolved(path, folder or "/").casefold()
    hint, whole = _any(globs)
    return hint.search(plain) is not None and whole.fullmatch(plain) is not None


@lru_cache(maxsize=64)
def _any(globs: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What is in each path that one of the patterns is about, which is found faster; and all of it."""
    folded = [glob.casefold() for glob in globs]
    hints = (max(re.split(r"[*?/]", glob), key=len) for glob in folded)
    whole = (glob if glob.startswith(("/", "~", "**")) else f"**/{glob}" for glob in folded)
    parts = "|".join(f"(?:{pattern(glob).pattern})" for glob in whole) or "(?!)"
    return re.compile("|".join(map(re.escape, hints)) or "(?!)"), re.compile(parts, re.DOTALL)
