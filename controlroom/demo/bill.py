"""What a played session costs, and the transcript that says so: written where Claude Code would, metered as its are.

Shape: transcripts of Claude Code 2.1.330, observed. List prices of November 2026.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from controlroom.metering.prices import DOLLAR, Price, Rates, Sheet
from controlroom.metering.usage import Message, usage_of
from controlroom.runner.claude import settings
from controlroom.runner.claude.transcripts import slug

_CENT = DOLLAR // 100_000_000
"""Pico-dollars a token of a cent per million tokens."""

PRICES = Sheet(
    [
        Price("claude-opus-5-5", Rates(*(_CENT * cents for cents in (400, 2000, 500, 800, 20)))),
        Price("claude-sonnet-5-5", Rates(*(_CENT * cents for cents in (200, 1000, 250, 400, 10)))),
        Price("claude-haiku-5-5", Rates(*(_CENT * cents // 10 for cents in (100, 500, 125, 200, 10)))),
    ]
)


class Bill:
    """One session's messages."""

    def __init__(self) -> None:
        self._pico = 0

    @property
    def dollars(self) -> float:
        """What the session has cost by now, as Claude says it: not rounded."""
        return self._pico / DOLLAR

    def settle(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Count a message that a stream began; give it as the transcript has it, with its final numbers."""
        words = sum(len(json.dumps(block)) for block in message["content"])
        usage = {**message["usage"], "output_tokens": 60 + words // 3}
        final = {**message, "stop_reason": "end_turn", "usage": usage}
        self._pico += PRICES.cost(Message(message["id"], "", 1, message["model"], usage_of(usage))).pico
        return final


def write_down(message: Mapping[str, Any], session: str, environ: Mapping[str, str], cwd: str, now: float) -> None:
    """Add a settled message to the session's transcript. `now`: seconds since 1970."""
    folder = Path(settings.config_folder(environ, cwd), "projects", slug(os.path.realpath(cwd)))
    folder.mkdir(parents=True, exist_ok=True)
    moment = datetime.fromtimestamp(now, timezone.utc).isoformat(timespec="milliseconds")
    entry = {"type": "assistant", "sessionId": session, "requestId": f"req_{message['id'][4:]}", "timestamp": moment}
    with open(folder / f"{session}.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps({**entry, "message": message}) + "\n")
