"""The tables of config.toml and hosts.toml. Each setting is described once, here: errors and the reference use it."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from controlroom.domain.address import parse_address
from controlroom.domain.money.budget import NAME as BUDGET_NAME
from controlroom.engine.config.limit_settings import ApiTable, PlanTable
from controlroom.engine.config.money_settings import Budgets, BudgetTable, MoneyTable
from controlroom.engine.config.notify_settings import NotifyTable
from controlroom.engine.config.tables import Table as Table
from controlroom.text.names import LOCAL, host_name_problem

_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_MONEY = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_FINGERPRINT = re.compile(r"(SHA256:[A-Za-z0-9+/]{43})?")


def _fingerprint(value: str) -> str:
    if not _FINGERPRINT.fullmatch(value):
        raise ValueError("expected SHA256:… as `ssh-keygen -lf KEY.pub` prints it")
    return value


def _address(value: str) -> str:
    if value == LOCAL:
        raise ValueError(f"{LOCAL} is this machine, which is a host unless the config says local = false")
    parse_address(value)
    return value


def _home(value: str) -> str:
    if value:
        parse_address(value)
    return value


def _variables(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{ascii(name)[:60]} cannot name a variable: use letters, digits and _")
    return value


def _money(value: object) -> str:
    text = str(value)
    if isinstance(value, bool) or (text and not _MONEY.fullmatch(text)):
        raise ValueError('expected dollars like "2.50"')
    return text


def _keys(value: object) -> object:
    """Take a key or several. What they may be the screen says: a wrong one must not keep an engine from its work."""
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(key, str) for key in value)):
        return value
    raise ValueError('expected a key like "x", or several: ["x", "+"]')


def _host_names(value: "dict[str, HostTable]") -> "dict[str, HostTable]":
    for name in value:
        if name == LOCAL:
            raise ValueError(f"{LOCAL} is this machine: choose another name")
        if problem := host_name_problem(name):
            raise ValueError(problem)
    return value


def _profile_names(value: "dict[str, ProfileTable]") -> "dict[str, ProfileTable]":
    for name in value:
        if not _PROFILE_NAME.fullmatch(name):
            raise ValueError(f"{ascii(name)[:60]} cannot name a profile: use 1 to 41 of A-Z a-z 0-9 . _ -")
    return value


def _outlet_names(value: dict[str, NotifyTable]) -> dict[str, NotifyTable]:
    for name in value:
        if not _PROFILE_NAME.fullmatch(name):
            raise ValueError(f"{ascii(name)[:60]} cannot name it: use 1 to 41 of A-Z a-z 0-9 . _ -")
    return value


def _budget_names(value: Budgets) -> Budgets:
    for name in value:
        if not BUDGET_NAME.fullmatch(name):
            raise ValueError(f"{ascii(name)[:60]} cannot name a budget: use 1 to 41 of a-z 0-9 _ -")
    return value


class HostTable(Table):
    """A machine reached over SSH."""

    address: Annotated[str, AfterValidator(_address)] = Field(
        description="user@address or user@address:port; a name of ~/.ssh/config is fine",
    )
    fingerprint: Annotated[str, AfterValidator(_fingerprint)] = Field(
        "", description="SHA256:… of its host key, known from elsewhere: it is then trusted without a question"
    )


class FileCredential(Table):
    """A file that holds a key or token."""

    file: str = Field(min_length=1, description="a file on the host; ~ is the host user's home")


class CommandCredential(Table):
    """A command that prints a key or token."""

    command: list[str] = Field(min_length=1, description="a command on the host, word by word")


class ProfileTable(Table):
    """A template to spawn agents from."""

    kind: Literal["headless", "interactive", "command"] = Field(
        "headless",
        description="headless: Claude Code, driven by its events; interactive: Claude Code on a terminal of its own, "
        "to attach to; command: any program",
    )
    command: list[str] = Field(
        [], description="what to run, word by word; else the Claude program instead of claude from PATH"
    )
    model: str = Field("", description="the model, as Claude Code names it; empty: Claude's own default")
    permission_mode: str = Field(
        "", description="Claude's permission mode, like default, acceptEdits or plan; empty: Claude's own default"
    )
    cwd: str = Field("", description="the folder to work in, on the host; relative to the home there; empty: the home")
    env: Annotated[dict[str, str], AfterValidator(_variables)] = Field(
        {}, description="variables for the agent; for secrets use env_file or credential"
    )
    env_file: str = Field("", description="a file on the host with NAME=value lines, read when an agent starts")
    credential: Literal["plan"] | FileCredential | CommandCredential | None = Field(
        None,
        description='how it logs in: "plan" (Claude\'s own login; keys are taken out of the environment), '
        '{ file = "…" } or { command = ["…"] } that gives a key; unset: what the login shell has',
    )
    max_hours: float = Field(
        0.0, ge=0, le=24 * 366, allow_inf_nan=False, description="hours after which an agent is ended; 0: never"
    )
    max_log_mb: int = Field(
        1024, ge=1, le=1024 * 1024, description="MiB of log kept for an agent; the oldest part goes first"
    )
    max_turns: int = Field(0, ge=0, le=10**6, description="turns Claude may take (headless); 0: no limit")
    max_output_tokens: int = Field(0, ge=0, le=10**7, description="tokens of one answer of Claude; 0: its own default")
    max_budget_usd: Annotated[str, BeforeValidator(_money)] = Field(
        "", description='US dollars Claude may spend in one run (headless), like "2.50"; empty: no limit'
    )
    priority: int = Field(
        0, ge=-1000, le=1000, description="who goes on when a budget runs dry: agents of a higher priority last longer"
    )


class LimitsTable(Table):
    """What a spawn must leave untouched."""

    memory_per_agent_mb: int = Field(
        default=400, ge=0, le=1024 * 1024, description="MiB that a host must have free for one more Claude; 0: no check"
    )


Keys = Annotated[str | list[str], BeforeValidator(_keys)]


class WatchTable(Table):
    """What watchers get to see."""

    tasks: bool = Field(True, description="what people tell agents: their tasks, and messages to them")
    logs: bool = Field(True, description="what agents say: logs, last lines, screens, the text of their questions")
    accounts: bool = Field(
        False, description="the e-mail addresses that name the logins of plans; without them they are numbered"
    )


Hosts = Annotated[dict[str, HostTable], AfterValidator(_host_names)]
Profiles = Annotated[dict[str, ProfileTable], AfterValidator(_profile_names)]

Notify = Annotated[dict[str, NotifyTable], AfterValidator(_outlet_names)]

OwnBudgets = Annotated[Budgets, AfterValidator(_budget_names)]


class ConfigFile(Table):
    """All of config.toml."""

    home: Annotated[str, AfterValidator(_home)] = Field(
        "",
        description="where the room's engine is when it is not here: user@address, reached over SSH, as for --home",
    )
    local: bool = Field(True, description="whether this machine is one of the hosts")
    adopt: bool = Field(
        True,
        description="whether tmux sessions and Claudes that others started on the hosts are shown",
    )
    theme: str = Field(
        "",
        max_length=60,
        description="the colours of the screen: a theme of the program, or NAME for themes/NAME.toml beside this file; "
        "empty: by the terminal",
    )
    bell: bool = Field(
        True, description="whether the terminal rings when something is asked, and its title says how much"
    )
    keys: dict[str, Keys] = Field(
        {}, description="other keys of the screen, by the names that its table of keys has: a key, or several"
    )
    hosts: Hosts = Field(
        {}, description="machines reached over SSH; `controlroom host add` writes its own to hosts.toml"
    )
    profiles: Profiles = Field({}, description="templates: `controlroom spawn NAME --profile PROFILE`")
    limits: LimitsTable = Field(default=LimitsTable(), description="what a spawn must leave untouched")
    money: MoneyTable = Field(default=MoneyTable.model_validate({}), description="what holds for all budgets")
    budgets: OwnBudgets = Field(
        {}, description="limits on what is spent; `controlroom budget set` writes its own to budgets.toml"
    )
    watch: WatchTable = Field(default=WatchTable.model_validate({}), description="what watchers get to see")
    notify: Notify = Field({}, description="who is told what happens while nobody looks, and how")
    plan: PlanTable = Field(default=PlanTable(), description="the plan that logins have")
    api: ApiTable = Field(default=ApiTable(), description="what the API lets through, for agents that use a key")


class RosterFile(Table):
    """All of hosts.toml."""

    hosts: Hosts = Field({}, description="machines reached over SSH")


TABLES: dict[str, type[Table]] = {
    "hosts": HostTable,
    "profiles": ProfileTable,
    "limits": LimitsTable,
    "watch": WatchTable,
    "notify": NotifyTable,
    "money": MoneyTable,
    "budgets": BudgetTable,
    "plan": PlanTable,
    "api": ApiTable,
}
"""The tables of config.toml by their key; all but those in `SINGLE` hold one for each name."""

SINGLE = frozenset({"limits", "money", "plan", "api", "watch"})
