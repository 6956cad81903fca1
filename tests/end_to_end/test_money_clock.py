"""Days are those of the configured time zone in every verb, and one ledger has one engine."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from controlroom.protocol.home import find_home
from tests.end_to_end.room import Room, engines
from tests.lab.world import World

AUCKLAND = "Pacific/Auckland"


@pytest.fixture
def room(home: World, no_leftovers: None) -> Room:
    place = find_home(home.environment())
    place.prepare()
    place.config.write_text(f'local = false\n[money]\ntime_zone = "{AUCKLAND}"\n')
    place.config.chmod(0o600)
    return Room()


def test_days_are_those_of_the_configured_time_zone(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    room.run("budget", "set", "day", "--limit", "8")
    here = datetime.fromtimestamp(time.time(), ZoneInfo(AUCKLAND))
    (budget,) = room.records("budgets", "budget", "show")
    assert datetime.fromisoformat(budget["began_at"]).astimezone(ZoneInfo(AUCKLAND)).strftime("%H:%M") == "00:00"
    ends = room.run("budget", "show").splitlines()[1].split()[-1]
    assert ends == "00:00", f"the day ends at midnight in {AUCKLAND}, where it is {here}"
    argv = [sys.executable, "-m", "controlroom", "costs", "--since", "today"]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=90, check=True).stderr
    assert f"nothing has been spent since {here:%Y-%m-%d} 00:00" in said
    room.run("stop")


def test_a_ledger_has_one_engine_whatever_became_of_its_lock(room: Room, home: World) -> None:
    room.run("status")
    (running,) = engines(home)
    find_home(home.environment()).lock.unlink()
    try:
        assert "another engine keeps the ledger" in room.run("engine", "--foreground", expect=3)
        room.run("status")
        assert [engine.pid for engine in engines(home)] == [running.pid]
    finally:
        running.signal(signal.SIGTERM)
