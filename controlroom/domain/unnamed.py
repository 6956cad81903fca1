"""The fleet for eyes that have no business with whose logins these are: e-mail addresses become numbers."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from controlroom.domain.model import Fleet

_SCOPE, _OVERAGE = "account ", "overage "


def unnamed(fleet: Fleet) -> Fleet:
    """Give the fleet with `login 1`, `login 2` for logins that an e-mail address names; the same one without any."""
    names = sorted({name for name in _names(fleet) if "@" in name})
    if not names:
        return fleet
    numbers = {name: f"login {number}" for number, name in enumerate(names, 1)}
    hidden = {name: numbers[name] for name in sorted(names, key=len, reverse=True)}
    shown = [replace(one, account=hidden.get(one.account, one.account)) for one in fleet.headroom.values()]
    return replace(
        fleet,
        headroom={one.key: one for one in shown},
        budgets={key: replace(one, scope=_hide(one.scope, hidden)) for key, one in fleet.budgets.items()},
        alarms={_hide(key, hidden): replace(one, text=_hide(one.text, hidden)) for key, one in fleet.alarms.items()},
    )


def _names(fleet: Fleet) -> Iterator[str]:
    """Give the names of logins, wherever they stand."""
    yield from (one.account for one in fleet.headroom.values())
    yield from (one.scope.removeprefix(_SCOPE) for one in fleet.budgets.values() if one.scope.startswith(_SCOPE))
    yield from (key.removeprefix(_OVERAGE) for key in fleet.alarms if key.startswith(_OVERAGE))


def _hide(text: str, hidden: Mapping[str, str]) -> str:
    """Put numbers for addresses, the longest first: one may be a part of another."""
    for name, number in hidden.items():
        text = text.replace(name, number)
    return text
