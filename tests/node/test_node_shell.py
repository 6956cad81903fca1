"""The login shell's environment: real shells, with start-up files of every temper."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controlroom.node.login_shell import FRESH, LoginEnvironment, LoginShell, alias_of, login_environment
from controlroom.runner.folder import PLACE, TAG
from controlroom.wire.inquiries import Check, Checked
from tests.lab.node_client import NodeClient, bodies_of
from tests.lab.waiting import wait_for, wait_for_async
from tests.lab.world import World

MARK = "0123456789abcdef"
GUARD = "case $- in *i*) ;; *) return ;; esac\n"


async def asked(
    home: World, shell: str = "/bin/bash", deadline: float = 5.0, environ: dict[str, str] | None = None
) -> LoginEnvironment:
    assert os.environ["HOME"] == str(home.home)
    return await login_environment({**os.environ, "SHELL": shell, **(environ or {})}, MARK, deadline)


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


async def test_profile_and_bashrc_both_count(home: World) -> None:
    (home.home / ".bash_profile").write_text("export FROM_PROFILE=1 PATH=$HOME/.local/bin:$PATH\n")
    (home.home / ".bashrc").write_text(GUARD + "export ANTHROPIC_API_KEY=sk-ant-x PATH=$HOME/.nvm/bin:$PATH\n")
    found = await asked(home)
    assert found.problem == ""
    assert found.variables["FROM_PROFILE"] == "1"
    assert found.variables["ANTHROPIC_API_KEY"] == "sk-ant-x"
    assert found.variables["PATH"].startswith(f"{home.home}/.nvm/bin:{home.home}/.local/bin:")


async def test_values_of_any_text_survive_and_our_own_are_left_out(home: World) -> None:
    nasty = "two\nlines=3\n$(id) 'quoted' \"double\" \\ 🎛️"
    found = await asked(home, environ={"NASTY": nasty, "TMUX": "x", TAG: "default/me.1", PLACE: "1-2"})
    assert found.variables["NASTY"] == nasty
    assert not {"SHLVL", "PWD", "TMUX", "TERM", TAG, PLACE} & found.variables.keys()


async def test_start_up_files_may_talk(home: World) -> None:
    (home.home / ".bash_profile").write_text("echo welcome; printf 'no newline'; export A=1\n")
    (home.home / ".bashrc").write_text(f"echo {MARK}; echo '{MARK}<X=1'; cat /bin/true; echo err >&2; export B=2\n")
    found = await asked(home)
    assert (found.variables["A"], found.variables["B"], found.problem) == ("1", "2", "")


@pytest.mark.parametrize(
    "line", ["exit 0", "exit 3", "exec cat", "exec sleep 0", "kill -9 $$", "sleep 600", "read x; sleep 600"]
)
async def test_a_bashrc_that_ends_or_holds_the_shell_costs_only_what_it_sets(home: World, line: str) -> None:
    (home.home / ".bash_profile").write_text("export FROM_PROFILE=1\n")
    (home.home / ".bashrc").write_text(f"export NEVER=1\n{line}\n")
    found = await asked(home, deadline=3.0)  # the second shell, which answers, has as long
    assert found.variables["FROM_PROFILE"] == "1"
    assert "its login files alone" in found.problem
    assert "bash -l -i -c env" in found.problem


@pytest.mark.parametrize("line", ["exit 0", "exec cat", "sleep 600"])
async def test_a_profile_that_ends_or_holds_the_shell_leaves_what_the_node_has(home: World, line: str) -> None:
    (home.home / ".bash_profile").write_text(f"{line}\n")
    found = await asked(home, deadline=0.5, environ={"OWN": "1"})
    assert found.variables["OWN"] == "1"
    assert "the connection's own environment" in found.problem


async def test_nothing_of_the_shell_is_left_behind(home: World) -> None:
    (home.home / ".bashrc").write_text("sleep 4321 & sleep 4321\n")
    await asked(home, deadline=0.5)
    wait_for(lambda: not [process for process in home.processes() if "sleep 4321" in process.command])


async def test_start_up_files_that_hang_take_their_locks_away(home: World) -> None:
    script = home.home / "locking"
    put(script, 'trap "rm -f $HOME/lock" EXIT\ntouch "$HOME/lock" "$HOME/locked"\nwhile :; do sleep 0.1; done\n')
    (home.home / ".bashrc").write_text(f"bash {script}\n")
    asking = asyncio.create_task(asked(home, deadline=600.0))
    await wait_for_async((home.home / "locked").exists)
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    assert not (home.home / "lock").exists()


async def test_what_does_not_end_when_asked_is_killed(home: World) -> None:
    (home.home / ".bashrc").write_text("trap '' HUP TERM\nsleep 5432; sleep 5432\n")
    await asked(home, deadline=0.5)
    wait_for(lambda: not [process for process in home.processes() if "sleep 5432" in process.command])


@pytest.mark.parametrize("shell", ["/no/such/shell", "/bin/false"])
async def test_no_shell_at_all_is_said(home: World, shell: str) -> None:
    found = await asked(home, shell, environ={"OWN": "1"})
    assert found.variables["OWN"] == "1"
    assert found.problem.startswith(shell)


@pytest.mark.parametrize(
    ("program", "files"),
    [
        ("sh", {".profile": "export LOGIN=1; echo noise\n"}),
        ("zsh", {".zprofile": "export LOGIN=1; echo noise\n", ".zshrc": "export INTERACTIVE=1\n"}),
        (
            "fish",
            {
                ".config/fish/config.fish": "echo noise\nstatus is-login; and set -gx LOGIN 1\n"
                "status is-interactive; and set -gx INTERACTIVE 1\n"
            },
        ),
    ],
)
async def test_other_shells_are_asked_the_same_way(
    home: World, need: Callable[..., str], program: str, files: dict[str, str]
) -> None:
    shell = need(program)
    for name, text in files.items():
        put(Path(home.home, name), text)
    found = await asked(home, shell)
    assert found.problem == ""
    assert found.variables["LOGIN"] == "1"
    if program != "sh":
        assert found.variables["INTERACTIVE"] == "1"


# -- asked again


QUICK = (
    *(sys.executable, "-c"),
    "from controlroom.node import login_shell, main; login_shell.FRESH = 0.0; main.main()",
)
"""A node whose every spawn asks the shell anew."""


def spawned_says(node: NodeClient, name: str, epoch: int, *command: str) -> list[str]:
    assert node.spawn(name, epoch, *command).outcome == "done"
    node.wait_agent(name, lambda seen: seen.state == "done" and seen.epoch == epoch)
    return bodies_of(node.fetch(name, epoch))


def checked(node: NodeClient, number: int) -> Checked:
    node.send(Check(number))
    return node.wait(Checked, lambda found: found.id == number)


def test_the_next_agent_gets_what_the_login_files_say_by_now(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/bash")
    profile, tools = home.home / ".bash_profile", home.home / "tools"
    profile.write_text("export ANTHROPIC_API_KEY=sk-ant-old\n")
    put(tools / "claude", "#!/bin/sh\necho 2.1.332 '(Claude Code)'\n")
    (tools / "claude").chmod(0o755)
    with NodeClient(QUICK) as node:
        node.greet()
        assert "sk-ant-old" in spawned_says(node, "one", 1, "printenv", "ANTHROPIC_API_KEY")
        before = checked(node, 101)
        profile.write_text(f"export ANTHROPIC_API_KEY=sk-ant-new PATH={tools}:$PATH\n")
        assert "sk-ant-new" in spawned_says(node, "two", 1, "printenv", "ANTHROPIC_API_KEY")
        after = checked(node, 102)
        assert after.host.claude_at == f"{tools}/claude" != before.host.claude_at
        profile.write_text("exit 0\n")
        assert "sk-ant-new" in spawned_says(node, "three", 1, "printenv", "ANTHROPIC_API_KEY")
        wait_for(lambda: [text for text in node.notices() if "kept: its answer of 1m ago" in text])
        profile.write_text("")
        spawned_says(node, "four", 1, "true")
        wait_for(lambda: node.notices()[-1] == "")


async def test_those_who_ask_together_share_one_answer(home: World) -> None:
    asked_so_often, now = 0, 0.0

    async def ask() -> LoginEnvironment:
        nonlocal asked_so_often
        asked_so_often += 1
        await asyncio.sleep(0)
        return LoginEnvironment({"N": str(asked_so_often)})

    login = LoginShell(ask, lambda: now)
    found = await asyncio.gather(*(login.read() for _ in range(20)))
    assert {each.variables["N"] for each in found} == {"1"}
    now = FRESH
    assert (await login.read()).variables["N"] == "1"
    now = FRESH + 0.1
    assert (await login.read()).variables["N"] == "2"
    await login.close()


@pytest.mark.parametrize(
    ("line", "short_for"),
    [
        ("alias claude='~/.claude/local/claude'", "~/.claude/local/claude"),
        ('alias claude="npx claude --model opus"', "npx claude --model opus"),
        ('claude() { /opt/claude "$@"; }', "claude is a function"),
        ("true", ""),
        ("echo alias claude=no", ""),
    ],
)
async def test_a_program_that_is_only_an_alias_is_known_as_one(home: World, line: str, short_for: str) -> None:
    (home.home / ".bashrc").write_text(f"{line}\n")
    (home.home / ".bash_profile").write_text(". ~/.bashrc\n")
    environ = {**os.environ, "SHELL": "/bin/bash", "PATH": "/usr/bin:/bin"}
    assert await alias_of("claude", environ, MARK) == short_for


def test_an_agent_gets_it_and_the_operator_hears_of_trouble(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/bash")
    tools = home.home / ".local" / "bin"
    tools.mkdir(parents=True)
    (tools / "mytool").write_text("#!/bin/sh\necho tool with $KEY\n")
    (tools / "mytool").chmod(0o755)
    (home.home / ".bash_profile").write_text("PATH=$HOME/.local/bin:$PATH\n")
    (home.home / ".bashrc").write_text("echo I talk\nexport KEY=from-bashrc\n")
    with NodeClient() as node:
        node.greet()
        assert node.spawn("one", 1, "mytool").outcome == "done"
        node.wait_agent("one", lambda seen: seen.state == "done")
        assert "tool with from-bashrc" in bodies_of(node.fetch("one", 1))
        assert node.notices() == []
    (home.home / ".bashrc").write_text("exit\n")
    with NodeClient() as node:
        node.greet()
        wait_for(lambda: [text for text in node.notices() if "its login files alone" in text])
        assert node.spawn("two", 1, "true").outcome == "done"
