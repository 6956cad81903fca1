"""The repository that the demo's first agent works in: a few pages with a commit, and what it has made of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_CLIENT = """# The client

```python
client = Client("https://farm.example", {})
```

A call that fails is tried again. How often is up to you;
the time between two tries doubles each time.

## Errors

| code | what it means |
|---|---|
| 401 | the token is wrong or has expired |
| 429 | too many requests: wait as long as it says |
| 503 | the farm is being upgraded |
"""

_BEFORE = {
    "docs/client.md": _CLIENT.format("retries=3"),
    "docs/faq.md": "# Questions\n\n## Why is a call slow?\n\nIt may be in its third try: see `retries`.\n",
    "docs/howto/upgrade.md": "# Upgrade\n\n1. Stop the farm.\n2. Install the new release.\n3. Start the farm.\n",
    "mkdocs.yml": "site_name: farm\nnav:\n  - client.md\n  - faq.md\n",
}

_OLD, _NEW = (
    "How often is up to you;\nthe time between",
    "How long is up to you: `deadline`, in\nseconds. The time between",
)

_AFTER = {
    "docs/client.md": _CLIENT.format("deadline=30")
    .replace(
        "How often is up to you;\nthe time between", "How long is up to you: `deadline`, in\nseconds. The time between"
    )
    .replace("| 503 | the", "| 429, 503 with `Retry-After` | wait as long as it says |\n| 503 | the"),
    "docs/faq.md": "# Questions\n\n## Why is a call slow?\n\nIt may be tried again: see `deadline`.\n",
    "docs/upgrade.md": "# Upgrade\n\n1. Stop the farm.\n2. Install the new release.\n3. Start the farm.\n",
    "docs/since.md": "# Only what is new\n\n`farm list --since 2h` lists what came in the last two hours.\n",
}
_REMOVED = ("docs/howto/upgrade.md",)


def leave_repository(folder: Path, environ: Mapping[str, str]) -> None:
    """Leave a repository with changes in an agent's folder; where git is not installed there is none."""
    git = shutil.which("git", path=environ.get("PATH", os.defpath))
    if git is None:
        return
    who = [word for what in ("name", "email") for word in ("-c", f"user.{what}=farm@example.org")]
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PATH": environ.get("PATH", os.defpath)}

    def run(*words: str) -> None:
        subprocess.run([git, "-C", str(folder), *who, *words], env=quiet, check=True, capture_output=True, timeout=20)

    try:
        _write(folder, _BEFORE)
        run("init", "-q", "-b", "docs/update", "--template=")
        run("add", "-A")
        run("commit", "-q", "-m", "The docs of 2.3")
        _write(folder, _AFTER)
        for path in _REMOVED:
            (folder / path).unlink()
        run("add", "-A", "docs/upgrade.md", *_REMOVED)
    except (OSError, subprocess.SubprocessError):  # an old git: the demo has something else to show
        return


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
