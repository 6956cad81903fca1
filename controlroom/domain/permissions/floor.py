"""The floor of denials, which no rule overrides: what it turns down for certain, and what it only suspects.

It turns down a push to a protected branch, a delete outside the agent's folder, and whatever touches credentials or our
own files. Where it cannot tell (a push that does not name its branch), and for writes that make programs run later
(`.git/hooks`), it has a person asked. It sees what stands in a call; a program may do all of this without a word.
"""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from controlroom.domain.permissions.calls import BASH, EDITORS, FIELDS, READERS, Call
from controlroom.domain.permissions.paths import inside, is_any, outside, paths_in, resolved
from controlroom.domain.permissions.programs import program_of
from controlroom.domain.permissions.rules import Rule, RuleVerdict, command_pattern, forbids_command
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Floor:
    """What is never allowed by a rule. All patterns of paths: in any case of letters."""

    branches: tuple[str, ...] = ("main", "master", "trunk", "prod", "production", "stable", "release", "release/*")
    """Protected branches: a push to one is turned down."""
    deletes: bool = True
    """A delete outside the agent's folder is turned down."""
    scratch: tuple[str, ...] = ()
    """Where agents may delete though it is outside their folders."""
    credentials: tuple[str, ...] = (
        *("**/.ssh/**", "**/.gnupg/**", "**/.aws/**", "**/.azure/**", "**/.config/gcloud/**", "**/.kube/**"),
        *("**/.netrc", "**/.git-credentials", "**/.config/git/credentials", "**/.config/gh/**"),
        *("**/.docker/config.json",),
        *("**/.npmrc", "**/.pypirc", "**/.password-store/**", "**/.claude/.credentials.json", "**/.claude.json"),
        *("**/.env", "**/.env.local", "**/.env.production", "**/id_rsa", "**/id_ed25519", "**/id_ecdsa"),
        *("/etc/shadow", "/etc/sudoers", "/proc/**/environ"),
    )
    """Files that hold credentials: what reads or writes one is turned down."""
    secrets: tuple[str, ...] = (
        *("printenv *", "gh auth token *", "gh auth status *", "git credential *", "gcloud auth *", "aws configure *"),
        *("security *", "secret-tool *", "pass *", "op *", "vault *", "kubectl get secret *", "kubectl get secrets *"),
    )
    """Commands that print credentials: turned down."""
    own: tuple[str, ...] = (
        *("**/.local/state/controlroom/**", "**/.local/state/controlroom-*/**", "**/.config/controlroom/**"),
        *("**/.cache/controlroom/**", "/run/user/*/controlroom/**", "/tmp/controlroom-*/**"),  # noqa: S108
    )
    """Files of this program: what reads or writes one is turned down, as is the program itself."""
    asks: tuple[str, ...] = (
        *("**/.git/**", "**/.claude/**", "**/.mcp.json", "**/.husky/**", "**/.vscode/**", "**/.idea/**", "**/.envrc"),
        *("**/.bashrc", "**/.profile", "**/.bash_profile", "**/.zshrc", "**/.zprofile", "**/.gitconfig"),
    )
    """Files that make programs run something later: a person is asked before one is written."""


@dataclass(frozen=True)
class Finding:
    """What the floor says of a call."""

    verdict: RuleVerdict
    part: str
    """`pushes`, `deletes`, `credentials`, `own files` or `writes`."""
    why: str


def look_at_call(floor: Floor, call: Call) -> Iterator[Finding]:
    """Find what the floor says of a tool that is not a shell."""
    if call.tool == BASH:
        return
    if call.tool in EDITORS or call.tool in READERS:
        for path in call.places:
            yield from look_at_path(floor, path, (call.folder,), writes=call.tool in EDITORS)
        return
    writes = call.tool not in FIELDS  # of other tools it is not known whether they do
    for text in dict.fromkeys(texts(call.given)):
        for finding in look_at_path(floor, text, (call.folder,), writes=writes):
            yield Finding(RuleVerdict.ASK, finding.part, finding.why)


def texts(given: Any) -> Iterator[str]:
    """The shorter texts in an input, however deep they stand, and those names of its fields that may be files."""
    ahead = [given]
    while ahead:
        value = ahead.pop()
        if isinstance(value, dict):
            ahead += [*value.values(), *(name for name in value if isinstance(name, str) and not name.isidentifier())]
        elif isinstance(value, list):
            ahead += value
        elif isinstance(value, str) and len(value) < 4096:
            yield value.removeprefix("file://")


def look_at_path(floor: Floor, path: str, folders: Sequence[str], *, writes: bool) -> Iterator[Finding]:
    """Find what the floor says of a file that is read or written, from whichever of the folders."""
    if any(is_any(path, floor.credentials, folder) for folder in folders):
        yield Finding(RuleVerdict.DENY, "credentials", f"{path[:100]} is a credential")
    if any(is_any(path, floor.own, folder) and not _is_work(path, folder) for folder in folders):
        yield Finding(RuleVerdict.DENY, "own files", f"{path[:100]} is a file of Control Room")
    if writes and any(is_any(path, floor.asks, folder) for folder in folders):
        yield Finding(RuleVerdict.ASK, "writes", f"what {path[:100]} says is run later")


_WORK = (
    "**/.local/state/controlroom/worktrees/*/*/**",
    "**/.local/state/controlroom/*/worktrees/*/*/**",
    "/tmp/controlroom-demo-*/src/*/**",  # noqa: S108
)
"""Worktrees of agents lie beside our own files, and hold their work; so do the folders of the demo."""

_BESIDE_WORK = ("**/worktrees/*/worktree.json",)


def _is_work(path: str, folder: str) -> bool:
    return is_any(path, _WORK, folder) and not is_any(path, _BESIDE_WORK, folder)


def look_at_command(
    floor: Floor, words: Sequence[str], home: str, folders: Sequence[str], seen: set[tuple[str, bool]]
) -> Iterator[Finding]:
    """Find what the floor says of one command, in whichever of `folders` it runs; `home`: the agent's.

    `seen`: the words that were looked at, and whether as files that are written: they are not looked at again.
    """
    program = program_of(words[0])
    if program == "controlroom" or (program == "python" and tuple(words[1:3]) == ("-m", "controlroom")):
        yield Finding(RuleVerdict.DENY, "own files", "an agent does not steer the room that it works for")
    if any(_is_command(glob, words) for glob in floor.secrets):
        yield Finding(RuleVerdict.DENY, "credentials", f"{' '.join(words[:3])[:60]} prints credentials")
    writes = program in WRITERS
    for word in dict.fromkeys(words):
        if (word, writes) not in seen:
            seen.add((word, writes))
            for path in dict.fromkeys((word, *paths_in(word), *_BESIDE.split(word))):
                yield from look_at_path(floor, path, folders, writes=writes)
    if program == "git":
        yield from _pushes(floor, words)
    if floor.deletes:
        yield from _deletes(floor, program, words, home, folders)


_BESIDE = re.compile(r"[=:@,]")
"""What stands before a path within a word."""

WRITERS = frozenset(
    (
        *("cp", "mv", "rm", "rmdir", "tee", "touch", "truncate", "ln", "install", "dd", "sed", "patch", "chmod"),
        *("chown",),
        *("unlink", "shred", "mkdir", "rsync", "scp", "tar", "unzip", "curl", "wget", "ed", "perl"),
        *("uniq", "xxd", "shuf", "iconv", "sponge", "split", "csplit", "sort", "sdiff", "tree"),
    )
)
"""Programs that write, move or delete the files that they name."""


def _is_command(glob: str, words: Sequence[str]) -> bool:
    wanted = command_pattern(glob).words
    return program_of(words[0]) == wanted[0] and forbids_command(Rule("floor", RuleVerdict.DENY, BASH, glob), words)


# ---------------------------------------------------------------------- pushes


_TAKE_ONE = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--config-env", "--exec-path"})
_PUSH_TAKES = frozenset({"-o", "--push-option", "--repo", "--receive-pack", "--exec"})
_EVERY = frozenset({"--all", "--mirror", "--branches"})


def _pushes(floor: Floor, words: Sequence[str]) -> Iterator[Finding]:
    at = 1
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in _TAKE_ONE else 1
    if words[at : at + 1] != ["push"]:
        return
    rest = words[at + 1 :]
    for word in (word for word in rest if word in _EVERY):
        yield Finding(RuleVerdict.DENY, "pushes", f"{word} pushes to every branch, also protected ones")
    targets = [_branch(name) for name in _plain_words(rest)[1:]]
    for target in targets:
        if any(fnmatchcase(target.casefold(), glob.casefold()) for glob in floor.branches):
            yield Finding(RuleVerdict.DENY, "pushes", f"it pushes to {target[:80]}, a protected branch")
        elif not target or "*" in target or target.casefold() in ("head", "@"):
            yield Finding(RuleVerdict.ASK, "pushes", "which branches it pushes to does not stand there")
    if not targets:
        yield Finding(RuleVerdict.ASK, "pushes", "which branch it pushes to does not stand there")


def _plain_words(words: Sequence[str]) -> list[str]:
    """Those words of a push that are no options and belong to none: the remote, and what is pushed."""
    kept, takes = list[str](), False
    for word in words:
        if not takes and not word.startswith("-"):
            kept.append(word)
        takes = not takes and word in _PUSH_TAKES
    return kept


def _branch(refspec: str) -> str:
    """The branch that a refspec pushes to."""
    name = refspec.lstrip("+").rsplit(":", 1)[-1]
    return name.removeprefix("refs/").removeprefix("heads/")


# ---------------------------------------------------------------------- deletes


_DELETERS = frozenset({"rm", "rmdir", "unlink", "shred", "trash", "rimraf", "srm"})


def _deletes(floor: Floor, program: str, words: Sequence[str], home: str, folders: Sequence[str]) -> Iterator[Finding]:
    for path in dict.fromkeys(_deleted(program, words)):
        places = [resolved(path, folder) or path for folder in folders]
        if all(is_any(place, floor.scratch, "") for place in places):
            continue
        if all(outside(place, home) for place in places):
            yield Finding(RuleVerdict.DENY, "deletes", f"it deletes {path[:80]}, which is outside the agent's folder")
        elif not all(inside(place, home) for place in places):
            yield Finding(RuleVerdict.ASK, "deletes", f"whether {path[:80]} is in the agent's folder is not known")


def _deleted(program: str, words: Sequence[str]) -> list[str]:
    """What a command deletes, as paths."""
    if program in _DELETERS:
        end = words.index("--") if "--" in words else len(words)
        return [word for at, word in enumerate(words) if at and (at > end or not word.startswith("-"))]
    if program == "find" and "-delete" in words:
        places = []
        for word in words[1:]:
            if word.startswith(("-", "(", "!")):
                break
            places.append(word)
        return places or ["."]
    return []
