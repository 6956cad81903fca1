"""What programs do with their words, as far as a rule must know: who runs other commands, and by which options.

Of a program that is not named here a rule says all: whoever writes `make *` allows what make does. What runs the
command that stands in its words is another thing: a rule for its first word would be one for every command there is.
Options and subcommands: the manuals of GNU coreutils and findutils, Git 2.47, ripgrep 14, npm 11, Python 3, Node.js 24.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

NEVER = frozenset(
    (
        *("env", "xargs", "sudo", "doas", "su", "pkexec", "runuser", "parallel", "watch", "script", "setsid", "stdbuf"),
        *("bash", "sh", "zsh", "dash", "ksh", "mksh", "ash", "fish", "csh", "tcsh", "pwsh", "busybox", "toybox"),
        *("eval", "exec", "source", ".", "command", "builtin", "alias", "unalias", "trap", "enable", "hash", "set"),
        *("shopt", "setopt", "unsetopt", "emulate", "autoload", "zmodload", "export", "declare", "typeset", "local"),
        *("readonly", "read", "mapfile", "readarray", "let", "coproc", "bind", "complete", "compgen", "fc", "history"),
        *("repeat", "noglob", "nocorrect", "-", "until", "select", "then", "do", "else", "!", "[", "[[", "function"),
        *("nohup", "nice", "time", "timeout", "ionice", "chrt", "taskset", "strace", "ltrace", "gdb", "lldb"),
        *("valgrind",),
        *("chroot", "unshare", "nsenter", "flock", "ssh", "sshpass", "rsh", "mosh", "telnet", "nc", "ncat", "socat"),
        *("tmux", "screen", "at", "batch", "crontab", "systemd-run", "launchctl", "expect", "unbuffer", "entr"),
        *("nix-shell", "vim", "vi", "nvim", "view", "ex", "ed", "emacs", "nano", "less", "more", "man", "ftp", "sftp"),
        *("dbus-run-session", "faketime", "firejail", "bwrap", "runcon", "setpriv", "setarch", "prlimit", "cpulimit"),
        *("print", "getopts", "getln", "pushln", "jobs", "wait", "sched", "vared", "zparseopts", "zformat", "zstyle"),
        *("private", "integer", "float", "foreach", "disable", "unhash", "unfunction", "functions", "sysread"),
        *("caffeinate", "arch", "xvfb-run", "fakeroot", "proot", "hyperfine", "perf", "rlwrap", "ssh-agent", "chronic"),
        *("sem", "watchexec", "nodemon", "concurrently", "cross-env", "dotenvx", "numactl", "linux32", "linux64"),
        *("systemd-inhibit", "catchsegv", "rr", "gosu", "su-exec", "tini", "dumb-init"),
        *("direnv", "dotenv", "mise", "asdf", "op", "aws-vault", "chpst", "daemonize", "start-stop-daemon", "sg"),
    )
)
"""What runs the command in its words, or changes what later words mean: no rule allows it, however it is written."""

EXACT = frozenset(
    (
        *("sed", "gsed", "awk", "gawk", "mawk", "nawk", "tar", "gtar", "bsdtar", "zip", "rsync", "scp", "curl", "wget"),
        *("fd", "fdfind", "ld", "gcc", "cc", "g++", "clang", "sqlite3", "psql", "mysql", "redis-cli", "openssl"),
        *("dd", "install", "m4", "cpio", "split", "csplit", "jjs", "osascript", "sysctl", "mount", "iptables"),
    )
)
"""What runs commands, writes or sends by words of its own in many ways: a rule allows it word for word alone."""

SCRIPTS = frozenset(
    (
        *("python", "pypy", "node", "ruby", "perl", "php", "lua", "deno", "bun", "tclsh", "rscript", "julia", "groovy"),
        *("java", "npx", "pnpx", "bunx", "uvx", "pipx", "irb", "ghci", "scala", "elixir", "swift", "tsx", "ts-node"),
    )
)
"""What carries out the program that it is given: a rule names that, as in `python -m pytest *`."""

SEVERAL = frozenset(
    (
        *("git", "npm", "pnpm", "yarn", "cargo", "go", "pip", "uv", "poetry", "pipenv", "pdm", "hatch", "rye", "conda"),
        *("docker", "podman", "kubectl", "helm", "gh", "glab", "make", "gmake", "just", "gradle", "mvn", "bundle"),
        *("gem", "composer", "brew", "apt", "apt-get", "dnf", "systemctl", "service", "aws", "gcloud", "az"),
        *("terraform",),
    )
)
"""Programs that are several: a rule for their first word alone says too little, so it names the one it is about."""

_RUN_OTHERS = frozenset(
    (
        *(("deno", "run"), ("bun", "run"), ("bun", "x"), ("npm", "explore"), ("dotnet", "run"), ("swift", "run")),
        *(("rustup", "run"), ("opam", "exec"), ("nix", "run"), ("nix", "shell"), ("nix", "develop"), ("pixi", "run")),
        *(("devbox", "run"), ("composer", "exec"), ("lerna", "exec"), ("nx", "exec"), ("mix", "run")),
        *(("npm", "exec"), ("npm", "x"), ("pnpm", "exec"), ("pnpm", "dlx"), ("yarn", "exec"), ("yarn", "dlx")),
        *(("uv", "run"), ("poetry", "run"), ("pipenv", "run"), ("pdm", "run"), ("hatch", "run"), ("rye", "run")),
        *(("conda", "run"), ("bundle", "exec"), ("cargo", "run"), ("go", "run"), ("docker", "run"), ("docker", "exec")),
        *(("podman", "run"), ("podman", "exec"), ("kubectl", "exec"), ("kubectl", "run"), ("gh", "extension")),
        *(("gh", "alias"), ("npm", "config"), ("npm", "set"), ("go", "generate"), ("go", "env"), ("gh", "api")),
    )
)
"""Subcommands that run what is named behind them, or change what later ones do: a rule names that, too."""


@lru_cache(maxsize=4096)
def program_of(word: str) -> str:
    """Name a program by how it is called: `/usr/bin/python3.11` is python."""
    name = word.rsplit("/", 1)[-1].casefold()
    return re.sub(r"(?<=[a-z])[\d.]+(?:\.exe)?$", "", name) or name


def runs_others(word: str) -> bool:
    """Whether a program runs the command that stands in its words."""
    return program_of(word) in NEVER or program_of(word) in ("find", "fd", "fdfind", "git")


def unwrapped(words: Sequence[str]) -> Sequence[str]:
    """The command that `timeout 60`, `nice`, `nohup` or `time` runs, where what stands before it is known to be all."""
    rest = list(words)
    while rest:
        wrapper = _WRAPPERS.get(rest[0])
        skipped = wrapper(rest) if wrapper else 0
        if not skipped or skipped >= len(rest):
            return rest
        rest = rest[skipped:]
    return rest


def _timeout(words: Sequence[str]) -> int:
    at = 1
    while at < len(words) and words[at].startswith("-"):
        if words[at] in ("--foreground", "--preserve-status", "-v", "--verbose"):
            at += 1
        elif words[at] in ("-k", "-s") and at + 1 < len(words) and words[at + 1].isalnum():
            at += 2
        else:
            return 0
    return at + 1 if at < len(words) and re.fullmatch(r"\d+(?:\.\d+)?[smhd]?", words[at]) else 0


def _nice(words: Sequence[str]) -> int:
    if words[1:2] == ["-n"] and re.fullmatch(r"-?\d+", words[2] if len(words) > 2 else ""):
        return 3
    if words[1:2] and re.fullmatch(r"-\d+", words[1]):
        return 2
    return 0 if words[1:2] and words[1].startswith("-") else 1


_WRAPPERS: dict[str, Callable[[Sequence[str]], int]] = {
    "timeout": _timeout,
    "nice": _nice,
    "nohup": lambda _words: 1,
    "time": lambda words: 2 if words[1:2] == ["-p"] else 1,
}


def problem(words: Sequence[str], named: int, *, exact: bool) -> str:
    """Say why no rule may allow a command, or not this one; "": none of that is known.

    `named`: how many of its first words the rule has as they stand; `exact`: all of them.
    """
    program = program_of(words[0])
    if program in NEVER:
        return f"{program} runs other commands, or changes what they mean"
    own = _OWN.get(program)
    if own is not None and (why := own(words)):
        return why
    if exact:
        return ""
    return _not_named(program, words, named)


def _not_named(program: str, words: Sequence[str], named: int) -> str:
    if program in EXACT:
        return f"{program} can do too much by its options: only a rule with these words and no * allows it"
    second = words[1] if len(words) > 1 else ""
    if (program, second) in _RUN_OTHERS:
        third = words[2] if len(words) > 2 else ""
        if named < 3 or third.startswith("-"):
            return f"{program} {second} runs what is named behind it: a rule names that, too"
        return _not_named(program_of(third), words[2:], named - 2) or problem(words[2:], named - 2, exact=False)
    if program in SCRIPTS:
        as_module = program in ("python", "pypy") and second == "-m"
        if named < (3 if as_module else 2) or (second.startswith("-") and not as_module) or len(words) < 2:
            return f"{program} carries out what it is given: a rule names that, as in {program} SCRIPT *"
    elif program in SEVERAL and (named < 2 or second.startswith("-")) and len(words) > 1 and program != "git":
        return f"{program} does many things: a rule names which, as in {program} {_plain(second)} *"
    return ""


def _plain(word: str) -> str:
    return word if re.fullmatch(r"[\w:.-]{1,30}", word) and not word.startswith("-") else "SUBCOMMAND"


# ---------------------------------------------------------------------- programs that are known better


_GIT = frozenset(
    (
        *("add", "am", "apply", "archive", "blame", "branch", "cat-file", "check-ignore", "checkout", "cherry-pick"),
        *("clean", "clone", "commit", "count-objects", "describe", "diff", "diff-tree", "fetch", "for-each-ref"),
        *("format-patch", "grep", "init", "log", "ls-files", "ls-remote", "ls-tree", "merge", "merge-base", "mv"),
        *("name-rev", "notes", "pull", "push", "range-diff", "rebase", "reflog", "remote", "reset", "restore"),
        *("rev-list", "rev-parse", "revert", "rm", "shortlog", "show", "show-branch", "show-ref", "sparse-checkout"),
        *("stash", "status", "switch", "symbolic-ref", "tag", "worktree", "version"),
    )
)
"""Git's own subcommands that run nothing else: another one may be an alias, which runs anything."""

_GIT_OPTIONS = (
    *("--upload-pack", "--receive-pack", "--exec", "--ext-diff", "--textconv", "--open-files-in-pager", "--output"),
    *("--template", "--separate-git-dir", "--config", "--strategy", "--reference", "--no-index", "--contents"),
    *("--output-directory", "--git-dir", "--work-tree", "--exec-path", "--config-env", "--show-signature"),
    "--unsafe-paths",
)
_GIT_LETTERS = {
    "clone": "cu", "ls-remote": "u", "rebase": "xs", "grep": "Of", "diff": "O", "log": "O", "show": "O", "archive": "o",
    "format-patch": "o", "merge": "s", "pull": "s", "cherry-pick": "s", "revert": "s", "push": "o", "am": "i",
}  # fmt: skip


def _git(words: Sequence[str]) -> str:
    if len(words) < 2:
        return ""
    sub = words[1]
    if sub.startswith("-"):
        return f"git {sub[:20]} before its subcommand changes what it runs, or where"
    if sub not in _GIT:
        return f"git {_plain(sub)} may be an alias, or runs other commands"
    for word in words[2:]:  # also behind --, which may be the value of an option before it
        if "::" in word:
            return "git takes :: for a program that fetches"
        if option := _is_of(word, _GIT_OPTIONS) or _letter(word, _GIT_LETTERS.get(sub, "")):
            return f"git {sub} {option} may run, read or write something else"
    return ""


_FIND = frozenset(
    (
        *("-name", "-iname", "-type", "-maxdepth", "-mindepth", "-path", "-ipath", "-wholename", "-not", "!", "-o"),
        *("-or",),
        *("-a", "-and", "-print", "-print0", "-newer", "-mtime", "-mmin", "-ctime", "-size", "-empty", "-prune"),
        *("-regex",),
        *("-perm", "-user", "-group", "-ls", "-true", "-false", "-xdev", "-depth", "-quit", "(", ")", "-links"),
        *("-atime",),
    )
)


def _find(words: Sequence[str]) -> str:
    takes = ("-mtime", "-mmin", "-size", "-ctime", "-atime", "-perm", "-links")
    for before, word in pairwise(words):
        is_value = before in takes and re.fullmatch(r"[-+]?\d+[a-zA-Z]?", word)
        if word.startswith("-") and word not in _FIND and not is_value:
            return f"find {word[:20]} may run, delete or write something"
    return ""


def _make(words: Sequence[str]) -> str:
    for word in words[1:]:
        if "=" in word or _is_of(word, ("--eval", "--file", "--makefile", "--directory", "--include-dir")):
            return "make takes commands from its own words"
        if _letter(word, "fCIE"):
            return f"make {word[:20]} takes its orders from another place"
    return ""


_ELSEWHERE: Mapping[str, tuple[tuple[str, ...], str]] = {
    "sort": (("--output", "--compress-program", "--temporary-directory", "--files0-from"), "oT"),
    "rg": (("--pre", "--hostname-bin", "--pre-glob"), ""),
    "tree": (("--output",), "o"),
    "shuf": (("--output", "--random-source"), "o"),
    "iconv": (("--output",), "o"),
    "sdiff": (("--output", "--diff-program"), "o"),
    "diff3": (("--diff-program",), ""),
    "ag": (("--pager",), ""),
    "ack": (("--pager", "--ackrc"), ""),
    "bat": (("--pager",), ""),
    "batcat": (("--pager",), ""),
    "hg": (("--config", "--config-file", "--cwd", "--repository", "--debugger"), "R"),
    **dict.fromkeys(
        ("npm", "pnpm", "yarn", "bun"),
        (
            ("--script-shell", "--prefix", "--node-options", "--userconfig", "--globalconfig", "--cwd", "--dir"),
            "C",
        ),
    ),
    "cargo": (("--config", "--manifest-path"), "C"),
    "kubectl": (("--kubeconfig", "--helm-command", "--enable-exec", "--enable-alpha-plugins"), ""),
    "helm": (("--kubeconfig", "--post-renderer"), ""),
    "gradle": (("--init-script", "--build-file", "--settings-file", "--project-dir"), "Ibcp"),
    "mvn": (("--file", "--settings", "--global-settings"), "f"),
    "just": (("--justfile", "--shell", "--shell-arg", "--working-directory", "--command"), "fdc"),
}
"""Options by which a program runs another one, takes its orders from another place or writes a file."""


def _elsewhere(words: Sequence[str]) -> str:
    return _vetoed(words, *_ELSEWHERE[program_of(words[0])])


_GO = frozenset({"exec", "toolexec", "vettool", "overlay", "modfile", "C"})


def _go(words: Sequence[str]) -> str:
    names = (word.lstrip("-").split("=", 1)[0] for word in words[1:] if word.startswith("-"))
    option = next((name for name in names if name in _GO), "")
    return f"go -{option} runs or reads something else" if option else ""


def _test(words: Sequence[str]) -> str:
    """The shell's own `test` carries out what stands in the index of a variable."""
    return "test -v carries out what a name has in brackets" if {"-v", "-R"} & set(words) else ""


def _printf(words: Sequence[str]) -> str:
    return "printf -v sets a variable" if words[1:2] and words[1].startswith("-v") else ""


def _two_files(words: Sequence[str]) -> str:
    """What reads the first file that it is given, and writes the second."""
    files = [word for word in words[1:] if not word.startswith("-") or word == "-"]
    return f"{words[0][:20]} writes the second file that it is given" if len(files) > 1 else ""


def _vetoed(words: Sequence[str], options: tuple[str, ...], letters: str) -> str:
    for word in words[1:]:
        if option := _is_of(word, options) or _letter(word, letters):
            return f"{words[0][:20]} {option} runs or writes something else"
    return ""


def _is_of(word: str, options: tuple[str, ...]) -> str:
    """Which of some long options a word is, also cut short as GNU's programs take it; "": none."""
    name = word.split("=", 1)[0]
    if len(name) < 3 or not name.startswith("--"):
        return ""
    return next((option for option in options if option.startswith(name)), "")


def _letter(word: str, letters: str) -> str:
    """Which of some one-letter options a word has in it; "": none."""
    if not letters or not word.startswith("-") or word.startswith("--"):
        return ""
    return next((f"-{letter}" for letter in letters if letter in word[1:]), "")


_OWN: dict[str, Callable[[Sequence[str]], str]] = {
    "git": _git,
    "find": _find,
    "make": _make,
    "gmake": _make,
    "test": _test,
    "printf": _printf,
    "uniq": _two_files,
    "xxd": _two_files,
    "go": _go,
    **dict.fromkeys(_ELSEWHERE, _elsewhere),
}
