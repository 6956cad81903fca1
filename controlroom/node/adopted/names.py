"""What agents that others started are called here."""

import hashlib
import re
import unicodedata
from collections.abc import Container
from itertools import count

_DIGITS = 6


def adopted_name(called: str, taken: Container[str]) -> str:
    """Name an agent that others started after what they call it, unlike all that are `taken`: `~work`, `~work-2`.

    What has letters that our names cannot hold is told apart by digits that follow from all of it: `~session-d3a40f`.
    """
    letters = unicodedata.normalize("NFKD", called[:200].lower())
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    plain = re.sub(r"[^a-z0-9_-]+", "-", letters).strip("-")[:32]
    if any(not letter.isascii() and unicodedata.category(letter)[0] in "LNS" for letter in letters):
        digits = hashlib.sha256(unicodedata.normalize("NFC", called).encode("utf-8", "replace")).hexdigest()[:_DIGITS]
        plain = f"{plain[: 31 - _DIGITS] or 'session'}-{digits}"
    plain = plain or "unnamed"
    names = (f"~{plain}-{number}" if number > 1 else f"~{plain}" for number in count(1))
    return next(name for name in names if name not in taken)
