"""Hosts over SSH: one connection, one exec channel each, ~/.ssh/config honoured. The only module that imports asyncssh.

Nothing is asked for here: what a person must say or do is raised, as a question or in a sentence. Lost links are
noticed by keepalives within 15 s. asyncssh leaves `exit_status` None when a link drops: that is `LinkLost`.
"""

import asyncio
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh

from controlroom.fleet.hosts.address import Address, parse_address
from controlroom.fleet.hosts.bundle import bundles
from controlroom.fleet.hosts.channel import Channel, HostKeyUnknown, HostRefuses, LinkLost
from controlroom.fleet.hosts.hostkeys import HostKeys, Key, changed, remember
from controlroom.fleet.hosts.identities import usable_of, usual_files
from controlroom.fleet.hosts.reach import (
    Deadlines,
    Plan,
    acknowledge_at_once,
    config_files,
    cut_off,
    denied,
    known_hosts_files,
    unreached,
)
from controlroom.fleet.hosts.secrets import Login, Secrets
from controlroom.fleet.hosts.ship import Ended, Offers, board, command, new_marker, shown

_TAIL = 4096
_MAX_JUMPS = 5
_ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
"""A small packet in AES-GCM takes asyncssh 2.24 a fifth of the time that it takes in ChaCha20, which it likes best."""


class SshDialler:
    """Opens channels to one host."""

    def __init__(
        self,
        host: str,
        address: Address,
        own_known_hosts: Path,
        *,
        trusted: Iterable[str] = (),
        config: Sequence[Path] | None = None,
        deadlines: Deadlines | None = None,
        offers: Offers = bundles,
        secrets: Secrets | None = None,
    ) -> None:
        """`own_known_hosts`: where accepted keys are kept; `trusted`: fingerprints known from elsewhere.

        `config`: ssh config files instead of the user's and the system's; `offers`: the bundles to ship; `secrets`:
        what people have said for logging in here.
        """
        self._host = host
        self._address = address
        self._own = own_known_hosts
        self._trusted = set(trusted)
        self._config = config
        self._deadlines = deadlines or Deadlines()
        self._offers = offers
        self._secrets = secrets or Secrets()

    def trust(self, fingerprint: str) -> None:
        """Accept the key with this fingerprint when it is next shown, and remember it."""
        self._trusted.add(fingerprint)

    async def dial(self) -> Channel:
        """Connect, ship the node if the host lacks it, start it. Raises as `Dialler.dial` does."""
        path: list[asyncssh.SSHClientConnection] = []
        built = asyncio.ensure_future(asyncio.to_thread(self._offers))  # so that it is there once we are logged in
        try:
            await self._reach(self._address, path)
            marker = new_marker()
            raw = await self._open(path, marker)
        except BaseException:
            await _close_all(path, self._deadlines.close)
            raise
        finally:
            await asyncio.gather(built, return_exceptions=True)
        return await board(self._host, raw, marker, self._offers, self._deadlines.step)

    async def _open(self, path: list[asyncssh.SSHClientConnection], marker: str) -> "_Exec":
        try:
            async with asyncio.timeout(self._deadlines.login):
                process: asyncssh.SSHClientProcess[bytes] = await path[-1].create_process(
                    command(marker), encoding=None, request_pty=False
                )
        except TimeoutError:
            raise LinkLost(f"{self._host} opened no session within {self._deadlines.login:g} s") from None
        except asyncssh.ChannelOpenError as error:
            raise LinkLost(
                f"{self._host} gave us no session ({shown(error.reason)}): too many are open there (MaxSessions), or"
                " its sshd allows none"
            ) from None
        except (asyncssh.Error, OSError) as error:
            raise LinkLost(f"the link to {self._host} broke while a session was opened: {_why(error)}") from None
        return _Exec(self._host, path, process, self._deadlines.close)

    async def _reach(self, address: Address, path: list[asyncssh.SSHClientConnection], depth: int = 0) -> None:
        """Log in at `address`, through its jump hosts when nothing is open yet; the connections come into `path`."""
        plan = await asyncio.to_thread(self._plan, address)
        if not path and depth < _MAX_JUMPS:
            for jump in plan.jumps:
                if jump.host != address.host:
                    await self._reach(jump, path, depth + 1)
        verdict = _Verdict(plan, self._trusted, Login(self._secrets, plan.place, plan.user))
        try:
            path.append(await self._log_in(plan, verdict, path[-1] if path else None))
            verdict.login.succeeded()
        except asyncssh.PermissionDenied:
            wanted = self._secrets.passphrase_wanted(plan.locked[0]) if plan.locked else verdict.login.failed()
            raise wanted or HostRefuses(denied(self._called(plan), plan)) from None
        except (asyncssh.Error, OSError, ValueError) as error:
            raise _explained(error, self._called(plan), plan, verdict, self._deadlines) from None
        if verdict.accepted is not None:
            await asyncio.to_thread(self._remember, plan, verdict.accepted)

    def _called(self, plan: Plan) -> str:
        jump = plan.address != self._address
        return f"{self._host}: its jump host {plan.address}" if jump else self._host

    def _remember(self, plan: Plan, key: Key) -> None:
        try:
            remember(self._own, plan.place, key)
        except OSError as error:
            raise HostRefuses(
                f"the accepted key of {self._host} cannot be kept in {self._own} ({error.strerror}): make it writable"
            ) from None

    async def _log_in(
        self, plan: Plan, verdict: "_Verdict", tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        connection = await asyncssh.connect(
            plan.address.host,
            plan.address.port or (),
            username=plan.address.user or (),
            config=plan.config,
            tunnel=tunnel,
            client_factory=lambda: verdict,
            known_hosts=lambda host, _address, port: plan.keys.match(host, port or 22),
            server_host_key_algs=plan.algorithms,
            encryption_algs=plan.ciphers,
            client_keys=plan.identities,
            ignore_encrypted=True,
            preferred_auth=("publickey", "keyboard-interactive", "password"),
            agent_forwarding=False,
            x11_forwarding=False,
            x509_trusted_certs=None,
            gss_host=None,
            compression_algs=["zlib@openssh.com", "none"],
            keepalive_interval=self._deadlines.keepalive,
            keepalive_count_max=2,
            connect_timeout=self._deadlines.connect,
            login_timeout=self._deadlines.login,
        )
        acknowledge_at_once(connection.get_extra_info("socket"))
        return connection

    def _plan(self, address: Address) -> Plan:
        """Read config and known_hosts for one machine. For a thread: `Match exec` waits. Raises `HostRefuses`."""
        config = [path for path in self._config or config_files() if os.access(path, os.R_OK)]
        try:
            options = asyncssh.SSHClientConnectionOptions(
                config=config,
                host=address.host,
                port=address.port or (),
                username=address.user or (),
                client_keys=None,
                known_hosts=b"",
                x509_trusted_certs=None,
            )
            return _plan_of(address, options, config, self._own, self._secrets)
        except (ValueError, OSError, asyncssh.Error) as error:
            raise HostRefuses(
                f"{self._host}: the ssh config cannot be used: {_why(error)}: put it right, then retry"
            ) from None


class _Verdict(asyncssh.SSHClient):
    """Judges a host key that no known_hosts file holds."""

    def __init__(self, plan: Plan, trusted: set[str], login: Login) -> None:
        self._plan = plan
        self.login = login
        self._rounds = 0
        self._trusted = trusted
        self.accepted: Key | None = None
        self.shown: Key | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Say whether to go on. asyncssh asks for unknown and for changed keys alike."""
        self.shown = key
        if self._plan.keys.stored(self._plan.host, self._plan.port) or key.get_fingerprint() not in self._trusted:
            return False
        self.accepted = key
        return True

    def kbdint_auth_requested(self) -> str | None:
        """Take part, once: a host that was told something wrong may ask for ever."""
        self._rounds += 1
        return "" if self._rounds == 1 else None

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        """Answer what was asked before and a person has answered; else end this try."""
        return self.login.prompts(instructions, prompts)

    def password_auth_requested(self) -> str | None:
        """Give the password that a person has given; else end this try."""
        return self.login.password()

    def problem(self, name: str, text: str) -> Exception:
        """Say what is wrong with the key that was shown."""
        stored = self._plan.keys.stored(self._plan.host, self._plan.port)
        if self.shown is None:
            return HostRefuses(f"{name}: {text}: look into known_hosts, or ask who runs it")
        if stored:
            return HostRefuses(changed(name, self._plan.place, self.shown, stored))
        return HostKeyUnknown(self.shown.get_fingerprint(), self.shown.get_algorithm(), self._plan.place)


class _Exec:
    """The raw channel: one program on the host, on the last of some connections."""

    def __init__(
        self,
        host: str,
        path: list[asyncssh.SSHClientConnection],
        process: "asyncssh.SSHClientProcess[bytes]",
        patience: float,
    ) -> None:
        self._host = host
        self._path = path
        self._process = process
        self._patience = patience
        self._said = b""
        self._listening = asyncio.create_task(self._listen())

    async def send(self, data: bytes) -> None:
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except (asyncssh.Error, OSError) as error:
            raise await self._end(error) from None

    async def receive(self) -> bytes:
        try:
            data = await self._process.stdout.read(65536)
        except (asyncssh.Error, OSError) as error:
            raise await self._end(error) from None
        if data:
            return data
        raise await self._end(None)

    async def close(self) -> None:
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening
        self._process.close()
        await _close_all(self._path, self._patience)

    async def _end(self, error: Exception | None) -> LinkLost:
        with suppress(TimeoutError, asyncssh.Error, OSError):
            async with asyncio.timeout(self._patience):
                await self._process.wait_closed()
                await asyncio.wait([self._listening])
        said = self._said.decode("utf-8", "replace")
        if self._process.exit_status is not None and self._process.exit_status >= 0:
            return Ended(self._host, f"exit status {self._process.exit_status}", said)
        if self._process.exit_signal is not None:
            return Ended(self._host, f"SIG{shown(self._process.exit_signal[0])}", said)
        return LinkLost(f"the link to {self._host} broke" + (f": {_why(error)}" if error else ""))

    async def _listen(self) -> None:
        with suppress(asyncssh.Error, OSError):
            while data := await self._process.stderr.read(_TAIL):
                self._said = (self._said + data)[-_TAIL:]


async def _close_all(path: list[asyncssh.SSHClientConnection], patience: float) -> None:
    """Close connections, the last one first; one that takes too long is torn down."""
    for connection in reversed(path):
        connection.close()
        try:
            async with asyncio.timeout(patience):
                await connection.wait_closed()
        except TimeoutError:
            connection.abort()
        except (asyncssh.Error, OSError):
            continue


# --------------------------------------------------------------------------- what the config says


def _plan_of(
    address: Address, options: asyncssh.SSHClientConnectionOptions, config: Sequence[Path], own: Path, secrets: Secrets
) -> Plan:
    """Take out of the parsed config what is not left to asyncssh."""
    given: Any = options.config.get
    host = given("HostKeyAlias") or options.host
    keys = HostKeys([*known_hosts_files(given), own], asyncssh.import_known_hosts)
    files, only = given("IdentityFile") or usual_files(), bool(given("IdentitiesOnly"))
    usable, left_out, locked = usable_of(files, only, secrets, asyncssh.read_private_key)
    named = bool(given("IdentityFile")) or not all(isinstance(key, str) for key in usable)
    return Plan(
        address=address,
        user=options.username,
        host=host,
        port=options.port,
        config=config,
        keys=keys,
        algorithms=() if given("HostKeyAlgorithms") else _preferred(keys.match(host, options.port)),
        ciphers=() if given("Ciphers") else _CIPHERS,
        identities=(usable if usable or not only else None) if named else (),
        left_out=left_out if given("IdentityFile") else (),
        locked=locked,
        jumps=[parse_address(jump) for jump in str(options.tunnel or "").split(",") if jump],
    )


def _preferred(known: Sequence[Sequence[Any]]) -> Sequence[str]:
    """Order host key algorithms: certificates if an authority is known, known keys' own ones, then the others."""
    certified = [f"{name}-cert-v01@openssh.com" for name in _ALGORITHMS] if known[1] else []
    held = [name.decode() for key in known[0] for name in key.sig_algorithms if name.decode() in _ALGORITHMS]
    return list(dict.fromkeys([*certified, *held, *_ALGORITHMS]))


# --------------------------------------------------------------------------- errors in words


def _why(error: BaseException) -> str:
    return shown(str(error)) or type(error).__name__


def _explained(error: Exception, name: str, plan: Plan, verdict: _Verdict, deadlines: Deadlines) -> Exception:
    """Turn what went wrong while logging in into `LinkLost`, `HostRefuses` or `HostKeyUnknown`."""
    match error:
        case asyncssh.HostKeyNotVerifiable():
            return verdict.problem(name, _why(error))
        case asyncssh.KeyExchangeFailed() | asyncssh.ProtocolNotSupported():
            return HostRefuses(f"{name} and we have no way to talk in common ({_why(error)}): update its sshd")
        case asyncssh.ChannelOpenError():
            return LinkLost(f"{name} could not be reached through its jump host: {shown(error.reason)}")
        case asyncssh.ConnectionLost():
            return LinkLost(cut_off(name, plan, _why(error), deadlines))
        case asyncssh.Error():
            return LinkLost(f"what answers for {name} at {plan.place} does not speak SSH as it should: {_why(error)}")
        case OSError():
            return LinkLost(unreached(error, name, plan, deadlines))
        case _:
            return HostRefuses(f"{name}: {_why(error)}: put that right in the ssh config or the key files, then retry")
