"""A report of our own mistake: where it happened, without the values that were at hand, readable only by its user."""

import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from controlroom import __version__
from controlroom.cli.entry_points import EntryPoints
from controlroom.text.sanitize import shown


def write_report(error: Exception, entry_points: EntryPoints) -> str:
    """Write the report, and give its path; in words when it could not be written."""
    text = shown("".join(traceback.format_exception(error)))
    head = f"Control Room {__version__}, Python {sys.version.split()[0]}, {sys.platform}\n\n"
    for folder in (_own_folder(entry_points), Path(tempfile.gettempdir())):
        if folder is not None and (path := _write(folder, head + text)):
            return path
    return "it could not be written anywhere"


def _own_folder(entry_points: EntryPoints) -> Path | None:
    try:
        return entry_points.reports()
    except Exception:  # whatever is wrong with the room must not hide the mistake that is reported
        return None


def _write(folder: Path, text: str) -> str | None:
    path = folder / f"report-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return None
    return str(path)
