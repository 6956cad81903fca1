"""How far a plan is used: said by a real Claude agent on a real SSH host, shown by `limits`, known after a restart."""

from __future__ import annotations

from typing import Any

import pytest

from tests.end_to_end.room import Room
from tests.lab.claude import log_in
from tests.lab.host import Host
from tests.lab.messages_api.server import Api
from tests.lab.waiting import wait_for
from tests.lab.world import World

MAIL = "ann@example.org"
Limit = dict[str, Any]


@pytest.fixture
def configured(home: World) -> None:
    """A profile that uses the login of the host's user, and ceilings for those that use keys."""
    home.room.mkdir(mode=0o700, exist_ok=True)
    config = home.room / "config.toml"
    config.write_text(
        '[profiles.mine]\ncredential = "plan"\ncwd = "project"\n[api]\ntier = "start"\nbuffer = { requests = 45 }\n'
        "[api.ceilings.opus-5-5]\nrequests = 50\ninput = 1000\noutput = 1000\n"
    )
    config.chmod(0o600)


def limits(room: Room) -> dict[str, Limit]:
    """What `limits --json` says, by account and name."""
    return {f"{one['account']} {one['limit']}": one for one in room.records("limits", "limits")}


@pytest.mark.usefixtures("configured")
def test_windows_of_a_plan_from_stream_to_table(room: Room, vm1: Host, api: Api) -> None:
    assert room.run("limits") == ""
    log_in(vm1.home, MAIL)
    api.configure(ratelimit="unified", unified={"5h_utilization": 0.37, "7d_utilization": 0.61})
    room.run("spawn", "docs-1", "--host", "vm1", "--profile", "mine", "--task", "[[text hello]]")
    room.wait_for_state("docs-1", "done")
    assert room.agent("docs-1")["billing"] == "plan"

    def five_hours() -> Limit:
        found = limits(room)[f"{MAIL} 5 h"]
        assert found["used_by"], found
        return found

    found = wait_for(five_hours, 40, "who used it is known")
    assert (found["used_percent"], found["left_percent"], found["source"], found["measured"]) == (
        37,
        63,
        "stream",
        True,
    )
    assert found["used_by"] == [{"agent": "vm1/docs-1", "percent": 100.0}]
    assert limits(room)[f"{MAIL} week"]["used_percent"] == 61

    table = room.run("limits").splitlines()
    assert table[1] == MAIL
    assert table[2].split()[:6] == ["5", "h", "37", "%", "63", "%"]
    assert "vm1/docs-1 100%" in table[2]

    api.configure(mode=429)
    room.run("spawn", "docs-2", "--host", "vm1", "--profile", "mine", "--task", "[[text hello]]")
    wait_for(lambda: limits(room)[f"{MAIL} 5 h"]["left_percent"] == 0, 40, "the login is used up")
    assert limits(room)[f"{MAIL} week"]["used_percent"] == 61

    room.run("stop")
    room.run("status")
    wait_for(lambda: limits(room)[f"{MAIL} 5 h"]["used_percent"] == 100, 20, "its host tells it again")


@pytest.mark.usefixtures("configured")
def test_buckets_of_the_api_from_transcript_to_table(room: Room, vm1: Host) -> None:
    words = ("--cwd", "project", "--model", "claude-opus-5-5", "--task", "[[text one]]")
    room.run("spawn", "api-1", "--host", "vm1", *words)
    room.wait_for_state("api-1", "done")

    def counted() -> Limit:
        found = limits(room)["API input opus-5-5"]
        assert found["used_per_minute"], "thousands of tokens flow off slowly through this ceiling"
        return found

    found = wait_for(counted, 40, "what it used is counted")
    assert (found["limit_per_minute"], found["left_per_minute"], found["measured"]) == (1000, 0, False)
    requests = limits(room)["API requests opus-5-5"]
    assert (requests["limit_per_minute"], requests["buffer_per_minute"], requests["source"]) == (
        50,
        45,
        "metering, your ceiling",
    )
