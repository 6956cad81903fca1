"""rules.toml beside config.toml: the rules that answer what agents ask, and the floor of denials.

People write it by hand and with verbs, so verbs add to its end and cut out of it, and leave all else as it stands.
"""

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import tomli_w
import tomllib
from pydantic import Field, model_validator

from controlroom.domain.permissions.calls import BASH
from controlroom.domain.permissions.floor import Floor
from controlroom.domain.permissions.judge import RuleSet
from controlroom.domain.permissions.rules import Rule, RuleVerdict, command_problem, problem_of, read_what
from controlroom.engine.atomic_file import replace_file
from controlroom.engine.config.toml_file import MAX_FILE, ConfigProblem, parsed
from controlroom.engine.config.toml_tables import Table, read

MOST = 5_000
"""Rules of a room at most."""

_HEAD = """\
# Rules that answer what agents ask; see: controlroom help rules
# The floor of denials is shipped: write [floor] here to have another one.
"""


class RuleTable(Table):
    """One rule."""

    allow: str = Field("", description='what it allows, like "Bash: git status *", "Edit: docs/**" or "WebSearch"')
    deny: str = Field("", description="what it denies, likewise")
    ask: str = Field("", description="what a person is asked about whatever allows it, likewise")
    folder: str = Field("", description="for agents in this folder, a pattern like /srv/** or ~/app")
    profile: str = Field("", description="for agents of this profile; a pattern, like those below")
    host: str = Field("", description="for agents on this host")
    agent: str = Field("", description="for agents of this name")
    expires: datetime | None = Field(None, description="when it ends, like 2026-12-24T18:00:00Z")
    uses: int = Field(0, ge=0, le=1_000_000, description="how many calls it answers; 0: any number")

    @model_validator(mode="after")
    def _says_one_thing(self) -> "RuleTable":
        if len([what for what in (self.allow, self.deny, self.ask) if what.strip()]) != 1:
            raise ValueError('a rule says one of allow, deny and ask, as in allow = "Bash: git status *"')
        if self.expires is not None and self.expires.tzinfo is None:
            raise ValueError("expires names its time zone, as in 2026-12-24T18:00:00Z")
        return self


_Paths = list[Annotated[str, Field(min_length=1, max_length=200)]]


def _kept(name: str) -> Any:
    return list(getattr(Floor(), name))


class FloorTable(Table):
    """The floor of denials: what stands here is instead of what is shipped."""

    branches: _Paths = Field(_kept("branches"), description="protected branches: a push to one is denied")
    deletes: bool = Field(True, description="deny deletes outside the agent's folder")
    scratch: _Paths = Field([], description="folders outside where deletes are let be, like /tmp/**")
    credentials: _Paths = Field(_kept("credentials"), description="files with credentials: what touches one is denied")
    secrets: _Paths = Field(_kept("secrets"), description="commands that print credentials: denied")
    own: _Paths = Field(_kept("own"), description="files of Control Room: what touches one is denied")
    asks: _Paths = Field(_kept("asks"), description="files that make programs run later: a person is asked first")


class RulesFile(Table):
    """All of rules.toml."""

    rules: dict[str, RuleTable] = Field({}, description="rules by name", max_length=MOST)
    floor: FloorTable = Field(default=FloorTable.model_validate({}), description="what no rule overrides")


def load_rules(path: Path) -> RuleSet:
    """Read the rules; without a file there are none, on the floor that is shipped. Raises `ConfigProblem`."""
    file = read(path, RulesFile)
    rules = tuple(rule_of(name, table) for name, table in file.rules.items())
    for rule in rules:
        if wrong := problem_of(rule):
            raise ConfigProblem(f"{path}: rules.{rule.name}: {wrong}")
    return RuleSet(rules, _floor(file.floor, path))


def _floor(table: FloorTable, path: Path) -> Floor:
    """The floor as a file says it, with the files beside that file. Raises `ConfigProblem`."""
    for command in table.secrets:
        if wrong := problem_of(Rule("floor", RuleVerdict.DENY, BASH, command)) or command_problem(command):
            raise ConfigProblem(f"{path}: floor.secrets: {wrong}")
    own = *table.own, f"{path.parent}/*.toml"
    lists = table.branches, table.scratch, table.credentials, table.secrets, own, table.asks
    branches, scratch, credentials, secrets, own_files, asks = map(tuple, lists)
    return Floor(branches, table.deletes, scratch, credentials, secrets, own_files, asks)


def rule_of(name: str, table: RuleTable) -> Rule:
    """Return the rule that a table says."""
    verdict = next(one for one in RuleVerdict if getattr(table, one).strip())
    tool, pattern = read_what(getattr(table, verdict))
    where = table.folder, table.profile, table.host, table.agent
    expires = max(1, int(table.expires.timestamp() * 1000)) if table.expires else 0
    return Rule(name, verdict, tool, pattern, *where, expires, table.uses)


def table_of(rule: Rule) -> dict[str, Any]:
    """Return the table that says a rule."""
    parts = {name: getattr(rule, name) for name in ("folder", "profile", "host", "agent", "uses")}
    table: dict[str, Any] = {str(rule.verdict): rule.what, **{name: value for name, value in parts.items() if value}}
    if rule.expires:
        table["expires"] = datetime.fromtimestamp(rule.expires // 1000, timezone.utc)
    return table


def keep_rule(path: Path, rule: Rule) -> None:
    """Write a rule to the end of the file, instead of one of its name. Raises `ConfigProblem`; it is then as it was."""
    if wrong := problem_of(rule):
        raise ConfigProblem(wrong)
    text, tables = _read(path)
    if rule.name in tables.get("rules", {}):
        text, tables = _without(text, tables, rule.name)
    table = table_of(rule)
    wanted = {**tables, "rules": {**tables.get("rules", {}), rule.name: table}}
    block = tomli_w.dumps({"rules": {rule.name: table}}).removeprefix("[rules]\n")
    _write(path, f"{text.rstrip()}\n\n{block.lstrip()}" if text.strip() else f"{_HEAD}\n{block.lstrip()}", wanted)


def drop_rule(path: Path, name: str) -> None:
    """Cut a rule out of the file. Raises `ConfigProblem`; it is then as it was."""
    text, tables = _read(path)
    if name in tables.get("rules", {}):
        _write(path, *_without(text, tables, name))


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    tables = parsed(path)
    try:
        return path.read_text("utf-8"), tables
    except FileNotFoundError:
        return "", {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigProblem(f"{path} cannot be read: {error}") from None


def _without(text: str, tables: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    """The file without a rule: its table, from its head to the next one's or a comment."""
    wanted = {**tables, "rules": {key: value for key, value in tables["rules"].items() if key != name}}
    head = rf"^\[rules\.[\"']?{re.escape(name)}[\"']?\][ \t]*(?:#.*)?\n"
    table = re.compile(rf"{head}(?:[^\[#\n].*\n?|\n)*", re.MULTILINE)
    return table.sub("", text if text.endswith("\n") else f"{text}\n", count=1), wanted


def _write(path: Path, text: str, wanted: dict[str, Any]) -> None:
    """Write the text, if it says what is wanted; else the tables anew. Raises `ConfigProblem`."""
    plain = {key: value for key, value in wanted.items() if value or key != "rules"}
    try:
        says = {key: value for key, value in tomllib.loads(text).items() if value or key != "rules"}
    except tomllib.TOMLDecodeError:
        says = {}
    data = (text if says == plain else _HEAD + "\n" + tomli_w.dumps(plain)).encode()
    if len(data) > MAX_FILE:
        raise ConfigProblem(f"{path}: {MAX_FILE} bytes are the most that a file of rules may have")
    try:
        replace_file(path, data)
    except OSError as error:
        raise ConfigProblem(f"{path} cannot be written: {error.strerror}") from None
