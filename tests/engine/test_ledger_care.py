"""Looking after the ledger: sums that are astray are found; a copy is whole, private, and overwrites nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from controlroom.client.client import Client, NotAllowed
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem, back_up, check
from controlroom.engine.ledger.usage_tables import book
from tests.engine.booked import API, booking
from tests.engine.rooms import room
from tests.engine.scripted import ScriptedHost
from tests.lab.world import World


@pytest.fixture
def ledger(ledger: Ledger) -> Ledger:
    """Two messages are booked, one of them twice."""
    ledger.booked(book(API, [booking(1, 100), booking(2, 50)])).result(60)
    ledger.booked(book(API, [booking(2, 70)])).result(60)
    return ledger


def tamper(ledger: Ledger, statement: str) -> None:
    with sqlite3.connect(ledger.path) as database:
        database.execute(statement)
    database.close()


def test_a_ledger_that_is_well_has_nothing_wrong(ledger: Ledger) -> None:
    assert check(ledger) == []


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("update spend set pico = pico + 1", "spend lacks 1 of its sums"),
        ("update spend_days set input = 0", "spend_days lacks 1 of its sums"),
        ("delete from spend", "spend lacks 1 of its sums"),
        ("insert into spend_days select day + 1, source, model, flags, beyond, 1,1,1,1,1,1,1,1 from spend_days",
         "spend_days has too much in 1 of its sums"),
        ("update spend_times set messages = 9", "spend_times has too much in 1 of its sums"),
        ("update minutes set tokens = tokens - 1", "minutes lacks 1 of its sums"),
        ("update sizes set prompts = 0", "sizes lacks 1 of its sums"),
        ("insert into sizes select day, model, 992, 0, 1 from sizes limit 1", "sizes has too much in 1 of its sums"),
    ],
)  # fmt: skip
def test_sums_that_are_astray_are_found(ledger: Ledger, statement: str, says: str) -> None:
    tamper(ledger, statement)
    assert says in check(ledger)


def test_a_copy_is_whole_and_private(ledger: Ledger, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    assert back_up(ledger, str(target)) == str(target)
    assert target.stat().st_mode & 0o777 == 0o600
    ledger.booked(book(API, [booking(3, 1)])).result(60)
    copy = Ledger(target, "another")
    assert (copy.room, check(copy)) == ("room-1", [])
    assert copy.read("select sum(pico) from spend") == [(170 * 10**6,)]
    copy.close()


def test_a_copy_overwrites_nothing_and_says_what_it_cannot_do(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path, says in (
        (str(tmp_path / "there"), "there already"),
        (str(tmp_path / "link"), "there already"),
        (str(tmp_path / "no" / "folder"), "No such file"),
        ("relative", "not a whole path"),
    ):
        with pytest.raises(LedgerProblem, match=says):
            back_up(ledger, path)
    assert (tmp_path / "there").read_text() == "mine"


async def test_front_ends_ask_and_a_watcher_may_only_look(home: World) -> None:
    async with room(ScriptedHost()):
        client = await Client.connect(start=False, role="cli")
        watcher = await Client.connect(start=False, role="watch")
        assert (await client.check_ledger()).lines == ()
        target = str(home.home / "copy.db")
        with pytest.raises(NotAllowed, match="may look"):
            await watcher.back_up_ledger(target)
        assert (await client.back_up_ledger(target)).lines == (target,)
        assert (await watcher.audit()).lines == ()
        await client.close()
        await watcher.close()
