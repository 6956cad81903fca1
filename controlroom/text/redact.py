"""Secrets are taken out wherever text is shown or written."""

import re

_KEY = re.compile(r"sk-ant-[A-Za-z0-9_-]{4,}")
_KEY_BYTES = re.compile(rb"sk-ant-[A-Za-z0-9_-]{4,}")
HIDDEN = "sk-ant-…"


def redact(text: str) -> str:
    """Replace what looks like an Anthropic key or token (`sk-ant-…`) in `text`."""
    return _KEY.sub(HIDDEN, text) if "sk-ant-" in text else text


def redact_bytes(data: bytes) -> bytes:
    """Replace what looks like an Anthropic key or token in `data`, leaving every other byte as it is."""
    return _KEY_BYTES.sub(HIDDEN.encode(), data) if b"sk-ant-" in data else data
