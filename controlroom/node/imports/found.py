"""Which transcripts lie on this host: of all projects, below every settings folder of this user.

Looked into are ~/.claude, ~/.config/claude, the folders that $CLAUDE_CONFIG_DIR names, and those in the home that are
called like the first with something behind it, as people who have several logins name them. No link is followed below
a settings folder, and one that is reached in two ways counts once.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

from controlroom.text.lazy_named_tuple import NamedTuple

_MOST_FOLDERS, MOST_FILES, _DEEPEST = 64, 200_000, 8
_LONGEST_PATH = 1000
ENDING = ".jsonl"


class Transcript(NamedTuple):
    """A transcript, its size in bytes, and when it was last written to, UTC ms."""

    path: str
    size: int
    at: int


def settings_folders(environ: Mapping[str, str], home: str) -> list[str]:
    """Return the settings folders there are, each once, by their real paths."""
    named = [os.path.join(home, ".claude"), os.path.join(environ.get("XDG_CONFIG_HOME") or f"{home}/.config", "claude")]
    for name in environ.get("CLAUDE_CONFIG_DIR", "").split(","):
        named.append(os.path.join(home, name.strip())) if name.strip() else None
    try:
        others = sorted(name for name in os.listdir(home) if name.startswith((".claude-", ".claude_", ".claude.")))
    except OSError:
        others = []
    real = (os.path.realpath(folder) for folder in [*named, *(os.path.join(home, name) for name in others)])
    return [folder for folder in dict.fromkeys(real) if os.path.isdir(os.path.join(folder, "projects"))][:_MOST_FOLDERS]


def transcripts(folders: Sequence[str], since: int = 0) -> list[Transcript]:
    """Return the transcripts below these settings folders that were written to since then, sorted by path."""
    found: dict[str, Transcript] = {}
    for folder in folders:
        for transcript in _below(os.path.join(folder, "projects"), _DEEPEST):
            if transcript.at >= since and len(found) < MOST_FILES:
                found[transcript.path] = transcript
    return [found[path] for path in sorted(found)]


def _below(folder: str, deep: int) -> Iterator[Transcript]:
    """Yield the transcripts in a folder and below; what cannot be read holds none."""
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in inside:
        try:
            if entry.is_dir(follow_symlinks=False):
                if deep:
                    yield from _below(entry.path, deep - 1)
            elif entry.name.endswith(ENDING) and entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                if status.st_size and len(entry.path) < _LONGEST_PATH:
                    yield Transcript(entry.path, status.st_size, max(1, status.st_mtime_ns // 1_000_000))
        except OSError:  # it has just gone
            continue


def folder_of(path: str) -> str:
    """Return the settings folder that a transcript lies below; "" when it cannot be one."""
    head, middle, _ = path.rpartition("/projects/")
    return head if middle and path.endswith(ENDING) and os.path.isabs(path) else ""
