"""How much of a plan's windows is used, as Claude tells an agent's run; kept in limits.json for home. UTC ms.

Claude Code 2.1.330, observed: `rate_limit_event` follows an answer that moved a window, and only with a plan's login;
it gives each window's share as a fraction, the answer to `get_usage` as per cent, and so does the status line. A window
that is not named may not exist, or is not known now: it is never taken for an empty one.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

from controlroom.metering.usage import moment
from controlroom.runner import folder
from controlroom.runner.claude.settings import read_entry
from controlroom.runner.files import write_atomic
from controlroom.text.json_fields import table, tables, text, whole
from controlroom.text.sanitize import redact
from controlroom.wire.records import FORMAT

MOST_PERCENT = 1000.0
"""A window cannot be used further than this: it is damage, and nothing is known."""

_MOST_WINDOWS = 32
_NAME_LIMIT = 60
_FAR = 10**14
_QUESTION = "windows"
_OVERAGE = "overage"
_NAMES = {"seven_day_overage_included": "seven_day_fable"}
"""What Claude Code 2.1.330 calls the week of Fable in events (observed); `get_usage` gives it by the model's name."""

IN_USE = "in_use"
"""The status of overage that is being billed."""

_STATUSES = ("allowed", "allowed_warning", "rejected")
_TOKEN = "CLAUDE_CODE_OAUTH_TOKEN"  # noqa: S105 - a name

Window = dict[str, Any]
"""The fields of `wire.usage.WindowSeen` but its name."""


class PlanWindows:
    """What one run has heard of its plan, and the file in the current folder that holds it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {name: environ.get(name, "") for name in ("HOME", "CLAUDE_CONFIG_DIR", _TOKEN)}
        self._account = self._plan = ""
        self._windows: dict[str, Window] = {}
        self._write()  # whose login it is, before anything is known of its windows

    def hear(self, event: Mapping[str, Any], now: int) -> None:
        """Take an event of the stream."""
        if event.get("type") == "rate_limit_event":
            windows = from_event(table(event.get("rate_limit_info")))
            if windows[_OVERAGE]["status"] != IN_USE and _OVERAGE not in self._windows:
                del windows[_OVERAGE]
            self._take(windows, "stream", now)
        response = table(event.get("response")) if event.get("type") == "control_response" else {}
        if response.get("request_id") == _QUESTION:
            self.answered(table(response.get("response")), now)

    @staticmethod
    def question() -> bytes:
        """Return the question that the stream answers with all windows there are."""
        request = {"type": "control_request", "request_id": _QUESTION, "request": {"subtype": "get_usage"}}
        return json.dumps(request).encode() + b"\n"

    def answered(self, usage: Mapping[str, Any], now: int) -> None:
        """Take the answer to `get_usage`."""
        self._plan = text(usage.get("subscription_type"), _NAME_LIMIT) or self._plan
        self._take(from_usage(table(usage.get("rate_limits"))), "get_usage", now)

    def told(self, status_line: Mapping[str, Any], now: int) -> None:
        """Take what Claude tells its status line."""
        self._take(from_usage(table(status_line.get("rate_limits"))), "status line", now)

    def used(self, name: str, now: int) -> float:
        """Return how many per cent of a window are used; 0 when nothing is known of it, or it has begun anew since."""
        window = self._windows.get(name, {})
        over = 0 < window.get("resets", 0) <= now
        return 0.0 if over else window.get("percent") or (100.0 if window.get("status") == "rejected" else 0.0)

    def _take(self, windows: Mapping[str, Window], source: str, now: int) -> None:
        for name, window in list(windows.items())[:_MOST_WINDOWS]:
            self._windows.pop(name, None)
            self._windows[name] = {**window, "at": now, "source": source}
        while len(self._windows) > _MOST_WINDOWS:
            del self._windows[next(iter(self._windows))]
        if windows:
            self._write()

    def _write(self) -> None:
        """Write the file; one that the disk does not take is written the next time."""
        self._account = self._account or account_of(self._environ)
        windows = [{"name": name, **window} for name, window in self._windows.items()]
        fields = {"format": FORMAT, "account": self._account, "plan": self._plan, "windows": windows}
        with contextlib.suppress(OSError):
            write_atomic(folder.LIMITS, redact(json.dumps(fields)).encode(), folder.LIMITS + ".new", durable=False)


def from_event(info: Mapping[str, Any]) -> dict[str, Window]:
    """Read the windows of a `rate_limit_event`: all that it lists, and the one it is about."""
    listed = table(info.get("unifiedWindows"))
    windows = {name: _window(table(listed[name]), 100) for name in _named(listed)}
    about = text(info.get("rateLimitType"), _NAME_LIMIT)
    if about and about not in windows:
        windows[about] = _window(info, 100)
    windows = {_NAMES.get(name, name): window for name, window in windows.items() if _says(window)}
    used = info.get("isUsingOverage") is True or info.get("overageInUse") is True
    beyond = {"utilization": None, "resetsAt": info.get("overageResetsAt")}
    return {**windows, _OVERAGE: {**_window(beyond, 100), "status": IN_USE if used else "allowed"}}


def from_usage(limits: Mapping[str, Any]) -> dict[str, Window]:
    """Read the windows of `get_usage`, or of the status line: shares are per cent there."""
    windows = {name: _window(table(limits[name]), 1) for name in _named(limits)}
    for scoped in tables(limits.get("model_scoped"))[:_MOST_WINDOWS]:
        if model := text(scoped.get("display_name"), 40).lower():
            windows[f"seven_day_{model}"] = _window(scoped, 1)
    return {name: window for name, window in windows.items() if _says(window)}


def _named(windows: Mapping[str, Any]) -> list[str]:
    return [name for name in windows if 0 < len(name) <= _NAME_LIMIT][:_MOST_WINDOWS]


def _says(window: Window) -> bool:
    return window["percent"] is not None or window["status"] == "rejected"


def _window(said: Mapping[str, Any], scale: int) -> Window:
    share = said.get("utilization", said.get("used_percentage"))
    used = isinstance(share, (int, float)) and not isinstance(share, bool) and 0 <= share * scale <= MOST_PERCENT
    status = text(said.get("status"), 40)
    return {
        "percent": round(share * scale, 3) if used and share is not None else None,
        "resets": _time(said.get("resetsAt", said.get("resets_at"))),
        "status": status if status in _STATUSES else "",
    }


def _time(value: object) -> int:
    """Read a time, which is seconds since 1970 or ISO 8601; 0 for anything else."""
    if not isinstance(value, str):
        return whole(value, _FAR // 1000) * 1000
    at = moment(value)
    return at if at <= _FAR else 0


# --------------------------------------------------------------------------- whose login


def account_of(environ: Mapping[str, str]) -> str:
    """Name the login that Claude uses in this environment, "" when its files do not say.

    A token in the environment goes before the login that `claude` keeps, and is named by a few digits of its hash.
    """
    if token := environ.get(_TOKEN):
        import hashlib  # megabytes, and few need it

        return f"token {hashlib.sha256(token.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
    place = environ.get("CLAUDE_CONFIG_DIR") or environ.get("HOME") or os.path.expanduser("~")
    try:
        return _named_login(table(read_entry(os.path.join(place, ".claude.json"), "oauthAccount")))
    except OSError:
        return ""


def _named_login(account: Mapping[str, Any]) -> str:
    """Return its e-mail address, with the organisation when that is not just its own."""
    mail, organization = text(account.get("emailAddress"), 100), text(account.get("organizationName"), 60)
    if not mail or not organization or organization.startswith((mail, mail.partition("@")[0])):
        return mail
    return f"{mail} ({organization})"
