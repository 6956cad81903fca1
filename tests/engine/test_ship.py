from __future__ import annotations

import asyncio
import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controlroom.engine.hosts.channel import Channel, HostRefuses, LinkLost
from controlroom.engine.hosts.deploy import Bundle, board, bundles, command, new_marker, pack
from controlroom.engine.hosts.local import open_pipes
from tests.engine.far_end import ECHO, SERVE, Noting, cache_of, read_until, tiny
from tests.lab.namespaces import NamespaceLab

MARKER = "controlroom-test-marker"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """What a host's login shell would give us: an empty HOME, tools and a Python."""
    return {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "SHELL": "/bin/sh"}


async def boarded(
    environ: Mapping[str, str],
    offers: Callable[[], Sequence[Bundle]],
    shell: str = "sh",
    before: str = "",
    patience: float = 30.0,
) -> tuple[Channel, Noting]:
    """What sshd does with our command line: it gives it to the login shell."""
    marker = new_marker()
    raw = Noting(await open_pipes("vm1", [shell, "-c", before + command(marker)], environ))
    return await board("vm1", raw, marker, offers, patience), raw


async def refusal(script: str, environ: Mapping[str, str], patience: float = 30.0) -> str:
    """What is said of a host that runs `script` instead of what we asked for."""
    raw = Noting(await open_pipes("vm1", ["sh", "-c", script], environ, grace=0.1))
    with pytest.raises((HostRefuses, LinkLost)) as error:
        await board("vm1", raw, MARKER, tiny(), patience)
    assert raw.closed
    return f"{type(error.value).__name__}: {error.value}"


def names(bundle: Bundle) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(bundle.data)) as archive:
        return archive.getnames()


def only_tools(folder: Path, *more: tuple[str, str]) -> str:
    """A PATH without any Python, but for scripts named here."""
    folder.mkdir()
    for tool in ("sh", "tail"):
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    for name, text in more:
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return str(folder)


# -- the bundle


def test_the_bundle_holds_the_node_half_and_nothing_else() -> None:
    full, plain = bundles()
    found = set(names(full))
    assert {SERVE, "controlroom/__init__.py", "libtmux/server.py", "psutil/__init__.py"} <= found
    assert {name.split("/")[1] for name in found if name.startswith("controlroom/") and name.count("/") > 1} == {
        "metering",
        "node",
        "runner",
        "text",
        "wire",
    }
    assert all(name.endswith((".py", ".so")) for name in found)
    assert not [name for name in found if "/tests/" in name or "/test/" in name or "pytest" in name]
    assert not [name for name in names(plain) if name.startswith("psutil")]
    assert len(full.data) < 640 * 1024, "what each host is sent at its first connection"


def test_the_same_files_give_the_same_bundle() -> None:
    program = "from controlroom.engine.hosts.deploy import bundles\nfor one in bundles(): print(one.digest)"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert other.stdout.split() == [bundle.digest for bundle in bundles()]


# -- the command line


def test_the_command_line_survives_any_shell() -> None:
    line = command(MARKER)
    inside = line.split("'")
    assert len(inside) == 3
    assert not set("\\!\n") & set(line)
    assert len(line) < 1000


@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "zsh", "fish", "rbash", "tcsh"])
async def test_every_login_shell_starts_the_node(shell: str, environ: dict[str, str]) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    channel, _ = await boarded(environ, tiny(), shell)
    try:
        assert await read_until(channel, b"here\n") == b"here\n"
        await channel.send(b"\x00\xff'$(id)\n")
        assert await read_until(channel, b"\n") == b"\x00\xff'$(id)\n"
    finally:
        await channel.close()


async def test_talking_login_files_are_skipped(environ: dict[str, str]) -> None:
    channel, _ = await boarded(environ, tiny(), before="echo hello; printf 'no newline {\"landed\": 1} controlroom-';")
    try:
        assert await read_until(channel, b"\n") == b"here\n"
    finally:
        await channel.close()


# -- Python on the host


async def board_without_python(environ: Mapping[str, str], path: str) -> Channel:
    raw = await open_pipes("vm1", ["sh", "-c", command(MARKER, "/nowhere")], {**environ, "PATH": path})
    return await board("vm1", raw, MARKER, tiny())


async def test_no_python_is_said_with_what_to_do(environ: dict[str, str], tmp_path: Path) -> None:
    path = only_tools(tmp_path / "bin", ("quiet", "#!/bin/sh\n"))
    with pytest.raises(HostRefuses, match=r"vm1 has no python3; .* needs 3\.10 or newer there: install one"):
        await board_without_python({**environ, "SHELL": f"{path}/quiet"}, path)


async def test_an_old_python_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    old = '#!/bin/sh\ncase "$*" in -V) echo "Python 3.8.10";; *) exit 1;; esac\n'
    path = only_tools(tmp_path / "bin", ("python3", old), ("quiet", "#!/bin/sh\n"))
    with pytest.raises(HostRefuses, match=r"^vm1 has Python 3\.8; Control Room needs 3\.10 or newer there"):
        await board_without_python({**environ, "SHELL": f"{path}/quiet"}, path)


async def test_a_newer_python_beside_an_old_one_is_found(environ: dict[str, str], tmp_path: Path) -> None:
    path = only_tools(
        tmp_path / "bin",
        ("python3", "#!/bin/sh\nexit 1\n"),
        ("python3.12", f'#!/bin/sh\nexec {sys.executable} "$@"\n'),
    )
    channel = await board_without_python(environ, path)
    assert await read_until(channel, b"\n") == b"here\n"
    await channel.close()


async def test_the_login_shell_is_asked_last(environ: dict[str, str], tmp_path: Path) -> None:
    shell = ("login", f"#!/bin/sh\necho welcome\necho {sys.executable}\n")
    path = only_tools(tmp_path / "bin", shell)
    channel = await board_without_python({**environ, "SHELL": f"{path}/login"}, path)
    assert await read_until(channel, b"\n") == b"here\n"
    await channel.close()


# -- the cache on the host


async def test_the_second_time_nothing_is_shipped(environ: dict[str, str], tmp_path: Path) -> None:
    bundle = bundles()[0]
    sent = []
    for _ in range(2):
        channel, raw = await boarded(environ, bundles)
        sent.append(raw.sent)
        await channel.close()
    assert bundle.data in sent[0]
    assert len(sent[1]) < 8192
    (kept,) = cache_of(tmp_path).iterdir()
    assert kept.name == bundle.digest
    assert (kept.stat().st_mode & 0o777, (kept / SERVE).stat().st_mode & 0o777) == (0o700, 0o600)


async def test_rooms_that_come_at_once_do_not_meet(environ: dict[str, str], tmp_path: Path) -> None:
    both = await asyncio.gather(*(boarded(environ, bundles) for _ in range(4)))
    await asyncio.gather(*(channel.close() for channel, _ in both))
    assert [path.name for path in cache_of(tmp_path).iterdir()] == [bundles()[0].digest]


async def test_a_cache_folder_elsewhere_is_honoured(environ: dict[str, str], tmp_path: Path) -> None:
    channel, _ = await boarded({**environ, "XDG_CACHE_HOME": str(tmp_path / "elsewhere")}, tiny())
    await channel.close()
    assert list((tmp_path / "elsewhere" / "controlroom" / "node").iterdir())
    assert not (tmp_path / ".cache").exists()


@pytest.mark.parametrize("harm", ["emptied", "missing", "extra"])
async def test_a_damaged_cache_is_shipped_anew(environ: dict[str, str], tmp_path: Path, harm: str) -> None:
    offers = tiny()
    channel, _ = await boarded(environ, offers)
    await channel.close()
    serve = cache_of(tmp_path) / offers()[0].digest / SERVE
    if harm == "emptied":
        serve.write_bytes(b"")
    elif harm == "missing":
        serve.unlink()
    else:
        (serve.parent / "json.py").write_bytes(b"raise SystemExit")
    channel, raw = await boarded(environ, offers)
    assert await read_until(channel, b"\n") == b"here\n"
    await channel.close()
    assert offers()[0].data in raw.sent
    assert len(list(cache_of(tmp_path).iterdir())) == 1


async def test_bundles_unused_for_a_month_are_removed(environ: dict[str, str], tmp_path: Path) -> None:
    ages = {"a" * 64: 40, "b" * 64: 20, ".new-old": 2, ".new-fresh": 0, "something-else": 400}
    now = time.time()
    for name, days in ages.items():
        folder = cache_of(tmp_path) / name
        folder.mkdir(parents=True)
        os.utime(folder, (now - days * 86400,) * 2)
    for folder in (cache_of(tmp_path), cache_of(tmp_path).parent):
        folder.chmod(0o700)
    offers = tiny()
    channel, _ = await boarded(environ, offers)
    await channel.close()
    left = {path.name for path in cache_of(tmp_path).iterdir()}
    assert left == {"b" * 64, ".new-fresh", "something-else", offers()[0].digest}


async def test_a_bundle_in_use_stays_young(environ: dict[str, str], tmp_path: Path) -> None:
    offers = tiny()
    for _ in range(2):
        channel, _ = await boarded(environ, offers)
        await channel.close()
        place = cache_of(tmp_path) / offers()[0].digest
        assert time.time() - place.stat().st_mtime < 86400
        os.utime(place, (1, 1))


# -- what goes wrong there


async def test_a_cache_that_others_may_write_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    cache_of(tmp_path).mkdir(parents=True)
    cache_of(tmp_path).chmod(0o777)
    cache_of(tmp_path).parent.chmod(0o700)
    with pytest.raises(HostRefuses, match=r"on vm1 others may write to .*: run `chmod 700`"):
        await boarded(environ, tiny())


async def test_what_is_made_on_a_host_is_for_nobody_else_whatever_its_login_shell_leaves_to_others(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """Whoever can write to ~/.cache can put another node in the place of ours."""
    channel, _ = await boarded(environ, tiny(ECHO), before="umask 0;")
    await channel.close()
    made = made_below(tmp_path)
    assert tmp_path / ".cache" in made
    assert not [path for path in made if path.stat().st_mode & 0o077]


def made_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_symlink()]


async def test_a_cache_that_cannot_be_made_is_said(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".cache").write_text("a file")
    with pytest.raises(HostRefuses, match=r"vm1 could not unpack our node \(.*\.cache"):
        await boarded(environ, tiny())


async def test_a_full_disk_is_no_reason_to_lose_sight_of_a_host(vms: Callable[..., NamespaceLab]) -> None:
    host = vms(1, disk=24)["vm1"]
    host.fill()
    for elsewhere in ("/tmp", "/dev/null"):
        marker = new_marker()
        words = ["ssh", "-F", str(host.ssh_config), "vm1", f"export TMPDIR={elsewhere};{command(marker)}"]
        raw = await open_pipes("vm1", words, dict(os.environ))
        channel = await board("vm1", raw, marker, bundles)
        await channel.close()


async def test_a_home_that_cannot_be_written_has_its_node_elsewhere(environ: dict[str, str], tmp_path: Path) -> None:
    """As root nothing is forbidden: the cache is a file system of which nothing can be made."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    away = {**environ, "XDG_CACHE_HOME": "/sys/kernel", "TMPDIR": str(elsewhere)}
    sent = []
    for _ in range(2):
        channel, raw = await boarded(away, tiny())
        assert await read_until(channel, b"here\n") == b"here\n"
        await channel.close()
        sent.append(raw.sent)
    (own,) = elsewhere.iterdir()
    assert own.name == f"controlroom-node-{os.geteuid()}"
    assert own.stat().st_mode & 0o777 == 0o700
    assert tiny()()[0].data in sent[0]
    assert tiny()()[0].data not in sent[1], "it is kept there"


async def test_a_place_elsewhere_that_others_may_write_is_passed_over(environ: dict[str, str], tmp_path: Path) -> None:
    places = [tmp_path / "open", tmp_path / "run"]
    for place in places:
        place.mkdir()
    (places[0] / f"controlroom-node-{os.geteuid()}" / "node").mkdir(parents=True)
    (places[0] / f"controlroom-node-{os.geteuid()}").chmod(0o777)
    away = {"XDG_CACHE_HOME": "/sys/kernel", "TMPDIR": str(places[0]), "XDG_RUNTIME_DIR": str(places[1])}
    channel, _ = await boarded({**environ, **away}, tiny())
    await channel.close()
    assert list((places[1] / f"controlroom-node-{os.geteuid()}" / "node").iterdir())
    assert list((places[0] / f"controlroom-node-{os.geteuid()}" / "node").iterdir()) == []


READING = {"a moment": "read -t 1 x;", "a line": "read x;", "all": "cat >/dev/null;"}


@pytest.mark.parametrize("line", READING.values(), ids=READING)
async def test_a_login_file_that_reads_takes_nothing_of_ours_or_is_named(environ: dict[str, str], line: str) -> None:
    if "-t" in line:
        channel, _ = await boarded(environ, tiny(), "bash", before=line)
        assert await read_until(channel, b"here\n") == b"here\n"
        await channel.close()
        return
    with pytest.raises(LinkLost, match=r"does a login file there \(\.bashrc\) wait for something, or read what"):
        await boarded(environ, tiny(), "bash", before=line, patience=1.0)


async def test_a_bundle_that_arrives_damaged_is_not_run(environ: dict[str, str], tmp_path: Path) -> None:
    (good,) = tiny()()
    for bad in (replace(good, digest="0" * 64), replace(good, size=good.size + 1)):
        with pytest.raises(HostRefuses, match="vm1 received our node damaged"):
            await boarded(environ, lambda bad=bad: (bad,))  # type: ignore[misc]
    assert list(cache_of(tmp_path).iterdir()) == []


@pytest.mark.parametrize("name", ["../escaped", "a/../../escaped", "/tmp/escaped", ".hidden/x", "a//b"])
async def test_no_name_in_a_bundle_leaves_its_folder(environ: dict[str, str], tmp_path: Path, name: str) -> None:
    bad = pack([(SERVE, ECHO), (name, b"x")])
    with pytest.raises(HostRefuses, match="damaged"):
        await boarded(environ, lambda: (bad,))
    assert "escaped" not in [name for _, _, files in os.walk(tmp_path) for name in files]
    assert list(cache_of(tmp_path).iterdir()) == []


async def test_the_compiled_part_goes_only_where_it_runs(environ: dict[str, str]) -> None:
    full, plain = bundles()
    assert full.needs is not None
    changes: list[dict[str, Any]] = [{"machine": "pdp11"}, {"libc": "musl"}, {"libc_version": (99, 0)}]
    for change in [*changes, {"python": "cpython-27"}]:
        offered = (replace(full, needs=replace(full.needs, **change)), plain)
        channel, raw = await boarded(environ, lambda offered=offered: offered)  # type: ignore[misc]
        await channel.close()
        assert full.data not in raw.sent


async def test_a_host_that_runs_something_else_is_quoted(environ: dict[str, str]) -> None:
    said = await refusal("echo This account is not available. >&2; exit 1", environ)
    assert said.startswith("HostRefuses: vm1 did not run what we asked for: it ended with exit status 1 and said: This")


async def test_what_a_host_says_is_sanitized(environ: dict[str, str]) -> None:
    said = await refusal(r"printf 'sk-ant-REDACTED \033]52;c;AAAA\007\033[2J [/red]\n'; exit 3", environ)
    assert "\x1b" not in said
    assert "sk-ant-REDACTED" not in said
    assert "[/red]" in said


async def test_a_host_that_talks_for_ever_is_cut_off(environ: dict[str, str]) -> None:
    assert "vm1 talks without end when we log in (y)" in await refusal("exec yes", environ)


async def test_a_silent_host_is_lost_after_a_while(environ: dict[str, str]) -> None:
    said = await refusal("exec sleep 60", environ, patience=0.2)
    assert said.startswith("LinkLost: vm1 did not start Python within 0.2 s: does a login file there (.bashrc) wait")


CONFUSED = {"cut": "{nonsense", "list": "[]", "twice": '{"held": true}', "offer": '{"offer": "x"}', "deep": "[" * 5000}


@pytest.mark.parametrize("answer", CONFUSED.values(), ids=CONFUSED)
async def test_confused_answers_are_no_node(environ: dict[str, str], answer: str) -> None:
    said = await refusal(f"echo '{MARKER} {answer}'; echo '{MARKER} {answer}'; exec sleep 5", environ, patience=2)
    assert said.startswith("LinkLost: vm1 ")


async def test_trouble_in_strange_words_is_still_a_sentence(environ: dict[str, str]) -> None:
    report = r'{"trouble": {"\u001b": 1}, "text": ["\u001b[2J"]}'
    said = await refusal(f"echo '{MARKER} {report}'; exec sleep 5", environ)
    assert said.startswith("HostRefuses: vm1 could not unpack our node (")
    assert "\x1b" not in said
