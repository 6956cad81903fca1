"""The rate-limit headers of both families: requests and tokens a minute, and the windows of a plan."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

from tests.lab.messages_api.defaults import Json

WINDOWS = {"five_hour": "5h", "seven_day": "7d"}
WARNING = 0.75  # utilisation above which the API names a surpassed threshold


def rfc3339(seconds_ahead: float) -> str:
    at = datetime.now(timezone.utc) + timedelta(seconds=seconds_ahead)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def bucket_headers(config: Json, used: dict[str, int], status: int) -> dict[str, str]:
    """anthropic-ratelimit-{requests,tokens,...}-{limit,remaining,reset}."""
    headers = {}
    limited = status == 429
    for name, limit in config["limits"].items():
        left = 0 if limited else max(0, limit - used.get(name, 0))
        headers[f"anthropic-ratelimit-{name}-limit"] = str(limit)
        headers[f"anthropic-ratelimit-{name}-remaining"] = str(left)
        headers[f"anthropic-ratelimit-{name}-reset"] = rfc3339((config["retry_after"] or 30) if limited else 1)
    return headers


def window_headers(plan: Json, status: int) -> dict[str, str]:
    """anthropic-ratelimit-unified-*, what plan logins get."""
    now, limited = int(time.time()), status == 429
    claimed = WINDOWS.get(plan["claim"], "5h")
    state = "rejected" if limited else plan["status"]
    headers = {
        "status": state,
        "representative-claim": plan["claim"],
        "reset": str(now + int(plan[f"{claimed}_reset_in"])),
        "fallback-percentage": str(plan["fallback_percentage"]),
        "overage-status": plan["overage_status"],
    }
    if plan.get("overage_disabled_reason"):
        headers["overage-disabled-reason"] = plan["overage_disabled_reason"]
    for window in WINDOWS.values():
        used = 1.0 if limited and window == claimed else plan[f"{window}_utilization"]
        headers[f"{window}-status"] = state if window == claimed else "allowed"
        headers[f"{window}-reset"] = str(now + int(plan[f"{window}_reset_in"]))
        headers[f"{window}-utilization"] = str(used)
        if used >= WARNING:
            headers[f"{window}-surpassed-threshold"] = str(WARNING)
    return {f"anthropic-ratelimit-unified-{name}": value for name, value in headers.items()}


def headers(config: Json, used: dict[str, int], status: int) -> dict[str, str]:
    """All rate-limit headers of an answer with this status."""
    family = config["ratelimit"]
    return {
        **(bucket_headers(config, used, status) if family in ("api", "both") else {}),
        **(window_headers(config["unified"], status) if family in ("unified", "both") else {}),
    }


def organization(ceilings: Json) -> Json:
    """GET /v1/organizations/rate_limits as of 2026-10-21: an entry for each class of models, and one for batches."""
    entries = [
        {
            "type": "rate_limit",
            "id": f"rl_{number}",
            "group": {"type": "model_group", "id": f"rlg_{number}", "display_name": model},
            "models": [model],
            "limits": [{"type": kind, "value": value} for kind, value in limits.items()],
        }
        for number, (model, limits) in enumerate(ceilings.items())
    ]
    batch = {
        "type": "rate_limit",
        "id": "rl_batch",
        "group": {"type": "batch", "id": "rlg_batch", "display_name": "Batches"},
        "models": None,
        "limits": [{"type": "enqueued_batch_requests", "value": 200_000}],
    }
    return {"data": [*entries, batch], "has_more": False, "next_page": None}
