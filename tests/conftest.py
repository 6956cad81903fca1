"""Fixtures for every test folder: throw-away worlds, real hosts, the stand-in for the Messages API, real screens.

What a machine cannot give is said once at the end of the run; under CI (`CI=true`) it is a failure.
"""

from __future__ import annotations

import gc
import os
import random
import shutil
import signal
import sqlite3
import sys
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

import hypothesis
import pytest

from tests.lab import bundle, leftovers
from tests.lab import claude as claude_code
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.loopback import LoopbackHost, LoopbackLab
from tests.lab.machine import no_loopback_lab, no_namespace_lab
from tests.lab.messages_api.server import Api
from tests.lab.namespaces import NamespaceHost, NamespaceLab
from tests.lab.options import Options
from tests.lab.price_files import keep_list
from tests.lab.terminal import Terminal
from tests.lab.waiting import NotInTime, wait_for
from tests.lab.warden import Warden
from tests.lab.world import World, leaks

pytest_plugins = ("tests.lab.agents",)
NOT_RUN = pytest.StashKey[dict[str, tuple[str, int]]]()
LEFT = pytest.StashKey[list[str]]()
FAILED = pytest.StashKey[bool]()
QUICK_SEED = 1  # the same tests every time, unless asked otherwise
AnyLab = TypeVar("AnyLab", bound=Lab[Any])
CLAUDE_INSIDE = "/run/claude"  # where a host in a namespace sees the folder of the CLI
UNDER_CI = os.environ.get("CI", "").lower() in ("1", "true")

for profile, examples in (("quick", 40), ("long", 3000)):
    hypothesis.settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        derandomize=profile == "quick",
        suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
    )


# -- the run


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of our own."""
    group = parser.getgroup("controlroom")
    group.addoption("--long", action="store_true", help="thousands of seeds, soak and storms: by hand")
    group.addoption("--seed", type=int, help="of every test with dice (default: 1, with --long a new one)")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, settle the seed."""
    config.addinivalue_line("markers", "long: runs only with --long")
    config.stash[NOT_RUN], config.stash[LEFT] = {}, []
    leftovers.mark()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell does so for what it starts with &
        signal.signal(signal.SIGINT, signal.default_int_handler)  # else Ctrl-C does nothing to what tests start
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # many a container has it: each of a thousand Pythons would compile
    sys.dont_write_bytecode = False
    for name in ("COLUMNS", "LINES"):  # readline puts them into our environment, past os.environ
        os.unsetenv(name)
    hypothesis.settings.load_profile("long" if config.getoption("long") else "quick")
    if config.getoption("seed") is None:
        config.option.seed = random.SystemRandom().getrandbits(32) if config.getoption("long") else QUICK_SEED


def pytest_report_header(config: pytest.Config) -> str:
    """Say the seed, so that a failure can be repeated."""
    return f"seed: {config.getoption('seed')} (--seed repeats it)"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Benchmarks run only when they are named."""
    benchmarks = collection_path.is_relative_to(config.rootpath / "tests" / "benchmarks")
    return True if benchmarks and not any("benchmarks" in argument for argument in config.args) else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Collect no garbage while a failure is being told.

    Before CPython 3.11.8 an ast.parse inside another one, which a finaliser may call, ends in a SystemError
    ("AST constructor recursion depth mismatch"): the run would stop at a test that fails.
    """
    gc.disable()
    try:
        report = yield
    finally:
        gc.enable()
    item.stash[FAILED] = report.failed or item.stash.get(FAILED, False)
    if report.when == "teardown" and item.stash[FAILED]:
        collect_what_was_left_open()
    return report


def collect_what_was_left_open() -> None:
    """Collect what a failed test has left open, or some test that runs later is blamed for it.

    The last error, which pytest keeps for debuggers, keeps all that its frames hold.
    """
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            setattr(sys, name, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def pytest_collection_finish() -> None:
    """Set what was loaded aside: thousands of tests and their modules stay, and are no garbage to look through.

    It takes a fifth off the processor time of tests that draw a screen. The threshold is that of the program.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is long."""
    if not config.getoption("long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="runs only with --long"))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker could not run, where several share the work."""
    lacking = node.config.stash[NOT_RUN]
    for part, (why, count) in getattr(node, "workeroutput", {}).get("not_run", {}).items():
        lacking[part] = (why, lacking.get(part, (why, 0))[1] + count)
    node.config.stash[LEFT] += getattr(node, "workeroutput", {}).get("left", [])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what tests have left behind; hand that over, and what could not be run, in a worker."""
    shares = getattr(session.config.option, "numprocesses", None)
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["not_run"] = session.config.stash[NOT_RUN]
        session.config.workeroutput["left"] = leftovers.end()
    elif not shares:
        session.config.stash[LEFT] += leftovers.end()


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line on what could not be run here, and one for each process that a test left behind."""
    for what in config.stash[LEFT]:
        terminalreporter.write_line(f"left behind by {what}", yellow=True)
    if config.stash[NOT_RUN]:
        parts = [f"{part} ({why}; {count} tests)" for part, (why, count) in config.stash[NOT_RUN].items()]
        terminalreporter.write_line("could not be run here: " + ", ".join(parts), yellow=True)


def give_up(config: pytest.Config, part: str, why: str) -> NoReturn:
    """This machine lacks a part that the test needs: a failure under CI, else a skip that is counted."""
    _, count = config.stash[NOT_RUN].get(part, (why, 0))
    config.stash[NOT_RUN][part] = (why, count + 1)
    if UNDER_CI:
        pytest.fail(f"{part} is missing, which is a failure under CI: {why}", pytrace=False)
    pytest.skip(f"{part}: {why}")


@pytest.fixture
def need(request: pytest.FixtureRequest) -> Callable[..., str]:
    """`need("mosh", package="mosh")`: the path of a program, or no test."""

    def path(program: str, package: str = "") -> str:
        found = shutil.which(program)
        return found or give_up(request.config, program, f"not installed (Debian: {package or program})")

    return path


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of this run."""
    return int(request.config.getoption("seed"))


@pytest.fixture(scope="session")
def warden() -> Iterator[Warden]:
    """Ends and removes what we leave behind if we are killed."""
    guard = Warden()
    yield guard
    guard.close()


@pytest.fixture(autouse=True)
def no_database_left_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test closes every SQLite connection that it opens.

    From Python 3.13 on, a connection that is collected while open is a warning, which fails whichever test happens to
    run then; older ones say nothing.
    """
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def connect_and_note(*arguments: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", connect_and_note)
    yield
    left = [connection for connection in opened if is_open(connection)]
    for connection in left:
        connection.close()
    assert not left, f"{len(left)} SQLite connections were left open"


def is_open(connection: sqlite3.Connection) -> bool:
    """Whether a connection still has its database open."""
    try:
        connection.in_transaction  # noqa: B018 - it asks
    except sqlite3.ProgrammingError:
        return False
    return True


# -- a place of one's own


@pytest.fixture
def home(warden: Warden, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A throw-away world: HOME, CONTROLROOM_HOME and TMUX_TMPDIR of the test's own, in this process's environment.

    What a first start leaves is there already: the node's files in its HOME, the list prices in its room.
    At the end every process that lives in it is killed, and the test fails if one resists.
    """
    world = World()
    warden.watch(world.directory)
    for name in filter(leaks, list(os.environ)):
        monkeypatch.delenv(name)
    for name, value in world.environment().items():
        monkeypatch.setenv(name, value)
    bundle.hold(world.home)
    keep_list(world.room)
    yield world
    resisted = world.close()
    warden.forget(world.directory)
    assert not resisted, f"these would not end: {resisted}"


# -- hosts


class MakeHosts(Protocol):
    """What the fixture `ssh_hosts` gives."""

    def __call__(self, count: int, *, known: bool = True, **options: Any) -> list[LoopbackHost]: ...


class MakeLab(Protocol):
    """What the fixture `vms` gives."""

    def __call__(self, count: int, *, known: bool = True, **options: Any) -> NamespaceLab: ...


def run_lab(stack: ExitStack, lab: AnyLab, count: int, known: bool, world: World, warden: Warden) -> AnyLab:
    """Bring a lab up until the stack ends, and let the world's HOME reach it."""
    warden.watch(lab.directory)
    stack.callback(warden.forget, lab.directory)
    stack.enter_context(lab)
    lab.up(count)
    lab.install(world.home, known)
    for host in lab.hosts:
        world.watch(host.processes)
    return lab


@pytest.fixture
def ssh_hosts(request: pytest.FixtureRequest, home: World, warden: Warden) -> Iterator[MakeHosts]:
    """`ssh_hosts(2)`: real sshds on 127.0.0.1, each with a HOME of its own, reachable by name from the world's HOME.

    `known=False` leaves ~/.ssh/known_hosts empty. Other options are those of `lab.options.Options`.
    """
    with ExitStack() as stack:

        def make(count: int, *, known: bool = True, **options: Any) -> list[LoopbackHost]:
            if why := no_loopback_lab():
                give_up(request.config, "sshd", why)
            lab = run_lab(stack, LoopbackLab(options=Options(**options)), count, known, home, warden)
            return lab.hosts

        yield make


@pytest.fixture
def ssh_host(ssh_hosts: MakeHosts) -> Host:
    """One real sshd on 127.0.0.1, `vm1`, known to the world's HOME."""
    return ssh_hosts(1)[0]


@pytest.fixture
def vms(request: pytest.FixtureRequest, home: World, warden: Warden) -> Iterator[MakeLab]:
    """`vms(3, disk=24)`: a lab of hosts with networks of their own; `lab["vm1"].cut()` and other faults.

    Needs root and /dev/net/tun. The hosts reach this machine at `lab.record.gateway`.
    """
    with ExitStack() as stack:

        def make(count: int, *, known: bool = True, **options: Any) -> NamespaceLab:
            if why := namespace_trouble():
                give_up(request.config, "hosts with networks of their own", why)
            return run_lab(stack, NamespaceLab(options=Options(**options)), count, known, home, warden)

        yield make


@cache
def namespace_trouble() -> str:
    """Why there are no namespaces here, found out once."""
    return no_namespace_lab()


@pytest.fixture
def no_leftovers(home: World, ssh_hosts: MakeHosts, vms: MakeLab) -> Iterator[None]:
    """The test fails if an engine, a node, a runner or a tmux server of its world outlives it by more than 5 s.

    Hosts are looked at while they are still up.
    """
    yield
    for terminal in home.terminals:
        terminal.close()
    try:
        wait_for(lambda: not home.leftovers(), 5)
    except NotInTime:
        pytest.fail(f"left over: {home.leftovers()}", pytrace=False)


# -- the Messages API and Claude Code


@pytest.fixture
def start_api() -> Iterator[Callable[..., Api]]:
    """`start_api(host="10.0.0.1", ratelimit="unified")`: a stand-in for the Messages API wherever it is wanted."""
    with ExitStack() as stack:
        yield lambda host="127.0.0.1", **config: stack.enter_context(Api(host, **config))


@pytest.fixture
def api(start_api: Callable[..., Api]) -> Api:
    """A stand-in for the Messages API on 127.0.0.1."""
    return start_api()


@pytest.fixture(scope="session")
def claude_found() -> Path | str:
    """The real CLI, or why there is none; asked before a test has another HOME."""
    return claude_code.find(dict(os.environ), claude_code.cache())


@pytest.fixture
def claude(request: pytest.FixtureRequest, claude_found: Path | str) -> Path:
    """The path of the real Claude Code CLI."""
    return give_up(request.config, "claude", claude_found) if isinstance(claude_found, str) else claude_found


@pytest.fixture
def claude_share(claude: Path) -> dict[str, str]:
    """`vms(1, share=claude_share)`: lets hosts with a filesystem view of their own see the CLI."""
    return {str(claude.parent): CLAUDE_INSIDE}


@pytest.fixture
def claude_home(claude: Path) -> Callable[..., Path]:
    """`claude_home(host, api)`: furnish a host's HOME for Claude Code; returns its project folder, seen from here.

    Also for a HOME on this machine, `claude_home(home.home, api)`. More keywords are variables for its .bashrc.
    """

    def furnish(place: Host | Path, api: Api, **extra: str) -> Path:
        if not isinstance(place, NamespaceHost):
            return claude_code.furnish(place if isinstance(place, Path) else place.home, claude, api.url, extra)
        inside = f"{CLAUDE_INSIDE}/{claude.name}"
        project = claude_code.furnish(place.home, inside, api.url, extra, seen_as=f"/home/{place.user}")
        place.own(place.home)
        return project

    return furnish


# -- screens


@pytest.fixture
def tmux_screen(request: pytest.FixtureRequest, home: World) -> Iterator[Callable[..., Terminal]]:
    """`tmux_screen(["controlroom"], width=45, height=20)`: a command on a real screen of its own."""
    if shutil.which("tmux") is None:
        give_up(request.config, "tmux", "not installed")

    def open_screen(command: Any, **options: Any) -> Terminal:
        terminal = Terminal(home.directory / f"screen{len(home.terminals)}", command, **options)
        home.terminals.append(terminal)
        return terminal

    yield open_screen
    for terminal in home.terminals:
        terminal.close()
