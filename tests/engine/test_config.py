"""A config is right, or one sentence says what is wrong with it and nothing starts."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import tomllib

from controlroom.domain.intents import AddHost
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue.rules import RULES, wished, written
from controlroom.engine.config import config
from controlroom.engine.config.config import ConfigWatch
from controlroom.engine.config.first_run import reference
from controlroom.engine.config.queue_config import QueueTable, rules_of
from controlroom.engine.config.settings import TABLES
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.engine.config.written_files import drop_host, keep_host
from controlroom.protocol.home import Home, find_home
from controlroom.text.checks import CheckOrder
from controlroom.wire.spec import AgentSpec, Credential

WHOLE = """
local = false

[hosts.vm1]
address = "ann@vm1:2222"

[hosts.vm2]
address = "vm2"
fingerprint = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

[profiles.docs]
kind = "headless"
command = ["/opt/claude", "--debug"]
model = "claude-haiku-5-5"
permission_mode = "plan"
cwd = "~/docs"
env = { A = "1" }
env_file = "~/.env"
credential = { file = "~/.key" }
max_hours = 2
max_log_mb = 10
max_turns = 5
max_output_tokens = 1000
max_budget_usd = 2.5
verify = [["make", "test"], ["make", "lint"]]
verify_minutes = 5
attempts = 0
worktree = "main"
worktree_setup = ["npm", "ci"]
worktree_setup_minutes = 5
worktree_ports = 3

[profiles.job]
kind = "command"
credential = "plan"
worktree = true

[profiles.vault]
credential = { command = ["pass", "show", "key"] }

[limits]
memory_per_agent_mb = 0
"""


@pytest.fixture
def place(tmp_path: Path) -> Home:
    home = find_home({"HOME": str(tmp_path), "CONTROLROOM_HOME": str(tmp_path / "room")})
    home.prepare()
    return home


def write(place: Home, text: str | bytes) -> None:
    place.config.write_bytes(text if isinstance(text, bytes) else text.encode())
    place.config.chmod(0o600)


def problem(place: Home, text: str | bytes) -> str:
    write(place, text)
    with pytest.raises(ConfigProblem) as caught:
        config.load(place)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_file_is_this_machine_and_no_profiles(place: Home) -> None:
    loaded = config.load(place)
    assert (loaded.hosts, loaded.profiles, loaded.spec("")) == ({"local": "local"}, {}, AgentSpec())
    assert loaded.limits.memory_per_agent == 400 * 1024 * 1024


def test_every_setting_reaches_the_engine(place: Home) -> None:
    write(place, WHOLE)
    loaded = config.load(place)
    assert loaded.hosts == {"vm1": "ann@vm1:2222", "vm2": "vm2"}
    assert loaded.fingerprints == {"vm2": "SHA256:" + "A" * 43}
    assert loaded.limits.memory_per_agent == 0
    assert loaded.spec("docs") == AgentSpec(
        kind="headless",
        command=("/opt/claude", "--debug"),
        profile="docs",
        model="claude-haiku-5-5",
        permission_mode="plan",
        cwd="~/docs",
        env={"A": "1"},
        env_file="~/.env",
        credential=Credential(file="~/.key"),
        max_hours=2.0,
        max_log_bytes=10 * 1024 * 1024,
        max_turns=5,
        max_output_tokens=1000,
        max_budget_usd="2.5",
        checks=CheckOrder((("make", "test"), ("make", "lint")), 5.0, 0),
        worktree_setup=("npm", "ci"),
        worktree_setup_minutes=5.0,
        worktree_ports=3,
    )
    assert loaded.profiles["docs"].worktree == "main"
    assert loaded.profiles["job"].worktree == "HEAD"
    assert loaded.profiles["vault"].worktree == ""
    assert loaded.spec("job").credential == Credential(plan=True)
    assert loaded.spec("vault").credential == Credential(command=("pass", "show", "key"))


def test_profiles_share_a_credential_where_they_log_in_with_the_same(place: Home) -> None:
    own, team = 'credential = "plan"', 'credential = "plan"\nenv = { CLAUDE_CONFIG_DIR = "~/.team" }'
    key = 'credential = { file = "~/.key" }\nenv = { CLAUDE_CONFIG_DIR = "~/.team" }'
    tables = {"a": own, "b": team, "c": team, "d": 'credential = { file = "~/.key" }', "e": key, "f": "", "g": own}
    write(place, "\n".join(f"[profiles.{name}]\n{table}" for name, table in tables.items()))
    assert {name: profile.credential for name, profile in config.load(place).profiles.items()} == {
        "a": "plan", "g": "plan", "b": "the login of b", "c": "the login of b",
        "d": "the key of d", "e": "the key of d", "f": "",
    }  # fmt: skip


def test_what_may_log_in_as_somebody_else_is_not_the_credential_of_others(place: Home) -> None:
    """A limit of one of them says nothing of the others; what a file on the host sets is not known here."""
    tables = {
        "a": 'credential = "plan"', "b": 'credential = "plan"\nenv_file = "~/team.env"', "c": 'env_file = "~/team.env"',
        "d": 'env_file = "~/team.env"', "e": 'env = { ANTHROPIC_BASE_URL = "https://gate" }',
        "f": 'env = { CLAUDE_CODE_USE_BEDROCK = "1" }', "g": 'env = { ANTHROPIC_SMALL_FAST_MODEL = "x", LANG = "C" }',
    }  # fmt: skip
    write(place, "\n".join(f"[profiles.{name}]\n{table}" for name, table in tables.items()))
    assert {name: profile.credential for name, profile in config.load(place).profiles.items()} == {
        "a": "plan", "b": "the login of b", "c": "the login of c", "d": "the login of c", "e": "the login of e",
        "f": "the login of f", "g": "",
    }  # fmt: skip


def test_a_profile_names_several_credentials_and_each_says_how_its_agents_log_in(place: Home) -> None:
    named = '[credentials.team]\nconfig_dir = "/team"\n[credentials.key]\nfile = "~/.key"\n[credentials.mine]\n'
    write(place, f'{named}[profiles.a]\nenv = {{ A = "1" }}\ncredentials = ["team", "plan", "key", "mine"]\n')
    loaded = config.load(place)
    shown = [(one.name, one.key, one.billing, one.folder) for one in loaded.profiles["a"].credentials]
    assert shown == [
        ("team", "the login of team", "plan", "/team"),
        ("plan", "plan", "plan", ""),
        ("key", "the key of key", "", ""),
        ("mine", "plan", "plan", ""),
    ]
    assert "~/.key" not in repr(loaded.profiles)
    team, key = loaded.spec("a", "team"), loaded.spec("a", "key")
    assert (team.credential, team.env) == (Credential(plan=True), {"A": "1", "CLAUDE_CONFIG_DIR": "/team"})
    assert (key.credential, key.env) == (Credential(file="~/.key"), {"A": "1"})
    assert loaded.spec("a", "plan").credential == loaded.spec("a", "mine").credential == Credential(plan=True)


def test_credentials_that_are_read_at_one_place_are_one_credential_under_several_names(place: Home) -> None:
    """Whom the API turns away under one name has it no better under another."""
    places = {
        "a": 'file = "~/.key"', "b": 'file = "./.key"', "c": 'file = "~/.other"', "d": 'command = ["pass", "key"]',
        "e": 'command = ["pass", "key"]', "f": 'config_dir = "/team"', "g": 'config_dir = "/team/"',
    }  # fmt: skip
    named = "\n".join(f"[credentials.{name}]\n{where}" for name, where in places.items())
    alone = '[profiles.x]\ncredential = { file = ".key" }\n[profiles.y]\ncredential = { command = ["pass", "key"] }\n'
    write(place, f"{named}\n[profiles.p]\ncredentials = {list(places)}\n{alone}")
    profiles = config.load(place).profiles
    assert {one.name: one.key for one in profiles["p"].credentials} == {
        "a": "the key of a", "b": "the key of a", "c": "the key of c", "d": "the key of d", "e": "the key of d",
        "f": "the login of f", "g": "the login of f",
    }  # fmt: skip
    assert (profiles["x"].credential, profiles["y"].credential) == ("the key of a", "the key of d")


def test_what_the_fleet_shows_of_a_profile_holds_no_environment_and_no_credential(place: Home) -> None:
    write(place, WHOLE)
    assert "~/.key" not in repr(config.load(place).profiles)
    assert "'A'" not in repr(config.load(place).profiles)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("profiels = 3", "profiels is not a setting: did you mean profiles?"),
        ("theme = 3", "theme: found 3, expected text in quotes"),
        ("[keys]\nkill = 3", 'keys.kill: expected a key like "x", or several: ["x", "+"]'),
        ("zzz = 3", "zzz is not a setting: there are home, local, adopt, "),
        ('[profiles.a]\nmodle = "x"', "profiles.a.modle is not a setting: did you mean model?"),
        ("[limits]\nmemory = 1", "limits.memory is not a setting: there are memory_per_agent_mb"),
        ("local = 3", "local: found 3, expected true or false"),
        ("hosts = 3", "hosts: found 3, expected a table"),
        ("[profiles]\na = 3", "profiles.a: found 3, expected a table"),
        ('[profiles.a]\nkind = "x"\nmax_turns = "x"', "expected 'headless', 'interactive' or 'command' (1 more"),
        ('[profiles.a]\nmax_turns = "x"', 'profiles.a.max_turns: found "x", expected a whole number'),
        ('[profiles.a]\nworktree = "a b"', "'a b' cannot name a branch or commit; or true, for what the repository"),
        ("[profiles.a]\nmax_turns = -1", "profiles.a.max_turns: found -1, expected 0 or more"),
        ("[profiles.a]\nmax_hours = 1e9", "max_hours: found 1000000000.0, expected 8784 or less"),
        ('[profiles.a]\nverify = ["make"]', "profiles.a.verify"),
        ("[profiles.a]\nverify = [[]]", "a command is a list of 1 to 200 words"),
        ("[profiles.a]\nmax_hours = nan", "profiles.a.max_hours: found NaN, expected a number"),
        ('[profiles.a]\nmax_budget_usd = "a lot"', 'profiles.a.max_budget_usd: expected dollars like "2.50"'),
        ("[profiles.a]\nmax_budget_usd = true", 'profiles.a.max_budget_usd: expected dollars like "2.50"'),
        ("[profiles.a]\nmax_budget_usd = nan", 'profiles.a.max_budget_usd: expected dollars like "2.50"'),
        ('[profiles.a]\ncommand = "make all"', "profiles.a.command: found text, expected a list"),
        ("[profiles.a]\ncommand = [1]", "profiles.a.command.0: found a number, expected text in quotes"),
        ('[profiles.a]\nenv = { "A B" = "1" }', "profiles.a.env: 'A B' cannot name a variable"),
        ("[profiles.a]\nenv = { A = 1 }", "profiles.a.env.A: found a number, expected text in quotes"),
        ('[profiles.a]\ncredentials = ["x"]', "profiles.a.credentials: there is no credential 'x'"),
        (
            '[profiles.a]\ncredential = "plan"\ncredentials = ["plan"]',
            "credential or credentials, not both",
        ),
        ('[credentials.a]\nconfig_dir = "x"', "credentials.a: config_dir is an absolute path on the host"),
        ('[credentials.plan]\nfile = "x"', "'plan' cannot name a credential"),
        ('[profiles.a]\ncredential = "key"', 'profiles.a.credential: expected "plan", { file'),
        ('[profiles.a]\ncredential = { fiel = "x" }', 'profiles.a.credential: expected "plan", { file'),
        ('[profiles."a b"]', "'a b' cannot name a profile"),
        ("[hosts.vm1]", "hosts.vm1.address is missing: user@address"),
        ('[hosts.vm1]\naddress = "a b"', "hosts.vm1.address: 'a b' is not an address"),
        ('[hosts.vm1]\naddress = "local"', "local is this machine"),
        ('[hosts.local]\naddress = "x"', "local is this machine"),
        ('[hosts.VM]\naddress = "x"', "'VM' cannot name a host"),
        ('[hosts.vm1]\naddress = "x"\nfingerprint = "MD5:00"', "hosts.vm1.fingerprint: expected SHA256:"),
        ('[money]\ntime_zone = "Mars/Base"', "money.time_zone: 'Mars/Base' is no time zone"),
        ("[money]\nalone = 0", 'money.alone: expected "period" or hours like 6'),
        ("[budgets.day]", "budgets.day.limit is missing: dollars like"),
        ('[budgets.day]\nlimit = "a lot"', 'budgets.day: expected dollars like "2.50"'),
        ('[budgets.day]\nlimit = "0"', "budgets.day: a limit is more than nothing"),
        ('[budgets.day]\nlimit = "5"\nperiod = "year"', "budgets.day.period: found \"year\", expected 'hour', 'day'"),
        ('[budgets.day]\nlimit = "5"\nscope = "vm1"', "budgets.day.scope: 'vm1' is no scope: say fleet, host NAME"),
        ('[budgets.day]\nlimit = "85"\nunit = "window"', "budgets.day: a budget of a plan's window says which"),
        ('[budgets.day]\nlimit = "5"\nladder = [{ at = 120, do = "stop" }]', "ladder.0.at: found 120, expected 100 or"),
        ('[budgets.day]\nlimit = "5"\nladder = [{ at = 20, do = "nap" }]', "budgets.day.ladder.0.do: found"),
        ('[budgets."A b"]\nlimit = "5"', "'A b' cannot name a budget"),
        ("x = ", "is not TOML: Invalid value"),
        ("a = 1\na = 2", "is not TOML: Cannot overwrite a value"),
        (b"# \xff", "byte 2 is not UTF-8"),
        ("x = " + "[" * 20_000, "is not TOML"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(place: Home, text: str | bytes, words: str) -> None:
    said = problem(place, text)
    assert said.startswith(str(place.config))
    assert words in said


@pytest.mark.parametrize(
    "text",
    [
        '[profiles.a]\ncredential = "sk-ant-api03-verysecret"',
        '[profiles.a]\nenv = "KEY=sk-ant-api03-verysecret"',
        '[profiles.a]\nenv = { K = ["hunter2verysecret"] }',
        '[profiles.a]\nmodel = ["sk-ant-api03-verysecret"]',
        "sk-ant-api03-verysecret",
    ],
)
def test_no_secret_is_quoted(place: Home, text: str) -> None:
    assert "verysecret" not in problem(place, text)


def test_a_file_that_others_can_write_or_nobody_can_read_is_refused(place: Home) -> None:
    write(place, "")
    place.config.chmod(0o666)
    with pytest.raises(ConfigProblem, match=f"run: chmod go-w {place.config}"):
        config.load(place)
    place.config.unlink()
    os.mkfifo(place.config, 0o600)
    with pytest.raises(ConfigProblem, match="not a plain file"):
        config.load(place)


# --------------------------------------------------------------------------- hosts.toml


def test_hosts_that_were_added_stand_beside_the_users_file(place: Home) -> None:
    write(place, WHOLE)
    before = place.config.read_bytes()
    keep_host(place, AddHost("vm3", "ann@[::1]:22", "SHA256:" + "B" * 43, ("gpu", "big")))
    keep_host(place, AddHost("vm4", "vm4"))
    loaded = config.load(place)
    assert (loaded.hosts["vm3"], loaded.hosts["vm4"]) == ("ann@[::1]:22", "vm4")
    assert loaded.fingerprints["vm3"] == "SHA256:" + "B" * 43
    assert loaded.labels == {"vm3": ("gpu", "big")}
    assert loaded.fixed == {"vm1", "vm2"}
    drop_host(place, "vm3")
    assert set(config.load(place).hosts) == {"vm1", "vm2", "vm4"}
    assert place.config.read_bytes() == before
    assert place.hosts.read_text().startswith("# Written by `controlroom host add`")
    assert place.hosts.stat().st_mode & 0o777 == 0o600


def test_a_host_in_both_files_is_one_too_many(place: Home) -> None:
    keep_host(place, AddHost("vm1", "vm1"))
    assert "hosts.vm1: it stands in config.toml too" in str(problem(place, '[hosts.vm1]\naddress = "x"'))


def test_a_broken_list_of_hosts_is_not_overwritten(place: Home) -> None:
    place.hosts.write_text("[hosts.vm1]\nadress = 'x'\n")
    place.hosts.chmod(0o600)
    with pytest.raises(ConfigProblem, match="did you mean address"):
        keep_host(place, AddHost("vm2", "vm2"))
    assert "adress" in place.hosts.read_text()


@pytest.mark.parametrize(
    "text",
    [
        '[notify.me]\nurl = ["https://hook/hunter2"]',
        '[notify.me]\ncommand = "curl https://hook/hunter2"',
        '[credentials.a]\ncommand = "echo hunter2"',
        '[profiles.a]\ncredential = "hunter2"',
        '[profiles.a]\nenv = "KEY=hunter2"',
        '[api]\nadmin_key = "hunter2"',
    ],
)
def test_what_may_be_a_secret_is_in_no_words_about_a_wrong_config(place: Home, text: str) -> None:
    """An alarm says them, which watchers see and which is sent to where people are notified."""
    watch = ConfigWatch(place)
    place.config.write_text(f"{text}\n")
    told = str(watch.look())
    assert "expected" in told
    assert "hunter2" not in told


def test_a_config_that_has_changed_is_told_of_until_it_says_again_what_was_read(place: Home) -> None:
    place.config.write_text('[profiles.docs]\nmodel = "one"\n')
    watch = ConfigWatch(place)
    assert watch.look() is None
    place.config.write_text('[profiles.docs]\nmodel = "another"\n')
    assert "has changed since the engine read it: run controlroom stop" in str(watch.look())
    assert watch.look() is None
    place.config.write_text("[queu]\n")
    told = str(watch.look())
    assert "no engine can start with it" in told
    assert "did you mean queue?" in told
    place.config.write_text('# as before\n[profiles.docs]\nmodel = "one"\n')
    assert watch.look() == ""
    place.config.unlink()
    assert "has changed" in str(watch.look())


def test_what_is_the_screens_own_keeps_no_engine_from_its_work(place: Home) -> None:
    """Themes and keys are checked by who draws with them: a wrong one is a sentence on the screen."""
    write(place, 'theme = "none of ours"\n[keys]\nkill = "ctrl+k"\nnothing = ["a", "b"]\n')
    assert config.load(place).hosts == {"local": "local"}


# --------------------------------------------------------------------------- the reference


def test_the_reference_names_every_setting_and_is_a_config_once_uncommented(place: Home) -> None:
    text = reference()
    for table in TABLES.values():
        for name, field in table.model_fields.items():
            assert f"# {name} = " in text
            assert field.description
            assert field.description in text
    settings = [line[2:] for line in text.splitlines() if line.startswith(("# [", "# ")) and _is_setting(line[2:])]
    tomllib.loads("\n".join(settings))
    filled = "\n".join(settings).replace('address = "…"', 'address = "vm1"').replace('limit = "…"', 'limit = "8"')
    write(place, filled.replace("NAME", "name"))
    assert config.load(place).spec("name").max_log_bytes == 1024**3


def _is_setting(line: str) -> bool:
    return line.startswith("[") or line.split(" = ")[0].isidentifier()


@pytest.mark.parametrize("name", RULES)
def test_a_rule_of_the_queue_may_be_the_same_in_the_config_and_by_a_verb(name: str) -> None:
    limits = {type(limit).__name__: limit for limit in QueueTable.model_fields[name].metadata}
    assert (limits["Ge"].ge, limits["Le"].le) == (RULES[name].least, RULES[name].most)
    rules = rules_of(QueueTable(**{name: limits["Le"].le}))
    assert written(name, rules) == str(limits["Le"].le)
    assert wished(name, written(name, rules)) == (RULES[name].field, getattr(rules, RULES[name].field))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_agnts=3", "'max_agnts' is no rule of the queue: did you mean max_agents?"),
        ("max_agents=2.5", "max_agents: expected a whole number, not '2.5'"),
        ("stagger_seconds=soon", "stagger_seconds: expected a number, not 'soon'"),
        ("stagger_seconds=1e9", "stagger_seconds: expected a number, not '1e9'"),
        ("stagger_seconds=.", "stagger_seconds: expected a number, not '.'"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_in_its_own_words(text: str, words: str) -> None:
    with pytest.raises(Refusal, match=f"^{re.escape(words)}$"):
        wished(*text.split("="))


def test_a_rule_may_be_a_part_of_a_second_and_goes_back_to_the_configs() -> None:
    assert wished("stagger_seconds", "2.5") == ("stagger", 2_500)
    assert wished("stagger_seconds", "") == ("stagger", None)


def test_a_credential_and_a_profile_of_one_name_do_not_wait_for_each_other(place: Home) -> None:
    named = '[credentials.a]\nfile = "~/.key"\n[credentials.b]\nconfig_dir = "/team"\n'
    profiles = {
        "a": 'credential = { file = "~/.other" }', "b": 'credential = "plan"\nenv = { CLAUDE_CONFIG_DIR = "~/.b" }',
        "c": 'credentials = ["a", "b", "plan"]', "d": 'credentials = ["plan"]\nenv = { CLAUDE_CONFIG_DIR = "~/.b" }',
        "e": 'credential = "plan"',
    }  # fmt: skip
    write(place, named + "\n".join(f"[profiles.{name}]\n{table}" for name, table in profiles.items()))
    made = config.load(place).profiles
    keys = {name: [one.key for one in made[name].credentials] or [made[name].credential] for name in profiles}
    assert keys == {
        "a": ["the key of profile a"], "b": ["the login of profile b"], "e": ["plan"],
        "c": ["the key of a", "the login of b", "plan"], "d": ["the login of profile b"],
    }  # fmt: skip
