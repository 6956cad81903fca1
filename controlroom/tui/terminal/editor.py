"""A text in the person's own editor, which has the terminal meanwhile."""

import os
import shlex
import signal
import subprocess
import tempfile
from pathlib import Path

from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Problem:
    """Why no text came back, in words."""

    words: str


def in_editor(text: str, name: str) -> str | Problem:
    """The text as the person left it. Between, it stands in a file that only they can read, in a folder of its own."""
    try:
        command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
    except ValueError as error:
        return Problem(f"$VISUAL or $EDITOR cannot be read: {error}")
    if not command:
        return Problem("say which editor: set $VISUAL or $EDITOR")
    try:
        with tempfile.TemporaryDirectory(prefix="controlroom-") as folder:
            path = Path(folder) / f"{name}.md"
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
            ended = _run([*command, str(path)])
            edited = path.read_bytes().decode("utf-8", "surrogatepass")
    except (OSError, ValueError) as error:
        return Problem(f"{command[0]}: {error}")
    if ended:
        return Problem(f"{command[0]} ended with {ended}")
    edited = edited if text.endswith("\n") else edited.removesuffix("\n")
    return edited if edited.strip() else Problem("the text was left empty")


def _run(command: list[str]) -> int:
    """Run the editor, and return with what it ended."""
    handler = signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C there is the editor's
    try:
        return subprocess.run(command, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, handler)
