"""The files beside config.toml that verbs write, whole and in one step: hosts.toml and budgets.toml."""

from typing import Any

from pydantic import ValidationError

from controlroom.domain.intents import AddHost, RemoveHost
from controlroom.domain.money.budget import BudgetRule
from controlroom.engine.config.budget_config import Budgets, BudgetsFile, rule_of, table_of
from controlroom.engine.config.settings import HostTable, RosterFile
from controlroom.engine.config.toml_file import ConfigProblem, write
from controlroom.engine.config.toml_tables import read, sentence
from controlroom.protocol.home import Home
from controlroom.text.sanitize import redact

_HOSTS_HEAD = """\
# Written by `controlroom host add` and `controlroom host remove`: what you write here by hand may be lost.
# Hosts of your own go into config.toml beside it, which Control Room never writes.

"""


def change_hosts(home: Home, intent: AddHost | RemoveHost) -> None:
    """Add or remove a host in hosts.toml. Raises `ConfigProblem`; the file is then as it was."""
    if isinstance(intent, AddHost):
        keep_host(home, intent)
    else:
        drop_host(home, intent.name)


def keep_host(home: Home, host: AddHost) -> None:
    """Write a host into hosts.toml. Raises `ConfigProblem`; the file is then as it was."""
    said = {"address": host.address, "fingerprint": host.fingerprint, "labels": list(host.labels), "size": host.size}
    table = {name: value for name, value in said.items() if value}
    try:
        HostTable.model_validate(table)
    except ValidationError as error:
        raise ConfigProblem(redact(sentence(error.errors()[0], HostTable).removeprefix("address: "))) from None
    _write_hosts(home, {**_added_hosts(home), host.name: table})


def label_host(home: Home, name: str, labels: tuple[str, ...]) -> None:
    """Give a host of hosts.toml these labels. Raises `ConfigProblem`; the file is then as it was."""
    hosts = _added_hosts(home)
    if name not in hosts:
        raise ConfigProblem(f"{name} does not stand in {home.hosts}")
    _write_hosts(home, {**hosts, name: {**hosts[name], "labels": list(labels)}})


def drop_host(home: Home, name: str) -> None:
    """Take a host out of hosts.toml. Raises `ConfigProblem`; the file is then as it was."""
    hosts = _added_hosts(home)
    if hosts.pop(name, None) is not None:
        _write_hosts(home, hosts)


def _added_hosts(home: Home) -> dict[str, dict[str, Any]]:
    hosts_file = read(home.hosts, RosterFile)
    return {name: table.model_dump(exclude_defaults=True) for name, table in hosts_file.hosts.items()}


def _write_hosts(home: Home, hosts: dict[str, dict[str, Any]]) -> None:
    write(home.hosts, _HOSTS_HEAD, {"hosts": hosts} if hosts else {})


_BUDGETS_HEAD = """\
# Written by `controlroom budget set` and `controlroom budget remove`: what you write here by hand may be lost.
# Budgets of your own go into config.toml beside it, which Control Room never writes.

"""


def rules(home: Home, own: Budgets) -> dict[str, BudgetRule]:
    """Return all budgets, those of config.toml (`own`) and those that were set. Raises `ConfigProblem`."""
    added = read(home.budgets, BudgetsFile).budgets
    for name in added:
        if name in own:
            raise ConfigProblem(f"{home.budgets}: budgets.{name}: it stands in config.toml too; take one of them out")
    return {name: rule_of(name, table) for name, table in (own | added).items()}


def keep_budget(home: Home, rule: BudgetRule) -> None:
    """Write a budget into budgets.toml. Raises `ConfigProblem`; the file is then as it was."""
    _write_budgets(home, {**_added_budgets(home), rule.name: rule})


def drop_budget(home: Home, name: str) -> None:
    """Take a budget out of budgets.toml. Raises `ConfigProblem`; the file is then as it was."""
    added = _added_budgets(home)
    if added.pop(name, None) is not None:
        _write_budgets(home, added)


def _added_budgets(home: Home) -> dict[str, BudgetRule]:
    return {name: rule_of(name, table) for name, table in read(home.budgets, BudgetsFile).budgets.items()}


def _write_budgets(home: Home, added: dict[str, BudgetRule]) -> None:
    tables = {name: table_of(rule) for name, rule in sorted(added.items())}
    write(home.budgets, _BUDGETS_HEAD, {"budgets": tables} if tables else {})
