"""What engine and front ends say to each other, and that a change of it is told."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import is_dataclass
from enum import Enum
from hashlib import sha256

from controlroom.domain.intents import Intent
from controlroom.protocol import messages
from controlroom.text.states import OpenStrEnum

DIGESTS = {15: "16ff6cdf9c2c9d9c"}
"""Of what is said, by the number of the protocol. Only the newest counts."""


def told(kind: object, seen: set[object]) -> Iterator[str]:
    """Yield all that is said of a type and of what is in it, each type once."""
    if isinstance(kind, type) and kind not in seen:
        seen.add(kind)
        if is_dataclass(kind) or hasattr(kind, "_fields"):
            hints = typing.get_type_hints(kind)
            yield f"{kind.__name__}: {', '.join(f'{name} {named(hint)}' for name, hint in hints.items())}"
            for hint in hints.values():
                yield from told(hint, seen)
        elif issubclass(kind, Enum) and not issubclass(kind, OpenStrEnum):
            yield f"{kind.__name__}: {', '.join(str(member.value) for member in kind)}"
    for part in typing.get_args(kind):
        yield from told(part, seen)


def named(hint: object) -> str:
    """A type by its name, whatever its module is called and whatever it is made of."""
    parts = ", ".join(sorted(map(named, typing.get_args(hint))))
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    name = "union" if is_union else getattr(hint, "__name__", str(hint))
    return f"{name}[{parts}]" if parts else name


def test_whoever_says_something_else_has_another_version() -> None:
    """Else an engine of before takes a message for nonsense, and sends its front end away again and again."""
    lines = sorted(told(messages.Request | messages.Told | Intent, set()))
    digest = sha256("\n".join(lines).encode()).hexdigest()[:16]
    assert digest == DIGESTS[messages.PROTOCOL], f"raise PROTOCOL, and note here that it says {digest}"
