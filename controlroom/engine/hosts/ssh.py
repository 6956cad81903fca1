"""Hosts over SSH: one connection, one exec channel each, ~/.ssh/config honoured. The only module that imports asyncssh.

Nothing is asked for here: what a person must say or do is raised, as a question or in a sentence. Lost links are
noticed by keepalives within 15 s. asyncssh leaves `exit_status` None when a link drops: that is `LinkLost`.
"""

import asyncio
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.encryption import get_encryption_algs
from asyncssh.kex import get_kex_algs
from asyncssh.mac import get_mac_algs
from asyncssh.public_key import get_certificate_algs, get_public_key_algs

from controlroom.domain.address import Address, parse_address
from controlroom.engine.hosts.channel import Channel, HostKeyUnknown, HostRefuses, LinkLost, LoginDenied
from controlroom.engine.hosts.deploy import Ended, Offers, board, bundles, command, new_marker, shown
from controlroom.engine.hosts.host_keys import HostKeys, Key, changed, remember
from controlroom.engine.hosts.secrets import Login, Secrets, usable_of, usual_files
from controlroom.engine.hosts.ssh_config import (
    Deadlines,
    HostConfig,
    Plan,
    acknowledge_at_once,
    config_files,
    cut_off,
    denied,
    known_hosts_files,
    resolve,
    unreached,
)
from controlroom.engine.hosts.tcp import TUNNEL_RENEW, Ways, slow
from controlroom.protocol.ssh_command import find_ssh

LEFT = ("as the config says",)
"""In place of algorithms: the library reads them in the config."""

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
        config: Path | None = None,
        deadlines: Deadlines | None = None,
        offers: Offers = bundles,
        secrets: Secrets | None = None,
        ways: Ways | None = None,
        ssh: str | None = None,
    ) -> None:
        """`own_known_hosts`: where accepted keys are kept; `trusted`: fingerprints known from elsewhere.

        `config`: an ssh config file instead of the user's and the system's; `offers`: the bundles to ship; `secrets`:
        what people have said for logging in here; `ways`: those of the room; `ssh`: the program that reads the config,
        "" for none: then the library reads it.
        """
        self._host = host
        self._address = address
        self._own = own_known_hosts
        self._trusted = set(trusted)
        self._config = config
        self._deadlines = deadlines or Deadlines()
        self._offers = offers
        self._secrets = secrets or Secrets()
        self._ways = ways or Ways(time.monotonic)
        self.proven: Sequence[str] = ()
        self._ssh = (find_ssh() or "") if ssh is None else ssh

    def trust(self, fingerprint: str) -> None:
        """Accept the key with this fingerprint when it is next shown, and remember it."""
        self._trusted.add(fingerprint)

    async def dial(self) -> Channel:
        """Connect, ship the node if the host lacks it, start it. Raises as `Dialler.dial` does."""
        path: list[asyncssh.SSHClientConnection] = []
        built = asyncio.ensure_future(asyncio.to_thread(self._offers))  # so that it is there once we are logged in
        try:
            try:
                await self._reach(self._address, path)
            finally:
                await asyncio.gather(built, return_exceptions=True)
            marker = new_marker()
            raw = await self._open(path, marker)
            self.proven = _proven(path[-1])
        except BaseException:
            await _close_all(path, self._deadlines.close)
            raise
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
        plan = await self._plan(address)
        if not path and depth < _MAX_JUMPS:
            for jump in plan.config.jumps:
                if jump.host != address.host:
                    await self._reach(jump, path, depth + 1)
        verdict = _Verdict(plan, self._trusted, Login(self._secrets, plan.place, plan.user))
        try:
            async with self._ways.to(plan.host, plan.port).turns:
                await self._log_in(plan, verdict, path)
            verdict.login.succeeded()
        except asyncssh.PermissionDenied:
            wanted = self._secrets.passphrase_wanted(plan.locked[0]) if plan.locked else verdict.login.failed()
            raise wanted or LoginDenied(denied(self._called(plan), plan)) from None
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

    async def _log_in(self, plan: Plan, verdict: "_Verdict", path: list[asyncssh.SSHClientConnection]) -> None:
        """Log in behind the last connection of `path`, and add the new one as soon as it stands.

        Who gives up while the agent is taken leave of thus finds it there, to be closed.
        """
        config, seconds = plan.config, self._deadlines.connecting(plan.config.connect_seconds)
        way = self._ways.to(plan.host, plan.port)
        async with _Keys(plan) as keys:
            connect = partial(asyncssh.connect, plan.host, plan.port, **_options(plan, keys, self._deadlines))
            if path:
                async with asyncio.timeout(seconds):
                    race = way.race(partial(_begin, connect, verdict, path[-1]), _drop, TUNNEL_RENEW)
                    login = await race
                path.append(await login)
            elif config.proxy_command or config.by_library:
                path.append(await connect(client_factory=lambda: verdict, connect_timeout=seconds))
            else:
                async with asyncio.timeout(seconds):
                    connected = await way.connect(plan.host, plan.port, config.family, config.bind)
                try:
                    path.append(await connect(client_factory=lambda: verdict, sock=connected))
                except BaseException:
                    connected.close()  # where the library was given up before it took the socket over
                    raise
                acknowledge_at_once(connected)

    async def _plan(self, address: Address) -> Plan:
        """Read config and known_hosts for one machine. Raises `HostRefuses` and `LinkLost`."""
        if self._ssh:
            config = await resolve(self._host, address, self._ssh, self._config)
        else:
            config = await asyncio.to_thread(self._read, address)
        try:
            return await asyncio.to_thread(_plan_of, address, config, self._own, self._secrets)
        except (ValueError, OSError, asyncssh.Error) as error:
            raise HostRefuses(f"{self._host}: the ssh config cannot be used: {_why(error)}: put it right") from None

    def _read(self, address: Address) -> HostConfig:
        """Let the library read the config, where there is no ssh. For a thread: `Match exec` waits."""
        files = [self._config] if self._config else [path for path in config_files() if os.access(path, os.R_OK)]
        try:
            options = asyncssh.SSHClientConnectionOptions(
                config=files,
                host=address.host,
                port=address.port or (),
                username=address.user or (),
                client_keys=None,
                known_hosts=b"",
                x509_trusted_certs=None,
            )
            return _config_of(options, files)
        except (ValueError, OSError, asyncssh.Error) as error:
            raise HostRefuses(f"{self._host}: the ssh config cannot be used: {_why(error)}: put it right") from None


def _proven(connection: asyncssh.SSHClientConnection) -> tuple[str, ...]:
    """Return the machine and user of a login: by the key that the machine holds, whatever it says of itself."""
    key, user = connection.get_server_host_key(), connection.get_extra_info("username")
    return (f"{user} by {key.get_fingerprint()}",) if key and user else ()


# --------------------------------------------------------------------------- one login


def _options(plan: Plan, keys: Sequence[Any] | tuple[()] | None, deadlines: Deadlines) -> dict[str, Any]:
    """Return the library's options: what the config says, and what is ours in any case. (): left to the library."""
    config = plan.config
    return {
        "username": config.user or (),
        "config": list(config.files),
        "family": int(config.family) or (),
        "proxy_command": list(config.proxy_command) or (),
        "known_hosts": lambda *_: plan.keys.match(*plan.known_as),
        "host_key_alias": config.alias or (),
        "server_host_key_algs": _unless_left(plan.algorithms),
        "encryption_algs": _unless_left(plan.ciphers),
        "kex_algs": plan.key_exchanges,
        "mac_algs": plan.macs,
        "signature_algs": plan.signatures,
        "client_keys": keys,
        "client_certs": [path for path in config.certificates if os.path.exists(path)],
        "agent_path": () if config.by_library else None,
        "ignore_encrypted": True,
        "preferred_auth": config.methods,
        "env": () if config.variables is None else dict(config.variables),
        "agent_forwarding": False,
        "x11_forwarding": False,
        "x509_trusted_certs": None,
        "gss_host": None,
        "compression_algs": ["none"],
        "keepalive_interval": deadlines.keepalive,
        "keepalive_count_max": 2,
        "login_timeout": deadlines.login,
    }


def _unless_left(algorithms: Sequence[str]) -> Sequence[str]:
    return () if algorithms == LEFT else algorithms


async def _begin(
    connect: "partial[Any]", verdict: "_Verdict", tunnel: asyncssh.SSHClientConnection
) -> "asyncio.Task[asyncssh.SSHClientConnection]":
    """Log in through a jump host; returns when the machine behind it has been reached."""
    reached = asyncio.Event()

    def made() -> _Verdict:
        reached.set()
        return verdict

    login: asyncio.Task[asyncssh.SSHClientConnection]
    login = asyncio.ensure_future(connect(client_factory=made, tunnel=tunnel))
    waiting = asyncio.ensure_future(reached.wait())
    try:
        await asyncio.wait([login, waiting], return_when=asyncio.FIRST_COMPLETED)
    except BaseException:
        login.cancel()
        raise
    finally:
        waiting.cancel()
    if login.done():
        login.result()
    return login


def _drop(login: "asyncio.Task[asyncssh.SSHClientConnection]") -> None:
    def close(ended: "asyncio.Task[asyncssh.SSHClientConnection]") -> None:
        if not ended.cancelled() and ended.exception() is None:
            ended.result().abort()

    login.cancel()
    login.add_done_callback(close)


class _Keys:
    """The keys to offer, in ssh's order: the agent's that the config names, its others, then files.

    The agent is asked while this lasts.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._agent: asyncssh.SSHAgentClient | None = None

    async def __aenter__(self) -> "Sequence[Any] | tuple[()] | None":
        config, files = self._plan.config, self._plan.identities
        if config.by_library:
            return files
        held = await self._held(os.environ.get("SSH_AUTH_SOCK", "") if config.agent is None else config.agent)
        named = self._plan.publics
        listed = sorted((key for key in held if key.public_data in named), key=lambda key: named.index(key.public_data))
        others = [] if config.identities_only else [key for key in held if key.public_data not in named]
        return [*listed, *others, *(files or ())] or None

    async def _held(self, path: str) -> Sequence[asyncssh.SSHKeyPair]:
        """Return the agent's keys; none when it does not answer."""
        if not path:
            return []
        try:
            async with asyncio.timeout(self.PATIENCE):
                self._agent = await asyncssh.connect_agent(path)
                return await self._agent.get_keys()
        except (OSError, ValueError, asyncssh.Error):
            return []

    PATIENCE = 5.0
    """Seconds that the agent may take to say what it holds."""

    async def __aexit__(self, *_: object) -> None:
        if self._agent is not None:
            self._agent.close()
            await self._agent.wait_closed()


class _Verdict(asyncssh.SSHClient):
    """Judges a host key that no known_hosts file holds."""

    def __init__(self, plan: Plan, trusted: set[str], login: Login) -> None:
        self._plan = plan
        self.login = login
        self._debouncer = 0
        self._trusted = trusted
        self.accepted: Key | None = None
        self.shown: Key | None = None
        self.met = False
        """Whether anything answered: what the library cannot read since then is what was sent from there."""

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Slow what the host sends, from its first byte on."""
        self.met = True
        slow(conn)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Return whether to go on. asyncssh asks for unknown and for changed keys alike."""
        self.shown = key
        keys = self._plan.keys
        if keys.stored(*self._plan.known_as) or keys.is_revoked(key) or key.get_fingerprint() not in self._trusted:
            return False
        self.accepted = key
        return True

    def kbdint_auth_requested(self) -> str | None:
        """Take part, once: a host that was told something wrong may ask for ever."""
        self._debouncer += 1
        return "" if self._debouncer == 1 else None

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        """Answer what was asked before and a person has answered; else end this try."""
        return self.login.prompts(instructions, prompts)

    def password_auth_requested(self) -> str | None:
        """Return the password that a person has given; else end this try."""
        return self.login.password()

    def problem(self, name: str, text: str) -> Exception:
        """Return what is wrong with the key that was shown."""
        stored = self._plan.keys.stored(*self._plan.known_as)
        if self.shown is not None and self._plan.keys.is_revoked(self.shown):
            listed = f"{self.shown.get_fingerprint()}, in {self._plan.config.revoked_keys}"
            return HostRefuses(f"{name} shows a key that is revoked ({listed}): ask who runs it")
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
        complaint = self._said.decode("utf-8", "replace")
        if self._process.exit_status is not None and self._process.exit_status >= 0:
            return Ended(self._host, f"exit status {self._process.exit_status}", complaint)
        if self._process.exit_signal is not None:
            return Ended(self._host, f"SIG{shown(self._process.exit_signal[0])}", complaint)
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
        except asyncio.CancelledError:
            for unclosed in path:
                unclosed.abort()
            raise


# --------------------------------------------------------------------------- what the config says


def _config_of(options: asyncssh.SSHClientConnectionOptions, files: Sequence[Path]) -> HostConfig:
    """Take out of a config that the library has read what is not left to it."""
    option: Any = options.config.get
    return HostConfig(
        host=options.host,
        user=options.username,
        port=options.port,
        alias=option("HostKeyAlias") or "",
        known_hosts=known_hosts_files(option),
        jumps=[parse_address(jump) for jump in str(options.tunnel or "").split(",") if jump],
        identities=option("IdentityFile") or (),
        named=bool(option("IdentityFile")),
        identities_only=bool(option("IdentitiesOnly")),
        host_key_algorithms=LEFT if option("HostKeyAlgorithms") else (),
        ciphers=LEFT if option("Ciphers") else (),
        files=files,
        by_library=True,
    )


def _plan_of(address: Address, config: HostConfig, own: Path, secrets: Secrets) -> Plan:
    """Read the files that a config names: known keys, and keys of ours. For a thread."""
    known_as = (config.alias, 22) if config.alias else (config.host, config.port)
    keys = HostKeys([*config.known_hosts, own], asyncssh.import_known_hosts, revoked=_revoked(config.revoked_keys))
    files = config.identities if config.named else usual_files(config.identities)
    only = config.by_library and config.identities_only
    usable, left_out, locked = usable_of(files, only, secrets, asyncssh.read_private_key)
    if config.by_library:
        named = config.named or not all(isinstance(key, str) for key in usable)
        identities = (usable if usable or not only else None) if named else ()
    else:
        identities = usable
    plain = get_public_key_algs()
    return Plan(
        address=address,
        config=config,
        known_as=known_as,
        keys=keys,
        algorithms=_allowed(
            "HostKeyAlgorithms", config.host_key_algorithms, [*get_certificate_algs(), *get_public_key_algs()]
        )
        or _preferred(keys.match(*known_as)),
        ciphers=_allowed("Ciphers", config.ciphers, get_encryption_algs()) or _CIPHERS,
        key_exchanges=_allowed("KexAlgorithms", config.key_exchanges, get_kex_algs()),
        macs=_allowed("MACs", config.macs, get_mac_algs()),
        signatures=_allowed("PubkeyAcceptedAlgorithms", config.signatures, plain),
        identities=identities,
        publics=[] if config.by_library else _publics([*files, *config.certificates]),
        left_out=left_out if config.named else (),
        locked=locked,
    )


def _revoked(path: Path | None) -> Sequence[asyncssh.SSHKey]:
    """Read RevokedHostKeys. As with ssh, no host is trusted while it cannot be read: raises `ValueError`."""
    if path is None:
        return ()
    try:
        return asyncssh.read_public_key_list(path)
    except (OSError, asyncssh.KeyImportError) as error:
        raise ValueError(f"RevokedHostKeys {path} cannot be read as a list of public keys ({error})") from None


def _publics(files: Sequence[str]) -> list[bytes]:
    """Return the public keys that belong to some files, and certificates among them."""
    keys: list[bytes] = []
    for name in files:
        path = str(Path(name).expanduser())
        for each in (path, f"{path}.pub"):
            for read in (asyncssh.read_certificate, asyncssh.read_public_key):
                with suppress(OSError, ValueError, asyncssh.Error):
                    keys.append(read(each).public_data)
    return keys


def _allowed(keyword: str, configured: Sequence[str], supported: Sequence[bytes]) -> Sequence[str]:
    """Return those configured algorithms that the library has; (): none are configured. Raises `ValueError`."""
    if configured == LEFT:
        return LEFT
    names = {name.decode() for name in supported}
    allowed = tuple(name for name in configured if name in names)
    if configured and not allowed:
        raise ValueError(f"none of its {keyword} can be had here ({', '.join(configured)[:200]})")
    return allowed


def _preferred(groups: Sequence[Sequence[Any]]) -> Sequence[str]:
    """Order host key algorithms: certificates if an authority is known, known keys' own ones, then the others."""
    certified = [f"{name}-cert-v01@openssh.com" for name in _ALGORITHMS] if groups[1] else []
    held = [name.decode() for key in groups[0] for name in key.sig_algorithms if name.decode() in _ALGORITHMS]
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
        case asyncssh.Error() | ValueError() if verdict.met or isinstance(error, asyncssh.Error):
            return LinkLost(f"what answers for {name} at {plan.place} does not speak SSH as it should: {_why(error)}")
        case OSError():
            return LinkLost(unreached(error, name, plan, deadlines))
        case _:
            return HostRefuses(f"{name}: {_why(error)}: put that right in the ssh config or the key files")
