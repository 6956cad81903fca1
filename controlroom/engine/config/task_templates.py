"""Templates of tasks as files: `templates/NAME.md` beside config.toml, read when they are used."""

import re
from pathlib import Path

LONGEST = 1024 * 1024
"""Bytes of a template at most."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}")


def read_template(folder: Path, name: str) -> str | None:
    """Return a template's text; None: there is none of that name that can be read."""
    if not _NAME.fullmatch(name):
        return None
    try:
        data = (folder / f"{name}.md").read_bytes()
        return data.decode() if len(data) <= LONGEST else None
    except (OSError, UnicodeDecodeError):
        return None


def template_names(folder: Path) -> list[str]:
    """Return the names of the templates that stand in a folder."""
    try:
        return sorted(path.stem for path in folder.iterdir() if path.suffix == ".md" and _NAME.fullmatch(path.stem))
    except OSError:
        return []
