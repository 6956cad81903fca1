"""Hosts that `host add` was told: hosts.toml beside config.toml, written whole, in one step."""

from pydantic import ValidationError

from controlroom.domain.intents import AddHost, RemoveHost
from controlroom.engine.config.settings import HostTable, RosterFile
from controlroom.engine.config.toml_file import ConfigProblem, write
from controlroom.engine.config.toml_tables import read, sentence
from controlroom.protocol.home import Home
from controlroom.text.redact import redact

_HEAD = """\
# Written by `controlroom host add` and `controlroom host remove`: what you write here by hand may be lost.
# Hosts of your own go into config.toml beside it, which Control Room never writes.

"""


def change(home: Home, intent: AddHost | RemoveHost) -> None:
    """Do what an intent wants of the room's hosts. Raises `ConfigProblem`; the file is then as it was."""
    if isinstance(intent, AddHost):
        keep(home, intent.name, intent.address, intent.fingerprint)
    else:
        drop(home, intent.name)


def keep(home: Home, name: str, address: str, fingerprint: str = "") -> None:
    """Write a host into hosts.toml. Raises `ConfigProblem`; the file is then as it was."""
    table = {"address": address, **({"fingerprint": fingerprint} if fingerprint else {})}
    try:
        HostTable.model_validate(table)
    except ValidationError as error:
        raise ConfigProblem(redact(sentence(error.errors()[0], HostTable).removeprefix("address: "))) from None
    _write(home, {**_told(home), name: table})


def drop(home: Home, name: str) -> None:
    """Take a host out of hosts.toml. Raises `ConfigProblem`; the file is then as it was."""
    hosts = _told(home)
    if hosts.pop(name, None) is not None:
        _write(home, hosts)


def _told(home: Home) -> dict[str, dict[str, str]]:
    room_editor = read(home.hosts, RosterFile)
    return {name: table.model_dump(exclude_defaults=True) for name, table in room_editor.hosts.items()}


def _write(home: Home, hosts: dict[str, dict[str, str]]) -> None:
    write(home.hosts, _HEAD, {"hosts": hosts} if hosts else {})
