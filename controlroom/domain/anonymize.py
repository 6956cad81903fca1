"""The fleet for eyes that have no business with whose logins these are: e-mail addresses become numbers."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from controlroom.domain.budgets import ScopeKind, read_scope
from controlroom.domain.gauges import AlarmKind
from controlroom.domain.model import Fleet

_ADDRESS = re.compile(r"[^\s@,;:()]+@[^\s@,;:()]+")


def unnamed(fleet: Fleet) -> Fleet:
    """The fleet with `login 1`, `login 2` for logins that an e-mail address names; the same one without any."""
    hidden = _numbers(fleet)
    if not hidden:
        return fleet
    shown = [replace(one, account=hidden.get(one.account, one.account)) for one in fleet.headroom.values()]
    return replace(
        fleet,
        headroom={one.key: one for one in shown},
        budgets={key: replace(one, scope=_hide(one.scope, hidden)) for key, one in fleet.budgets.items()},
        alarms={
            _hide(key, hidden): replace(alarm, text=_hide(alarm.text, hidden), subject=_hide(alarm.subject, hidden))
            for key, alarm in fleet.alarms.items()
        },
    )


def unnamed_text(fleet: Fleet, text: str) -> str:
    """A text with numbers for the logins of `fleet`; other addresses, but those of its hosts, stay out, too."""
    hosts = {host.address.partition(":")[0] for host in fleet.hosts.values()}
    shown = _hide(text, _numbers(fleet))
    return _ADDRESS.sub(lambda match: match[0] if match[0] in hosts else "a login", shown)


def _numbers(fleet: Fleet) -> Mapping[str, str]:
    """What stands for each login that an e-mail address names, the longest first."""
    names = sorted({name for name in _names(fleet) if "@" in name})
    numbers = {name: f"login {number}" for number, name in enumerate(names, 1)}
    return {name: numbers[name] for name in sorted(names, key=len, reverse=True)}


def _names(fleet: Fleet) -> Iterator[str]:
    """The names of logins, wherever they stand."""
    yield from (one.account for one in fleet.headroom.values())
    scopes = (read_scope(budget.scope) for budget in fleet.budgets.values())
    yield from (scope.name for scope in scopes if scope.kind is ScopeKind.ACCOUNT)
    yield from (alarm.subject for alarm in fleet.alarms.values() if alarm.kind is AlarmKind.OVERAGE)


def _hide(text: str, hidden: Mapping[str, str]) -> str:
    """Put numbers for addresses, the longest first: one may be a part of another."""
    for name, number in hidden.items():
        text = text.replace(name, number)
    return text
