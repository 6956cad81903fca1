"""Asks the API about limits, in a process of its own: the package `anthropic` takes 74 MB and most of a second.

    python -m controlroom.engine.limits.api_process

reads one JSON object on stdin, `{"key": …, "url": …, "probe": [MODEL, …]}` or, without `probe`, for the ceilings of
the organisation (Rate Limits API), and prints one: `{"ceilings": {MODEL: {KIND: N}}}`, `{"headers": {MODEL: {NAME:
VALUE}}}` or `{"problem": …}`. The key comes and goes with this process; it stands in no argument and no log.
"""

import json
import sys
from collections.abc import Iterable
from itertools import islice
from typing import Any

from controlroom.text.sanitize import redact

SECONDS = 30.0
MOST_MODELS = 20
_MOST_GROUPS = 1_000

_KINDS = {
    "requests_per_minute": "requests",
    "input_tokens_per_minute": "input",
    "input_tokens_per_minute_cache_aware": "input",
    "output_tokens_per_minute": "output",
}
"""Both names that the API's two versions have for input (2023-06-01 and 2026-10-21)."""

_HEADERS = "anthropic-ratelimit-"

Answer = dict[str, Any]


def ceilings(client: Any) -> Answer:
    """Read the organisation's ceilings, by model."""
    by_model: dict[str, dict[str, int]] = {}
    for entry in islice(client.organization.rate_limits.list(group_type="model_group"), _MOST_GROUPS):
        if getattr(entry.group, "type", "") != "model_group":
            continue
        limits = dict(_limits(entry.limits or ()))
        for model in entry.models or ():
            by_model.setdefault(str(model), {}).update(limits)
    return {"ceilings": by_model}


def _limits(limits: Iterable[Any]) -> Iterable[tuple[str, int]]:
    for limit in limits:
        kind, value = _KINDS.get(str(getattr(limit, "type", ""))), getattr(limit, "value", None)
        if kind and isinstance(value, int) and not isinstance(value, bool):
            yield kind, value


def headers(client: Any, models: Iterable[str]) -> Answer:
    """Send each model a message of one token, and give what the answers' headers say of limits; 429 says it too."""
    from anthropic import APIStatusError

    by_model: dict[str, dict[str, str]] = {}
    problem = ""
    for model in list(models)[:MOST_MODELS]:
        asked = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "."}]}
        try:
            answered = client.messages.with_raw_response.create(**asked).headers
        except APIStatusError as error:
            answered, problem = error.response.headers, f"{model}: {error}"
        by_model[model] = {name.lower(): value for name, value in answered.items() if name.lower().startswith(_HEADERS)}
    said = any(by_model.values())
    return {"headers": by_model} if said or not problem else {"problem": redact(problem)[:300]}


def ask(wanted: Answer) -> Answer:
    """Ask what is wanted; what goes wrong is said in a sentence."""
    from anthropic import Anthropic, AnthropicError

    url = wanted.get("url") or "https://api.anthropic.com"
    try:
        client = Anthropic(api_key=wanted["key"], base_url=url, max_retries=0, timeout=SECONDS)
        return headers(client, wanted["probe"]) if "probe" in wanted else ceilings(client)
    except AnthropicError as error:
        return {"problem": redact(f"{type(error).__name__}: {error}")[:300]}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(ask(json.loads(sys.stdin.read()))) + "\n")
