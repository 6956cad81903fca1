"""What agents that others started are called here."""

import re
import unicodedata
from collections.abc import Container
from itertools import count


def adopted_name(called: str, taken: Container[str]) -> str:
    """Name an agent that others started after what they call it, unlike all that are `taken`: `~work`, `~work-2`."""
    letters = unicodedata.normalize("NFKD", called[:200].lower())
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    plain = re.sub(r"[^a-z0-9_-]+", "-", letters).strip("-")[:32] or "unnamed"
    numbers = (f"~{plain}-{number}" if number > 1 else f"~{plain}" for number in count(1))
    return next(name for name in numbers if name not in taken)
