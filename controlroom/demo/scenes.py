"""The stories of the demo's Claude agents: work that goes on, work that ends, and work that needs a person."""

from __future__ import annotations

import signal
from random import Random

from controlroom.demo.beats import Ask, Beats, Crash, Fail, Forbidden, HitLimit, NearLimit, Say, Scene, Use
from controlroom.demo.work import api_rounds, docs_rounds, ledger_rounds, test_rounds, web_rounds


def _edit(path: str, old: str, new: str, added: int, removed: int) -> Use:
    given = {"file_path": path, "old_string": old, "new_string": new}
    return Use("Edit", given, "", 0.5, added=added, removed=removed)


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
}
