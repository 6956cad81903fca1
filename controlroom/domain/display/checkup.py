"""What a host has of all that agents need, judged: found, ok or not, and the command that mends it.

The host says only what it found; what that means and what to do about it is said here, so that a host which lies
cannot put a command into its operator's hands.
"""

import re
from collections.abc import Iterator, Sequence

from controlroom.domain.address import HostKind
from controlroom.domain.display.views import Line
from controlroom.domain.model import Fleet, Host, LinkState
from controlroom.domain.questions import QuestionKind, command
from controlroom.domain.tasks import Preflight
from controlroom.domain.words import ago, percent, since, size
from controlroom.text.host_sample import HostCheck
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import StrEnum

_GIB, _MIB = 1024**3, 1024**2

_PLAIN_PATH = re.compile(r"(/[A-Za-z0-9._-]+)+")
"""A path that can stand in a command as it is."""


class Grade(StrEnum):
    """`warn`: it works, but not for long or not for all; `bad`: agents will not run, or not live on."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `mend`: the command that mends it, or what to do; empty: nothing."""

    name: str
    verdict: Grade
    found: str
    mend: str = ""


def link_check(host: Host, now: int) -> Check:
    """Judge the link: what is known without the host."""
    held = since(now - host.since)
    if host.link is LinkState.UP:
        owned = host.facts is None or host.facts.owned
        if not owned:
            words = f"up {held}, but another control room owns it: this one may only look"
            return Check("link", Grade.WARN, words, f"controlroom host take {host.name}")
        return Check("link", Grade.OK, f"up {held}" + (": one SSH channel" if host.kind is HostKind.SSH else ""))
    last_heard = f"; last heard {ago(now - host.seen)}" if host.seen else "; not heard yet by this engine"
    found = f"{host.link} {held}" + (f": {host.reason}" if host.reason else "") + last_heard
    mends = {
        LinkState.ASKING: _answering(host),
        LinkState.CONNECTING: "wait a moment, then ask again",
        LinkState.REFUSED: f"controlroom host retry {host.name} (when what it says is fixed)",
    }
    by_hand = f"try it by hand: ssh {_ssh_words(host.address)} true"
    return Check("link", Grade.BAD, found, mends.get(host.link, by_hand if host.kind is HostKind.SSH else ""))


def _answering(host: Host) -> str:
    if host.question is None:
        return "wait a moment, then ask again"
    answer = command(host.name, host.question)
    compare = host.question.kind is QuestionKind.HOST_KEY
    return answer.replace(")", "; compare the fingerprint first)") if compare else answer


def _ssh_words(address: str) -> str:
    place, colon, port = address.rpartition(":")
    return f"-p {port} {place}" if colon and port.isdigit() and not place.endswith(":") else address


def checks(fleet: Fleet, host: Host, found: HostCheck, now: int) -> tuple[Check, ...]:
    """Judge all of a host."""
    need = fleet.limits.memory_per_agent
    return (
        link_check(host, now),
        _python(found),
        _tmux(found),
        _claude(found),
        _login(found, bool(fleet.profiles)),
        *_shell(found),
        _git(found),
        _state(found),
        _disk(found),
        _inodes(found),
        _memory(found, need),
        _swap(found),
        _clock(found),
        _logout(found),
        _processes(found),
        _watches(found),
        _sshd(found),
    )


def preflight(found: HostCheck, now: int) -> Preflight:
    """What a host lacks for agents to be started there, of that which would end them all alike."""
    lacks = [_lack(check) for check in (_tmux(found), _state(found), _disk(found), _inodes(found))]
    login = "" if found.logged_in is not False else "Claude is not logged in (claude auth login there)"
    dialogs = "Claude would ask its first questions (run claude once there)" if found.onboarded is False else ""
    machine = "; ".join(filter(None, lacks))
    claude, git = _lack(_claude(found)), _worktree_lack(found)
    return Preflight(now, machine=machine, claude=claude, login=login, dialogs=dialogs, git=git)


def _lack(check: Check) -> str:
    return f"{check.name}: {check.found} ({check.mend})" if check.verdict is Grade.BAD else ""


def is_well(judged: Sequence[Check]) -> bool:
    """Whether nothing is bad."""
    return all(check.verdict != Grade.BAD for check in judged)


# --------------------------------------------------------------------------- programs


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _python(found: HostCheck) -> Check:
    return Check("python", Grade.OK if found.python else Grade.UNKNOWN, found.python or "not known")


def _tmux(found: HostCheck) -> Check:
    if found.tmux_problem:
        return Check("tmux", Grade.UNKNOWN, found.tmux_problem, "check again")
    if not found.tmux:
        return Check("tmux", Grade.BAD, "not installed", "sudo apt-get install tmux")
    old = _numbers(found.tmux) < (3, 2)
    mend = "sudo apt-get install tmux, or build a newer one: agents need 3.2a"
    return Check("tmux", Grade.BAD if old else Grade.OK, found.tmux, mend if old else "")


_OLDEST_CLAUDE = (2, 1)


def _claude(found: HostCheck) -> Check:
    if found.claude_alias and not found.claude_at:
        words = f"only an alias in the login shell ({found.claude_alias}), which no program sees"
        return Check("claude", Grade.BAD, words, "put the folder of claude on PATH in ~/.profile")
    if found.claude_problem and not found.claude_at:
        install = "npm install -g @anthropic-ai/claude-code (with Node 22 or newer), as the user that agents run as"
        return Check("claude", Grade.BAD, found.claude_problem, install)
    if found.claude_problem:
        return Check("claude", Grade.BAD, f"{found.claude_at}: {found.claude_problem}", "run claude --version there")
    if _numbers(found.claude) < _OLDEST_CLAUDE:
        known = bool(_numbers(found.claude))
        words = f"{found.claude}: older than 2.1, which agents need" if known else f"{found.claude}: no version is said"
        return Check("claude", Grade.BAD if known else Grade.WARN, words, "claude update")
    return Check("claude", Grade.OK, f"{found.claude} at {found.claude_at}")


_LOGINS = {
    "claude.ai": "plan login",
    "oauth_token": "a token of a plan, from the environment",
    "api_key": "an API key: billed by use",
    "api_key_helper": "an API key, from a helper: billed by use",
    "third_party": "another cloud: billed by use",
    "ANTHROPIC_API_KEY": "an API key in the login shell's environment: billed by use",
    "ANTHROPIC_AUTH_TOKEN": "a bearer token in the login shell's environment",
    "CLAUDE_CODE_OAUTH_TOKEN": "a token of a plan, in the login shell's environment",
}


_PAYS = {"api": "an account that is billed", "plan": "a plan"}


def _login(found: HostCheck, profiles: bool) -> Check:
    method, _, plan = found.login.partition(" ")
    words = _LOGINS.get(method, found.login) + (f", {plan}" if plan else "")
    if found.logged_in and found.stray_key:
        beside = f"a plan's login, but {found.stray_key} takes precedence: agents are billed by use"
        unset = 'unset it there, or let profiles say credential = "plan"'
        return Check("login", Grade.WARN, beside, "remove it there" if " in " in found.stray_key else unset)
    if found.billing and found.billing_told and found.billing != found.billing_told:
        doubt = f"{words}, but by its settings {_PAYS[found.billing]} pays: both kinds of budgets bind"
        return Check("login", Grade.WARN, doubt, "look into Claude's settings there, and give agents a credential")
    if found.logged_in:
        unsure = "" if found.billing or not found.claude else "; who pays is not known: both kinds of budgets bind"
        return Check("login", Grade.OK, words + unsure)
    mend = "run claude auth login there, as the user that agents run as; or use a profile with a credential"
    if found.logged_in is None:
        return Check("login", Grade.UNKNOWN, found.login_problem or "not known", mend)
    verdict = Grade.WARN if profiles else Grade.BAD
    only = ": only profiles with a credential can run" if profiles else ""
    return Check("login", verdict, f"not logged in{only}", mend)


def _shell(found: HostCheck) -> Iterator[Check]:
    if found.environment_problem:
        yield Check("shell", Grade.WARN, found.environment_problem)


_GIT_APART, _GIT_TRIED = (2, 32), (2, 38)
"""Since when git takes GIT_CONFIG_GLOBAL; and what we need, as `runner.git` says where there is none."""

_NEWER_GIT = "install git 2.38 or newer there"


def _git(found: HostCheck) -> Check:
    if version := _numbers(found.git):
        words, mend = found.git, _NEWER_GIT
        if version < _GIT_APART:
            words += ": older than 2.32, it cannot be kept from settings of this account (GIT_CONFIG_GLOBAL)"
        elif version < _GIT_TRIED:
            words += ": older than 2.38, from which on worktrees, reviews and results are known to work"
        else:
            return Check("git", Grade.OK, found.git)
        return Check("git", Grade.WARN, words, mend)
    if found.git:
        return Check("git", Grade.UNKNOWN, f"{found.git}: no version is said", "run git --version there")
    return Check("git", Grade.WARN, "not installed: most tasks need it", "sudo apt-get install git")


def _worktree_lack(found: HostCheck) -> str:
    """Why no git worktree is to be made for an agent there, and what mends that; "": nothing that is known."""
    version = _numbers(found.git)
    if version and version < _GIT_APART:
        return f"git {found.git} is older than 2.32, which worktrees need ({_NEWER_GIT})"
    if found.python and not found.git:  # a host that has told of nothing has not told of its python either
        return "git is not installed, which worktrees need (sudo apt-get install git)"
    return ""


# --------------------------------------------------------------------------- the machine


def _state(found: HostCheck) -> Check:
    folder = found.state_folder or "the state folder"
    if found.state_problem:
        return Check("folder", Grade.BAD, f"{folder}: {found.state_problem}", "make it writable for this user")
    if found.state_mode is None:
        return Check("folder", Grade.OK, f"{folder}: not there yet, made with the first agent")
    if found.state_mode & 0o077:
        mend = f"chmod 700 {folder}" if _PLAIN_PATH.fullmatch(folder) else "take away others' access"
        return Check("folder", Grade.BAD, f"{folder} is open to others ({found.state_mode:04o})", mend)
    return Check("folder", Grade.OK, f"{folder}, {found.state_mode:04o}")


def _share(part: int | None, whole: int | None) -> float | None:
    return None if part is None or not whole else 100 * part / whole


def _disk(found: HostCheck) -> Check:
    share = _share(found.disk_free, found.disk_total)
    if share is None or found.disk_free is None:
        return Check("disk", Grade.UNKNOWN, "no reading")
    words = f"{size(found.disk_free)} free of {size(found.disk_total)}"
    mend = "make room: ended agents and their logs go with controlroom forget AGENT"
    if found.disk_free < 100 * _MIB:
        return Check("disk", Grade.BAD, words, mend)
    low = found.disk_free < 2 * _GIB or share < 3
    return Check("disk", Grade.WARN if low else Grade.OK, words, mend if low else "")


def _inodes(found: HostCheck) -> Check:
    if found.inodes_total == 0:
        return Check("inodes", Grade.OK, "this file system does not count them")
    share = _share(found.inodes_free, found.inodes_total)
    if share is None:
        return Check("inodes", Grade.UNKNOWN, "no reading")
    words, mend = f"{percent(share)} free", "many small files: look for them with du --inodes"
    verdict = Grade.BAD if (found.inodes_free or 0) < 1000 else Grade.WARN if share < 5 else Grade.OK
    return Check("inodes", verdict, words, "" if verdict == Grade.OK else mend)


def _memory(found: HostCheck, need: int) -> Check:
    if found.memory_free is None:
        return Check("memory", Grade.UNKNOWN, "no reading")
    words = f"{size(found.memory_free)} free of {size(found.memory_total)}"
    if need and found.memory_free < need:
        return Check("memory", Grade.BAD, f"{words}: an agent needs {size(need)}", "end something there")
    fits = f": room for {found.memory_free // need} more agents" if need else ""
    return Check("memory", Grade.WARN if need and found.memory_free < 2 * need else Grade.OK, words + fits)


def _swap(found: HostCheck) -> Check:
    if not found.swap_total:
        return Check("swap", Grade.OK, "none: when memory runs out, the kernel kills something")
    share = _share(found.swap_free, found.swap_total) or 0.0
    words = f"{size(found.swap_free)} free of {size(found.swap_total)}"
    return Check("swap", Grade.WARN if share < 20 else Grade.OK, words, "end something there" if share < 20 else "")


def _clock(found: HostCheck) -> Check:
    seconds = found.clock_offset / 1000
    if abs(seconds) < 2:
        return Check("clock", Grade.OK, "as ours, within 2 s")
    verdict = Grade.BAD if abs(seconds) > 300 else Grade.WARN
    words = f"{seconds:+.0f} s from ours" + (": logins and certificates can fail" if verdict == Grade.BAD else "")
    return Check("clock", verdict, words, "sudo timedatectl set-ntp true")


def _logout(found: HostCheck) -> Check:
    if not found.systemd:
        return Check("logout", Grade.OK, "no systemd here to end what is left running")
    if found.linger:
        return Check("logout", Grade.OK, "linger is on: agents live on")
    if found.ends_at_logout is None:
        words = "linger is off, and whether logind ends what is left running (KillUserProcesses) is not known"
        return Check("logout", Grade.UNKNOWN, words, "loginctl enable-linger")
    if found.ends_at_logout:
        words = "linger is off and KillUserProcesses=yes: agents die when the last login of this user ends"
        return Check("logout", Grade.BAD, words, "loginctl enable-linger")
    return Check("logout", Grade.OK, "KillUserProcesses=no: agents live on")


# --------------------------------------------------------------------------- limits


def _processes(found: HostCheck) -> Check:
    most, used = found.max_processes, found.processes
    if most is None:
        return Check("nproc", Grade.UNKNOWN, "no reading")
    now = f", {used} in use" if used is not None else ""
    if most == 0:
        return Check("nproc", Grade.OK, f"no limit{now}")
    left = most - (used or 0)
    verdict = Grade.BAD if left < 20 else Grade.WARN if left < 500 else Grade.OK
    mend = "" if verdict == Grade.OK else "raise nproc in /etc/security/limits.conf, or TasksMax of the user's slice"
    return Check("nproc", verdict, f"at most {most}{now}", mend)


def _watches(found: HostCheck) -> Check:
    if found.inotify_watches is None:
        return Check("inotify", Grade.UNKNOWN, "no reading; without inotify logs are polled ten times a second")
    low = found.inotify_watches < 8192
    mend = "sudo sysctl fs.inotify.max_user_watches=65536" if low else ""
    return Check("inotify", Grade.WARN if low else Grade.OK, f"{found.inotify_watches} watches", mend)


def _sshd(found: HostCheck) -> Check:
    if found.max_sessions is None and not found.max_startups:
        words = "its limits can be read by root only; we use one channel of one connection"
        return Check("sshd", Grade.UNKNOWN, words)
    begin = _numbers(found.max_startups)[:1] or (10,)
    words = f"MaxSessions {found.max_sessions or 'not known'}, MaxStartups {found.max_startups or 'not known'}"
    if found.max_sessions == 0 or begin[0] < 3:
        mend = "raise both in /etc/ssh/sshd_config; each attach is one more connection"
        return Check("sshd", Grade.WARN, words, mend)
    return Check("sshd", Grade.OK, f"{words}; we use one channel of one connection")


# --------------------------------------------------------------------------- for people, for scripts


def lines(judged: Sequence[Check]) -> list[Line]:
    """Write a check-up for people: one thing a line, under it what mends it."""
    tones = {Grade.OK: "plain", Grade.UNKNOWN: "plain", Grade.WARN: "warn", Grade.BAD: "bad"}
    drawn = []
    for check in judged:
        mark = "" if check.verdict == Grade.OK else f"{check.verdict}: "
        drawn.append(Line(check.name, mark + check.found, tones[check.verdict]))
        if check.mend and check.verdict != Grade.OK:
            drawn.append(Line("", f"→ {check.mend}", "do"))
    return drawn
