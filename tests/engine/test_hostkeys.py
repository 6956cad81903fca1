from __future__ import annotations

import os
import subprocess
from pathlib import Path

import asyncssh
import pytest

from controlroom.engine.hosts.host_keys import HostKeys, changed, remember


@pytest.fixture(scope="module")
def keys() -> dict[str, asyncssh.SSHKey]:
    """Some host keys."""
    return {name: asyncssh.generate_private_key("ssh-ed25519").convert_to_public() for name in "abc"}


def line(names: str, key: asyncssh.SSHKey) -> str:
    return f"{names} {key.export_public_key('openssh').decode().strip()}\n"


def known(path: Path, text: str) -> HostKeys:
    path.write_text(text)
    return HostKeys([path.with_name("missing"), path], asyncssh.import_known_hosts)


def test_keys_are_found_by_name_and_port(tmp_path: Path, keys: dict[str, asyncssh.SSHKey]) -> None:
    text = (
        "# a comment\n\n" + line("vm1,10.0.0.7", keys["a"]) + line("[vm1]:2222", keys["b"]) + line("*.org", keys["c"])
    )
    hosts = known(tmp_path / "known", text)
    assert [(s.line, s.key) for s in hosts.stored("vm1", 22)] == [(3, keys["a"])]
    assert [(s.line, s.key) for s in hosts.stored("vm1", 2222)] == [(4, keys["b"])]
    assert [(s.line, s.key) for s in hosts.stored("x.org", 22)] == [(5, keys["c"])]
    assert hosts.stored("vm2", 22) == []


def test_a_key_of_the_plain_name_serves_other_ports_but_does_not_bind_them(
    tmp_path: Path, keys: dict[str, asyncssh.SSHKey]
) -> None:
    hosts = known(tmp_path / "known", line("vm1", keys["a"]) + line("[vm1]:2222", keys["b"]))
    assert hosts.match("vm1", 3333)[0] == [keys["a"]]
    assert hosts.stored("vm1", 3333) == []
    assert hosts.match("vm1", 2222)[0] == [keys["b"]]


def test_authorities_revoked_keys_and_hashed_names(tmp_path: Path, keys: dict[str, asyncssh.SSHKey]) -> None:
    path = tmp_path / "known"
    path.write_text(line("[vm1]:2222", keys["a"]))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", path], check=True, capture_output=True)
    assert "vm1" not in path.read_text()
    text = path.read_text() + "@cert-authority " + line("*", keys["b"]) + "@revoked " + line("*", keys["c"])
    trusted, authorities, revoked, *_ = known(path, text).match("vm1", 2222)
    assert (trusted, authorities, revoked) == ([keys["a"]], [keys["b"]], [keys["c"]])


def test_lines_that_make_no_sense_spoil_no_other(tmp_path: Path, keys: dict[str, asyncssh.SSHKey]) -> None:
    junk = "one\n@what * ssh-ed25519 AAAA\n|1|bad|hash ssh-ed25519 AAAA\n* ssh-ed25519 !!!\n@revoked\n\x00\xff\n"
    hosts = known(tmp_path / "known", junk + line("vm1", keys["a"]))
    assert [stored.line for stored in hosts.stored("vm1", 22)] == [7]


def test_an_accepted_key_is_kept_and_found_again(tmp_path: Path, keys: dict[str, asyncssh.SSHKey]) -> None:
    path = tmp_path / "own"
    remember(path, "vm1", keys["a"])
    remember(path, "[vm1]:2222", keys["b"])
    assert path.stat().st_mode & 0o777 == 0o600
    hosts = HostKeys([path], asyncssh.import_known_hosts)
    assert hosts.match("vm1", 22)[0] == [keys["a"]]
    assert hosts.match("vm1", 2222)[0] == [keys["b"]]
    found = subprocess.run(["ssh-keygen", "-F", "[vm1]:2222", "-f", path], capture_output=True, text=True, check=True)
    assert keys["b"].export_public_key("openssh").decode().split()[1] in found.stdout


def test_an_accepted_key_never_joins_a_broken_last_line(tmp_path: Path, keys: dict[str, asyncssh.SSHKey]) -> None:
    path = tmp_path / "own"
    path.write_text("half a line")
    remember(path, "vm1", keys["a"])
    assert path.read_text().splitlines()[0] == "half a line"
    assert HostKeys([path], asyncssh.import_known_hosts).match("vm1", 22)[0] == [keys["a"]]


def test_a_changed_key_is_told_with_both_fingerprints_the_line_and_a_command_that_works(
    tmp_path: Path, keys: dict[str, asyncssh.SSHKey]
) -> None:
    hosts = known(tmp_path / "known", line("other", keys["c"]) + line("[vm1]:2222", keys["a"]))
    said = changed("vm1", "[vm1]:2222", keys["b"], hosts.stored("vm1", 2222))
    assert keys["a"].get_fingerprint() in said
    assert keys["b"].get_fingerprint() in said
    assert f"{tmp_path / 'known'} line 2" in said
    command = said.split("`")[1]
    subprocess.run(command, shell=True, check=True, capture_output=True, env={**os.environ, "HOME": str(tmp_path)})
    assert HostKeys([tmp_path / "known"], asyncssh.import_known_hosts).stored("vm1", 2222) == []
