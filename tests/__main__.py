"""`python3 -m tests [pytest arguments]`: sets up what the tests need, then runs them.

Makes .venv, installs the project with its test extra into it, brings in the Debian packages that are missing
(apt-get, through sudo when not root) and Claude Code (npm, into the user's cache). What it cannot bring in it names,
and the tests that need it say so. A second run finds everything in place. The system's Python is never touched.

Only the standard library: this runs before anything is installed.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed-for-tests"  # what the last installation was made from
OLDEST = (3, 11)

CLAUDE = "2.1.332"  # named: on Node 20 npm would pick an older one by itself
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "controlroom-tests")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Debian package -> how to see that it is there: a program, or a file pattern.
PACKAGES = {
    "git": "git",
    "gh": "gh",
    "git-lfs": "git-lfs",
    "tmux": "tmux",
    "openssh-server": "sshd",
    "openssh-client": "ssh",
    "iproute2": "ip",
    "util-linux": "unshare",
    "e2fsprogs": "mkfs.ext4",
    "procps": "ps",
    "less": "less",
    "mosh": "mosh-server",
    "libfaketime": "/usr/lib/*/faketime/libfaketime.so.1",
    "librsvg2-bin": "rsvg-convert",
    "zsh": "zsh",
    "fish": "fish",
    "tcsh": "tcsh",
}


def say(text: str) -> None:
    """One line on what is being done."""
    print(f"tests: {text}", file=sys.stderr, flush=True)


def fail(text: str) -> int:
    """One line on why there is no going on."""
    say(text)
    return 2


def run(argv: Sequence[object], timeout: float, env: Mapping[str, str] | None = None, ask: bool = False) -> str:
    """Run a command quietly; returns an empty text, or the end of what it said when it failed.

    `timeout` is in seconds; `ask` lets it talk to the terminal (sudo's password).
    """
    words = [str(word) for word in argv]
    stdin = None if ask else subprocess.DEVNULL
    try:
        done = subprocess.run(words, cwd=ROOT, env=env, stdin=stdin, capture_output=True, text=True, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip() or done.stdout.strip() or "failed")[-2000:]


# -- Debian packages


def present(probe: str) -> bool:
    """Whether a program or a file is there."""
    if probe.startswith("/"):
        return bool(glob.glob(probe))
    return shutil.which(probe, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}") is not None


def missing_packages() -> list[str]:
    """The Debian packages that have to be brought in."""
    wanted = [package for package, probe in PACKAGES.items() if not present(probe)]
    if claude() is None and not present("npm"):
        wanted += ["npm"] if present("node") else ["nodejs", "npm"]
    if not PYTHON.exists() and run([sys.executable, "-c", "import ensurepip, venv"], 60):
        wanted.append("python3-venv")
    return wanted


def root_prefix() -> list[str] | None:
    """What to put before a command that needs root; None without a way to be root."""
    if os.geteuid() == 0:
        return []
    if not present("sudo"):
        return None
    if not run(["sudo", "-n", "true"], 30):
        return ["sudo", "-n"]
    return ["sudo"] if sys.stdin.isatty() else None


def install_packages() -> None:
    """Bring in the Debian packages, or say in one line what will not run."""
    wanted = missing_packages()
    if not wanted:
        return
    prefix = root_prefix()
    if prefix is None or not present("apt-get"):
        why = "there is no apt-get" if prefix is not None else "neither root nor sudo without a password"
        say(f"missing {', '.join(wanted)}, and {why}: the tests that need them cannot run")
        return
    say(f"installing {', '.join(wanted)} with apt-get")
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    install = [*apt, "install", "-y", "--no-install-recommends"]
    trouble = run([*apt, "update"], 300, ask=True) or run([*install, *wanted], 900, ask=True)
    if trouble:
        for package in wanted:  # one that does not exist here must not keep the others out
            if run([*install, package], 900, ask=True):
                say(f"could not install {package}: the tests that need it cannot run")


# -- the virtual environment


def make_venv() -> str:
    """Make .venv if it is not there; returns the trouble, if any."""
    if PYTHON.exists() and not (run([PYTHON, "-c", "import pip"], 60) and run([PYTHON, "-m", "ensurepip"], 60)):
        return ""
    say("making .venv")
    shutil.rmtree(VENV, ignore_errors=True)
    trouble = run([sys.executable, "-m", "venv", VENV], 300)
    if not trouble:
        return ""
    private = CACHE / "virtualenv"  # --target: the system's Python stays as it is
    bring = [sys.executable, "-m", "pip", "install", "--quiet", "--target", private, "virtualenv"]
    make = [sys.executable, "-m", "virtualenv", "--quiet", VENV]
    shutil.rmtree(VENV, ignore_errors=True)
    again = run(bring, 300) or run(make, 300, {**os.environ, "PYTHONPATH": str(private)})
    return again and f"no virtual environment (Debian: python3-venv): {trouble}; virtualenv: {again}"


def fingerprint() -> str:
    """What an installation depends on."""
    text = (ROOT / "pyproject.toml").read_bytes() + f"{sys.version_info[:2]} {ROOT}".encode()
    return hashlib.sha256(text).hexdigest()


def install_project() -> str:
    """Install the project, editable, with its test extra; returns the trouble, if any."""
    if STAMP.exists() and STAMP.read_text() == fingerprint():
        return ""
    say("installing the project and its test packages into .venv")
    install = [PYTHON, "-m", "pip", "install", "--quiet", "--no-compile"]  # what is used is compiled when it is used
    trouble = run([*install, "--editable", ".[test]"], 900)
    if not trouble:
        STAMP.write_text(fingerprint())
    return trouble


# -- Claude Code


@cache
def version_of(program: Path) -> str:
    """The version of a Claude Code, or an empty text."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.partition(" ")[0]


def claude() -> Path | None:
    """A Claude Code of the right version: the one told, the cached one, the one on PATH."""
    cached = CACHE / "claude" / "node_modules" / ".bin" / "claude"
    places = [os.environ.get("CONTROLROOM_TEST_CLAUDE"), str(cached), shutil.which("claude")]
    return next((Path(place) for place in places if place and version_of(Path(place)) == CLAUDE), None)


def install_claude() -> Path | None:
    """Claude Code, from npm if need be; None when it cannot be had, which is said."""
    found = claude()
    if found or not present("npm"):
        return found
    say(f"installing Claude Code {CLAUDE} with npm")
    folder = CACHE / "claude"
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--prefix", folder, "--no-fund", "--no-audit", "--silent"]
    trouble = run(["npm", "install", *options, f"@anthropic-ai/claude-code@{CLAUDE}"], 900)
    version_of.cache_clear()
    found = claude()
    if found is None:
        say(f"no Claude Code {CLAUDE}, the tests with the real one cannot run: {trouble[-300:]}")
    return found


def newer_claude() -> str:
    """A line on a newer Claude Code in the registry; empty: there is none, or the registry does not answer."""
    try:
        done = subprocess.run(
            ["npm", "view", "@anthropic-ai/claude-code", "version"], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    newest = done.stdout.strip()
    if done.returncode != 0 or not newest or newest == CLAUDE:
        return ""
    return f"the registry's newest Claude Code is {newest}; these tests were made with {CLAUDE}"


def pytest_environment(found: Path | None) -> dict[str, str]:
    """What pytest is started with.

    Tests start thousands of Pythons (verbs, engines, nodes, runners): what one compiles is kept for the next, also
    where the environment, as in many containers, says that nothing is to be kept.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**environment, "CONTROLROOM_TEST_CLAUDE": str(found)} if found else environment


def become_pytest(arguments: Sequence[str], found: Path | None) -> NoReturn:
    """Leave the rest, and the exit status, to pytest."""
    os.execve(PYTHON, [str(PYTHON), "-m", "pytest", *arguments], pytest_environment(found))


def whole_suite(found: Path | None) -> int:
    """Run every test, and the few that failed once more, with nothing beside them; returns the exit status.

    What fails again is wrong, and fails the run. What passes alone is a race, in a test or in the program: it is named
    at the end, for somebody to look into, but a run of thousands of tests of real processes is not lost by it.
    """

    def pytest(*arguments: str) -> int:
        return subprocess.run([PYTHON, "-m", "pytest", *arguments], env=pytest_environment(found)).returncode

    status, failed = pytest(*several_at_a_time()), last_failed()
    if status != SOME_FAILED or not 0 < len(failed) <= FEW:
        return status
    say(f"{len(failed)} failed beside the others: once more, alone")
    status = pytest("-p", "no:xdist", "--last-failed", "--last-failed-no-failures", "none")
    for name in sorted(failed.difference(last_failed())):
        say(f"a race, to be looked into: it failed beside the others and passed alone: {name}")
    return status


SOME_FAILED = 1  # pytest's exit status
FEW = 5  # failures that may be an accident


def last_failed() -> set[str]:
    """The tests that failed when they ran last, as pytest keeps them."""
    try:
        return set(json.loads((ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed").read_bytes()))
    except (OSError, ValueError):
        return set()


def compile_tests() -> None:
    """Have the tests compiled once, half of them beside the other half: else each worker would compile all of them."""
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if "benchmarks" not in path.parts]
    stale = [path for path in files if not [*(path.parent / "__pycache__").glob(f"{path.stem}.*-pytest-*.pyc")]]
    if len(stale) < len(files) / 2:
        return
    say("compiling the tests")
    collect = [PYTHON, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider"]
    with ThreadPoolExecutor(2) as both:  # trouble is told by the run itself
        list(both.map(lambda half: run([*collect, *half], 300, pytest_environment(None)), (stale[::2], stale[1::2])))


def several_at_a_time() -> list[str]:
    """The whole suite waits (for processes, links, clocks) as long as it works: two workers more than processors."""
    return ["-n", str(min(6, (os.cpu_count() or 1) + 2)), "--dist", "worksteal"]


def main(arguments: Sequence[str]) -> int:
    """Set up, then become pytest."""
    if sys.version_info < OLDEST:
        return fail(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {sys.version.split()[0]}")
    install_packages()
    with ThreadPoolExecutor(1) as beside:  # npm and pip wait for the network, each for its own
        claude_code = beside.submit(install_claude)
        trouble = make_venv() or install_project()
        found = claude_code.result()
    if trouble:
        return fail(trouble)
    if not arguments or "-n" in arguments:
        compile_tests()
    if os.environ.get("CI") and (newer := newer_claude()):
        say(newer)
    os.chdir(ROOT)
    return become_pytest(arguments, found) if arguments else whole_suite(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
