"""How somebody has arranged the screen, and how that is written down and read again: what is damaged counts as none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from controlroom.domain.display.arrange import Group, Sort
from controlroom.domain.display.panes import MOST, Panes, Pick

_Choice = TypeVar("_Choice", bound=Enum)
_LONGEST = 200
"""Characters of a name that is read."""


@dataclass(frozen=True)
class Layout:
    """Order and groups of the agents, live panes, what is folded, whether long lines are broken."""

    sort: Sort = Sort.NEED
    group: Group = Group.NONE
    panes: Panes = field(default_factory=Panes)
    fold_hosts: bool = False
    """All hosts in one line."""
    fold_limits: bool = False
    """Of budgets and limits the first line only."""
    wrap: bool = True
    """Whether long lines of a log are broken rather than cut."""


def written(layout: Layout) -> dict[str, object]:
    """Give it as JSON has it."""
    panes = layout.panes
    return {
        "sort": layout.sort.value,
        "group": layout.group.value,
        "panes": {"pick": panes.pick.value, "count": panes.count, "of": panes.of, "pinned": list(panes.pinned)},
        "fold_hosts": layout.fold_hosts,
        "fold_limits": layout.fold_limits,
        "wrap": layout.wrap,
    }


def read(known: object) -> Layout:
    """Read what was written; each part that is not as it should be is as it is for somebody new."""
    told: Mapping[str, Any] = known if isinstance(known, dict) else {}
    new = Layout()
    return Layout(
        _choice(told.get("sort"), new.sort),
        _choice(told.get("group"), new.group),
        _panes(told.get("panes")),
        *(_flag(told.get(name), getattr(new, name)) for name in ("fold_hosts", "fold_limits", "wrap")),
    )


def _panes(known: object) -> Panes:
    told: Mapping[str, Any] = known if isinstance(known, dict) else {}
    pick, count, of, pinned = (told.get(name) for name in ("pick", "count", "of", "pinned"))
    fit = (
        type(count) is int and 1 <= count <= MOST,
        _name(of),
        isinstance(pinned, list) and len(pinned) <= MOST and all(map(_name, pinned)),
    )
    if not all(fit):
        return Panes()
    chosen = _choice(pick, Pick.CHOSEN)
    return Panes() if chosen is Pick.HAND and not pinned else Panes(chosen, count, of, tuple(pinned))  # type: ignore[arg-type]


def _choice(value: object, otherwise: _Choice) -> _Choice:
    return next((choice for choice in type(otherwise) if choice.value == value), otherwise)


def _flag(value: object, otherwise: bool) -> bool:
    return value if isinstance(value, bool) else otherwise


def _name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST and (value == "" or value.isprintable())
