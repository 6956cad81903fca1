"""What is run to attach to an agent, and who may only look."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.client.attach import Attachment, NoAttachment, attachment
from controlroom.domain.model import Agent, Fleet, Host, HostFacts, LinkState, State
from controlroom.protocol.home import Home
from controlroom.text.names import ADOPTED
from controlroom.text.states import AgentKind

FACTS = HostFacts("h", "me", "linux", "3.11", "3.3a", 2, 1, "m", "b", 0, owned=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A room in a HOME of its own, whose ssh config knows one host."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host *\n  UserKnownHostsFile /their/known_hosts\n")
    return Home(tmp_path, tmp_path, tmp_path, "0123abcd")


def fleet(address: str = "local", owned: bool = True, **agent: object) -> Fleet:
    host = Host("vm1", address, LinkState.UP, facts=replace(FACTS, owned=owned))
    one = Agent("vm1", "docs-1", 1, AgentKind.INTERACTIVE, State.IDLE, 0)
    return Fleet(hosts={"vm1": host}, agents={"vm1/docs-1": replace(one, **agent)})  # type: ignore[arg-type]


def prepared(home: Home, known: Fleet, role: str = "cli", read_only: bool = False) -> Attachment:
    return attachment(home, known, "vm1/docs-1", role=role, read_only=read_only)


def test_here_it_is_our_own_tmux_and_an_exact_name(home: Home) -> None:
    found = prepared(home, fleet())
    assert found.argv[:5] == ("env", "-u", "TMUX", "sh", "-c")
    assert found.argv[8:] == ("-u", "-N", "-L", "controlroom-0123abcd", "attach-session", "-t", "=docs-1:")
    assert not found.read_only


def test_over_ssh_nothing_is_forwarded_and_keys_are_checked_as_the_room_does(home: Home) -> None:
    argv = prepared(home, fleet("me@vm1.example.com:2222")).argv
    assert argv[-6:-1] == ("me", "-p", "2222", "--", "vm1.example.com")
    for option in ("StrictHostKeyChecking=yes", "ForwardAgent=no", "ClearAllForwardings=yes", "ControlPath=none"):
        assert option in argv
    known = next(word for word in argv if word.startswith("UserKnownHostsFile="))
    assert known == f'UserKnownHostsFile="{home.known_hosts}" /their/known_hosts'
    assert argv[-1].endswith("'\"'\"'=docs-1:'\"'\"'") or argv[-1].endswith("-t =docs-1:")


def test_who_may_only_look(home: Home) -> None:
    watcher = prepared(home, fleet(), role="watch")
    assert (watcher.read_only, watcher.why_read_only, watcher.argv[-1]) == (True, "a watcher only looks", "-r")
    foreign = prepared(home, fleet(owned=False))
    assert (foreign.read_only, foreign.argv[-1]) == (True, "-r")
    asked = prepared(home, fleet(), read_only=True)
    assert (asked.read_only, asked.why_read_only, asked.argv[-1]) == (True, "", "-r")


def test_what_others_started_is_attached_to_where_it_is(home: Home) -> None:
    other = fleet(kind=ADOPTED, pane="%12", place="tmux work")
    words = prepared(home, other).argv
    assert words[8] == "%12"
    inner = words.index("new-session")
    assert words[inner + 5 : inner + 12] == ("-u", "-N", "-L", "default", "attach-session", "-t", "%12")
    with pytest.raises(NoAttachment, match="in no tmux session"):
        prepared(home, fleet(kind=ADOPTED, place="pid 12"))
    with pytest.raises(NoAttachment):
        prepared(home, fleet(kind=ADOPTED, pane="%1;kill-server"))


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (fleet(state=State.DONE, detail="killed"), "has ended"),
        (fleet(name="$(id)"), "cannot name an agent"),
        (fleet("-oProxyCommand=id"), "is not an address"),
        (Fleet(), "there is no agent"),
    ],
)
def test_what_cannot_be_is_told(home: Home, known: Fleet, reason: str) -> None:
    with pytest.raises(NoAttachment, match=reason):
        prepared(home, known)


def test_without_ssh_it_says_what_to_install(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoAttachment, match="apt-get install openssh-client"):
        prepared(home, fleet("vm1"))


def test_what_went_wrong_is_a_sentence() -> None:
    assert Attachment("vm1/docs-1", ("true",), False).run() == ""
    said = Attachment("vm1/docs-1", ("sh", "-c", "printf 'no\\033[2J such\\n' >&2; exit 255"), False).run()
    assert said == "vm1/docs-1: no␛ such"
    assert "connection broke" in Attachment("vm1/docs-1", ("sh", "-c", "exit 255"), False).run()
    assert "cannot be run" in Attachment("vm1/docs-1", (os.devnull,), False).run()


@pytest.mark.parametrize("code", [0, 1])
def test_the_terminal_is_as_it_was_however_its_session_ended(code: int) -> None:
    """A host that ends in order may have left other letters, margins, reverse video, and reports of the mouse."""
    left = "\x1b(0\x1b[5;9r\x1b[?5h\x1b[?1003h"
    words = ("sh", "-c", f"printf '{left}'; exit {code}".replace("\x1b", "\\033"))
    pid, terminal = pty.fork()
    if pid == 0:
        Attachment("vm1/docs-1", words, read_only=False).run()
        os._exit(0)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        while data := os.read(terminal, 4096):
            shown += data
    os.waitpid(pid, 0)
    os.close(terminal)
    _, was, after = shown.partition(left.encode())
    assert was
    for needed in ("\x1b[!p", "\x1b(B", "\x1b[?5l", "\x1b[?1003l"):
        assert needed.encode() in after


def test_what_others_started_is_attached_to_where_the_login_shell_has_its_tmux(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no terminal here, which tmux says only of a session that it has found."""
    folder = tmp_path / "sockets"
    folder.mkdir(mode=0o700)
    (tmp_path / ".bash_profile").write_text(f"echo hello; export TMUX_TMPDIR={folder}\n")
    own = {**os.environ, "HOME": str(tmp_path), "SHELL": "/bin/bash", "TMUX_TMPDIR": str(tmp_path / "none")}
    there = {**own, "TMUX_TMPDIR": str(folder)}
    words = ["tmux", "-f", "/dev/null", "new-session", "-d", "-P", "-F", "#{pane_id}", "sleep 300"]
    pane = subprocess.run(words, env=there, capture_output=True, text=True, check=True).stdout.strip()
    try:
        command = prepared(home, fleet("me@vm1", kind=ADOPTED, pane=pane, place="tmux work")).argv[-1]
        done = subprocess.run(["sh", "-c", command], env=own, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert "not a terminal" in done.stderr
    finally:
        subprocess.run(["tmux", "kill-server"], env=there, check=True)
