"""The scenes of the demo, in beats: agents that work on, that end, that need a person, and plain commands.

A scene is a generator of beats; where it asks, it is sent whether it was allowed. The dice decide: a seed repeats it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Mapping
from dataclasses import field
from random import Random

from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Say:
    """The agent says something, `after` seconds of thought."""

    text: str
    after: float = 1.0


@dataclass(frozen=True)
class Use:
    """The agent uses a tool, which takes some seconds and gives a result."""

    tool: str
    input: Mapping[str, object]
    result: str
    takes: float = 1.0
    failed: bool = False
    added: int = 0
    """Lines that an edit added."""
    removed: int = 0


@dataclass(frozen=True)
class Ask:
    """The agent may use this tool only if a person allows it. The scene is sent True or False."""

    use: Use


@dataclass(frozen=True)
class Forbidden:
    """A tool call that the permission rules deny without asking anybody."""

    use: Use


@dataclass(frozen=True)
class NearLimit:
    """A plan window is nearly used up: `share` of it, 0 to 1."""

    share: float
    window: str = "five_hour"


@dataclass(frozen=True)
class HitLimit:
    """A plan window is used up. The agent waits for its reset, at the next full hour but one."""

    window: str = "five_hour"


@dataclass(frozen=True)
class Fail:
    """The run ends with an error that Claude Code reports in a sentence."""

    text: str
    error: str = "authentication_failed"


@dataclass(frozen=True)
class Crash:
    """The process dies by a signal."""

    signal: int


@dataclass(frozen=True)
class Print:
    """A command writes one line (it may hold colours), `after` seconds after the one before."""

    text: str
    after: float = 0.5
    error: bool = False
    """Written to the error output."""


@dataclass(frozen=True)
class Exit:
    """A command ends with this code."""

    code: int


Beat = Say | Use | Ask | Forbidden | NearLimit | HitLimit | Fail | Crash | Print | Exit
Beats = Generator[Beat, bool, None]


@dataclass(frozen=True)
class Scene:
    """One story. `play` gets the dice of its agent: the same seed plays the same story."""

    play: Callable[[Random], Beats]
    task: str
    kind: str = "headless"
    model: str = "claude-sonnet-5-5"
    interrupted_after: float = 0.0
    """Seconds after which the demo interrupts the agent, as a person would; 0: never."""
    names: tuple[str, ...] = field(default=())
    """Names its agents go by."""
    login: str = "you"
    """Whose plan it uses: `you`, which has room all day, or another that the story itself says all about."""


_GREEN, _RED, _YELLOW, _CYAN, _BOLD, _OFF = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[36m", "\x1b[1m", "\x1b[0m"


def lint(dice: Random) -> Beats:
    """Watch a folder of sources, and check each file that changes."""
    yield Print(f"{_BOLD}watching src/ and tests/{_OFF} (214 files)", 0.2)
    files = ["src/app.ts", "src/router.ts", "src/store/cart.ts", "src/ui/table.ts", "tests/cart.test.ts"]
    while True:
        path = dice.choice(files)
        yield Print(f"{_CYAN}changed{_OFF} {path}", dice.uniform(0.8, 2.6))
        if dice.random() < 0.3:
            place = f"{dice.randint(3, 240)}:{dice.randint(1, 60)}"
            yield Print(f"  {_YELLOW}warning{_OFF} {path}:{place} 'total' is assigned but never used", 0.5)
        yield Print(f"  {_GREEN}ok{_OFF} types, lint, format in {dice.randint(90, 640)} ms", 0.6)


def access(dice: Random) -> Beats:
    """Serve pages, and write a line for each."""
    paths = ["/", "/docs/", "/docs/install", "/api/v2/orders", "/api/v2/users/me", "/static/app.css", "/healthz"]
    yield Print("listening on 127.0.0.1:8080", 0.3)
    while True:
        status = dice.choice((200, 200, 200, 200, 204, 304, 404, 500))
        colour = _GREEN if status < 400 else _YELLOW if status < 500 else _RED
        took = dice.randint(1, 180)
        yield Print(f"GET {dice.choice(paths):<20} {colour}{status}{_OFF} {took:>4} ms", dice.uniform(0.2, 1.2))


def backup(dice: Random) -> Beats:
    """Copy some folders, and be done."""
    for folder in ("etc", "srv/git", "srv/wiki", "home"):
        yield Print(f"{folder:<10} {dice.randint(120, 9800):>6} files  {dice.uniform(0.2, 7.5):.1f} GB", 0.9)
    yield Print(f"{_GREEN}backup complete{_OFF}: 4 folders, 0 errors", 0.8)
    yield Exit(0)


def migrate(dice: Random) -> Beats:
    """Run migrations until one does not fit, and end with its code."""
    for number in range(41, 44):
        yield Print(f"applying {number:04d}_orders_{dice.choice(('index', 'currency', 'archive'))} … ok", 0.8)
    yield Print("applying 0044_drop_legacy …", 0.7)
    yield Print(f"{_RED}error{_OFF}: table orders_2019 is still referenced by view v_totals", 0.9, error=True)
    yield Exit(3)


CONSOLES: dict[str, Scene] = {
    "lint": Scene(lint, "", kind="command", model="", names=("lint-1",)),
    "access": Scene(access, "", kind="command", model="", names=("serve",)),
    "backup": Scene(backup, "", kind="command", model="", names=("backup",)),
    "migrate": Scene(migrate, "", kind="command", model="", names=("migrate",)),
}


def _pytest(dice: Random, where: str) -> Use:
    passed, seconds = dice.randint(18, 96), dice.uniform(0.6, 9.0)
    failed = dice.choice((0, 0, 0, 1, 2))
    report = f"{failed} failed, " * bool(failed) + f"{passed} passed in {seconds:.1f}s"
    return Use("Bash", {"command": f"pytest -q {where}"}, report, dice.uniform(1.2, 3.0), failed=bool(failed))


def _random_edit(dice: Random, path: str, old: str, new: str) -> Use:
    arguments = {"file_path": path, "old_string": old, "new_string": new}
    return Use("Edit", arguments, "", dice.uniform(0.6, 1.4), added=dice.randint(2, 60), removed=dice.randint(0, 20))


def docs_rounds(dice: Random) -> Beats:
    """Go through pages: read, shorten, check links."""
    pages = ["guide.md", "install.md", "faq.md", "hosts.md", "upgrade.md", "api/errors.md", "api/limits.md"]
    while True:
        page = dice.choice(pages)
        yield Use("Read", {"file_path": f"docs/{page}"}, f"{dice.randint(40, 310)} lines", dice.uniform(0.8, 1.6))
        yield Say(
            dice.choice(
                (
                    f"{page} still shows the old flag in its second example.",
                    f"{page} says the same thing twice; the shorter one stays.",
                    f"The first sentence of {page} should say what the page is for.",
                    f"{page} names a menu that was renamed in 2.2.",
                )
            ),
            dice.uniform(1.0, 2.5),
        )
        yield _random_edit(dice, f"docs/{page}", "The system provides", "You get")
        yield Use("Bash", {"command": "mkdocs build --strict"}, "Documentation built in 1.84 seconds", 1.6)


def api_rounds(dice: Random) -> Beats:
    """Go through the routes of an API: look, change, test."""
    routes = ["users", "orders", "invoices", "exports", "webhooks", "sessions", "teams"]
    number = 0
    while True:
        number += 1
        route = routes[number % len(routes)]
        where = f"api/{route}.py:{dice.randint(20, 190)}"
        yield Use("Grep", {"pattern": f"def list_{route}"}, where, 0.8)
        yield _random_edit(dice, f"api/{route}.py", "limit=50", "cursor: str | None = None, limit=50")
        yield _pytest(dice, f"tests/api/test_{route}.py")
        yield Say(
            dice.choice(
                (
                    f"/{route} pages by cursor now; the old `page` still works.",
                    f"/{route} sorted by a column without an index. I added the id as a tie-breaker.",
                    f"The last page of /{route} said there was one more. It no longer does.",
                    f"The failing tests expect the old order of /{route}: they are wrong, the route is right.",
                )
            ),
            dice.uniform(1.0, 2.0),
        )


def web_rounds(dice: Random) -> Beats:
    """Go through components: look at one in a small window, mend it, look again."""
    parts = ["nav", "footer", "search", "table", "dialog", "chart", "login"]
    while True:
        part = dice.choice(parts)
        yield Use("Read", {"file_path": f"web/src/{part}.tsx"}, f"{dice.randint(60, 260)} lines", 0.9)
        yield _random_edit(dice, f"web/src/{part}.css", "width: 720px", "max-width: 100%")
        yield Use(
            "Bash",
            {"command": f"npx playwright test {part} --project=phone"},
            f"  {dice.randint(3, 14)} passed ({dice.uniform(2, 9):.1f}s)",
            dice.uniform(1.5, 3.5),
        )
        yield Say(
            dice.choice(
                (
                    f"The {part} fits at 360 pixels; nothing scrolls sideways any more.",
                    f"Buttons in the {part} were 28 pixels high. They are 44 now: a thumb hits them.",
                    f"The {part} jumped when its font arrived. It reserves the space now.",
                )
            ),
            dice.uniform(0.8, 2.0),
        )


def test_rounds(dice: Random) -> Beats:
    """Run a suite again and again, and mend what falls over."""
    while True:
        suite = dice.choice(("queue", "store", "retry", "clock", "lock"))
        yield _pytest(dice, f"tests/{suite}")
        yield Use("Read", {"file_path": f"tests/{suite}/conftest.py"}, f"{dice.randint(12, 80)} lines", 0.9)
        yield Say(f"tests/{suite} waits for a time where it should wait for an event.", dice.uniform(1.0, 2.0))
        yield _random_edit(dice, f"tests/{suite}/conftest.py", "sleep(0.5)", "await settled()")


def ledger_rounds(dice: Random) -> Beats:
    """Measure an import in ever smaller pieces."""
    run = 0
    while True:
        run += 1
        seconds = dice.uniform(36, 43)
        yield Use(
            "Bash",
            {"command": f"python -X importtime bench/ledger.py --run {run}"},
            f"run {run}: {seconds:.1f} s, {dice.randint(55, 70)} % in parse_row, {dice.randint(12, 20)} % in commit",
            dice.uniform(1.5, 2.5),
        )
        yield Say(f"Run {run} agrees: rows are parsed one by one, and each is committed.", dice.uniform(0.8, 1.6))


def _edit(path: str, old: str, new: str, added: int, removed: int) -> Use:
    arguments = {"file_path": path, "old_string": old, "new_string": new}
    return Use("Edit", arguments, "", 0.5, added=added, removed=removed)


def docs(dice: Random) -> Beats:
    """Update the docs, then ask to push them; go on with the next pages either way."""
    yield Say("I'll read the changelog first, then bring the three pages that changed up to date.", 0.4)
    yield Use("Read", {"file_path": "CHANGELOG.md"}, "## 2.4.0\n- retries take a deadline\n- `--since` is new", 0.4)
    yield Use("Grep", {"pattern": "retries"}, "docs/client.md:41\ndocs/faq.md:12", 0.3)
    yield _edit("docs/client.md", "retries=3", "deadline=30", 9, 14)
    yield Say("The pages build without warnings. The branch is ready; the task says to push it.", 0.5)
    push = Use("Bash", {"command": "git push origin docs/update"}, "To github.com:farm/site\n   4be0c7d..91fa2e3", 1.4)
    if (yield Ask(push)):
        yield Say("Pushed. I'll go on with the pages that nobody has touched since spring.", 1.0)
    else:
        yield Say("Not pushed: the branch stays here as docs/update. I'll go on with the older pages.", 1.0)
    yield from docs_rounds(dice)


def api(dice: Random) -> Beats:
    """Work on an API for as long as the demo runs."""
    yield Say("I'll look at how the routes are laid out before I change the pagination.", 0.3)
    yield Use("Read", {"file_path": "api/routes.py"}, "214 lines", 0.5)
    yield from api_rounds(dice)


def web(dice: Random) -> Beats:
    """Work on a web page for as long as the demo runs."""
    yield Say("I will start with the navigation: it is what breaks first on a phone.", 0.5)
    yield Use("Read", {"file_path": "web/src/nav.tsx"}, "97 lines", 0.6)
    yield from web_rounds(dice)


def tests(dice: Random) -> Beats:
    """Hunt a flaky test until the plan's five hours are used up."""
    yield Say("The flaky test fails about one time in nine here. I'll run it until I see a pattern.", 0.4)
    yield Use("Bash", {"command": "pytest -q tests/queue -k drain --count 40"}, "36 passed, 4 failed in 6.1s", 1.5)
    yield NearLimit(0.93)
    yield Say("All four failures drain an empty queue: the consumer is told to stop before it has begun.", 0.9)
    yield _edit("queue/consumer.py", "stop()", "await idle()", 4, 1)
    yield HitLimit()
    yield Say("The limit has been reset. Running the forty rounds again.", 0.5)
    yield from test_rounds(dice)


def seed(dice: Random) -> Beats:
    """Fail at once: nobody has logged in on that machine."""
    yield Fail("Not logged in · Please run /login")


def fix(dice: Random) -> Beats:
    """Fix one bug and be done."""
    yield Say("A date is parsed without its zone. I'll write the failing test first.", 0.4)
    yield _edit("tests/test_dates.py", "", "def test_zone(): …", 11, 0)
    yield Use("Bash", {"command": "pytest -q tests/test_dates.py"}, "1 failed, 11 passed in 0.4s", 0.9, failed=True)
    yield _edit("app/dates.py", "utcnow()", "now(UTC)", 2, 2)
    yield Use("Bash", {"command": "pytest -q tests/test_dates.py"}, "12 passed in 0.4s", 0.9)
    yield Say("Fixed: dates keep their zone now. One test more, nothing else changed.", 0.6)


def perf(dice: Random) -> Beats:
    """Measure at length; the demo interrupts it, and it waits for what it is told."""
    yield Say("Profiling the import of the big ledger: 1.2 million rows, three runs each.", 0.5)
    yield from ledger_rounds(dice)


def infra(dice: Random) -> Beats:
    """Plan a change of machines, and ask before applying it."""
    yield Say("Comparing what runs with what is written down.", 0.6)
    yield Use("Bash", {"command": "terraform plan -out=next"}, "Plan: 1 to add, 2 to change, 0 to destroy.", 2.2)
    yield Say("Two machines get more memory, one is new. Nothing is destroyed.", 1.0)
    apply = Use("Bash", {"command": "terraform apply next"}, "Apply complete! 1 added, 2 changed, 0 destroyed.", 3.0)
    if not (yield Ask(apply)):
        yield Say("Left as it is. The plan lies in infra/next for whoever applies it.", 0.8)
        return
    yield Use("Bash", {"command": "./check.sh --all"}, "14 of 14 healthy", 1.5)
    yield Say("Applied, and every machine answers its health check.", 0.8)


def native(dice: Random) -> Beats:
    """Build a native module, and take the whole process down with it."""
    yield Say("The parser crashes on empty input. Building it with symbols to see where.", 0.5)
    yield Use("Bash", {"command": "make -C native debug"}, "cc -g -O0 -o parse.so parse.c", 1.8)
    yield Use("Bash", {"command": "python -c 'import parse; parse.all(b\"\")'"}, "Segmentation fault", 1.0, failed=True)
    yield Crash(signal.SIGSEGV)


def audit(dice: Random) -> Beats:
    """Look through the dependencies; what the rules forbid stays undone."""
    yield Say("I'll list what is out of date, then see which of it matters.", 0.5)
    yield Use("Bash", {"command": "pip list --outdated"}, "11 packages", 1.1)
    yield Forbidden(Use("Bash", {"command": "pip install --upgrade cryptography"}, "", 0.4))
    yield Forbidden(Use("WebFetch", {"url": "https://osv.dev/list?q=jinja2"}, "", 0.4))
    yield Forbidden(Use("Bash", {"command": "curl -s https://pypi.org/pypi/jinja2/json"}, "", 0.4))
    yield Say("Eleven are out of date; I could not look up which are urgent: the network is not allowed.", 0.9)


SCENES: dict[str, Scene] = {
    "docs": Scene(docs, "Bring the docs up to 2.4, build them, and push the branch docs/update.", names=("docs-1",)),
    "api": Scene(api, "Add cursor pagination to every list route. Keep the old parameter working.", names=("api-3",)),
    "web": Scene(web, "Make the site usable at 360 pixels: navigation first.", names=("web-2",)),
    "tests": Scene(tests, "Find out why tests/queue is flaky, and end it.", names=("test-4",), login="team"),
    "seed": Scene(
        seed, "Fill the staging database with a realistic month.", model="claude-haiku-5-5", names=("seed-9",)
    ),
    "fix": Scene(fix, "Fix issue 218: times are an hour off after a zone change.", names=("fix-7",)),
    "perf": Scene(perf, "Where do the 40 seconds of the ledger import go?", interrupted_after=6.0, names=("perf-5",)),
    "infra": Scene(infra, "Bring staging in line with infra/, carefully.", model="claude-opus-5-5", names=("infra",)),
    "native": Scene(native, "The C parser dies on empty input. Fix it.", model="claude-opus-5-5", names=("parse-8",)),
    "audit": Scene(audit, "Which of our dependencies need an update this week?", names=("audit-6",)),
    **CONSOLES,
}
