"""How Claude Code would say it: stream-json events (2.1.330, observed), and the transcript that is metered.

List prices of November 2026.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from random import Random
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


Event = dict[str, Any]

_WEEK = 0.61
_COMPACTED = 200
"""Messages after which a session has grown so long that it is compacted."""
_TOOLS = ["Bash", "Edit", "Glob", "Grep", "Read", "Task", "TodoWrite", "WebFetch", "WebSearch", "Write"]


class Speech:
    """One session's voice: ids come from the dice, and every event counts what the session would have cost."""

    def __init__(self, dice: Random, session: str, model: str, cwd: str) -> None:
        self._dice = dice
        self.session = session or self._uuid()
        self.model = model
        self._cwd = cwd
        self._steps = 0
        self._denials: list[Event] = []
        self._bill = Bill()
        self.settled: Event | None = None
        """The last message as the transcript is to have it."""

    def init(self, mode: str) -> Event:
        """Say that a turn begins."""
        return self._system(
            "init",
            cwd=self._cwd,
            tools=_TOOLS,
            mcp_servers=[],
            model=self.model,
            permissionMode=mode,
            slash_commands=[],
            apiKeySource="none",
            claude_code_version="2.1.330",
            output_style="default",
            agents=[],
            skills=[],
            plugins=[],
        )

    def text(self, words: str) -> Event:
        """Say something."""
        return self._assistant({"type": "text", "text": words})

    def tool(self, name: str, given: Mapping[str, object]) -> tuple[str, Event]:
        """Use a tool; give the call's id with the event."""
        call = f"toolu_{self._hex(24)}"
        return call, self._assistant({"type": "tool_use", "id": call, "name": name, "input": dict(given)})

    def result_of(self, call: str, words: str, *, failed: bool, outcome: object = None) -> Event:
        """The result of a tool call; `outcome` is what the tool itself reports beside the words."""
        block = {"tool_use_id": call, "type": "tool_result", "content": words, "is_error": failed}
        message = {"role": "user", "content": [block]}
        return self._event("user", message=message, parent_tool_use_id=None, tool_use_result=outcome or words)

    def ask(self, call: str, name: str, given: Mapping[str, object]) -> tuple[str, Event]:
        """Ask whether a tool may be used; give the request's id with the event."""
        number = self._uuid()
        request: Event = {"subtype": "can_use_tool", "tool_name": name, "input": dict(given), "tool_use_id": call}
        rule = {"toolName": name}
        if command := str(given.get("command", "")):
            rule["ruleContent"] = " ".join(command.split()[:2]) + " *"
        request["permission_suggestions"] = [
            {"type": "addRules", "rules": [rule], "behavior": "allow", "destination": "session"}
        ]
        return number, {"type": "control_request", "request_id": number, "request": request}

    def withdraw(self, request: str) -> Event:
        """Take an open question back."""
        return {"type": "control_cancel_request", "request_id": request}

    def denied(self, call: str, name: str, given: Mapping[str, object]) -> Event:
        """Say that the permission rules (or a person) forbid a call."""
        self._denials.append({"tool_name": name, "tool_use_id": call, "tool_input": dict(given)})
        return self._system("permission_denied", tool_name=name, tool_use_id=call)

    def limit(self, status: str, window: str, share: float, resets: int) -> Event:
        """How a plan's windows stand: `allowed`, `allowed_warning` or `rejected`; `resets`: seconds since 1970."""
        info = {"status": status, "resetsAt": resets, "rateLimitType": window, "utilization": share}
        week = {"utilization": _WEEK, "resetsAt": resets + 3 * 86_400, "status": "allowed"}
        info["unifiedWindows"] = {"seven_day": week, window: {**info}}
        return self._event("rate_limit_event", rate_limit_info={**info, "isUsingOverage": False})

    def retry(self, milliseconds: int) -> Event:
        """Say that the limit is waited out, as with CLAUDE_CODE_RETRY_WATCHDOG."""
        return self._system(
            "api_retry",
            attempt=1,
            max_retries=300,
            retry_delay_ms=milliseconds,
            error_status=429,
            error="rate_limit",
        )

    def done(self, words: str) -> Event:
        """Say that a turn has ended well."""
        return self._result(words, is_error=False, terminal_reason="completed", subtype="success")

    def failed(self, words: str, error: str) -> Sequence[Event]:
        """Say that the run has ended with an error: success by its subtype, an error by its flag."""
        synthetic = self._event(
            "assistant",
            message={
                "model": "<synthetic>",
                "role": "assistant",
                "content": [{"type": "text", "text": words}],
                "usage": {"input_tokens": 0, "output_tokens": 0},
            },
            error=error,
            is_api_error_message=True,
        )
        return synthetic, self._result(words, is_error=True, terminal_reason="api_error", subtype="success")

    def aborted(self) -> Event:
        """Say that a turn was interrupted."""
        return self._result("", is_error=True, terminal_reason="aborted_streaming", subtype="error_during_execution")

    def _assistant(self, block: Event) -> Event:
        self._steps += 1
        usage = {
            "input_tokens": self._dice.randint(2, 9),
            "cache_read_input_tokens": 12_000 + 640 * (self._steps % _COMPACTED),
            "cache_creation_input_tokens": self._dice.randint(120, 900),
            "output_tokens": 1,
        }
        message = {
            "id": f"msg_{self._hex(24)}",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [block],
            "stop_reason": None,
            "usage": usage,
        }
        self.settled = self._bill.settle(message)
        return self._event("assistant", message=message, parent_tool_use_id=None)

    def _result(self, words: str, **how: object) -> Event:
        return self._event(
            "result",
            result=words,
            num_turns=max(1, self._steps),
            duration_ms=1_300 * max(1, self._steps),
            total_cost_usd=self._bill.dollars,
            usage={"input_tokens": 5 * self._steps, "output_tokens": 180 * self._steps},
            modelUsage={},
            permission_denials=self._denials,
            **how,
        )

    def _system(self, subtype: str, **fields: object) -> Event:
        return self._event("system", subtype=subtype, **fields)

    def _event(self, kind: str, **fields: object) -> Event:
        return {"type": kind, **fields, "session_id": self.session, "uuid": self._uuid()}

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._dice.getrandbits(128), version=4))

    def _hex(self, digits: int) -> str:
        return f"{self._dice.getrandbits(4 * digits):0{digits}x}"
