"""The stories of the demo's plain commands: programs that print, some for ever, some until they end."""

from __future__ import annotations

from random import Random

from controlroom.demo.beats import Beats, Exit, Print, Scene

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


SCENES: dict[str, Scene] = {
    "lint": Scene(lint, "", kind="command", model="", names=("lint-1",)),
    "access": Scene(access, "", kind="command", model="", names=("serve",)),
    "backup": Scene(backup, "", kind="command", model="", names=("backup",)),
    "migrate": Scene(migrate, "", kind="command", model="", names=("migrate",)),
}
