"""How ssh would reach a host: `ssh -G`, asked with a deadline, read into values, and what to say when it fails.

`ssh -G` evaluates Host, Match (`exec` too), Include and CanonicalizeHostname just as a login would, and prints what
comes of it (ssh(1); observed with OpenSSH 9.2). It expands tokens and `~` in some values (UserKnownHostsFile,
IdentityAgent) and leaves the others as they were written; those are expanded here by the rules of ssh_config(5).
"""

import asyncio
import errno
import glob
import hashlib
import os
import pwd
import re
import shlex
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from controlroom.domain.address import Address, parse_address, place_of
from controlroom.engine.hosts.channel import HostRefuses, LinkLost
from controlroom.engine.hosts.deploy import shown
from controlroom.engine.hosts.host_keys import HostKeys
from controlroom.protocol.ssh_command import account_home, home_moved, own_config, target
from controlroom.text.lazy_dataclass import dataclass

BROKEN = "/nonexistent/controlroom-broken-line-"
"""How the names of the identity files that stand for broken lines begin; then comes the line's place in the list."""

_LINE = re.compile(r"(?P<path>.+?):? line (?P<number>\d+): (?P<reason>.*)")
_KEYWORD = re.compile(rb"\s*(host|match|include)[\s=]+(.*)", re.IGNORECASE | re.DOTALL)
_NOBODY = b'Host "!*"'
_DEEPEST = 16
_SYSTEM_CONFIG = "/etc/ssh/ssh_config"


class Broken(NamedTuple):
    """A line that ssh cannot read."""

    path: str
    number: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path} line {self.number} ({self.reason})"


class Copy(NamedTuple):
    """A config without its broken lines: `path` is to be read; `origins`: copied file -> where it came from."""

    path: Path
    origins: dict[str, str]

    def named(self, text: str) -> str:
        """Return what ssh said of the copy with the names of the originals."""
        for copied, origin in self.origins.items():
            text = text.replace(copied, origin)
        return text


def broken_lines(complaint: str) -> list[Broken]:
    """Read from ssh's error output which lines it cannot read."""
    matches = (_LINE.fullmatch(line.strip()) for line in complaint.splitlines())
    return [Broken(line["path"], int(line["number"]), line["reason"]) for line in matches if line]


@contextmanager
def sound_copy(config: Path | None, broken: Sequence[Broken]) -> Iterator[Copy]:
    """Copy a config (None: the user's and the system's) and all that it includes, without some lines."""
    with tempfile.TemporaryDirectory(prefix="controlroom-ssh-") as folder:
        copying = _Copying(Path(folder), broken)
        main = copying.copy(str(config or Path("~/.ssh/config").expanduser()), 0)
        if config is None:
            system = copying.copy(_SYSTEM_CONFIG, 0)
            main.write_bytes(main.read_bytes() + b"\nMatch all\nInclude " + os.fsencode(system) + b"\n")
        yield Copy(main, copying.origins)


class _Copying:
    def __init__(self, folder: Path, broken: Sequence[Broken]) -> None:
        self._folder = folder
        self._broken = {(os.path.realpath(line.path), line.number): index for index, line in enumerate(broken)}
        self.origins: dict[str, str] = {}

    def copy(self, path: str, depth: int) -> Path:
        """Copy one file and what it includes; one that cannot be read is empty."""
        target = self._folder / str(len(self.origins))
        self.origins[str(target)] = path
        try:
            lines = Path(path).read_bytes().split(b"\n")
        except OSError:
            lines = []
        real = os.path.realpath(path)
        sound = [self._line(line, (real, number), depth) for number, line in enumerate(lines, start=1)]
        target.write_bytes(b"\n".join(sound))
        return target

    def _line(self, line: bytes, place: tuple[str, int], depth: int) -> bytes:
        """Return a line as it stands in the copy; there are as many of them as before."""
        keyword = _KEYWORD.fullmatch(line)
        kind = keyword[1].lower() if keyword else b""
        if place in self._broken:
            return _NOBODY if kind in (b"host", b"match") else f"IdentityFile {BROKEN}{self._broken[place]}".encode()
        if keyword and kind == b"include" and depth < _DEEPEST:
            copies = [self.copy(name, depth + 1) for name in _included(os.fsdecode(keyword[2]), place[0])]
            return b"Include " + b" ".join(os.fsencode(copy) for copy in copies) if copies else b"#"
        return line


def _included(words: str, within: str) -> list[str]:
    """Return the files that an `Include` names: its patterns begin at ~/.ssh, or at /etc/ssh in the system's config."""
    base = "/etc/ssh" if within.startswith("/etc/ssh/") else os.path.expanduser("~/.ssh")
    try:
        patterns = shlex.split(words, comments=True)
    except ValueError:
        return []
    paths = (os.path.join(base, os.path.expanduser(pattern)) for pattern in patterns)
    return [name for path in paths for name in sorted(glob.glob(path)) if os.path.isfile(name)]


DEADLINE = 10.0
"""Seconds that ssh may take to say how it would reach a host: a `Match exec` or a name server may hang."""

SYSTEM_CONFIG = "/etc/ssh/ssh_config"

_MAX_REPAIRS = 8

Values = Mapping[str, Sequence[str]]
"""Keyword in small letters -> what stands after it, one entry a line."""


@dataclass(frozen=True)
class HostConfig:
    """How ssh would reach one host. What is empty is left to the SSH library and its own defaults."""

    host: str
    """What is dialled: HostName."""
    user: str
    port: int
    alias: str = ""
    """HostKeyAlias: what known_hosts calls it, without a port."""
    known_hosts: Sequence[Path] = ()
    revoked_keys: Path | None = None
    """RevokedHostKeys: keys that no host may show."""
    jumps: Sequence[Address] = ()
    proxy_command: Sequence[str] = ()
    identities: Sequence[str] = ()
    named: bool = False
    """Whether the config names identities; else they are ssh's usual ones."""
    identities_only: bool = False
    certificates: Sequence[str] = ()
    agent: str | None = None
    """The agent's socket; "": none is to be asked; None: SSH_AUTH_SOCK's."""
    host_key_algorithms: Sequence[str] = ()
    ciphers: Sequence[str] = ()
    key_exchanges: Sequence[str] = ()
    macs: Sequence[str] = ()
    signatures: Sequence[str] = ()
    methods: Sequence[str] = ("publickey", "keyboard-interactive", "password")
    variables: Mapping[str, str] | None = None
    """SetEnv and SendEnv; None: left to the library."""
    family: int = socket.AF_UNSPEC
    bind: str = ""
    connect_seconds: float | None = None
    """ConnectTimeout."""
    by_library: bool = False
    """There is no ssh to ask: the SSH library reads the config itself, from `files`."""
    files: Sequence[Path] = ()
    left_out: Sequence[str] = ()
    """Lines of the config that ssh cannot read, and that belong to other hosts, in words."""


# --------------------------------------------------------------------------- asking ssh


async def resolve(
    host: str, address: Address, ssh: str, config: Path | None = None, deadline: float = DEADLINE
) -> HostConfig:
    """Ask `ssh` how it would reach `address`; `host` names it to people, `config`: a file in place of the usual ones.

    Raises `HostRefuses` when ssh refuses, `LinkLost` when it says nothing within `deadline` seconds.
    """
    options = ["-F", str(config)] if config else own_config()
    values, broken = await _values(host, address, ssh, options, deadline)
    usual = await _usual(ssh, deadline)
    try:
        return _read(address, values, usual, broken)
    except ValueError as error:
        raise HostRefuses(f"{host}: the ssh config cannot be used ({shown(str(error))}): put it right") from None


async def _values(
    host: str, address: Address, ssh: str, options: Sequence[str], deadline: float
) -> tuple[Values, Sequence[Broken]]:
    """Ask; a line that ssh cannot read is left out unless it is about this very host."""
    broken: list[Broken] = []
    code, out, complaint = await _run([ssh, *options, "-G", *target(address)], host, deadline)
    while code and len(broken) < _MAX_REPAIRS:
        new = [line for line in broken_lines(complaint) if line not in broken]
        if not new:
            break
        broken += new
        with sound_copy(Path(options[1]) if options else None, broken) as copy:
            code, out, after = await _run([ssh, "-F", str(copy.path), "-G", *target(address)], host, deadline)
        complaint = copy.named(after) if code else complaint
    values = _parsed(out)
    concern = [broken[int(path[len(BROKEN) :])] for path in values.get("identityfile", ()) if path.startswith(BROKEN)]
    if code or concern:
        reason = shown(str(concern[0])) if concern else _reason(complaint)
        raise HostRefuses(f"{host}: ssh cannot use its config for {address} ({reason}): put it right")
    return values, broken


def _reason(complaint: str) -> str:
    """Return what ssh found wrong; its last line often only says that it gives up."""
    lines = [line for line in complaint.splitlines() if line.strip() and "terminating," not in line]
    return shown(lines[0]) if lines else "it does not say why"


async def _run(argv: Sequence[str], host: str, deadline: float) -> tuple[int, str, str]:
    """Run ssh without a terminal, in a session of its own: what `Match exec` starts ends with it."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise LinkLost(f"{host}: {argv[0]} cannot be run ({error.strerror})") from None
    try:
        async with asyncio.timeout(deadline):
            out, complaint = await process.communicate()
    except TimeoutError:
        raise LinkLost(
            f"{host}: ssh did not say within {deadline:g} s how it would reach it: does a `Match exec` of its config"
            " hang, or a name server? Try: " + shlex.join(["ssh", *argv[1:]])
        ) from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, os.fsdecode(out), complaint.decode("utf-8", "replace")


def _parsed(text: str) -> Values:
    values: dict[str, list[str]] = {}
    for line in text.split("\n"):
        keyword, _, value = line.partition(" ")
        if keyword:
            values.setdefault(keyword.lower(), []).append(value.strip())
    return values


_usual_of: dict[str, Values] = {}


async def _usual(ssh: str, deadline: float) -> Values:
    """Return what this ssh would do without any config: what differs from it was configured."""
    if ssh not in _usual_of:
        code, out, _ = await _run([ssh, "-F", "none", "-G", "--", "localhost"], "ssh", deadline)
        if code:
            return {}
        _usual_of[ssh] = _parsed(out)
    return _usual_of[ssh]


# --------------------------------------------------------------------------- reading what it said


def _read(address: Address, values: Values, usual: Values, broken: Sequence[Broken]) -> HostConfig:
    def first(keyword: str, default: str = "") -> str:
        return next(iter(values.get(keyword, ())), default)

    def chosen(keyword: str) -> Sequence[str]:
        ours = first(keyword)
        return tuple(ours.split(",")) if ours and ours != next(iter(usual.get(keyword, ())), "") else ()

    host, user = first("hostname", address.host), first("user", address.user)
    port, alias = int(first("port", "22")), _unless_none(first("hostkeyalias"))
    expand = _expander(address, host, user, port, alias, first("proxyjump"))
    return HostConfig(
        host=host,
        user=user,
        port=port,
        alias=alias,
        known_hosts=_known_hosts(first("userknownhostsfile"), first("globalknownhostsfile")),
        revoked_keys=_path(expand(_unless_none(first("revokedhostkeys")))),
        jumps=_jumps(_unless_none(first("proxyjump")), expand),
        proxy_command=_proxy_command(first("proxycommand"), first("proxyusefdpass"), expand),
        identities=tuple(expand(name) for name in values.get("identityfile", ()) if name != "none"),
        named=list(values.get("identityfile", ())) != list(usual.get("identityfile", ())),
        identities_only=first("identitiesonly") == "yes",
        certificates=tuple(_expanded_path(expand(name)) for name in values.get("certificatefile", ())),
        agent=_agent(first("identityagent")),
        host_key_algorithms=chosen("hostkeyalgorithms"),
        ciphers=chosen("ciphers"),
        key_exchanges=chosen("kexalgorithms"),
        macs=chosen("macs"),
        signatures=chosen("pubkeyacceptedalgorithms") or chosen("pubkeyacceptedkeytypes"),
        methods=_methods(values),
        variables=_variables(values),
        family={"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(first("addressfamily"), socket.AF_UNSPEC),
        bind=_unless_none(first("bindaddress")),
        connect_seconds=float(first("connecttimeout")) if first("connecttimeout").isdecimal() else None,
        left_out=[str(line) for line in broken],
    )


def _unless_none(value: str) -> str:
    return "" if value == "none" else value


def _expander(address: Address, host: str, user: str, port: int, alias: str, jump: str) -> Callable[[str], str]:
    """Return what expands the tokens and variables of one value. It raises `ValueError` for one that there is not."""
    local = socket.gethostname()
    joined = hashlib.sha1(f"{local}{host}{port}{user}{jump}".encode(), usedforsecurity=False).hexdigest()
    tokens = {
        "%": "%", "C": joined, "d": str(Path.home()), "h": host, "i": str(os.getuid()), "j": jump,
        "k": alias or address.host, "L": local.partition(".")[0], "l": local, "n": address.host, "p": str(port),
        "r": user, "u": pwd.getpwuid(os.getuid()).pw_name,
    }  # fmt: skip

    def token(match: re.Match[str]) -> str:
        name, variable = match[1], match[2]
        value = os.environ.get(variable) if variable else tokens.get(name)
        if value is None:
            raise ValueError(f"{match[0]} stands for nothing")
        return value

    return lambda text: re.sub(r"%(.)|\$\{(\w+)\}", token, text)


def _expanded_path(text: str) -> str:
    return os.path.expanduser(text)


def _path(text: str) -> Path | None:
    return Path(_expanded_path(text)) if text else None


def _moved_home(path: str) -> str:
    """Undo that ssh took the account's home for `~`, where ours is another."""
    home = account_home().rstrip("/") + "/"
    return str(Path.home()) + "/" + path[len(home) :] if home_moved() and path.startswith(home) else path


def _known_hosts(user: str, system: str) -> list[Path]:
    """Part lists of files: ssh prints them with one space between, also where a name has one in it."""
    paths: list[str] = []
    for word in [*user.split(" "), *system.split(" ")]:
        if paths and word and not word.startswith(("/", "~")) and word != "none":
            paths[-1] += " " + word
        elif word and word != "none":
            paths.append(word)
    return [Path(_moved_home(_expanded_path(name))) for name in paths]


def _jumps(text: str, expand: Callable[[str], str]) -> list[Address]:
    return [parse_address(expand(jump).removeprefix("ssh://").rstrip("/")) for jump in text.split(",") if jump]


def _proxy_command(text: str, passes_socket: str, expand: Callable[[str], str]) -> tuple[str, ...]:
    """Return what to run: the user's shell runs it, as ssh has it done. Variables are left to that shell."""
    if not _unless_none(text):
        return ()
    if passes_socket == "yes":
        raise ValueError("ProxyUseFdpass is not supported here")
    command = "${".join(expand(part) for part in text.split("${"))
    return os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}"


def _agent(text: str) -> str | None:
    if text in ("", "SSH_AUTH_SOCK"):
        return None
    if text == "none":
        return ""
    return os.environ.get(text[1:], "") if re.fullmatch(r"\$\w+", text) else _moved_home(text)


def _methods(values: Values) -> tuple[str, ...]:
    """Return the ways to log in that are allowed and that we know, in ssh's order."""
    order = next(iter(values.get("preferredauthentications", ())), "publickey,keyboard-interactive,password").split(",")
    switches = {
        "publickey": "pubkeyauthentication",
        "keyboard-interactive": "kbdinteractiveauthentication",
        "password": "passwordauthentication",
    }
    return tuple(way for way in order if way in switches and list(values.get(switches[way], ())) != ["no"])


def _variables(values: Values) -> dict[str, str]:
    """Return SendEnv's variables that there are, and SetEnv's, which win."""
    patterns = [re.compile(_as_expression(pattern)) for line in values.get("sendenv", ()) for pattern in line.split()]
    sent = {name: text for name, text in os.environ.items() if any(pattern.fullmatch(name) for pattern in patterns)}
    pairs = (line.partition("=") for line in values.get("setenv", ()))
    return {**sent, **{name: text for name, _, text in pairs}}


def _as_expression(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")


_SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_USER_CONFIG = "~/.ssh/config"
_CONNECT = 20.0


@dataclass(frozen=True)
class Deadlines:
    """Seconds that each part of connecting may take."""

    connect: float | None = None
    """TCP to one machine, its name included; None: ConnectTimeout, else 20 s."""
    login: float = 15.0
    """From TCP being there to being logged in."""
    step: float = 60.0
    """Each step of putting the node there."""
    close: float = 2.0
    keepalive: float = 5.0
    """Between asyncssh's keepalives; a link is lost when two go without an answer, at three times this."""

    def connecting(self, configured: float | None) -> float:
        """Return the seconds that a machine has to take a connection; `configured`: its ConnectTimeout."""
        return self.connect or configured or _CONNECT


Identities = Sequence[Any] | tuple[()] | None
"""Key files, and keys opened with a passphrase, to offer. (): the config names none, so ssh's usual ones and the
agent's; None: no key at all."""


@dataclass(frozen=True)
class Plan:
    """How one machine is to be reached, with the keys that are known and ours. Algorithms: (): the library's own."""

    address: Address
    config: HostConfig
    known_as: tuple[str, int]
    """What known_hosts calls it: HostKeyAlias (as if at port 22), or the host and port that are dialled."""
    keys: HostKeys
    algorithms: Sequence[str]
    ciphers: Sequence[str]
    key_exchanges: Sequence[str]
    macs: Sequence[str]
    signatures: Sequence[str]
    identities: "Identities"
    publics: Sequence[bytes]
    """Public keys and certificates of the identities: which of the agent's keys come first, or come at all."""
    left_out: Sequence[str]
    """Identity files that cannot be used, in words."""
    locked: Sequence[str]
    """Identity files with a passphrase that nobody has said yet."""

    @property
    def user(self) -> str:
        """The user to log in as."""
        return self.config.user

    @property
    def host(self) -> str:
        """What is dialled."""
        return self.config.host

    @property
    def port(self) -> int:
        """Where it is dialled."""
        return self.config.port

    @property
    def place(self) -> str:
        """Host and port as a known_hosts file writes them."""
        return place_of(*self.known_as)


def denied(name: str, plan: Plan) -> str:
    """Say that a machine took none of our keys."""
    tried = [Path(path).name for path in plan.identities or () if isinstance(path, str)] or ["the keys in ~/.ssh"]
    agent = os.environ.get("SSH_AUTH_SOCK") if plan.config.agent is None else plan.config.agent
    tried += ["the ssh agent's"] if agent else []
    tried = ["none"] if not plan.identities and not agent and plan.config.named else tried
    left_out = f"; left out: {', '.join(plan.left_out)}" if plan.left_out else ""
    port = f"-p {plan.port} " if plan.port != 22 else ""
    return (
        f"{name} refused our keys for user {plan.user} (tried {', '.join(tried)}{left_out}): add your public key there"
        f" with `ssh-copy-id {port}{plan.user}@{plan.address.host}`, or name the right key with IdentityFile in"
        " ~/.ssh/config"
    )


def cut_off(name: str, plan: Plan, why: str, deadlines: Deadlines) -> str:
    """Say that a connection ended, or stood still, before we were logged in."""
    if "timeout" in why.lower():
        return f"{name}: something answers at {plan.place}, but did not let us in within {deadlines.login:g} s"
    return (
        f"{name} ({plan.place}) closed the connection before we were logged in: its sshd is busy (MaxStartups),"
        " restarting, or it is no sshd"
    )


def unreached(error: OSError, name: str, plan: Plan, deadlines: Deadlines) -> str:
    """Return why there is no connection at all."""
    numbers = {error.errno, *(int(number) for number in re.findall(r"Errno (\d+)", str(error)))}
    at, seconds = f"{name}: {plan.place}", deadlines.connecting(plan.config.connect_seconds)
    if isinstance(error, socket.gaierror):
        return (
            f"{name}: the name {plan.host} is not known here ({shown(str(error))}): check the address and the network"
        )
    if isinstance(error, TimeoutError) or errno.ETIMEDOUT in numbers:
        return f"{at} does not answer within {seconds:g} s: is it switched on, and is the way there open?"
    if errno.ECONNREFUSED in numbers:
        return f"{at} refused the connection: nothing listens there; is sshd running, and is the port right?"
    if numbers & {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN}:
        return f"{at} cannot be reached from here (no route): check the network or the VPN"
    if numbers & {errno.ECONNRESET, errno.EPIPE}:
        return cut_off(name, plan, "", deadlines)
    return f"{at}: {shown(str(error))}"


def acknowledge_at_once(connected: Any) -> None:
    """Acknowledge received data at once: sshd waits for that, 40 ms while a session opens.

    Linux; it lasts until the kernel takes the connection for a chatty one (tcp(7), TCP_QUICKACK).
    """
    if connected is not None and hasattr(socket, "TCP_QUICKACK"):
        with suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def config_files() -> list[Path]:
    """Return the ssh config files of the user and of the system."""
    return [Path(name).expanduser() for name in (_USER_CONFIG, SYSTEM_CONFIG)]


def known_hosts_files(option: Any) -> list[Path]:
    """Return the known_hosts files that a parsed config names, or the usual ones; `option` looks a keyword up."""
    user, system = option("UserKnownHostsFile"), option("GlobalKnownHostsFile")
    names = [*(_USER_KNOWN_HOSTS if user is None else user), *(_SYSTEM_KNOWN_HOSTS if system is None else system)]
    return [Path(name).expanduser() for name in names]
