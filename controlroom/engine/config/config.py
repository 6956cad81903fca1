"""The room's config: TOML, every key checked, one sentence about the first thing that is wrong.

`config.toml` belongs to the user and is never written by us; `hosts.toml` and `budgets.toml` beside it are ours.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from controlroom.domain import model
from controlroom.domain.money.budget import BudgetRule
from controlroom.domain.queue.backoff import KEY_OF, PLAN
from controlroom.domain.words import nearest
from controlroom.engine.config import settings
from controlroom.engine.config.lead_tools import lead_tools
from controlroom.engine.config.profile_config import (
    CommandCredential,
    FileCredential,
    NamedCredential,
    ProfileTable,
    base_of,
    care_rules,
    check_order,
    end_on,
    restart_rules,
)
from controlroom.engine.config.queue_config import rules_of
from controlroom.engine.config.settings import ConfigFile, RosterFile
from controlroom.engine.config.toml_file import ConfigProblem as ConfigProblem
from controlroom.engine.config.toml_file import parsed, stamp
from controlroom.engine.config.toml_tables import read
from controlroom.engine.config.written_files import rules
from controlroom.protocol.home import Home
from controlroom.text import time_zones
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import LOCAL
from controlroom.text.states import AgentKind, Payer
from controlroom.wire.spec import AgentSpec, Credential

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Withheld:
    """What watchers do not get to see."""

    tasks: bool = False
    logs: bool = False
    accounts: bool = False
    """Whose logins these are."""


@dataclass(frozen=True)
class MetricsPlace:
    """Where the figures are written for a collector, who may read them, and how often that is done, in seconds."""

    path: Path
    mode: int
    interval: float


class Config:
    """The settings of a room, in the engine's terms."""

    def __init__(self, file: ConfigFile, room_editor: RosterFile, budgets: dict[str, BudgetRule] | None = None) -> None:
        tables = {**file.hosts, **room_editor.hosts}
        here = {LOCAL: LOCAL} if file.local else {}
        self.hosts = {**here, **{name: table.address for name, table in tables.items()}}
        """Name -> address of every host, this machine first."""
        self.fingerprints = {name: table.fingerprint for name, table in tables.items() if table.fingerprint}
        labels = {LOCAL: file.local_labels, **{name: table.labels for name, table in tables.items()}}
        self.labels = {name: tuple(said) for name, said in labels.items() if said and name in self.hosts}
        """Of the hosts that have any, by name."""
        sizes = {LOCAL: file.local_size, **{name: table.size for name, table in tables.items()}}
        self.sizes = {name: size for name, size in sizes.items() if size and name in self.hosts}
        """What providers call machines like them, of the hosts that say it, by name."""
        self.fixed = frozenset({*here, *file.hosts})
        """Hosts that only the user takes out, by hand."""
        self.home = file.home
        """Where the room's engine is, "" for this machine."""
        self.adopt, self.adopted_logs = file.adopt, tuple(file.adopted_logs)
        """Whether agents that others started are shown, and where those have their log files, as patterns."""
        zone = file.money.time_zone, os.environ.get("TZ", "")
        memory, cheaper = file.limits.memory_per_agent_mb * _MEBIBYTE, tuple(file.money.cheaper)
        self.limits = model.Limits(memory, cheaper, time_zones.named(*zone))
        self.withheld = Withheld(not file.watch.tasks, not file.watch.logs, not file.watch.accounts)
        """What watchers do not get to see."""
        self.carry = file.moves.most_mb * _MEBIBYTE, file.moves.through_origin
        """Bytes that are carried of one agent at most, and whether commits may go through an origin."""
        metrics = file.metrics
        place = MetricsPlace(Path(metrics.file).expanduser(), int(metrics.mode, 8), metrics.interval_seconds)
        self.metrics = place if metrics.file else None
        """Where the figures are written for a collector; None: nowhere."""
        self.outlets = settings.outlets(file.notify)
        """Who is told what happens while nobody looks."""
        self.budgets = budgets or {}
        """By name."""
        self.fixed_budgets = frozenset(file.budgets)
        """Budgets that only the user changes, by hand."""
        self.money = file.money
        self.unordered = file.money.unordered
        """Dollars an hour that one host may claim for agents that this room did not start."""
        self.alone = None if isinstance(file.money.alone, str) else file.money.alone
        """Hours that an agent may go on without the engine at most; None: to the end of the shortest period."""
        self.zone = time_zones.zone_here(*zone)
        """Where the operator's days begin."""
        logins = {PLAN: model.Credential(PLAN, PLAN, Payer.PLAN)}
        logins |= {
            name: _login(name, table, _first_of(table, file.credentials)) for name, table in file.credentials.items()
        }
        names = CredentialNames(file.profiles, file.credentials, logins)
        self.profiles = {name: _profile(name, table, names) for name, table in file.profiles.items()}
        self.plan, self.api = file.plan, file.api
        """What limits are held against, as it stands in the file."""
        self.queue = rules_of(file.queue)
        """What the queue keeps to, unless an operator has changed it."""
        self.templates = {name: table.text for name, table in file.templates.items()}
        """Texts of tasks that stand in the config, by name."""
        self.kept_tasks = {name: table.keep_task for name, table in file.profiles.items() if table.keep}
        """What agents are told that a profile keeps running, by profile."""
        self.organisations = {name: table.organisation for name, table in file.credentials.items()}
        """Whose keys credentials are, by their name; empty: the room's own."""
        self._credentials = file.credentials
        self._specs = {name: _spec(name, table) for name, table in file.profiles.items()}

    def give_tools(self, tools: Callable[[str], str]) -> None:
        """Have the agents of profiles that lead others told of their tools; `tools` says how, by the lead."""
        leads = {name: profile.lead for name, profile in self.profiles.items() if profile.lead}
        self._specs |= {name: self._specs[name]._replace(mcp=tools(lead)) for name, lead in leads.items()}

    def spec(self, profile: str, credential: str = "") -> AgentSpec:
        """Return how to run an agent of `profile`, environment and credential included; "" is no profile.

        `credential`: which of those that the profile names.
        """
        spec = self._specs.get(profile, AgentSpec())
        table = self._credentials.get(credential)
        if table is None:
            return spec._replace(credential=Credential(plan=True)) if credential == PLAN else spec
        env = {**spec.env, "CLAUDE_CONFIG_DIR": table.config_dir} if table.config_dir else spec.env
        own = Credential(not (table.file or table.command), table.file, tuple(table.command))
        return spec._replace(credential=own, env=env)


def load(home: Home) -> Config:
    """Read config.toml and hosts.toml; a missing file is an empty one. Raises `ConfigProblem` with one sentence."""
    file, room_editor = read(home.config, ConfigFile), read(home.hosts, RosterFile)
    for name in room_editor.hosts:
        if name in file.hosts:
            raise ConfigProblem(f"{home.hosts}: hosts.{name}: it stands in config.toml too; take one of them out")
    for name, table in file.profiles.items():
        if unknown := next((each for each in table.credentials if each not in (PLAN, *file.credentials)), None):
            there = [PLAN, *file.credentials]
            raise ConfigProblem(
                f"{home.config}: profiles.{name}.credentials: there is no credential {ascii(unknown)[:60]}"
                f"{nearest(unknown, there) or f' (there are {chr(44).join(there)})'}: describe it as [credentials.NAME]"
            )
    config = Config(file, room_editor, rules(home, file.budgets))
    config.give_tools(partial(lead_tools, home))
    return config


class ConfigWatch:
    """Whether config.toml still says what an engine has read, which it does once, as it starts."""

    def __init__(self, home: Home) -> None:
        self._home, self._read, self._stamp = home, parsed(home.config), stamp(home.config)

    def look(self) -> str | None:
        """Say what has become of the file since it was read; "": it is the same; None: nothing since the last look."""
        before, self._stamp = self._stamp, stamp(self._home.config)
        if self._stamp == before:
            return None
        try:
            if parsed(self._home.config) == self._read:
                return ""
            load(self._home)
        except ConfigProblem as problem:
            return f"the config has changed, and no engine can start with it: {problem}"
        return (
            f"{self._home.config} has changed since the engine read it: run controlroom stop (agents live on), "
            "and whatever you do next reads it"
        )


def _login(name: str, table: NamedCredential, first: str) -> model.Credential:
    """What may be shown of a credential: its place is nobody's. `first`: the first one that is at the same place."""
    if table.config_dir:
        return model.Credential(name, f"the login of {first}", Payer.PLAN, table.config_dir, own_login=True)
    if table.file or table.command:
        return model.Credential(name, f"{KEY_OF}{first}", own_login=True, organisation=table.organisation)
    return model.Credential(name, PLAN, Payer.PLAN)


def _first_of(
    credential: NamedCredential | FileCredential | CommandCredential, named: Mapping[str, NamedCredential]
) -> str:
    """The first of these that is read at the place of a credential; "": none is. What it says nobody here knows."""
    return next((name for name, table in named.items() if _place_of(table) == _place_of(credential)), "")


def _place_of(credential: NamedCredential | FileCredential | CommandCredential) -> tuple[str, ...]:
    """Where a credential is read on a host, in one way of writing it: relative paths begin at the home there."""
    if isinstance(credential, CommandCredential):
        return "command", *credential.command
    if isinstance(credential, NamedCredential) and (credential.command or credential.config_dir):
        folder = os.path.normpath(credential.config_dir)
        return ("command", *credential.command) if credential.command else ("folder", folder)
    return "file", os.path.normpath(credential.file.removeprefix("~/"))


def _profile(name: str, table: ProfileTable, names: "CredentialNames") -> model.Profile:
    work = AgentKind(table.kind), tuple(table.command), table.model, table.permission_mode, table.cwd
    plan = table.model_copy(update={"credential": PLAN})
    plan_key = names.beside(name, plan).of(plan)
    logins = names.logins
    billing = Payer.PLAN if table.credential == "plan" else Payer.UNKNOWN
    outside = table.outside == "always" or (table.outside == "asking" and table.permission_mode != _NO_QUESTIONS)
    return model.Profile(
        name,
        *work,
        table.priority,
        billing,
        table.max_agents,
        table.shares_folder,
        takes_outside=outside,
        own_login=table.credential not in (None, "plan") or bool(table.env or table.env_file),
        restarts=restart_rules(table),
        labels=tuple(table.labels),
        needs_repository=table.repository,
        credential=names.of(table),
        credentials=tuple(
            replace(logins[each], key=plan_key) if logins[each].key == PLAN else logins[each]
            for each in table.credentials
            if each in logins
        ),
        switches_model=table.switch_model,
        worktree=base_of(table),
        lead=table.lead,
        care=care_rules(table),
    )


@dataclass(frozen=True)
class CredentialNames:
    """What names the credentials of profiles: those that are one have one name, and none tells its place."""

    profiles: Mapping[str, ProfileTable]
    named: Mapping[str, NamedCredential]
    logins: Mapping[str, model.Credential]
    """Those that have a name, with what may be shown of them."""

    def beside(self, name: str, table: ProfileTable) -> "CredentialNames":
        """The same where a profile is another one."""
        return replace(self, profiles={**self.profiles, name: table})

    def of(self, table: ProfileTable) -> str:
        """Name a profile's own credential: a key or a login of several by the first of them."""
        alike = (name for name, other in self.profiles.items() if _logs_in_with(other) == _logs_in_with(table))
        first = next(alike)
        first = f"profile {first}" if first in self.logins else first
        if not isinstance(table.credential, str | None):
            named = _first_of(table.credential, self.named)
            return self.logins[named].key if named else f"{KEY_OF}{first}"
        return f"the login of {first}" if any(_logs_in_with(table)[1:]) else table.credential or ""


def _logs_in_with(table: ProfileTable) -> tuple[object, str, str]:
    """What tells whether two profiles log in alike; of a file on the host nobody here knows what it says of that."""
    if not isinstance(table.credential, str | None):
        return table.credential, "", ""
    variables = sorted(f"{name}={value}" for name, value in table.env.items() if _OF_LOGINS.fullmatch(name))
    return table.credential, "\n".join(variables), table.env_file


_OF_LOGINS = re.compile(
    r"ANTHROPIC_(?!.*MODEL).+|CLAUDE_(?:SECURESTORAGE_)?CONFIG_DIR|CLAUDE_CODE_(?:USE_.+|OAUTH_TOKEN|SIMPLE|REMOTE)"
)
"""Variables by which Claude Code (2.1.332, observed) logs in as somebody else, or elsewhere."""


_NO_QUESTIONS = "bypassPermissions"
"""Claude's permission mode in which it asks nobody (Claude Code's documentation, Identity and access management)."""


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
        max_quiet=table.quiet_minutes * 60,
        max_same_failures=table.same_failures,
        max_memory=table.max_memory_mb * _MEBIBYTE,
        max_processes=table.max_processes,
        end_on=end_on(table),
        max_log_bytes=table.max_log_mb * _MEBIBYTE,
        max_turns=table.max_turns,
        fallback=tuple(table.fallback),
        max_output_tokens=table.max_output_tokens,
        max_budget_usd=str(table.max_budget_usd),
        checks=check_order(table),
        worktree_setup=tuple(table.worktree_setup),
        worktree_setup_minutes=float(table.worktree_setup_minutes),
        worktree_ports=table.worktree_ports,
    )


def _credential(table: ProfileTable) -> Credential:
    credential = table.credential
    if credential is None or isinstance(credential, str):
        return Credential(plan=credential == "plan")
    if isinstance(credential, FileCredential):
        return Credential(file=credential.file)
    return Credential(command=tuple(credential.command))
