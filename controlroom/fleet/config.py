"""The room's config: TOML, every key checked, one sentence about the first thing that is wrong.

`config.toml` belongs to the user and is never written by us; `hosts.toml` beside it holds what `host add` was told.
"""

import json
import os
from pathlib import Path
from typing import Any, TypeVar, get_args

import tomli_w
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from controlroom.domain import model
from controlroom.domain.budget import BudgetRule
from controlroom.domain.intents import AddHost, RemoveHost
from controlroom.domain.words import nearest
from controlroom.fleet import notify_settings
from controlroom.fleet.home import Home
from controlroom.fleet.money_settings import find_zone
from controlroom.fleet.purses import Purses
from controlroom.fleet.settings import (
    SINGLE,
    TABLES,
    ConfigFile,
    FileCredential,
    HostTable,
    ProfileTable,
    RosterFile,
    Table,
)
from controlroom.fleet.toml_file import ConfigProblem as ConfigProblem
from controlroom.fleet.toml_file import parsed
from controlroom.fleet.veil import Withheld
from controlroom.meter.names import LOCAL
from controlroom.meter.redact import redact
from controlroom.wire.spec import AgentSpec, Credential

_MEBIBYTE = 1024 * 1024

_ROSTER_HEAD = """\
# Written by `controlroom host add` and `controlroom host remove`: what you write here by hand may be lost.
# Hosts of your own go into config.toml beside it, which Control Room never writes.

"""

F = TypeVar("F", bound=Table)


class Config:
    """The settings of a room, in the engine's terms."""

    def __init__(self, file: ConfigFile, roster: RosterFile, budgets: dict[str, BudgetRule] | None = None) -> None:
        tables = {**file.hosts, **roster.hosts}
        here = {LOCAL: LOCAL} if file.local else {}
        self.hosts = {**here, **{name: table.address for name, table in tables.items()}}
        """Name -> address of every host, this machine first."""
        self.fingerprints = {name: table.fingerprint for name, table in tables.items() if table.fingerprint}
        self.fixed = frozenset({*here, *file.hosts})
        """Hosts that only the user takes out, by hand."""
        self.home = file.home
        """Where the room's engine is, "" for this machine."""
        self.adopt = file.adopt
        """Whether agents that others started are shown."""
        self.limits = model.Limits(file.limits.memory_per_agent_mb * _MEBIBYTE, tuple(file.money.cheaper))
        self.withheld = Withheld(not file.watch.tasks, not file.watch.logs, not file.watch.accounts)
        """What watchers do not get to see."""
        self.outlets = notify_settings.outlets(file.notify)
        """Who is told what happens while nobody looks."""
        self.budgets = budgets or {}
        """By name."""
        self.fixed_budgets = frozenset(file.budgets)
        """Budgets that only the user changes, by hand."""
        self.money = file.money
        self.zone = find_zone(file.money.time_zone, os.environ.get("TZ", ""))
        """Where the operator's days begin."""
        self.profiles = {name: _profile(name, table) for name, table in file.profiles.items()}
        self.plan, self.api = file.plan, file.api
        """What limits are held against, as it stands in the file."""
        self._specs = {name: _spec(name, table) for name, table in file.profiles.items()}

    def purses(self) -> Purses:
        """Give the budgets to begin with."""
        alone = self.money.alone
        return Purses(self.budgets, self.zone, None if isinstance(alone, str) else alone)

    def spec(self, profile: str) -> AgentSpec:
        """Give how to run an agent of `profile`, environment and credential included; "" is no profile."""
        return self._specs.get(profile, AgentSpec())


def load(home: Home) -> Config:
    """Read config.toml and hosts.toml; a missing file is an empty one. Raises `ConfigProblem` with one sentence."""
    file, roster = read(home.config, ConfigFile), read(home.hosts, RosterFile)
    for name in roster.hosts:
        if name in file.hosts:
            raise ConfigProblem(f"{home.hosts}: hosts.{name}: it stands in config.toml too; take one of them out")
    from controlroom.fleet.budget_file import rules  # it reads its file with what is here

    return Config(file, roster, rules(home, file.budgets))


def change_hosts(home: Home, intent: AddHost | RemoveHost) -> None:
    """Do in hosts.toml what an intent wants of the room's hosts. Raises `ConfigProblem`; the file is then as it was."""
    if isinstance(intent, AddHost):
        add_host(home, intent.name, intent.address, intent.fingerprint)
    else:
        remove_host(home, intent.name)


def add_host(home: Home, name: str, address: str, fingerprint: str = "") -> None:
    """Write a host into hosts.toml. Raises `ConfigProblem`; the file is then as it was."""
    table = {"address": address, **({"fingerprint": fingerprint} if fingerprint else {})}
    try:
        HostTable.model_validate(table)
    except ValidationError as error:
        raise ConfigProblem(redact(_problem(error.errors()[0], HostTable).removeprefix("address: "))) from None
    _write_roster(home.hosts, {**_listed(home), name: table})


def remove_host(home: Home, name: str) -> None:
    """Take a host out of hosts.toml. Raises `ConfigProblem`; the file is then as it was."""
    hosts = _listed(home)
    if hosts.pop(name, None) is not None:
        _write_roster(home.hosts, hosts)


def _listed(home: Home) -> dict[str, dict[str, str]]:
    roster = read(home.hosts, RosterFile)
    return {name: table.model_dump(exclude_defaults=True) for name, table in roster.hosts.items()}


def _write_roster(path: Path, hosts: dict[str, dict[str, str]]) -> None:
    try:
        replace_file(path, (_ROSTER_HEAD + tomli_w.dumps({"hosts": hosts} if hosts else {})).encode())
    except OSError as error:
        raise ConfigProblem(f"{path} cannot be written: {error.strerror}") from None


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file in one step: whoever reads it sees the old one or the new one, also after a power cut."""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# --------------------------------------------------------------------------- reading, and saying what is wrong


def read(path: Path, kind: type[F]) -> F:
    """Read a TOML file of ours as `kind`; a missing one is an empty one. Raises `ConfigProblem` with one sentence."""
    return _checked(str(path), kind, parsed(path))


def _checked(where: str, kind: type[F], values: dict[str, Any]) -> F:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        wrong = error.errors(include_url=False)
        first, *more = sorted(wrong, key=lambda details: details["type"] != "extra_forbidden")  # a typo explains others
        others = len({details["loc"][:3] for details in more} - {first["loc"][:3]})
        also = f" ({others} more after this one)" if others else ""
        raise ConfigProblem(redact(f"{where}: {_problem(first, kind)}{also}")) from None


def _problem(error: ErrorDetails, root: type[Table]) -> str:
    place = [str(part) for part in error["loc"]]
    if "credential" in place[:3]:
        place = place[:3]
        return f'{".".join(place)}: expected "plan", {{ file = "…" }} or {{ command = ["…", "…"] }}'
    if place[0] == "api" and place[1:2] in (["admin_key"], ["key"]):
        return f'{".".join(place[:2])}: expected {{ file = "…" }} or {{ command = ["…", "…"] }}'
    key = ".".join(place)
    if error["type"] == "extra_forbidden":
        known = list(_table(root, place[:-1]).model_fields)
        return f"{key} is not a setting{nearest(place[-1], known) or ': there are ' + ', '.join(known)}"
    if error["type"] == "missing":
        return f"{key} is missing: {_description(root, place)}"
    if error["type"] == "value_error":
        return f"{key}: {error['msg'].removeprefix('Value error, ')}"
    return f"{key}: found {_found(place, error['input'])}, expected {_expected(error)}"


_EXPECTED = {
    "string_type": 'text in quotes, like "this"',
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": 'a list, like ["this", "that"]',
    "dict_type": "a table",
    "model_type": "a table",
    "finite_number": "a number",
    "string_too_short": "text",
    "too_short": "at least one word",
}


def _expected(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "literal_error":
            return str(context["expected"])
        case "greater_than_equal":
            return f"{context['ge']:g} or more"
        case "less_than_equal":
            return f"{context['le']:g} or less"
        case "string_too_long":
            return f"at most {context['max_length']} characters"
        case kind:
            return _EXPECTED.get(kind) or error["msg"][:1].lower() + error["msg"][1:]


def _found(place: list[str], value: object) -> str:
    """Show what stands there; of an environment only its type, for it may be a secret."""
    if "env" in place:
        return {str: "text", int: "a number", float: "a number", bool: "true or false", list: "a list"}.get(
            type(value), "something else"
        )
    return json.dumps(value, ensure_ascii=True, default=str)[:60]


def _table(root: type[Table], place: list[str]) -> type[Table]:
    """Find the table that the key path `place` names; own names and places in a list are a step each."""
    kind: Any = root
    for part in place:
        if isinstance(kind, type) and issubclass(kind, Table):
            field = kind.model_fields.get(part)
            kind = field.annotation if field else root
            if type(None) in get_args(kind):
                kind = get_args(kind)[0]
        else:
            kind = (root, *get_args(kind))[-1]
    return kind if isinstance(kind, type) and issubclass(kind, Table) else root


def _description(root: type[Table], place: list[str]) -> str:
    field = _table(root, place[:-1]).model_fields.get(place[-1])
    return (field.description if field else "") or "it is needed"


# --------------------------------------------------------------------------- in the engine's terms


def _profile(name: str, table: ProfileTable) -> model.Profile:
    work = table.kind, tuple(table.command), table.model, table.permission_mode, table.cwd
    return model.Profile(name, *work, table.priority, "plan" if table.credential == "plan" else "")


def _spec(name: str, table: ProfileTable) -> AgentSpec:
    return AgentSpec(
        kind=table.kind,
        command=tuple(table.command),
        profile=name,
        model=table.model,
        permission_mode=table.permission_mode,
        cwd=table.cwd,
        env=dict(table.env),
        env_file=table.env_file,
        credential=_credential(table),
        max_hours=float(table.max_hours),
        max_log_bytes=table.max_log_mb * _MEBIBYTE,
        max_turns=table.max_turns,
        max_output_tokens=table.max_output_tokens,
        max_budget_usd=str(table.max_budget_usd),
    )


def _credential(table: ProfileTable) -> Credential:
    given = table.credential
    if given is None or isinstance(given, str):
        return Credential(plan=given == "plan")
    if isinstance(given, FileCredential):
        return Credential(file=given.file)
    return Credential(command=tuple(given.command))


# --------------------------------------------------------------------------- the reference


def reference() -> str:
    """Give config.toml with every setting commented out at its default, each with its meaning."""
    lines = [
        "# Control Room's config. What is commented out is the default; address and credential have none.",
        "# NAME is yours to choose.",
        "",
    ]
    for name, field in ConfigFile.model_fields.items():
        if name not in TABLES and name != "keys":
            lines += [f"# {field.description}", f"# {name} = {_toml(field.default)}", ""]
    for name, table in TABLES.items():
        lines += [f"# {ConfigFile.model_fields[name].description}", f"# [{name}{'' if name in SINGLE else '.NAME'}]"]
        lines += [line for key in table.model_fields for line in _setting(table, key)] + [""]
    lines += [f"# {ConfigFile.model_fields['keys'].description}", "# [keys]", '# kill = "x"', ""]
    return "\n".join(lines)


def _setting(table: type[Table], key: str) -> list[str]:
    field = table.model_fields[key]
    secret = '"plan"' if key == "credential" else '{ file = "…" }'
    default = '"…"' if field.is_required() else secret if field.default is None else _toml(field.default)
    return [f"#   {field.description}", f"# {key} = {default}"]


def _toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Table):
        return f"{{ {', '.join(f'{key} = {_toml(part)}' for key, part in value.model_dump().items())} }}"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").strip() if value != {} else "{}"
