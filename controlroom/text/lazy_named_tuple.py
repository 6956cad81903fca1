"""`NamedTuple` as in `typing`, but what makes a record is compiled when the first one is made.

The standard one compiles a function, makes five more and looks at each annotation, 0.1 ms for a class. A runner knows
more than 50 such classes, and makes records of few: this was a sixth of what a runner did until it was ready.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable

TYPE_CHECKING = False  # as in `typing`, which takes long to load
if TYPE_CHECKING:
    from typing import Any
    from typing import NamedTuple as NamedTuple


def _first_new(cls: "Any", *values: "Any", **named: "Any") -> "Any":
    """Compile what makes records of a class, for all that come after this one."""
    owner = next(one for one in cls.__mro__ if "_fields" in vars(one))
    fields: tuple[str, ...] = owner._fields
    each = "".join(f"{field}, " for field in fields)
    source = f"lambda _cls, {each}: _new(_cls, ({each}))"
    new = eval(source, {"_new": tuple.__new__, "__builtins__": {}})  # noqa: S307 - names that Python has parsed
    new.__name__, new.__qualname__ = "__new__", f"{owner.__name__}.__new__"
    new.__defaults__ = tuple(owner._field_defaults.values())
    owner.__new__ = new
    return new(cls, *values, **named)


class _Records(type):
    """Makes the classes: each is a tuple with names for what it holds, and has no room for more."""

    def __new__(cls, name: str, bases: "tuple[Any, ...]", members: "dict[str, Any]") -> "Any":
        if _Record not in bases:
            return super().__new__(cls, name, bases, members)
        members["__slots__"] = ()
        made: Any = super().__new__(cls, name, bases, members)
        fields = tuple(made.__annotations__)
        made._fields = fields
        made.__match_args__ = fields  # type: ignore[misc]
        made._field_defaults = {field: members[field] for field in fields if field in members}
        if list(made._field_defaults) != [*fields[len(fields) - len(made._field_defaults) :]]:
            raise TypeError(f"{name}: a field without a default follows one that has one")
        while len(_getters) < len(fields):
            _getters.append(_Getter(len(_getters), f"What stands at place {len(_getters)}."))
        for field, getter in zip(fields, _getters):  # noqa: B905 - there are more getters
            setattr(made, field, getter)
        made.__new__ = _first_new
        return made


_Getter: "Callable[[int, str], Any]" = type(vars(namedtuple("_Getter", "field"))["field"])
_getters: "list[Any]" = []
"""What reads a field of a record, by its place."""
_Record: "Any" = None


class _Methods(tuple):  # type: ignore[type-arg]
    """What records can, whatever their fields."""

    __slots__ = ()
    if TYPE_CHECKING:
        _fields: tuple[str, ...]

    @classmethod
    def _make(cls, values: "Iterable[Any]") -> "Any":
        made = tuple.__new__(cls, values)
        if len(made) != len(cls._fields):
            raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
        return made

    def _replace(self, /, **changes: "Any") -> "Any":
        made = self._make(map(changes.pop, self._fields, self))
        if changes:
            raise ValueError(f"Got unexpected field names: {list(changes)!r}")
        return made

    def _asdict(self) -> "dict[str, Any]":
        return dict(zip(self._fields, self, strict=True))

    def __repr__(self) -> str:
        named = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({named})"

    def __getnewargs__(self) -> "tuple[Any, ...]":
        return tuple(self)


if not TYPE_CHECKING:
    NamedTuple = _Record = _Records("NamedTuple", (_Methods,), {"__slots__": ()})
