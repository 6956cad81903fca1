"""`dataclass` as in the standard library, but a frozen class gets its methods when the first of them is called.

The standard one writes and compiles the source of five to seven methods, 0.5 ms for each class. An engine knows more
than 400 such classes, and a process uses few of them: this was half of what a verb or an engine did until it was ready.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any

_PUT_OFF = frozenset({"frozen", "kw_only"})
_COMPILED = ("__init__", "__repr__", "__eq__", "__hash__")

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls: type | None = None, /, **options: Any) -> Any:
        """Make a dataclass, with the options of `dataclasses.dataclass`."""
        if cls is None:
            return partial(dataclass, **options)
        if not options.get("frozen") or options.keys() - _PUT_OFF or cls.__bases__ != (object,):
            return dataclasses.dataclass(cls, **options)
        return _put_off(cls, options)


def _put_off(cls: Any, options: dict[str, Any]) -> Any:
    """Give a class its fields, and in place of each method one that has them compiled."""
    names = [name for name in _COMPILED if name not in vars(cls)]
    source = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    source["__qualname__"] = cls.__qualname__
    cls.__doc__ = cls.__doc__ or cls.__name__  # the standard one would look for the signature
    bare = dataclasses.dataclass(cls, init=False, repr=False, eq=False, kw_only=options.get("kw_only", False))
    bare.__dataclass_params__.frozen = True
    bare.__setattr__, bare.__delattr__ = _refuse_to_set, _refuse_to_delete
    compile_all = _Compiling(bare, names, source, options)
    for name in names:
        setattr(bare, name, _first_call(bare, name, compile_all))
    return bare


class _Compiling:
    """Compiles the methods of one class, once, whoever comes first: from a copy of it, so that it is never without."""

    def __init__(self, cls: type, names: list[str], source: dict[str, Any], options: dict[str, Any]) -> None:
        self._cls, self._names, self._source, self._options = cls, names, source, options

    def __call__(self) -> None:
        with _compiling:
            if self._names:
                made: Any = dataclasses.dataclass(type(self._cls.__name__, (), self._source), **self._options)
                for name in self._names:
                    setattr(self._cls, name, vars(made)[name])
                self._names, self._source = [], {}


_compiling = RLock()


def _first_call(cls: type, name: str, compile_all: Callable[[], None]) -> Callable[..., Any]:
    def method(self: Any, *values: Any, **named: Any) -> Any:
        compile_all()
        return vars(cls)[name](self, *values, **named)

    return method


def _refuse_to_set(self: object, name: str, value: object) -> None:
    if _is_frozen(self, name):
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _refuse_to_delete(self: object, name: str) -> None:
    if _is_frozen(self, name):
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


def _is_frozen(value: object, name: str) -> bool:
    """Return whether a name cannot be set: of a class that only extends a frozen one, its fields alone."""
    cls: Any = type(value)
    return "__dataclass_fields__" in vars(cls) or name in cls.__dataclass_fields__
