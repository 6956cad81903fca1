"""A value of every type that the engine's protocol knows, made from its fields: a new one is tried by itself."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

T = TypeVar("T")

_SCALARS: Mapping[Any, object] = {bool: True, int: 1, float: 1.0, str: "x"}


def sample(cls: type[T], **known: object) -> T:
    """Make a `cls`: fields by name from `known`, else by default, else something of their type."""
    hints = typing.get_type_hints(cls)
    given = {}
    for field in fields(cls):  # type: ignore[arg-type]
        if field.name in known:
            given[field.name] = known[field.name]
        elif field.default is MISSING and field.default_factory is MISSING:
            given[field.name] = _of(hints[field.name], known)
    return cls(**given)


def _of(kind: Any, known: Mapping[str, object]) -> object:
    if kind in _SCALARS:
        return _SCALARS[kind]
    if is_dataclass(kind) and isinstance(kind, type):
        return sample(kind, **known)
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _of(typing.get_args(kind)[0], known)
    return {tuple: (), dict: {}, Mapping: {}}.get(origin, ())
