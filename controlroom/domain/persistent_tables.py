"""Persistent tables: records by key that never change. A changed table is another one, which shares what is the same.

A change costs about the square root of the table's size: to copy a dict of ten thousand agents for each line that one
of them says would cost a core. The order is that of a dict. (`immutables.Map` takes log n, but is ordered by salted
hashes: what goes through it, as the simulated fleet does, would differ from process to process.)
"""

from abc import abstractmethod
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from functools import lru_cache
from math import isqrt
from typing import Any, TypeVar, cast

V = TypeVar("V")

_FEW = 32
"""Changes that are kept beside what they change at least, before both are made one dict."""

_GONE: Any = object()


class _Records(Mapping[str, V]):
    """What both kinds of tables have in common: the views of a dict that `whole` makes, once, when it is asked for."""

    __slots__ = ("_size",)

    _size: int

    @abstractmethod
    def whole(self) -> dict[str, V]:
        """All as a dict, and keep it."""

    def __getitem__(self, key: str) -> V:
        value = self.get(key, _GONE)
        if value is _GONE:
            raise KeyError(key)
        return cast(V, value)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key, _GONE) is not _GONE

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[str]:
        return iter(self.whole())

    def keys(self) -> KeysView[str]:
        """All keys."""
        return self.whole().keys()

    def values(self) -> ValuesView[V]:
        """All records."""
        return self.whole().values()

    def items(self) -> ItemsView[str, V]:
        """All keys with their records."""
        return self.whole().items()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.whole()!r})"


class Table(_Records[V]):
    """Records by key."""

    __slots__ = ("_base", "_over")

    def __init__(self, records: Mapping[str, V] | None = None) -> None:
        self._base: dict[str, V] = dict(records or {})
        """Shared with other tables: never changed in place."""
        self._over: dict[str, V] = {}
        """What is different from that. It is read before `_base` is, as both are replaced by one dict (`whole`)."""
        self._size = len(self._base)

    def updated(self, put: Mapping[str, V], dropped: Iterable[str] = ()) -> "Table[V]":
        """The table with these records put, and then those dropped; this one when there are none."""
        dropped = tuple(dropped)
        if not put and not dropped:
            return self
        made: Table[V] = Table.__new__(Table)
        over, size = dict(self._over), self._size
        base = self._base
        for key, value in put.items():
            size += over.get(key, base.get(key, _GONE)) is _GONE
            over[key] = value
        for key in dropped:
            size -= over.get(key, base.get(key, _GONE)) is not _GONE
            over[key] = _GONE
        made._base, made._over, made._size = base, over, size
        if len(over) > max(_FEW, isqrt(len(base))):
            made.whole()
        return made

    def get(self, key: str, default: Any = None) -> Any:
        """A record, or something else where there is none."""
        value = self._over.get(key, self)
        if value is self:
            return self._base.get(key, default)
        return default if value is _GONE else value

    def whole(self) -> dict[str, V]:
        """All as a dict, and keep it: threads may read meanwhile, and find the same before and after."""
        over = self._over
        if over:
            whole = {**self._base, **over}
            if len(whole) != self._size:
                whole = {key: value for key, value in whole.items() if value is not _GONE}
            self._base = whole
            self._over = {}
        return self._base

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, Table):
            return self.whole() == other.whole()
        return self.whole() == other


class HostedTable(_Records[V]):
    """Records by `host/name`, which knows those of each host. Those that others started (`host/~name`) are apart."""

    __slots__ = ("_all", "_parts")

    def __init__(self, records: Mapping[str, V] | None = None) -> None:
        self._parts: dict[str, Table[V]] = {}
        self._all: dict[str, V] | None = None
        self._size = 0
        if records:
            self._parts = HostedTable[V]().updated(records)._parts
            self._size = len(records)

    def updated(self, put: Mapping[str, V], dropped: Iterable[str] = ()) -> "HostedTable[V]":
        """The table with these records put, and then those dropped; this one when there are none."""
        dropped = tuple(dropped)
        if not put and not dropped:
            return self
        made: HostedTable[V] = HostedTable.__new__(HostedTable)
        made._all, made._parts, made._size = None, dict(self._parts), self._size
        changed: dict[str, tuple[dict[str, V], list[str]]] = {}
        for key, value in put.items():
            changed.setdefault(_part_of(key), ({}, []))[0][key] = value
        for key in dropped:
            changed.setdefault(_part_of(key), ({}, []))[1].append(key)
        for part, (new, gone) in changed.items():
            before = made._parts.get(part) or Table()
            after = before.updated(new, gone)
            made._size += len(after) - len(before)
            made._parts[part] = after
            if not after:
                del made._parts[part]
        return made

    def on(self, host: str) -> Mapping[str, V]:
        """The records of what we started on a host."""
        return self._parts.get(host) or {}

    def adopted_on(self, host: str) -> Mapping[str, V]:
        """The records of what others started on a host."""
        return self._parts.get(f"{host}/~") or {}

    def get(self, key: str, default: Any = None) -> Any:
        """A record, or something else where there is none."""
        part = self._parts.get(_part_of(key))
        return default if part is None else part.get(key, default)

    def whole(self) -> dict[str, V]:
        """All as a dict, and keep it."""
        whole = self._all
        if whole is None:
            whole = {}
            for part in self._parts.values():
                whole.update(part.whole())
            self._all = whole
        return whole

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, HostedTable):
            return self._parts == other._parts
        return self.whole() == other


@lru_cache(1 << 14)
def _part_of(key: str) -> str:
    """What a key's record is kept under: its host, with `/~` for what others started there."""
    host, _, name = key.partition("/")
    return f"{host}/~" if name.startswith("~") else host


def differing(old: Mapping[str, V], new: Mapping[str, V]) -> set[str]:
    """Name the records by host that are another object in one than in the other, or are in one of them only."""
    if old is new:
        return set()
    before, after = hosted(old), hosted(new)
    changed: set[str] = set()
    for part in {**before._parts, **after._parts}:
        changed |= changed_keys(before._parts.get(part) or Table(), after._parts.get(part) or Table())
    return changed


def changed_keys(old: Table[V], new: Table[V]) -> set[str]:
    """Name the records that are another object in one than in the other, or are in one of them only.

    What lies over the same dict is compared, else the dicts.
    """
    if old is new:
        return set()
    over = {**old._over, **new._over}
    if old._base is new._base:
        return {key for key in over if old.get(key, _GONE) is not new.get(key, _GONE)}
    before, after = old.whole(), new.whole()
    return {key for key, value in after.items() if before.get(key, _GONE) is not value} | (before.keys() - after.keys())


def table(records: Mapping[str, V]) -> Table[V]:
    """Records as a table: themselves, if they are one."""
    return records if isinstance(records, Table) else Table(records)


def hosted(records: Mapping[str, V]) -> HostedTable[V]:
    """Records as a table by host: themselves, if they are one."""
    return records if isinstance(records, HostedTable) else HostedTable(records)
