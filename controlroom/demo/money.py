"""What the demo's agents pay with: most have a plan's login, some a key, for which there are budgets and ceilings."""

from __future__ import annotations

from pathlib import Path

KEYED = ("docs", "api", "infra")
"""Scenes whose agents pay with a key."""

BUDGETS = {"hour": {"limit": "3", "period": "hour"}, "day": {"limit": "20"}}
"""Budgets of the room as `budget set` would keep them: dollars that are billed, with the usual ladder."""

API = {
    "ceilings": {
        "sonnet-5-5": {"requests": 50, "input": 30_000, "output": 8_000},
        "opus-5-5": {"requests": 50, "input": 30_000, "output": 8_000},
    },
    "buffer": {"requests": 45},
}
"""What the key's account is let through in a minute, and where the demo's operator wants it to end."""

_KEY = "key"


def leave_key(work: Path) -> None:
    """Leave a key that opens nothing in the folder `work`."""
    key = work / _KEY
    key.touch(0o600)
    key.write_text("a-key-of-the-demo\n", "utf-8")


def credential(scene: str, work: str) -> str | dict[str, str]:
    """Say what an agent pays with, as a profile's `credential`."""
    return {"file": f"{work}/{_KEY}"} if scene in KEYED else "plan"
