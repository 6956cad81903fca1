"""Records (frozen dataclasses and named tuples) <-> JSON objects, with every field checked on the way in.

Understood: bool, int, float, str, None, `X | None`, tuple[X, ...], dict[str, X], string enums and nested records.
Unknown keys are ignored (a newer end may say more), missing ones take the field's default.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Hashable
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from controlroom.wire.lines import PeerError

T = TypeVar("T")
_Reader = Callable[[Any], Any]

MAX_INT = 2**62
"""Whole numbers from outside beyond this are refused; no time, size or sum of ours comes near."""


def encode(value: Any) -> Any:
    """Turn a record (or a tuple, dict, scalar of such) into what `json.dumps` takes. Defaults are left out."""
    cls: Any = type(value)
    if _is_record(cls):
        return {
            name: item if type(item) in _SCALARS else encode(item)
            for name, default in _defaults(cls)
            if (item := getattr(value, name)) != default
        }
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    return value.value if isinstance(value, Enum) else value


def decode(cls: type[T], value: Any) -> T:
    """Build a `cls` from a JSON value. Raises `PeerError` naming the field that does not fit."""
    try:
        return typing.cast(T, _reader(typing.cast(Hashable, cls))(value))
    except (TypeError, ValueError) as error:
        raise PeerError(f"{cls.__name__}: {error}") from None


@cache
def _is_record(cls: Any) -> bool:
    return dataclasses.is_dataclass(cls) or (issubclass(cls, tuple) and hasattr(cls, "_fields"))


@cache
def _defaults(cls: Any) -> tuple[tuple[str, Any], ...]:
    """Names the fields of `cls`, each with the default that may be left out (a fresh object: never left out)."""
    if issubclass(cls, tuple):
        return tuple((name, cls._field_defaults.get(name, object())) for name in cls._fields)
    return tuple(
        (field.name, object() if field.default is dataclasses.MISSING else field.default)
        for field in dataclasses.fields(cls)
    )


@cache
def _reader(kind: Hashable) -> _Reader:
    origin = typing.get_origin(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    if origin in (typing.Union, types.UnionType):
        return _optional(kind)
    if origin is tuple:
        return _sequence(_reader(typing.get_args(kind)[0]))
    if origin in (dict, typing.get_origin(typing.Mapping[str, int])):
        return _mapping(_reader(typing.get_args(kind)[1]))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    if isinstance(kind, type) and _is_record(kind):
        return _record(kind)
    raise TypeError(f"the codec cannot read {kind}")


def _record(cls: type) -> _Reader:
    hints = typing.get_type_hints(cls)
    readers = tuple((name, _reader(hints[name])) for name, _ in _defaults(cls))

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("expected an object")
        fields, name = {}, ""
        try:
            for name, reader in readers:
                if name in value:
                    fields[name] = reader(value[name])
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}: {error}") from None
        return cls(**fields)

    return read


def _optional(kind: Any) -> _Reader:
    (inner,) = (_reader(part) for part in typing.get_args(kind) if part is not type(None))
    return lambda value: None if value is None else inner(value)


def _sequence(inner: _Reader) -> _Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise ValueError("expected a list")
        return tuple(inner(item) for item in value)

    return read


def _mapping(inner: _Reader) -> _Reader:
    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise ValueError("expected an object with text keys")
        return {key: inner(item) for key, item in value.items()}

    return read


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_INT:
        raise ValueError("expected a whole number in range")
    return value


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= MAX_INT:
        raise ValueError("expected a number in range")
    return float(value)


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text")
    return value


_SCALARS: dict[Any, _Reader] = {bool: _bool, int: _int, float: _float, str: _str}


def base64_size(data: str) -> int:
    """Return the number of bytes that a base64 text stands for."""
    return len(data) * 3 // 4 - data[-2:].count("=")
