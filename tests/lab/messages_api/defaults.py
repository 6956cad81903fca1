"""What the stand-in answers when nobody says otherwise, and the words of the real API."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

CONFIG: Json = {
    "mode": "ok",  # ok, or an HTTP error status
    "mode_times": None,  # how many requests the error mode lasts; None: for ever
    "mode_models": None,  # only for models that contain one of these
    "text": "Done. This is the stand-in for the Messages API answering.",
    "aux_text": "A title",
    "classifier_text": "<block>no</block>",  # for Claude Code's auto-mode safety classifier
    "chunks": 4,  # text deltas of one answer
    "chunk_delay": 0.0,  # seconds between two deltas
    "first_delay": 0.0,  # seconds before the first event
    "retry_after": None,  # seconds, on 429, 503 and 529; None: no such header
    "should_retry": None,  # x-should-retry on errors: "true" or "false"
    "error_message": None,  # in place of the usual message
    "error_details": None,  # a dict for error.details
    "usage": None,  # fixed usage numbers
    "message_ids": "each",  # or "null", "empty", "absent", as gateways give them
    "service_tier": "standard",
    "ratelimit": "api",  # which headers: api, unified (plans), both, none
    "limits": {"requests": 4000, "input-tokens": 2000000, "output-tokens": 400000, "tokens": 2400000},
    "unified": {
        "status": "allowed",
        "claim": "five_hour",
        "5h_utilization": 0.37,
        "5h_reset_in": 7200,
        "7d_utilization": 0.61,
        "7d_reset_in": 259200,
        "overage_status": "rejected",
        "overage_disabled_reason": "org_level_disabled",
        "fallback_percentage": 0.5,
    },
    "ceilings": {  # what the Rate Limits API says, by model: limiter type -> value
        "claude-opus-5-5": {
            "requests_per_minute": 4000,
            "input_tokens_per_minute_cache_aware": 2000000,
            "output_tokens_per_minute": 400000,
            "tool_uses_per_second": 10,
        },
        "claude-sonnet-4-6": {"requests_per_minute": 50, "input_tokens_per_minute": 30000},
    },
    "other_status": 404,  # answer to unknown paths
    "require_key": None,  # 401 unless x-api-key or the bearer token is this
    "of_keys": {},  # by x-api-key or bearer token: "mode", "ratelimit" and "unified" in place of those above
}

ERRORS = {
    400: ("invalid_request_error", "messages: at least one message is required"),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the Anthropic API."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "model: not found"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: (
        "rate_limit_error",
        "This request would exceed your organization's rate limit of 2,000,000 input tokens per minute.",
    ),
    500: ("api_error", "Internal server error"),
    503: ("api_error", "Service unavailable"),
    504: ("timeout_error", "Request timed out"),
    529: ("overloaded_error", "Overloaded"),
}

MODELS = (
    "claude-fable-5-2",
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-sonnet-4-6",
    "claude-haiku-4-5",
)
