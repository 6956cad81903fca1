"""The profiles of config.toml: templates to spawn agents from, and how their agents log in."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from controlroom.domain.care_rules import CareRules
from controlroom.domain.leads import NAME as LEAD_NAME
from controlroom.domain.restart_rules import Restart, RestartRules
from controlroom.domain.worktrees import HEAD, base_problem
from controlroom.engine.config.queue_config import OUTSIDE, Outside
from controlroom.engine.config.toml_tables import Table
from controlroom.text.checks import (
    MOST_COMMANDS,
    MOST_MINUTES,
    MOST_PATTERNS,
    MOST_TOLD,
    MOST_WORDS,
    CheckOrder,
)
from controlroom.text.names import agent_name_problem
from controlroom.text.states import Cause

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}")
"""What names a profile, or a way to notify people."""


def _labels(value: list[str]) -> list[str]:
    for label in value:
        if not NAME.fullmatch(label):
            raise ValueError(f"{ascii(label)[:60]} cannot be a label: use 1 to 41 of A-Z a-z 0-9 . _ -")
    return value


Labels = Annotated[list[str], AfterValidator(_labels)]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_MONEY = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")


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


class FileCredential(Table):
    """A file that holds a key or token."""

    file: str = Field(min_length=1, description="a file on the host; ~ is the host user's home")


class CommandCredential(Table):
    """A command that prints a key or token."""

    command: list[str] = Field(min_length=1, description="a command on the host, word by word")


class NamedCredential(Table):
    """Something to log in with that profiles may name; without a setting it is Claude's own login, like "plan"."""

    file: str = Field("", description="a file on the host that holds a key or token; ~ is the host user's home")
    command: list[str] = Field([], description="a command on the host that prints a key or token, word by word")
    config_dir: str = Field(
        "",
        description="the folder of Claude's own login on the host (CLAUDE_CONFIG_DIR), absolute; sessions stay in it",
    )
    organisation: str = Field(
        "",
        description="a name for whose key it is: keys of another organisation have limits a minute of their own; "
        "empty: the one that [api] is about",
    )

    @model_validator(mode="after")
    def _is_one(self) -> "NamedCredential":
        if [bool(self.file), bool(self.command), bool(self.config_dir)].count(True) > 1:
            raise ValueError("expected one of file, command and config_dir, or none of them")
        if self.config_dir and not self.config_dir.startswith("/"):
            raise ValueError("config_dir is an absolute path on the host, like /home/ann/.claude-team")
        if self.organisation and not NAME.fullmatch(self.organisation):
            raise ValueError(
                f"{ascii(self.organisation)[:60]} cannot name an organisation: use 1 to 41 of A-Z a-z 0-9 . _ -"
            )
        if self.organisation and not (self.file or self.command):
            raise ValueError("organisation says whose key it is: it goes with file or command")
        return self


def _credential_names(value: dict[str, NamedCredential]) -> dict[str, NamedCredential]:
    for name in value:
        if not NAME.fullmatch(name) or name == "plan":
            raise ValueError(f"{ascii(name)[:60]} cannot name a credential: use 1 to 41 of A-Z a-z 0-9 . _ -, not plan")
    return value


NamedCredentials = Annotated[dict[str, NamedCredential], AfterValidator(_credential_names)]


def _commands(value: list[list[str]]) -> list[list[str]]:
    for command in value:
        if not command or not command[0].strip() or len(command) > MOST_WORDS:
            raise ValueError(f"a command is a list of 1 to {MOST_WORDS} words, the program first")
        if any("\0" in word for word in command):
            raise ValueError("no word of a command holds a zero byte")
    return value


Commands = Annotated[list[list[str]], AfterValidator(_commands)]

Trouble = Literal["alarm", "stop", "restart"]


def _base(value: bool | str) -> bool | str:
    if isinstance(value, str) and (problem := base_problem(value)):
        raise ValueError(f"{problem}; or true, for what the repository stands at")
    return value


def _lead(value: str) -> str:
    if value and not LEAD_NAME.fullmatch(value):
        raise ValueError(f"{ascii(value)[:60]} cannot name a lead: use 1 to 41 of a-z 0-9 _ -")
    return value


Worktree = Annotated[bool | str, AfterValidator(_base)]


def base_of(table: "ProfileTable") -> str:
    """What its agents' worktrees begin from, as an order says it; "": they have none."""
    return table.worktree if isinstance(table.worktree, str) else HEAD if table.worktree else ""


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
    credentials: list[str] = Field(
        [],
        max_length=20,
        description='instead of credential, several: names of [credentials.NAME], or "plan"; new work takes the one '
        "with the most left, and passes over those that are held",
    )
    max_hours: float = Field(
        0.0, ge=0, le=24 * 366, allow_inf_nan=False, description="hours after which an agent is ended; 0: never"
    )
    quiet_minutes: float = Field(
        0.0,
        ge=0,
        le=525_600,
        description="minutes that an agent may work without a word before that is trouble; 0: any number",
    )
    on_quiet: Trouble = Field("alarm", description="what is done then: alarm, stop (end it) or restart")
    same_failures: int = Field(
        0,
        ge=0,
        le=10_000,
        description="times in a row that the same call of Claude may fail before that is trouble; 0: any number",
    )
    on_same_failures: Trouble = Field("alarm", description="what is done then: alarm, stop or restart")
    max_memory_mb: int = Field(
        0,
        ge=0,
        le=1024 * 1024,
        description="MiB of memory that an agent and everything it starts may take; 0: no limit",
    )
    max_processes: int = Field(0, ge=0, le=10**6, description="processes that an agent may have; 0: no limit")
    on_excess: Trouble = Field(
        "stop",
        description="what is done when it takes more: alarm, stop or restart; with restart it is started again "
        "after max_hours, too",
    )
    max_log_mb: int = Field(
        1024, ge=1, le=1024 * 1024, description="MiB of log kept for an agent; the oldest part goes first"
    )
    max_turns: int = Field(0, ge=0, le=10**6, description="turns Claude may take (headless); 0: no limit")
    max_output_tokens: int = Field(
        0, ge=0, le=10**7, description="tokens that one answer of Claude may have; 0: Claude's own default"
    )
    max_budget_usd: Annotated[str, BeforeValidator(_money)] = Field(
        "", description='US dollars Claude may spend in one run (headless), like "2.50"; empty: no limit'
    )
    fallback: list[str] = Field(
        [],
        max_length=5,
        description="models that Claude goes on with, in this order, when the API has no room for its own (headless)",
    )
    switch_model: bool = Field(
        False,
        description="whether its agents that are at work go over to cheaper models, too, when a budget says so "
        "(cheaper on its ladder), and back when it no longer does (headless)",
    )
    priority: int = Field(
        0, ge=-1000, le=1000, description="who goes on when a budget runs dry: agents of a higher priority last longer"
    )
    max_agents: int = Field(
        0,
        ge=0,
        le=10_000,
        description="how many of its agents the queue may have at work at once; 0: as many as there is room for",
    )
    shares_folder: bool = Field(
        False, description="whether several tasks may be at work in one folder at once, as when they only read"
    )
    worktree: Worktree = Field(
        False,
        description="whether each agent works in a git worktree and on a branch of its own, made from the repository "
        'at cwd: true begins at what that stands at, "main" or another branch or commit at that',
    )
    worktree_setup: list[str] = Field(
        [],
        description="a command that makes a worktree ready before its agent starts, word by word, like "
        '["npm", "ci"]; it runs in the worktree, with the environment of the agent',
    )
    worktree_setup_minutes: float = Field(
        10.0, gt=0, le=1_440, allow_inf_nan=False, description="minutes that worktree_setup may take"
    )
    worktree_ports: int = Field(
        10,
        ge=0,
        le=1_000,
        description="how many free ports in a row a worktree gets: CONTROLROOM_PORT is the first of them and "
        "CONTROLROOM_PORTS how many, for worktree_setup and the agent",
    )
    repository: bool = Field(
        False, description="whether its tasks start in git repositories alone: elsewhere they wait, and say so"
    )
    labels: Labels = Field([], description="labels that a host must have for its tasks")
    outside: Outside = Field("asking", description=OUTSIDE)
    restart: Literal["never", "on-failure", "always"] = Field(
        "never",
        description="after which ends an agent is started again by itself; never after a person has ended it, and "
        "never an agent of a task",
    )
    restart_starts: int = Field(
        5, ge=1, le=1_000, description="how often an agent is started so in restart_minutes before it is given up"
    )
    restart_minutes: float = Field(10.0, gt=0, le=525_600, description="minutes in which restart_starts are counted")
    restart_seconds: float = Field(
        10.0, ge=0, le=86_400, description="seconds before the first such start; doubled for each further one"
    )
    after_reboot: Literal["as restart", "resume", "wait"] = Field(
        "as restart",
        description="whether its agents go on in their sessions once their host is up again after a reboot, or wait "
        "for you; as restart: they wait if that is never",
    )
    after_limit: Literal["as restart", "resume", "wait"] = Field(
        "as restart",
        description="whether its agents that a limit stopped, and that no task started, go on in their sessions once "
        "it ends, as the queue has room; as restart: they wait for you if that is never",
    )
    verify: Commands = Field(
        [],
        max_length=MOST_COMMANDS,
        description='commands that prove the work, each word by word, like [["make", "test"]]: run on the host when an '
        "agent says that it is done, one after the other; it is done once all pass",
    )
    verify_minutes: float = Field(
        15.0, gt=0, le=MOST_MINUTES, allow_inf_nan=False, description="minutes that each of them may take"
    )
    attempts: int = Field(
        3,
        ge=0,
        le=MOST_TOLD,
        description="how often an agent is told what failed and goes on, before it has failed (not kind command)",
    )
    clean: bool = Field(
        False,
        description="whether they run in a fresh checkout of what the agent has committed, and not in its folder",
    )
    guarded: list[str] = Field(
        [],
        max_length=MOST_PATTERNS,
        description='files that are named beside the result when the agent has changed them, like ["tests/", "*.lock", '
        '".github/workflows/*"]: a folder with all below it, a name anywhere, a path from the top',
    )
    lead: Annotated[str, AfterValidator(_lead)] = Field(
        "",
        description="a lead, as controlroom lead add names it: its agents get the tools to lead others with, by its "
        "token; they run where the engine is",
    )
    keep: int = Field(
        0, ge=0, le=1_000, description="how many of its agents are kept running, as NAME-1, NAME-2 and so on"
    )
    keep_task: str = Field("", description="the task of those agents")
    keep_hosts: list[str] = Field([], description="the hosts where they run; empty: anywhere")

    @model_validator(mode="after")
    def _logs_in_one_way(self) -> "ProfileTable":
        if self.credentials and self.credential is not None:
            raise ValueError("credential or credentials, not both")
        if len(set(self.credentials)) < len(self.credentials):
            raise ValueError("credentials names one of them twice")
        return self

    @model_validator(mode="after")
    def _checks_something(self) -> "ProfileTable":
        if (self.clean or self.guarded) and not self.verify:
            raise ValueError("clean and guarded are about checks: say what is to be run with verify")
        return self

    @model_validator(mode="after")
    def _can_lead(self) -> "ProfileTable":
        if self.lead and self.kind == "command":
            raise ValueError("lead is for Claude: a command gets no tools")
        return self

    @model_validator(mode="after")
    def _can_be_kept(self) -> "ProfileTable":
        if self.keep and self.kind == "headless" and not self.keep_task.strip():
            raise ValueError("keep needs keep_task: what are these agents to do?")
        if self.keep and self.kind == "command" and not self.command:
            raise ValueError("keep needs a command")
        return self


def _profile_names(value: dict[str, ProfileTable]) -> dict[str, ProfileTable]:
    for name, table in value.items():
        if not NAME.fullmatch(name):
            raise ValueError(f"{ascii(name)[:60]} cannot name a profile: use 1 to 41 of A-Z a-z 0-9 . _ -")
        if table.keep and agent_name_problem(f"{name}-{table.keep}"):
            raise ValueError(f"{name} has keep, so its name must be fit for agents: use 1 to 36 of a-z 0-9 _ -")
    return value


Profiles = Annotated[dict[str, ProfileTable], AfterValidator(_profile_names)]


def _acts(table: ProfileTable) -> dict[Cause, str]:
    """Return what is done about each trouble, by its cause."""
    return {Cause.QUIET: table.on_quiet, Cause.REPEATING: table.on_same_failures, Cause.OVER_LIMIT: table.on_excess}


def end_on(table: ProfileTable) -> tuple[str, ...]:
    """Return the troubles that end an agent, as its runner takes them."""
    sized = bool(table.max_memory_mb or table.max_processes)
    looked_for = {
        Cause.QUIET: table.quiet_minutes > 0,
        Cause.REPEATING: table.same_failures > 0,
        Cause.OVER_LIMIT: sized,
    }
    return tuple(str(cause) for cause, act in _acts(table).items() if act != "alarm" and looked_for[cause])


def care_rules(table: ProfileTable) -> CareRules:
    """Return what a profile's agents may take, in the engine's terms."""
    return CareRules(
        hours=table.max_hours,
        quiet=round(table.quiet_minutes * 60_000),
        same_failures=table.same_failures,
        memory=table.max_memory_mb * 1024 * 1024,
        processes=table.max_processes,
        ends=tuple(map(Cause, end_on(table))),
    )


def check_order(table: ProfileTable) -> CheckOrder:
    """Return what proves the work of a profile's agents."""
    commands, guarded = tuple(map(tuple, table.verify)), tuple(table.guarded)
    return CheckOrder(commands, table.verify_minutes, table.attempts, table.clean, guarded)


def restart_rules(table: ProfileTable) -> RestartRules:
    """Return when agents of a profile are started without being asked, in the engine's terms."""
    restart = Restart(table.restart)
    return RestartRules(
        restart,
        table.restart_starts,
        round(table.restart_minutes * 60_000),
        round(table.restart_seconds * 1000),
        table.after_reboot == "resume" or (table.after_reboot == "as restart" and restart is not Restart.NEVER),
        table.keep,
        tuple(table.keep_hosts),
        tuple(str(cause) for cause, act in _acts(table).items() if act == "restart"),
        table.after_limit == "resume" or (table.after_limit == "as restart" and restart is not Restart.NEVER),
    )
