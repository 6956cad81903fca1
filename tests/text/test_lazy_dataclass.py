"""Dataclasses whose methods are compiled when the first of them is called: they do what the standard ones do."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import re
import threading
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Any

import pytest

import controlroom
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Place:
    """Somewhere."""

    name: str
    port: int = 22
    tags: list[str] = field(default_factory=list)
    age: int = field(default=0, compare=False)
    note: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a place has a name")


Standard: Any = dataclasses.dataclass(frozen=True)(
    type(
        "Place",
        (),
        {
            "__module__": __name__,
            "__annotations__": Place.__annotations__,
            "__post_init__": Place.__post_init__,
            "port": 22,
            "tags": field(default_factory=list),
            "age": field(default=0, compare=False),
            "note": field(default="", repr=False),
        },
    )
)


def fresh() -> Any:
    """A class none of whose methods was called yet."""

    @dataclass(frozen=True)
    class Fresh:
        name: str
        port: int = 22

    return Fresh


def test_it_is_built_shown_compared_and_hashed_as_the_standard_one() -> None:
    place, standard = Place("a", age=3, note="n"), Standard("a", age=3, note="n")
    assert repr(place) == repr(standard)
    assert (place == Place("a", age=4, note="n"), place == Place("a"), place == standard) == (True, False, False)
    with pytest.raises(TypeError) as told:
        hash(place)
    assert "unhashable" in str(told.value), "it holds a list"
    assert (Place.__match_args__, inspect.signature(Place)) == (Standard.__match_args__, inspect.signature(Standard))
    assert dataclasses.asdict(place) == dataclasses.asdict(standard)
    assert [(each.name, each.default) for each in dataclasses.fields(Place)] == [
        (each.name, each.default) for each in dataclasses.fields(Standard)
    ]


def test_each_has_what_a_factory_makes_and_its_post_init() -> None:
    assert Place("a").tags is not Place("b").tags
    with pytest.raises(ValueError, match="a place has a name"):
        Place("")


@pytest.mark.parametrize("first", ["__init__", "__repr__", "__eq__", "__hash__"])
def test_whichever_method_is_called_first_has_all_made(first: str) -> None:
    made = fresh()
    value: Any = object.__new__(made)
    value.__dict__.update(name="a", port=1)
    call: dict[str, Callable[[], object]] = {
        "__init__": lambda: made("a", port=1),
        "__repr__": lambda: repr(value),
        "__eq__": lambda: value == value.__class__("a", 1),
        "__hash__": lambda: hash(value),
    }
    assert call[first]()
    assert str(inspect.signature(made)) == "(name: 'str', port: 'int' = 22) -> None"
    assert (made("a", 1), hash(made("a", 1)), repr(made("a", 1))) == (value, hash(value), repr(value))


def test_it_cannot_be_changed_and_replaced_it_is_another() -> None:
    place = Place("a")
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'port'"):
        place.port = 3  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'other'"):
        place.other = 3  # type: ignore[attr-defined]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'port'"):
        del place.port
    assert dataclasses.replace(place, port=3) == Place("a", 3)
    assert pickle.loads(pickle.dumps(place)) == place


def test_what_only_extends_one_may_have_names_of_its_own() -> None:
    named: Any = type("Named", (fresh(),), {})("a")
    named.own = 3
    assert named.own == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        named.port = 3
    del named.own
    with pytest.raises(AttributeError):
        named.own  # noqa: B018 - it asks


def test_a_frozen_one_can_extend_another() -> None:
    @dataclass(frozen=True)
    class Further(Place):
        more: int = 0

    assert repr(Further("a", more=2)).endswith("Further(name='a', port=22, tags=[], age=0, more=2)")
    assert Further("a") != Place("a")


def test_methods_that_a_class_has_itself_are_kept() -> None:
    @dataclass(frozen=True)
    class Own:
        name: str

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "own"

    assert (Own("a") == Own("b"), hash(Own("a")), repr(Own("a"))) == (True, 7, "own")


def test_many_threads_may_be_the_first() -> None:
    for _ in range(50):
        made, barrier = fresh(), threading.Barrier(8)
        values: list[Any] = []

        def build(made: Any = made, barrier: threading.Barrier = barrier, values: list[Any] = values) -> None:
            barrier.wait(30)
            values.append(made("a", port=2))

        threads = [threading.Thread(target=build) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(values)) == 1
        assert len(values) == 8


def test_all_of_ours_are_such() -> None:
    ours = Path(controlroom.__file__).parent
    standard = re.compile(r"from dataclasses import .*\bdataclass\b|@dataclasses\.dataclass")
    files = [path for path in ours.rglob("*.py") if standard.search(path.read_text())]
    assert [path.name for path in files] == ["lazy_dataclass.py"]
