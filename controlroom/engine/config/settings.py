"""The settings: every table of config.toml, hosts.toml and budgets.toml, described once for errors and reference."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict, model_validator

from controlroom.domain.address import HostKind, kind_of, parse_address
from controlroom.domain.limits.buckets import Ceilings
from controlroom.domain.news import NewsKind, Wish
from controlroom.engine.config.budget_config import BudgetTable, MoneyTable, OwnBudgets
from controlroom.engine.config.profile_config import (
    NAME,
    Labels,
    NamedCredential,
    NamedCredentials,
    Profiles,
    ProfileTable,
)
from controlroom.engine.config.queue_config import QueueTable, Templates, TemplateTable
from controlroom.engine.config.toml_tables import Table
from controlroom.engine.notify.notifier import Outlet
from controlroom.text.names import LOCAL, host_name_problem

BUCKETS = ("requests", "input", "output")
_SHARE = re.compile(r"[1-9][0-9]{0,11}|([1-9][0-9]?|100)%")
_URL = re.compile(r"(https?://[^\s/?#@]+(/[^\s?#]*)?)?")
_MOST = 10**12


def _buffer(value: object) -> Mapping[str, str]:
    """Read one buffer for all, or a table of them, as texts like `45` and `90%`."""
    table = value if isinstance(value, dict) else {"": value}
    buffers = {name: "" if isinstance(limit, bool) else str(limit).replace(" ", "") for name, limit in table.items()}
    for name, limit in buffers.items():
        if not isinstance(name, str) or not _SHARE.fullmatch(limit):
            raise ValueError('expected a number like 45, a share like "90%", or a table with one for each limit')
    return buffers


def _bucket_buffer(value: object) -> Mapping[str, str]:
    buffers = _buffer(value)
    if other := buffers.keys() - {"", *BUCKETS}:
        raise ValueError(f"{ascii(min(other))[:40]} is not a limit: there are {', '.join(BUCKETS)}")
    return buffers


def _window_buffer(value: object) -> Mapping[str, str]:
    buffers = _buffer(value)
    if any(not buffer.endswith("%") for buffer in buffers.values()):
        raise ValueError('windows are per cent: expected a share like "90%"')
    return buffers


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError("expected an address like https://api.anthropic.com")
    return value


class SecretFile(Table):
    """A file on this machine that holds a key."""

    file: str = Field(min_length=1, description="a file on this machine that only you can read")


class SecretCommand(Table):
    """A command on this machine that prints a key."""

    command: list[str] = Field(min_length=1, description="a command on this machine, word by word")


Secret = SecretFile | SecretCommand


class CeilingsTable(Table):
    """What a model class may use in a minute."""

    requests: int = Field(ge=1, le=_MOST, description="requests a minute")
    input: int = Field(ge=1, le=_MOST, description="tokens a minute that are not read from the cache")
    output: int = Field(ge=1, le=_MOST, description="tokens a minute that are produced")

    def ceilings(self) -> Ceilings:
        """Return them in the domain's terms."""
        return Ceilings(self.requests, self.input, self.output)


class OrganisationTable(Table):
    """What the API lets through in a minute of one organisation's keys."""

    tier: str = Field(
        default="", description="the organisation's tier, start, build, scale or one of plans.toml; empty: unknown"
    )
    ceilings: dict[str, CeilingsTable] = Field(
        default={},
        description="ceilings a minute of your own, by model class: "
        "{ opus-5-5 = { requests = 50, input = 30000, output = 8000 } }",
    )
    buffer: Annotated[Mapping[str, str], BeforeValidator(_bucket_buffer)] = Field(
        default={},
        description='where you want them to end: "90%", or { requests = 45, input = "90%" }; an alarm is raised there',
    )


class ApiTable(OrganisationTable):
    """What the API lets through in a minute, for agents that use a key."""

    organisations: dict[str, OrganisationTable] = Field(
        default={},
        description="tier, ceilings and buffer of other organisations whose keys are used, by the name that "
        '[credentials.NAME] gives them: { customer = { tier = "build" } }',
    )
    admin_key: Secret | None = Field(
        default=None,
        description='reads ceilings from the Rate Limits API once a day: { file = "…" } or { command = ["…"] } on this '
        "machine that gives an admin key",
    )
    probe: bool = Field(
        default=False,
        description="whether to send a message of one token every five minutes for each model at work, to read what is "
        "left from its headers; it needs a key, and costs less than a cent an hour",
    )
    key: Secret | None = Field(default=None, description='the key of the probe: { file = "…" } or { command = ["…"] }')
    credit_usd: float = Field(
        default=0.0,
        ge=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="US dollars of API credit that come with a plan each month; 0: what plans.toml says of [plan] name",
    )
    url: Annotated[str, AfterValidator(_url)] = Field(
        default="", description="where the API is, for admin_key and probe; empty: https://api.anthropic.com"
    )


class PlanTable(Table):
    """The plan that logins have."""

    name: str = Field(default="", description="pro, max, ultra, … or one of plans.toml: for its monthly API credit")
    buffer: Annotated[Mapping[str, str], BeforeValidator(_window_buffer)] = Field(
        default={},
        description='where you want its windows to end: "90%", or { five_hour = "90%", seven_day = "85%" }; an alarm '
        "is raised there",
    )


NewsKinds = list[Annotated[NewsKind, Strict(False)]]

_QUIET = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


def _span(value: str) -> str:
    if value and not _QUIET.fullmatch(value):
        raise ValueError('expected hours of the day like "22:00-07:00"')
    return value


class FileUrl(Table):
    """An address that stands in a file."""

    file: str = Field(min_length=1)


class NotifyTable(Table):
    """One way to notify people."""

    desktop: bool = Field(False, description="as a desktop notification of this machine (notify-send)")
    command: list[str] = Field(
        [], description="a program here, word by word; it gets title, body and news as JSON on its stdin"
    )
    url: str | FileUrl = Field(
        "",
        description="an address: https://… gets JSON by POST, any other is for the package apprise "
        '(ntfys://…, tgram://…, mailto://…); { file = "…" }: it is that file\'s first line',
    )
    about: NewsKinds = Field(
        [kind for kind in NewsKind if kind not in (NewsKind.DONE, NewsKind.LIMITED)],
        description="what it is told of: question, failed, done, limited, paused, task, host, budget, alarm",
    )
    pause: float = Field(
        30.0, ge=0, le=86_400, description="least number of seconds between two messages; what comes meanwhile waits"
    )
    quiet: Annotated[str, AfterValidator(_span)] = Field(
        "", description='hours of the day here in which nothing is sent, like "22:00-07:00"; it is sent after them'
    )
    despite_quiet: NewsKinds = Field([NewsKind.BUDGET], description="what is sent in quiet hours too")

    @model_validator(mode="after")
    def _one_way(self) -> "NotifyTable":
        if sum(map(bool, (self.desktop, self.command, self.url))) > 1:
            raise ValueError("say one of desktop = true, command or url")
        return self


def outlets(tables: dict[str, NotifyTable]) -> dict[str, tuple[Outlet, Wish]]:
    """Return each outlet in the engine's terms; one that names no way is off."""
    on = {name: table for name, table in tables.items() if table.desktop or table.command or table.url}
    return {name: (_way(table), _wish(table)) for name, table in on.items()}


def _way(table: NotifyTable) -> Outlet:
    if isinstance(table.url, FileUrl):
        return Outlet(url_file=table.url.file)
    return Outlet(table.desktop, tuple(table.command), table.url)


def _wish(table: NotifyTable) -> Wish:
    quiet = None
    if hours := _QUIET.fullmatch(table.quiet):
        begin_hour, begin, end_hour, end = map(int, hours.groups())
        quiet = (begin_hour * 60 + begin, end_hour * 60 + end)
    return Wish(frozenset(table.about), round(table.pause * 1000), quiet, frozenset(table.despite_quiet))


_FINGERPRINT = re.compile(r"(SHA256:[A-Za-z0-9+/]{43})?")


def _fingerprint(value: str) -> str:
    if not _FINGERPRINT.fullmatch(value):
        raise ValueError("expected SHA256:… as `ssh-keygen -lf KEY.pub` prints it")
    return value


def _address(value: str) -> str:
    if kind_of(value) is HostKind.LOCAL:
        raise ValueError(f"{LOCAL} is this machine, which is a host unless the config says local = false")
    parse_address(value)
    return value


def _home(value: str) -> str:
    if value:
        parse_address(value)
    return value


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


def _outlet_names(value: dict[str, NotifyTable]) -> dict[str, NotifyTable]:
    for name in value:
        if not NAME.fullmatch(name):
            raise ValueError(f"{ascii(name)[:60]} cannot name it: use 1 to 41 of A-Z a-z 0-9 . _ -")
    return value


class HostTable(Table):
    """A machine reached over SSH."""

    address: Annotated[str, AfterValidator(_address)] = Field(
        description="user@address or user@address:port; a name of ~/.ssh/config is fine",
    )
    fingerprint: Annotated[str, AfterValidator(_fingerprint)] = Field(
        "", description="SHA256:… of its host key, known from elsewhere: it is then trusted without a question"
    )
    labels: Labels = Field([], description='what tasks and profiles may want of it: ["gpu", "big"]')
    size: str = Field(
        "", max_length=80, description='what its provider calls a machine like it, by machines.toml: "cx33", for advice'
    )


class LimitsTable(Table):
    """What a spawn must leave untouched."""

    memory_per_agent_mb: int = Field(
        default=400, ge=0, le=1024 * 1024, description="MiB that a host must have free for one more Claude; 0: no check"
    )


Keys = Annotated[str | list[str], BeforeValidator(_keys)]


def _metrics_file(path: str) -> str:
    if path and not Path(path).expanduser().is_absolute():
        raise ValueError("expected a whole path, from / or ~ on")
    return path


class MetricsTable(Table):
    """A file with the figures of the room, for a program that collects such."""

    file: Annotated[str, AfterValidator(_metrics_file)] = Field(
        "", description="the file, replaced in one step each time; empty: none is written"
    )
    mode: Literal["0600", "0640", "0644"] = Field("0600", description="who may read it: you, your group, or everybody")
    interval_seconds: float = Field(60.0, ge=5, le=3_600, description="seconds from one to the next")


class MovesTable(Table):
    """How agents are moved to another host."""

    most_mb: int = Field(
        1024,
        ge=1,
        le=1024 * 1024,
        description="MiB that are carried of one agent at most: its session, and the commits and files that the other "
        "host lacks",
    )
    through_origin: bool = Field(
        False,
        description="whether commits that the other host lacks go through the origin where both have one, over ssh or "
        "https: pushed as branch controlroom/moves/NAME.NUMBER, fetched, and removed there; uncommitted files never do",
    )


def _log_pattern(text: str) -> str:
    if not text.startswith(("~/", "/")) or len(text) > 300 or "*" in os.path.dirname(text):
        raise ValueError(f"{ascii(text)[:60]} is no place of log files: a folder from ~/ or / on, and a name with *")
    return text


class WatchTable(Table):
    """What watchers get to see."""

    tasks: bool = Field(True, description="what people tell agents: their tasks, and messages to them")
    logs: bool = Field(True, description="what agents say: logs, last lines, screens, the text of their questions")
    accounts: bool = Field(
        False, description="the e-mail addresses that name the logins of plans; without them they are numbered"
    )


Hosts = Annotated[dict[str, HostTable], AfterValidator(_host_names)]

Notify = Annotated[dict[str, NotifyTable], AfterValidator(_outlet_names)]


LogPatterns = Annotated[list[Annotated[str, AfterValidator(_log_pattern)]], Field(max_length=16)]


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
    adopted_logs: LogPatterns = Field(
        ["~/agents/logs/*.log"],
        description="log files of agents that others started, shown as their logs: paths with *, matched by who writes "
        "into them, else by the name of the tmux session; [] for none",
    )
    local_labels: Labels = Field([], description="labels of this machine, as hosts have them")
    local_size: str = Field("", max_length=80, description="the size of this machine, as hosts have it")
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
    credentials: NamedCredentials = Field({}, description="what profiles may log in with, where they name several")
    limits: LimitsTable = Field(default=LimitsTable(), description="what a spawn must leave untouched")
    money: MoneyTable = Field(default=MoneyTable.model_validate({}), description="what holds for all budgets")
    budgets: OwnBudgets = Field(
        {}, description="limits on what is spent; `controlroom budget set` writes its own to budgets.toml"
    )
    queue: QueueTable = Field(default=QueueTable.model_validate({}), description="rules of the queue of tasks")
    templates: Templates = Field(
        {}, description="texts of tasks: `controlroom task add --template NAME`; templates/NAME.md beside this file too"
    )
    moves: MovesTable = Field(
        default=MovesTable.model_validate({}),
        description="what goes along with an agent: `controlroom reassign AGENT --host H --continue`",
    )
    metrics: MetricsTable = Field(
        default=MetricsTable.model_validate({}), description="figures in the OpenMetrics format, for a collector"
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
    "credentials": NamedCredential,
    "limits": LimitsTable,
    "queue": QueueTable,
    "templates": TemplateTable,
    "moves": MovesTable,
    "metrics": MetricsTable,
    "watch": WatchTable,
    "notify": NotifyTable,
    "money": MoneyTable,
    "budgets": BudgetTable,
    "plan": PlanTable,
    "api": ApiTable,
}
"""The tables of config.toml by their key; all but those in `SINGLE` hold one for each name."""

SINGLE = frozenset({"limits", "queue", "money", "plan", "api", "watch", "metrics", "moves"})
