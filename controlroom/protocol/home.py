"""Where the room lives on this machine: config, ledger, log, known hosts, the engine's lock and socket.

    CONTROLROOM_HOME=DIR   everything lies in DIR, and a hash of its path keeps its agents apart on every host
    otherwise              config in ~/.config/controlroom, state in ~/.local/state/controlroom-room (XDG is honoured)

The state folder of the room is not the one that every host has (`~/.local/state/controlroom`): this machine has both.
Folders are 0700 and files 0600. What somebody else could have written is refused, as ssh does. Imports stay light:
every front end reads this module.
"""

import errno
import fcntl
import hashlib
import os
import shlex
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from controlroom.text.lazy_dataclass import dataclass

MAX_SOCKET_PATH = 100
"""Bytes; the kernel ends at 107 (Linux) or 103 (macOS)."""


_WATCHERS = ".look"
"""How the path of the watchers' socket ends: no longer than `.sock`."""

LEADS = ".lead"
"""How the path of the socket for leads ends."""


class HomeProblem(Exception):
    """The room's folders cannot be used; the text says why, and what to run."""


@dataclass(frozen=True)
class Home:
    """The paths of one room."""

    config_folder: Path
    state_folder: Path
    runtime_folder: Path
    namespace: str = ""
    """"" for the default room, else 12 hex digits that its hosts know it by."""
    elsewhere: str = ""
    """Why its sockets are not where they would be: somebody else's folder is there."""

    @property
    def config(self) -> Path:
        """What the user writes; never rewritten by us."""
        return self.config_folder / "config.toml"

    @property
    def hosts(self) -> Path:
        """What `host add` and `host remove` write."""
        return self.config_folder / "hosts.toml"

    @property
    def budgets(self) -> Path:
        """What `budget set` and `budget remove` write."""
        return self.config_folder / "budgets.toml"

    @property
    def rules(self) -> Path:
        """Rules that answer what agents ask: what the user and `rules add` and `rules remove` write."""
        return self.config_folder / "rules.toml"

    @property
    def prices(self) -> Path:
        """What the user knows better about prices; never written by us."""
        return self.config_folder / "prices.toml"

    @property
    def plans(self) -> Path:
        """What the user knows better about plans and tiers; never written by us."""
        return self.config_folder / "plans.toml"

    @property
    def themes(self) -> Path:
        """The user's own themes."""
        return self.config_folder / "themes"

    @property
    def screen(self) -> Path:
        """What a screen on this machine remembers of itself."""
        return self.state_folder / "screen.json"

    @property
    def templates(self) -> Path:
        """Texts of tasks that the user writes, a file each."""
        return self.config_folder / "templates"

    @property
    def machines(self) -> Path:
        """What the user knows better about the prices of machines; never written by us."""
        return self.config_folder / "machines.toml"

    @property
    def ledger(self) -> Path:
        """The engine's SQLite file."""
        return self.state_folder / "ledger.db"

    @property
    def log(self) -> Path:
        """What the engine has to say; bounded, without secrets."""
        return self.state_folder / "engine.log"

    @property
    def lock(self) -> Path:
        """Held by the one engine of this room; its lines: process id, path of its socket."""
        return self.state_folder / "engine.lock"

    @property
    def starting(self) -> Path:
        """Held while an engine of this room is being started, until it listens."""
        return self.state_folder / "engine.starting"

    @property
    def known_hosts(self) -> Path:
        """Keys of hosts that an operator of this room has accepted."""
        return self.state_folder / "known_hosts"

    @property
    def socket(self) -> Path:
        """Where a new engine listens; a running one has written the path into the lock file."""
        key = hashlib.sha256(os.fsencode(self.state_folder)).hexdigest()[:12]
        return self.runtime_folder / f"{key}.sock"

    @property
    def watch_socket(self) -> Path:
        """Where a new engine listens to watchers."""
        return self.socket.with_suffix(_WATCHERS)

    @property
    def lead_socket(self) -> Path:
        """Where a new engine listens to agents that lead others."""
        return self.socket.with_suffix(LEADS)

    def lead_token(self, name: str) -> Path:
        """What holds the token of a lead on this machine, unless `lead add` was told another file."""
        return self.state_folder / "leads" / f"{name}.token"

    def running_socket(self, *, watching: bool = False, leading: bool = False) -> Path:
        """Return the socket of the running engine (or the one that would be), whatever environment it was started in.

        `watching`: the one where nobody can do anything but look. `leading`: the one where a token says what one may.
        """
        try:
            lines = self.lock.read_text("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        socket = Path(lines[1]) if len(lines) > 1 else self.socket
        return socket.with_suffix(LEADS if leading else _WATCHERS) if watching or leading else socket

    def prepare(self) -> None:
        """Make the folders and see that they are ours alone. Raises `HomeProblem`."""
        make_private(self.config_folder)
        make_private(self.state_folder)
        make_private(self.runtime_folder, links=False)
        keep_private(self.state_folder)
        keep_private(self.runtime_folder)


def find_home(environ: Mapping[str, str]) -> Home:
    """Find the room that `environ` names. Touches nothing."""
    user_home = Path(environ.get("HOME") or os.path.expanduser("~"))
    if named := environ.get("CONTROLROOM_HOME"):
        folder = Path(os.path.realpath(os.path.expanduser(named)))
        namespace = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
        runtime, elsewhere = _runtime_folder(environ, user_home, folder)
        return Home(folder, folder, runtime, namespace, elsewhere)
    config = _xdg(environ, "XDG_CONFIG_HOME", user_home / ".config") / "controlroom"
    state = _xdg(environ, "XDG_STATE_HOME", user_home / ".local" / "state") / "controlroom-room"
    runtime, elsewhere = _runtime_folder(environ, user_home, state)
    return Home(config, state, runtime, elsewhere=elsewhere)


AT = "CONTROLROOM_AT"
"""Names the machine that the engine is on, as `--home` does; `local` is this one, whatever the config says."""


def command_line(environ: Mapping[str, str], *words: str) -> str:
    """A command line about the room that `environ` names, which means the same room in every other shell."""
    place, named = environ.get(AT, ""), environ.get("CONTROLROOM_HOME", "")
    folder = os.path.realpath(os.path.expanduser(named)) if named else ""
    line = ["controlroom", *(["--home", place or folder] if place or folder else []), *words]
    return shlex.join([*(["env", f"CONTROLROOM_HOME={folder}"] if place and folder else []), *line])


def engine_place(home: Home, environ: Mapping[str, str]) -> str:
    """Return the machine that the room's engine is on, as environment or config has it; "" is this one.

    What else is wrong with the config the engine says. Raises `HomeProblem`.
    """
    named = environ.get(AT) or _configured(home.config)
    return "" if named == "local" else named


def _configured(config: Path) -> str:
    try:
        data = config.read_bytes()
        if b"home" not in data:
            return ""
        check_private(config)
        import tomllib

        named = tomllib.loads(data.decode()).get("home", "")
    except (OSError, ValueError, RecursionError):
        return ""
    return named if isinstance(named, str) else ""


def _xdg(environ: Mapping[str, str], name: str, otherwise: Path) -> Path:
    """Read an XDG variable; a relative one is to be ignored (XDG Base Directory Specification)."""
    value = environ.get(name, "")
    return Path(value) if os.path.isabs(value) else otherwise


def _runtime_folder(environ: Mapping[str, str], user_home: Path, state: Path) -> tuple[Path, str]:
    """Return a folder whose sockets have short paths, and why it is not the usual one, when it is not.

    It is under $XDG_RUNTIME_DIR, else under the temporary folder; where somebody else has made that one first, it is
    where nobody else can write.
    """
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    temporary = Path("/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir()) / f"controlroom-{os.getuid()}"  # noqa: S108 - checked
    usual = temporary
    if os.path.isabs(runtime) and os.access(runtime, os.W_OK) and _is_short(Path(runtime) / "controlroom"):
        usual = Path(runtime) / "controlroom"
    if not (why := _taken(usual)):
        return usual, ""
    others = (state / "sockets", user_home / ".cache" / "controlroom-sockets")
    for folder in filter(_is_short, others):
        if not _taken(folder):
            return folder, f"{why}: the sockets of this room are in {folder}"
    return usual, ""


def _is_short(folder: Path) -> bool:
    return len(os.fsencode(folder)) + len("/123456789012.sock") < MAX_SOCKET_PATH


def _taken(folder: Path) -> str:
    """Return whether something lies there that is not a folder of ours alone; "" when nothing does, or that."""
    try:
        check_private(folder, folder=True, links=False)
    except HomeProblem as problem:
        return str(problem)
    except OSError:
        return ""
    return ""


def make_private(folder: Path, *, links: bool = True) -> None:
    """Make a folder (0700, parents too) unless it is there, and check it. Raises `HomeProblem`.

    `links`: it may be a symbolic link; not so in /tmp, where anybody can lay one.
    """
    try:
        _make_folders(folder)
        check_private(folder, folder=True, links=links)
    except OSError as error:
        raise HomeProblem(f"{folder} cannot be used: {error.strerror}") from None


def _make_folders(folder: Path) -> None:
    missing = [folder, *folder.parents]
    for path in reversed([path for path in missing if not path.exists()]):
        path.mkdir(mode=0o700, exist_ok=True)


def keep_private(folder: Path) -> None:
    """Take away what others may read in a folder of ours. Raises `HomeProblem`."""
    try:
        if stat.S_IMODE(folder.stat().st_mode) & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise HomeProblem(f"{folder} cannot be made private: {error.strerror}; run: chmod 700 {folder}") from None


def check_private(path: Path, *, folder: bool = False, links: bool = True) -> None:
    """See that `path` is ours and that nobody else can write it; one that is not there is fine.

    Raises `HomeProblem` with the command to run.
    """
    try:
        status = path.stat(follow_symlinks=links)
    except FileNotFoundError:
        return
    if folder and not stat.S_ISDIR(status.st_mode):
        raise HomeProblem(f"{path} is not a folder: move it away")
    if not folder and not stat.S_ISREG(status.st_mode):
        raise HomeProblem(f"{path} is not a plain file: move it away")
    if status.st_uid not in (os.getuid(), 0):
        raise HomeProblem(f"{path} belongs to another user (uid {status.st_uid}): run: sudo chown {os.getuid()} {path}")
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise HomeProblem(f"{path} can be written by other users: run: chmod go-w {path}")


class LockTaken(Exception):
    """Another engine holds the lock; the text says which process."""


def hold(path: Path, socket: Path) -> int:
    """Take the lock, note who has it, and return the descriptor, to be kept open. Raises `LockTaken`, `OSError`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n{socket}\n".encode(), 0)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise LockTaken(f"an engine of this room runs already (process {holder(path) or 'unknown'})") from None
        raise
    return descriptor


def show_start(path: Path) -> int:
    """Show that an engine is being started, for as long as any process has this descriptor open. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def is_held(path: Path) -> bool:
    """Return whether an engine holds a lock now: the one of its life, or the one of a start."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder(path: Path) -> int:
    """Return the process id that was written by the last holder; 0 when there is none."""
    try:
        first = path.read_text("utf-8", "replace").partition("\n")[0]
    except OSError:
        return 0
    return int(first) if first.isdecimal() else 0


REPORT = "CONTROLROOM_REPORT_FD"
"""Names the descriptor in the environment of an engine that was started by a front end."""

STARTING = "CONTROLROOM_STARTING_FD"
"""Names the descriptor that shows that the engine is being started, for as long as it is open."""

READY, TAKEN = "ready", "taken"
