"""Work that goes on and on, in several trades. Each round differs a little; the dice decide, so a seed repeats it."""

from __future__ import annotations

from random import Random

from controlroom.demo.beats import Beats, Say, Use


def _pytest(dice: Random, where: str) -> Use:
    passed, seconds = dice.randint(18, 96), dice.uniform(0.6, 9.0)
    failed = dice.choice((0, 0, 0, 1, 2))
    report = f"{failed} failed, " * bool(failed) + f"{passed} passed in {seconds:.1f}s"
    return Use("Bash", {"command": f"pytest -q {where}"}, report, dice.uniform(1.2, 3.0), failed=bool(failed))


def _edit(dice: Random, path: str, old: str, new: str) -> Use:
    given = {"file_path": path, "old_string": old, "new_string": new}
    return Use("Edit", given, "", dice.uniform(0.6, 1.4), added=dice.randint(2, 60), removed=dice.randint(0, 20))


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
        yield _edit(dice, f"docs/{page}", "The system provides", "You get")
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
        yield _edit(dice, f"api/{route}.py", "limit=50", "cursor: str | None = None, limit=50")
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
        yield _edit(dice, f"web/src/{part}.css", "width: 720px", "max-width: 100%")
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
        yield _edit(dice, f"tests/{suite}/conftest.py", "sleep(0.5)", "await settled()")


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
