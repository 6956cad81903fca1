"""Reading JSON that may hold anything: each function gives a value of one type, whatever came."""

from typing import Any


def text(value: object, limit: int = 4_000) -> str:
    """`value` when it is text, cut to `limit` characters; else ""."""
    return value[:limit] if isinstance(value, str) else ""


def table(value: object) -> dict[str, Any]:
    """`value` when it is an object; else an empty one."""
    return value if isinstance(value, dict) else {}


def tables(value: object) -> list[dict[str, Any]]:
    """The objects in a list; anything else is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def number(value: object, most: float = 1e15) -> float:
    """A number between 0 and `most`; 0 for anything else (NaN, infinities, booleans, text)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        return 0.0
    return float(value)


def whole(value: object, most: int = 10**15) -> int:
    """A number between 0 and `most` without its fraction; 0 for anything else."""
    return int(number(value, most))
