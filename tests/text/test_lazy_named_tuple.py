"""Named tuples of ours are compiled when the first is made, and do what the standard ones do."""

from __future__ import annotations

import ast
import copy
import pickle
import threading
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import controlroom
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern


class Place(NamedTuple):
    """Somewhere."""

    name: str
    port: int = 22
    tags: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        return f"{self.name}:{self.port}"


class Nothing(NamedTuple):
    """A message without fields."""


class Standard(typing.NamedTuple):
    name: str
    port: int = 22
    tags: tuple[str, ...] = ()


DOES: list[Callable[[Any], object]] = [
    lambda cls: tuple(cls("a")),
    lambda cls: tuple(cls("a", tags=("x",))),
    lambda cls: cls("a", 3) == ("a", 3, ()),
    lambda cls: hash(cls("a")),
    lambda cls: cls("a", 3)._asdict(),
    lambda cls: tuple(cls("a")._replace(port=9)),
    lambda cls: tuple(cls._make(["a", 1, ()])),
    lambda cls: repr(cls("a")).partition("(")[2],
    lambda cls: cls("a").port + cls("a", 1).port,
    lambda cls: [copy.copy(cls("a")) == cls("a"), copy.deepcopy(cls("a")), cls._fields, cls._field_defaults],
    lambda cls: [cls.__match_args__, typing.get_type_hints(cls), cls.__slots__],
    lambda cls: sorted([cls("b"), cls("a", 3), cls("a", 2)]),
]
REFUSES: list[Callable[[Any], object]] = [
    lambda cls: cls(),
    lambda cls: cls("a", 1, (), 4),
    lambda cls: cls("a", colour="red"),
    lambda cls: cls("a", name="b"),
    lambda cls: cls._make(["a"]),
    lambda cls: cls("a")._replace(colour="red"),
    lambda cls: setattr(cls("a"), "port", 1),
    lambda cls: setattr(cls("a"), "colour", 1),
]


@pytest.mark.parametrize("does", DOES)
def test_it_does_what_the_standard_one_does(does: Callable[[Any], object]) -> None:
    assert does(Place) == does(Standard)


@pytest.mark.parametrize("refuses", REFUSES)
def test_it_refuses_what_the_standard_one_refuses(refuses: Callable[[Any], object]) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)) as ours:
        refuses(Place)
    with pytest.raises(type(ours.value)):
        refuses(Standard)


def test_it_has_what_its_class_adds_and_travels() -> None:
    assert Place("vm1").address == "vm1:22"
    assert pickle.loads(pickle.dumps(Place("vm1", 1))) == Place("vm1", 1)
    assert type(pickle.loads(pickle.dumps(Place("vm1")))) is Place
    assert (Nothing(), repr(Nothing()), Nothing._fields) == ((), "Nothing()", ())


def test_a_class_that_extends_one_makes_its_own() -> None:
    class Near(Place):
        pass

    assert type(Near("a")) is Near
    assert type(Place("a")) is Place
    assert Near("a", 2)._replace(port=3).address == "a:3"


def test_a_field_without_a_default_does_not_follow_one_with_one() -> None:
    with pytest.raises(TypeError, match="without a default"):

        class Wrong(NamedTuple):
            name: str = ""
            port: int  # type: ignore[misc]


def test_threads_that_come_first_together_all_get_theirs() -> None:
    class Fresh(NamedTuple):
        name: str
        port: int = 22

    barrier, made = threading.Barrier(8), []

    def build() -> None:
        barrier.wait(30)
        made.append(Fresh("a", port=2))

    threads = [threading.Thread(target=build) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [("a", 2)] * 8


def test_a_pattern_does_what_a_compiled_one_does() -> None:
    words, octets = pattern("(a+)b?"), pattern(rb"\d+")
    assert words.fullmatch("aab")[1] == "aa"  # type: ignore[index]
    assert words.sub("x", "abc") == "xc"
    assert octets.findall(b"1 22") == [b"1", b"22"]
    assert (words.pattern, words.groups) == ("(a+)b?", 1)


def test_what_travels_to_hosts_has_no_others() -> None:
    ours = Path(controlroom.__file__).parent
    for path in (
        path for floor in ("runner", "wire", "metering", "text", "node") for path in (ours / floor).rglob("*.py")
    ):
        if path.name == "lazy_named_tuple.py":
            continue
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        names = {alias.name for node in imports if node.module == "typing" for alias in node.names}
        assert "NamedTuple" not in names, path
