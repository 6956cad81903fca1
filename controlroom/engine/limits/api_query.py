"""Starts the process that asks the API about limits, and makes what it says fit to use.

The key is read when it is needed, goes to that process on its stdin, and is kept nowhere.
"""

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from controlroom.domain.limits.buckets import KINDS, HeadersRead, Ruling
from controlroom.engine.config.limit_settings import Secret, SecretFile
from controlroom.engine.hosts.translate import short
from controlroom.text.json_fields import table, text
from controlroom.text.redact import redact

ASKER = "controlroom.engine.limits.api_process"

DEADLINE = 90.0
"""Seconds that asking may take."""

_SECRET_SECONDS = 30.0
_SECRET_LIMIT = 16 * 1024
_MOST = 10**12
_HEADER = {"requests": "requests", "input": "input-tokens", "output": "output-tokens"}


class Unasked(Exception):
    """There is no answer; the words say why."""


async def ceilings(secret: Secret, url: str) -> dict[str, dict[str, int]]:
    """Read the organisation's ceilings: model -> kind -> a minute. Raises `Unasked`."""
    return read_ceilings(await _ask(secret, {"url": url}))


def read_ceilings(said: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Read what was said of ceilings; what cannot be is left out. Raises `Unasked` when nothing is left."""
    found: dict[str, dict[str, int]] = {}
    for model, limits in table(said.get("ceilings")).items():
        known = {kind: value for kind, value in table(limits).items() if kind in KINDS and _count(value)}
        if known:
            found[short(model, 100)] = known
    if not found:
        raise Unasked("it names no ceilings")
    return found


async def probed(secret: Secret, url: str, models: Iterable[str], ruling: Ruling, now: int) -> list[HeadersRead]:
    """Send each model a message of one token, and read what its headers say is left. Raises `Unasked`."""
    said = await _ask(secret, {"url": url, "probe": sorted(models)})
    read = [
        one
        for model, headers in table(said.get("headers")).items()
        for one in read_headers(table(headers), ruling.class_of(short(model, 100)), now)
    ]
    if not read:
        raise Unasked("its answers say nothing of limits: it may be the key of a plan, or an account without them")
    return read


def read_headers(headers: Mapping[str, Any], of: str, now: int) -> list[HeadersRead]:
    """Read the headers of one answer (names in small letters); what is missing or cannot be is not known."""
    read: list[HeadersRead] = []
    for kind, name in _HEADER.items():
        limit, remaining = (
            _number(headers.get(f"anthropic-ratelimit-{name}-{part}")) for part in ("limit", "remaining")
        )
        if limit and remaining is not None:
            read.append(HeadersRead(of, kind, limit, min(limit, remaining), now))
    return read


def _number(value: object) -> int | None:
    said = text(value, 20).strip()
    return int(said) if said.isascii() and said.isdecimal() and len(said) <= len(str(_MOST)) else None


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST


async def _ask(secret: Secret, wanted: dict[str, Any]) -> dict[str, Any]:
    key = await asyncio.to_thread(read_secret, secret)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", ASKER),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    )
    try:
        async with asyncio.timeout(DEADLINE):
            out, err = await process.communicate(json.dumps({**wanted, "key": key}).encode())
    except TimeoutError:
        raise Unasked(f"there was no answer in {DEADLINE:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _understood(out, err, process.returncode or 0)


def _understood(out: bytes, err: bytes, code: int) -> dict[str, Any]:
    try:
        said = table(json.loads(out))
    except (ValueError, RecursionError):
        last = err.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise Unasked(short(f"asking failed: {''.join(last) or code}", 200)) from None
    if problem := text(said.get("problem"), 300):
        raise Unasked(short(problem, 300))
    return said


def read_secret(secret: Secret) -> str:
    """Read a key. Raises `Unasked` with what is wrong; nothing of the key is in the words."""
    said = _from_file(secret.file) if isinstance(secret, SecretFile) else _from_command(secret.command)
    key = said.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Unasked("the key's file or command gives no key: expected one line that holds nothing else")
    return key


def _from_file(name: str) -> str:
    path = Path(name).expanduser()
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise Unasked(f"others can read the key in {path}: chmod 600 {path}")
            return file.read(_SECRET_LIMIT).decode("utf-8", "replace")
    except OSError as error:
        raise Unasked(f"the key in {path} cannot be read: {error.strerror}") from None


def _from_command(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECRET_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise Unasked(redact(f"the key's command {command[0]} gives nothing: {error}")[:300]) from None
    if done.returncode:
        raise Unasked(f"the key's command {command[0]} failed: exit {done.returncode}")
    return done.stdout[:_SECRET_LIMIT].decode("utf-8", "replace")
