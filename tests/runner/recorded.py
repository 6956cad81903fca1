"""What Claude Code 2.1.330 really said in scripted runs against the stand-in API (long fields left out)."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "events"
NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))


def events(name: str) -> list[dict[str, Any]]:
    """The events of one run, in order."""
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]
