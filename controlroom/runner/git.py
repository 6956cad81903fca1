"""git's own program, run on a repository that is not to be trusted: nothing that came with it runs.

Whoever can write a repository can name programs in it: hooks, filters, merge drivers, external diffs, fsmonitor, ssh
commands, credential helpers, remote helpers, and whatever the next version of git adds. So its config is never git's
config here. A git directory of ours stands before it (`GIT_COMMON_DIR`): it has a config written by us, no hooks and no
attributes, and its objects and refs are links to the repository's. Of the repository's own config only what is data is
taken over (`_TAKEN_OVER`). Config of the person's account counts where a remote is spoken to, and nowhere else.

Filters are off, too: files in Git LFS are seen as the pointers that git keeps. Submodules are not entered.
"""

import contextlib
import os
import re
import select
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping

from controlroom.runner.files import create, read_regular
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern
from controlroom.text.sanitize import sanitize_lines

SECONDS = 30.0
LIMIT = 16 * 1024 * 1024
"""Bytes of output that are read when a caller does not say."""

REMOTE = frozenset({"ssh", "https"})
"""Protocols by which a remote may be spoken to. A local one would run the hooks that lie in the other repository."""

BUNDLE = frozenset({"file"})
"""By which a bundle is fetched from a file of ours: nobody is spoken to, and the person's own config does not count."""

SHOWN_MOST = 500
"""Characters that are shown of what a repository or a program says, unless a caller says otherwise."""

_CONFIG_MOST = 1024 * 1024
_ERRORS_MOST = 65_536
_POINTER_MOST = 4096

_OFF = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.attributesFile=/dev/null", "core.pager=cat",
    "core.editor=false", "core.untrackedCache=false", "sequence.editor=false", "protocol.ext.allow=never",
    "commit.gpgSign=false", "tag.gpgSign=false", "push.gpgSign=false", "log.showSignature=false",
    "merge.verifySignatures=false", "submodule.recurse=false", "fetch.recurseSubmodules=no",
    "push.recurseSubmodules=no", "status.submoduleSummary=false", "diff.submodule=short",
    "diff.ignoreSubmodules=dirty", "rerere.enabled=false", "gc.auto=0", "maintenance.auto=false",
    "rebase.autoStash=false", "advice.detachedHead=false", "core.quotePath=false", "color.ui=false",
    "transfer.bundleURI=false", "fetch.fsckObjects=true", "core.bigFileThreshold=16m",
)  # fmt: skip

# What a subcommand is always told. A command that is not here is not run: whoever needs another one looks first at
# what it can start. `dirty`: a change of a submodule's commit is told, but no git is started within it.
_DIFF = ("--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=dirty")
_COMMANDS: dict[str, tuple[str, ...]] = {
    "branch": (), "bundle": (), "cat-file": (), "check-attr": (), "check-ignore": (), "check-ref-format": (),
    "checkout": ("--quiet", "--no-recurse-submodules"), "cherry-pick": (), "clean": (), "commit-tree": (),
    "config": (), "diff": _DIFF, "diff-files": _DIFF, "diff-index": _DIFF, "diff-tree": _DIFF,
    "fetch": ("--no-recurse-submodules", "--no-auto-maintenance", "--no-write-fetch-head"),
    "for-each-ref": (), "hash-object": ("--no-filters",), "init": ("--template=",),
    "log": (*_DIFF, "--no-show-signature"),
    "ls-files": (), "ls-remote": (), "ls-tree": (), "merge": ("--no-edit", "--no-verify-signatures"),
    "merge-base": (), "merge-tree": (), "push": ("--no-recurse-submodules", "--no-signed"), "read-tree": (),
    "rebase": ("--no-autostash", "--no-gpg-sign"), "reset": ("--no-recurse-submodules",), "rev-list": (),
    "rev-parse": (), "show": (*_DIFF, "--no-show-signature"), "show-ref": (), "status": ("--ignore-submodules=dirty",),
    "symbolic-ref": (), "update-index": (), "update-ref": (), "var": (), "worktree": (), "write-tree": (),
}  # fmt: skip
_NOT_LITERAL = ("check-ignore",)
"""They refuse to take paths as they are: give them with `./` before them, for a path may begin with a colon."""

_ENTERING = ("merge", "rebase", "cherry-pick")
"""They may stash first, and a stash starts git within a submodule, which goes by that one's own config."""

_NEVER = pattern(
    r"-c|-x|--(?:ext-diff|textconv|filters|upload-pack|receive-pack|exec|config-env|exec-path|git-dir|work-tree|"
    r"show-signature|gpg-sign|signed|edit|interactive|recurse-submodules|autostash|template)(?:=.*)?"
)
"""Options that would start something; a caller that gives one is wrong."""

_TAKEN_OVER = {
    "core.filemode": pattern("true|false|yes|no|on|off|1|0"),
    "core.symlinks": pattern("true|false|yes|no|on|off|1|0"),
    "core.ignorecase": pattern("true|false|yes|no|on|off|1|0"),
    "core.precomposeunicode": pattern("true|false|yes|no|on|off|1|0"),
    "core.autocrlf": pattern("true|false|input|yes|no|on|off|1|0"),
    "core.eol": pattern("lf|crlf|native"),
    "core.repositoryformatversion": pattern("[01]"),
    "extensions.objectformat": pattern("sha1|sha256"),
    "extensions.refstorage": pattern("files|reftable"),
}
_LINKED = ("objects", "refs", "packed-refs", "reftable", "logs", "shallow", "worktrees")
_REMOTE_NAME = pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_HOST = r"(?!-)[A-Za-z0-9.-]{1,253}"
_URL = pattern(
    rf"(?:(?P<scheme>ssh|https)://(?:[^\s@/]*@)?(?P<host>{_HOST}|\[[0-9A-Fa-f:]+\])(?::\d{{1,5}})?/(?P<path>[!-~]+)"
    rf"|(?:(?!-)[A-Za-z0-9._-]+@)?(?P<scp>{_HOST}):(?!:)(?!//)(?P<scp_path>[!-~]+))"
)
_USER = pattern(r"(?<=://)[^\s@/]*@")


class GitFailed(Exception):
    """git could not do it; the text says what, where and why, and may be shown."""


class Identity(NamedTuple):
    """Who a commit is by."""

    name: str
    email: str


class Output(NamedTuple):
    """What git said. `code`: None when it was killed, for it took too long (`late`) or said too much (`cut`)."""

    code: int | None
    out: bytes
    err: str
    late: bool = False
    cut: bool = False

    @property
    def text(self) -> str:
        """Its output without the last newline; bytes that are no text stay what they are (surrogateescape)."""
        return self.out.decode("utf-8", "surrogateescape").removesuffix("\n")

    @property
    def fields(self) -> list[str]:
        """Its output as `-z` parts it."""
        return [part.decode("utf-8", "surrogateescape") for part in self.out.split(b"\0") if part]


class Place(NamedTuple):
    """Where a repository lies: its work tree ("": bare), the git directory of it, and the one that all trees share."""

    top: str
    git_dir: str
    common: str


class Repository:
    """A repository as `opened` gives it."""

    def __init__(self, place: Place, stand_in: str, program: str, environ: Mapping[str, str]) -> None:
        self.place, self.settings, self.environ = place, dict[str, list[str]](), environ
        self._stand_in, self._program = stand_in, program

    def run(
        self,
        *words: str,
        check: bool = True,
        given: bytes = b"",
        seconds: float = SECONDS,
        limit: int = LIMIT,
        identity: Identity | None = None,
        remote: frozenset[str] = frozenset(),
    ) -> Output:
        """Run a subcommand of git (`_COMMANDS`) in the top of the work tree.

        `remote`: protocols that it may speak (`REMOTE`); with some, the person's own config counts. Raises `GitFailed`
        when it cannot be run or, with `check`, does not end with 0; `ValueError` for words that nobody may give.
        """
        command = words[0]
        if command not in _COMMANDS or any(_NEVER.fullmatch(word) for word in _options(words)):
            raise ValueError(f"git is not run with these words: {words!r}")
        forced = [option for setting in _OFF for option in ("-c", setting)]
        literal = () if command in _NOT_LITERAL else ("--literal-pathspecs",)
        argv = [self._program, *literal, "--no-pager", *forced, command, *_COMMANDS[command], *words[1:]]
        if command in _ENTERING and (inner := self.submodules(populated=True)):
            raise GitFailed(f"git {command} would enter the submodule {displayable(inner[0])}, and is not run there")
        variables = self._variables(identity, remote)
        where = self.place.top or self.place.git_dir
        output = spawned([argv[0], "-C", where, *argv[1:]], variables, given, time.monotonic() + seconds, limit)
        if check and output.code != 0:
            raise GitFailed(_why(command, where, output, seconds))
        return output

    def text(self, *words: str) -> str:
        """Run a subcommand that says one thing, and return that."""
        return self.run(*words).text

    def add_worktree(self, path: str, commit: str, branch: str = "") -> None:
        """Make a worktree at `path`, which is not there yet, without a file in it; `branch`: a new one, else none.

        Only `git worktree add` with an empty tree is run: the next step is `reset --hard` in the worktree itself.
        """
        link = os.path.join(self._stand_in, "worktrees")
        if not os.path.lexists(link):
            os.makedirs(os.path.join(self.place.common, "worktrees"), exist_ok=True)
            os.symlink(os.path.join(self.place.common, "worktrees"), link)
        self.run("worktree", "add", "--no-checkout", *(("-b", branch) if branch else ("--detach",)), path, commit)
        own = os.path.basename(_pointer(os.path.join(path, ".git"), "gitdir: "))
        _write(
            os.path.join(path, ".git"),
            f"gitdir: {self.place.common}/worktrees/{own}\n".encode("utf-8", "surrogateescape"),
        )

    def remove_worktree(self, path: str) -> None:
        """Remove what lies where `add_worktree` made a worktree, and git's note of that, and nothing else.

        git's own `remove` would follow a link that stands there by now, and `prune` take away the notes of worktrees
        whose disk is not there at the moment.
        """
        made = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path), ".git")
        remove_tree(path)
        notes = os.path.join(self.place.common, "worktrees")
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(notes):
                with contextlib.suppress(GitFailed):
                    if _line(os.path.join(notes, name, "gitdir"), "") == made:
                        shutil.rmtree(os.path.join(notes, name), ignore_errors=True)

    def add_all(self) -> None:
        """Put into the index what is in the work tree, new files too; a submodule with the commit it stands at.

        `git add` would start git within a submodule, by that one's own config.
        """
        changed = self.run("ls-files", "-z", "--modified", "--deleted", "--others", "--exclude-standard").out
        paths = [path for path in dict.fromkeys(changed.split(b"\0")) if path and not path.endswith(b"/")]
        self.run("update-index", "--add", "--remove", "-z", "--stdin", given=b"\0".join([*paths, b""]))

    def submodules(self, *, populated: bool = False) -> list[str]:
        """Return the paths of the submodules of the index; `populated`: of those that have been checked out here."""
        entries = [entry.partition("\t") for entry in self.run("ls-files", "--stage", "-z").fields]
        paths = [path for mode, _, path in entries if mode.startswith("160000 ")]
        return [path for path in paths if not populated or os.path.lexists(os.path.join(self.place.top, path, ".git"))]

    def identity(self) -> Identity | None:
        """Say who a commit made here is by: the repository's `user.name`, else the person's; None when nobody is."""
        found = [self._said("user.name"), self._said("user.email")]
        return Identity(*found) if all(found) else None

    def remotes(self) -> dict[str, str]:
        """Return the remotes as the repository names them, each with its URL: a claim, see `reachable` and `origin`."""
        names = [key.removeprefix("remote.").removesuffix(".url") for key in self.settings if _is_remote(key)]
        return {name: self.settings[f"remote.{name}.url"][-1] for name in names if _REMOTE_NAME.fullmatch(name)}

    def _said(self, key: str) -> str:
        own = self.settings.get(key, [])
        said = own[-1] if own else self.run("config", "--get", key, check=False, remote=REMOTE).text
        return re.sub(r"[\x00-\x1f\x7f<>]|[\ud800-\udfff]", "", said)[:200].strip()

    def _variables(self, identity: Identity | None, remote: frozenset[str]) -> dict[str, str]:
        kept = {"GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_SSL_CAINFO"} if remote - BUNDLE else set()
        dropped = {"PAGER", "EDITOR", "VISUAL", "SSH_ASKPASS", "LANG", "LANGUAGE"}
        variables = {
            name: value
            for name, value in self.environ.items()
            if name in kept or not (name.startswith(("GIT_", "LC_")) or name in dropped)
        }
        variables |= {
            "GIT_DIR": self.place.git_dir, "GIT_COMMON_DIR": self._stand_in, "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS_REQUIRE": "never", "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_ALLOW_PROTOCOL": ":".join(sorted(remote)),
            "GIT_PROTOCOL_FROM_USER": "0", "GIT_EDITOR": "false", "GIT_SEQUENCE_EDITOR": "false", "GIT_PAGER": "cat",
            "GIT_MERGE_AUTOEDIT": "no", "LC_ALL": "C",
        }  # fmt: skip
        if self.place.top:
            variables["GIT_WORK_TREE"] = self.place.top
        if not remote - BUNDLE:
            variables |= {
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "GIT_CONFIG_SYSTEM": "/dev/null",
            }
        for who in ("AUTHOR", "COMMITTER") if identity else ():
            assert identity  # for mypy: the loop is empty without one
            variables |= {f"GIT_{who}_NAME": identity.name, f"GIT_{who}_EMAIL": identity.email}
        return variables

    def take_over(self) -> None:
        """Read the repository's config as data, and take over what can be trusted to be no more than that."""
        try:
            theirs = read_regular(os.path.join(self.place.common, "config"), _CONFIG_MOST)
        except OSError as error:
            raise GitFailed(
                f"the config of {displayable(self.place.common)} cannot be read: {error.strerror}"
            ) from None
        copy = os.path.join(self._stand_in, "theirs")
        _write(copy, theirs)
        listed = self.run("config", "--file", copy, "--no-includes", "--null", "--list").fields
        for line in listed:
            key, _, value = line.partition("\n")
            self.settings.setdefault(key, []).append(value)
        _write(os.path.join(self._stand_in, "config"), _our_config(self.settings, bare=not self.place.top).encode())


def located(path: str) -> Place:
    """Find the repository that a folder is the top or an inner part of. Raises `GitFailed` when it is in none.

    No git is asked, for it would go by the repository's own config.
    """
    top = os.path.realpath(path)
    while True:
        entry = os.path.join(top, ".git")
        if _is_git_dir(entry):
            return Place(top, entry, entry)
        if os.path.isfile(entry):
            return _linked(top, entry)
        if _is_git_dir(top):
            return Place("", top, top)
        above = os.path.dirname(top)
        if above == top:
            raise GitFailed(f"{displayable(path)} is in no git repository")
        top = above


@contextlib.contextmanager
def opened(path: str, environ: Mapping[str, str], common: str = "") -> Iterator[Repository]:
    """Open the repository at or around `path` for as long as the block lasts.

    `environ`: where git is found (PATH) and whose home it is. `common`: the git directory that it is known to belong
    to; an agent may have put another repository in its place. Raises `GitFailed`.
    """
    place = located(path)
    if common and os.path.realpath(place.common) != os.path.realpath(common):
        raise GitFailed(f"{displayable(path)} does not belong to the repository {displayable(common)} any more")
    with opened_at(place, environ) as repository:
        yield repository


@contextlib.contextmanager
def opened_at(place: Place, environ: Mapping[str, str]) -> Iterator[Repository]:
    """Open a repository whose parts lie where they are said to, as `opened` does. Raises `GitFailed`."""
    program = shutil.which("git", path=os.pathsep.join(_absolute(environ.get("PATH") or os.defpath)))
    if program is None:
        raise GitFailed("git is not there on this host: install it (2.38 or newer), or let PATH reach it")
    stand_in = tempfile.mkdtemp(prefix="controlroom-git-")
    try:
        _furnish(stand_in, place)
        repository = Repository(place, stand_in, program, environ)
        repository.take_over()
        yield repository
    except OSError as error:
        where = displayable(place.top or place.git_dir)
        raise GitFailed(f"{where} cannot be worked on: {error.strerror}") from None
    finally:
        shutil.rmtree(stand_in, ignore_errors=True)


def remove_tree(path: str) -> None:
    """Remove what lies at a path: a folder with all that is in it, or a link and not what that leads to."""
    if os.path.islink(path):
        os.unlink(path)
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError:
        _open_up(path)
        shutil.rmtree(path, ignore_errors=True)


def _open_up(path: str) -> None:
    """Let folders be written that are there to be read alone, as what a language's tools keep of packages is."""
    for _, folders, _, descriptor in os.fwalk(path):
        for name in folders:
            with contextlib.suppress(OSError):
                if stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                    os.chmod(name, 0o700, dir_fd=descriptor)


def reachable(url: str) -> bool:
    """Return whether a remote's URL is one that git may be told to speak to: ssh or https, and nothing else."""
    return len(url) <= 2000 and _URL.fullmatch(url) is not None


def origin(url: str) -> str:
    """Say in a text that may be shown, without credentials, which repository a URL names: `example.org/team/docs`.

    The same for each way to reach it. Of one that is not `reachable`, a path is told as it is, and others not at all.
    """
    match = _URL.fullmatch(url[:2000])
    if match is None:
        local = url.removeprefix("file://")
        return displayable(os.path.normpath(local)) if local.startswith("/") else ""
    host, path = match["host"] or match["scp"], match["path"] or match["scp_path"]
    path = re.split("[?#]", path)[0].strip("/").removesuffix(".git")
    return displayable(f"{host.lower()}/{path}")


def displayable(text: str, limit: int = SHOWN_MOST) -> str:
    """Make one line of what a repository or git says that may be shown: no controls, nobody's password."""
    lines = [line for line in sanitize_lines(_USER.sub("", text), limit) if line.strip()]
    return " ".join(line.strip() for line in lines)[:limit]


def _options(words: tuple[str, ...]) -> Iterator[str]:
    for word in words[1:]:
        if word == "--":
            return
        yield word


def _is_remote(key: str) -> bool:
    return key.startswith("remote.") and key.endswith(".url")


def _is_git_dir(path: str) -> bool:
    return os.path.lexists(os.path.join(path, "HEAD")) and os.path.isdir(os.path.join(path, "objects"))


def _linked(top: str, entry: str) -> Place:
    """Read the file `.git` of a worktree or submodule, and the file `commondir` where that leads."""
    git_dir = _pointer(entry, "gitdir: ")
    if not os.path.lexists(os.path.join(git_dir, "HEAD")):
        raise GitFailed(f"{displayable(entry)} names {displayable(git_dir)}, which is no git directory")
    shared = os.path.join(git_dir, "commondir")
    common = _pointer(shared, "") if os.path.lexists(shared) else git_dir
    if not _is_git_dir(common):
        raise GitFailed(f"{displayable(shared)} names {displayable(common)}, which is no git directory")
    return Place(top, git_dir, common)


def _pointer(path: str, prefix: str) -> str:
    return os.path.realpath(os.path.join(os.path.dirname(path), _line(path, prefix)))


def _line(path: str, prefix: str) -> str:
    try:
        text = read_regular(path, _POINTER_MOST).decode("utf-8", "surrogateescape").rstrip("\r\n")
    except OSError as error:
        raise GitFailed(f"{displayable(path)} cannot be read: {error.strerror}") from None
    if not text.startswith(prefix) or "\0" in text or "\n" in text:
        raise GitFailed(f"{displayable(path)} does not say where its git directory is")
    return text.removeprefix(prefix)


def _furnish(stand_in: str, place: Place) -> None:
    """Make the git directory that stands before the repository's."""
    for name in _LINKED:
        if name == "packed-refs" or os.path.lexists(os.path.join(place.common, name)):
            os.symlink(os.path.join(place.common, name), os.path.join(stand_in, name))
    os.mkdir(os.path.join(stand_in, "info"))
    os.symlink(os.path.join(place.common, "info", "exclude"), os.path.join(stand_in, "info", "exclude"))
    _write(os.path.join(stand_in, "HEAD"), b"ref: refs/heads/none\n")
    _write(os.path.join(stand_in, "config"), b"")


def _our_config(theirs: Mapping[str, list[str]], *, bare: bool) -> str:
    lines = [f"[core]\n\tbare = {str(bare).lower()}\n"]
    for key, fitting in _TAKEN_OVER.items():
        value = theirs[key][-1].lower() if theirs.get(key) else ""
        if fitting.fullmatch(value):
            section, _, name = key.partition(".")
            lines.append(f"[{section}]\n\t{name} = {value}\n")
    for key in filter(_is_remote, theirs):
        name, url = key.removeprefix("remote.").removesuffix(".url"), theirs[key][-1]
        if _REMOTE_NAME.fullmatch(name) and reachable(url) and not set(url) & set('"\\;#'):
            fetched = f"+refs/heads/*:refs/remotes/{name}/*"
            lines.append(f'[remote "{name}"]\n\turl = "{url}"\n\tfetch = {fetched}\n')
    return "".join(lines)


def _write(path: str, data: bytes) -> None:
    with open(create(path), "wb") as file:
        file.write(data)


def _absolute(path: str) -> list[str]:
    return [folder for folder in path.split(os.pathsep) if os.path.isabs(folder)]


def _why(command: str, where: str, output: Output, seconds: float) -> str:
    if output.late:
        said = f"it took more than {seconds:g} s"
    elif output.cut:
        said = "it said too much"
    else:
        said = output.err or displayable(output.text) or f"exit {output.code}"
    return f"git {command} in {displayable(where)} failed: {said}"


# ---------------------------------------------------------------------- the process


def spawned(argv: list[str], variables: dict[str, str], given: bytes, until: float, limit: int) -> Output:
    """Run a program in a session of its own, hand it `given`, and read what it says up to the limits.

    `until`: when it is killed, by `time.monotonic`. Raises `GitFailed` where it cannot be run.
    """
    (in_read, in_write), (out_read, out_write), (err_read, err_write) = [os.pipe() for _ in range(3)]
    ends = (in_read, out_write, err_write)
    try:
        pid = os.posix_spawn(
            argv[0],
            [_encoded(word) for word in argv],
            {_encoded(name): _encoded(value) for name, value in variables.items()},
            file_actions=[(os.POSIX_SPAWN_DUP2, end, target) for target, end in enumerate(ends)],
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGPIPE, signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT),
        )
    except (OSError, ValueError) as error:
        for end in (in_write, out_read, err_read):
            os.close(end)
        raise GitFailed(f"{argv[0]} cannot be run: {getattr(error, 'strerror', error)}") from None
    finally:
        for end in ends:
            os.close(end)
    said, late, cut = _exchanged(in_write, (out_read, err_read), given, until, limit)
    status = _waited(pid, 0.0 if late or cut else until)
    for end in (out_read, err_read):
        os.close(end)
    code = None if status is None or late or cut else os.waitstatus_to_exitcode(status)
    return Output(
        code,
        bytes(said[out_read][:limit]),
        displayable(_said(said[err_read])),
        late or (status is None and not cut),
        cut,
    )


def _exchanged(
    inlet: int, outlets: tuple[int, int], given: bytes, until: float, limit: int
) -> tuple[dict[int, bytearray], bool, bool]:
    """Hand over `given` and read both outlets to their ends; return what was said, whether late, whether too much."""
    said = {outlet: bytearray() for outlet in outlets}
    waiting, writing = memoryview(given), True
    os.set_blocking(inlet, False)
    ready = select.poll()
    for outlet in outlets:
        ready.register(outlet, select.POLLIN)
    ready.register(inlet, select.POLLOUT)
    open_ends = len(outlets)
    try:
        while open_ends:
            if writing and not waiting:
                ready.unregister(inlet)
                os.close(inlet)
                writing = False
            left = until - time.monotonic()
            if left <= 0:
                return said, True, False
            for end, _ in ready.poll(left * 1000):
                if end == inlet:
                    waiting = _handed(inlet, waiting)
                elif data := os.read(end, 65_536):
                    said[end] += data
                else:
                    ready.unregister(end)
                    open_ends -= 1
            if len(said[outlets[0]]) > limit:
                return said, False, True
            del said[outlets[1]][:-_ERRORS_MOST]
        return said, False, False
    finally:
        if writing:
            os.close(inlet)


def _handed(inlet: int, waiting: memoryview) -> memoryview:
    try:
        return waiting[os.write(inlet, waiting[:65_536]) :]
    except BlockingIOError:
        return waiting
    except OSError:  # it does not want the rest
        return memoryview(b"")


def _waited(pid: int, until: float) -> int | None:
    """Wait for a process that has closed its outputs; kill its whole session when it does not end in time."""
    pause = 0.001
    while True:
        try:
            done, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # collected by somebody else: all that is known is that it ended
            return None
        if done:
            return status
        if time.monotonic() >= until:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
            return None
        time.sleep(pause)
        pause = min(0.05, pause * 2)


def _encoded(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _said(errors: bytearray) -> str:
    text = bytes(errors).decode("utf-8", "replace").strip()
    return text[-2000:]
