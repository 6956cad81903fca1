"""A runner goes by its grant: what ends it, what renews it, and what cannot be metered is not spent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controlroom.runner.claude.plan_windows import PlanWindows
from controlroom.runner.folder import GRANT
from controlroom.runner.money import grant_file
from controlroom.runner.money.grant_file import BadGrant, RunCeilings
from controlroom.runner.money.run_budget import BLIND, GRACE, NEVER, RunBudget
from controlroom.runner.outcome import Refused
from tests.lab.price_files import MARK
from tests.runner.run_money import Room, room
from tests.runner.usage import DONE, PROMPT, add, line

__all__ = ["room"]

HOUR = 3_600_000
SAID = {"type": "assistant", "message": {}}


@pytest.mark.parametrize(
    ("ceiling", "billing", "words"),
    [
        ({"billed": 50_000}, "api", "budget: $0.05 of $0.05 spent"),
        ({"covered": 50_000}, "plan", "budget: ≈$0.05 of ≈$0.05 spent on its plan"),
        ({"tokens": 8}, "plan", "budget: 8 of 8 tokens used"),
        ({"billed": 50_000, "covered": 10**9}, "", "budget: $0.05 of $0.05 spent"),
        ({"billed": 0}, "api", "budget: $0.05, and no more may be spent"),
        ({"billed": 8_000}, "api", "budget: $0.05 of $0.0080 spent"),
        ({"billed": 50_001}, "api", ""),
        ({"billed": 10}, "plan", ""),
        ({"covered": 10}, "api", ""),
        ({"tokens": 9}, "api", ""),
    ],
)
def test_a_ceiling_that_is_reached_ends_it(room: Room, ceiling: dict[str, int], billing: str, words: str) -> None:
    budget = room.begin(0, billing)
    room.grant(1, **ceiling)
    add(room.claude.transcript, line(1, 5))
    budget.take(1, room.now, room.wall)
    assert room.after(budget, 5) == words


def test_sessions_that_end_one_after_the_other_put_no_look_off(room: Room) -> None:
    budget = room.begin()
    room.grant(1, tokens=8)
    budget.take(1, room.now, room.wall)
    assert budget.due(room.now) == ""
    add(room.claude.transcript, line(1, 5))
    budget.finish(room.now)
    assert budget.due(room.now) == "budget: 8 of 8 tokens used"


PROMPT_OF_A_MESSAGE = {
    "type": "assistant",
    "request_id": "req_1",
    "message": {"id": "msg_1", "model": "claude-opus-5-5", "usage": {"input_tokens": 100_000, "output_tokens": 0}},
}


def test_a_message_whose_prompt_alone_crosses_the_line_ends_it_as_it_is_heard(room: Room) -> None:
    budget = room.begin()
    room.grant(1, tokens=100_000)
    budget.take(1, room.now, room.wall)
    assert budget.due(room.now) == ""
    budget.hear(PROMPT_OF_A_MESSAGE, room.now)
    assert budget.due(room.now) == "budget: 100,000 of 100,000 tokens used"


def test_who_pays_from_now_on_is_held_to_it_at_once(room: Room) -> None:
    budget = room.begin(billing="plan")
    room.grant(1, billed=8_000)
    budget.take(1, room.now, room.wall)
    add(room.claude.transcript, line(1, 5))
    assert room.after(budget, 5) == ""
    budget.paid_by("")
    assert budget.due(room.now) == "budget: $0.05 of $0.0080 spent"


def test_without_a_grant_nothing_is_read_and_nothing_ends(room: Room) -> None:
    budget = room.begin()
    add(room.claude.transcript, line(1, 10**6))
    budget.hear(SAID, room.now)
    assert (budget.wakes_at, room.after(budget, 10**6), budget.fields(last=True)) == (NEVER, "", {})


def test_a_plain_command_is_bound_by_nothing(room: Room) -> None:
    room.grant(3, billed=0, lasts=1)
    budget = RunBudget(3, metered=False)
    assert budget.begin("", room.now, room.wall) == ""
    assert room.after(budget, 10**6) == ""
    assert budget.fields(last=True)["grant"] == 3


def test_a_run_with_nothing_left_does_not_begin(room: Room) -> None:
    room.grant(1, billed=0)
    assert RunBudget(1, metered=True).begin("api", 0, room.wall) == "budget: less is left of it than a start may need"


def test_a_window_of_the_plan_binds_until_it_begins_anew(room: Room) -> None:
    room.grant(1, windows={"five_hour": 85})
    budget = room.begin(1, "plan")
    budget.windows = PlanWindows({"HOME": str(room.folder)})
    info = {"unifiedWindows": {"five_hour": {"utilization": 0.84}, "seven_day": {"utilization": 0.99}}}
    budget.windows.hear({"type": "rate_limit_event", "rate_limit_info": info}, room.wall)
    assert room.after(budget, 5) == ""
    info["unifiedWindows"]["five_hour"]["utilization"] = 0.855
    budget.windows.hear({"type": "rate_limit_event", "rate_limit_info": info}, room.wall)
    assert room.after(budget, 5) == "budget: 86 % of its plan's 5-hour limit used, of 85 % that it may use"
    info["unifiedWindows"]["five_hour"]["resetsAt"] = 1
    budget.windows.hear({"type": "rate_limit_event", "rate_limit_info": info}, room.wall)
    assert room.after(budget, 5) == ""


# -- its time


def test_its_time_ends_after_a_grace_and_a_renewal_comes_in_time(room: Room) -> None:
    room.grant(1, lasts=HOUR)
    budget = room.begin(1)
    assert room.after(budget, 3600 + GRACE - 1) == ""
    room.wall += HOUR
    room.grant(2, lasts=HOUR)
    budget.take(2, room.now, room.wall)
    assert room.after(budget, 3600 + GRACE - 1) == ""
    assert room.after(budget, 3) == "budget: its allowance ended at 07:00 UTC and nobody renewed it"


@pytest.mark.parametrize("jump", [-100 * HOUR, 100 * HOUR])
def test_clocks_that_jump_after_it_was_read_change_nothing(room: Room, jump: int) -> None:
    room.grant(1, lasts=HOUR)
    budget = room.begin(1)
    room.wall += jump
    assert room.after(budget, 3600 + GRACE - 1) == ""
    assert room.after(budget, 3) != ""


def test_its_time_goes_on_while_the_machine_sleeps(room: Room) -> None:
    room.grant(1, lasts=HOUR)
    budget = room.begin(1)
    assert room.after(budget, 10) == ""
    room.slept += 3600 + GRACE
    assert room.after(budget, 2) != ""


def test_a_clock_that_was_set_back_before_it_was_read_makes_it_no_longer(room: Room) -> None:
    room.grant(1, lasts=HOUR)
    room.wall -= 100 * HOUR
    assert room.after(room.begin(1), 3600 + GRACE + 1) != ""


# -- new terms


def test_grants_raise_lower_and_lift(room: Room) -> None:
    room.grant(1, billed=100_000)
    budget = room.begin(1)
    add(room.claude.transcript, line(1, 9))
    assert room.after(budget, 5) == ""
    room.grant(2, billed=200_000)
    budget.take(2, room.now, room.wall)
    assert budget.fields() == {"grant": 2, "run_spent": 90_000, "run_tokens": 12, "subagents": 0}
    assert budget.fields() == {"subagents": 0}
    add(room.claude.transcript, line(2, 9))
    assert room.after(budget, 5) == ""
    room.grant(3)
    budget.take(3, room.now, room.wall)
    add(room.claude.transcript, line(3, 900))
    assert (room.after(budget, 5), budget.wakes_at) == ("", NEVER)
    room.grant(4, billed=9_190_000)
    budget.take(4, room.now, room.wall)
    assert room.after(budget, 5) == ""
    room.grant(5, billed=9_180_000)
    budget.take(5, room.now, room.wall)
    assert room.after(budget, 5) == "budget: $9.18 of $9.18 spent"


def test_old_ones_are_refused_and_the_same_one_changes_nothing(room: Room) -> None:
    room.grant(5, billed=50_000)
    budget = room.begin(5)
    room.grant(4)
    with pytest.raises(Refused, match=r"it goes by a newer grant \(5\)"):
        budget.take(4, room.now, room.wall)
    budget.take(5, room.now, room.wall)
    with pytest.raises(Refused, match=r"grant\.json is not the one that was given"):
        budget.take(6, room.now, room.wall)
    add(room.claude.transcript, line(1, 5))
    assert room.after(budget, 5) == "budget: $0.05 of $0.05 spent"


WRONG: list[dict[str, Any]] = [
    {"number": "9"}, {"billed": -1}, {"billed": 1.5}, {"tokens": True}, {"windows": []}, {"windows": {"x": None}},
    {"windows": {"x" * 200: 1}}, {"until": None}, {"lasts": 2**60}, {"prices": 7}, {"billed": 10**400},
    {"billed": float("nan")},
]  # fmt: skip
BAD = [
    b"", b"[]", b"{", b"[" * 100_000, b'{"format":1}', b'{"format":2,"number":9}', b"\xff" * 10, b" " * 100_000,
    *(json.dumps({**RunCeilings(9)._asdict(), "format": 1, **wrong}).encode() for wrong in WRONG),
]  # fmt: skip


@pytest.mark.parametrize("data", BAD, ids=range(len(BAD)))
def test_a_damaged_grant_begins_no_run_and_leaves_the_one_before(room: Room, data: bytes) -> None:
    room.grant(1, billed=50_000)
    budget = room.begin(1)
    (room.folder / GRANT).write_bytes(data)
    with pytest.raises(Refused, match=r"grant\.json"):
        budget.take(9, room.now, room.wall)
    add(room.claude.transcript, line(1, 5))
    assert room.after(budget, 5) == "budget: $0.05 of $0.05 spent"
    assert RunBudget(9, metered=True).begin("api", 0, room.wall).startswith("budget: grant.json")


def test_a_grant_that_is_a_trap_is_refused(room: Room) -> None:
    room.folder.joinpath(GRANT).symlink_to(room.folder)
    with pytest.raises(BadGrant, match=r"grant\.json cannot be read"):
        grant_file.read(GRANT)


def test_a_run_that_was_given_a_grant_does_not_begin_without_it(room: Room) -> None:
    words = RunBudget(2, metered=True).begin("api", 0, room.wall)
    assert words == "budget: grant.json is not the one that was given"
    room.grant(1)
    assert RunBudget(2, metered=True).begin("api", 0, room.wall) == words


@pytest.mark.parametrize("sheet", [None, b"", b"{}", b'{"format": 1}'])
def test_money_without_prices_is_not_spent(room: Room, sheet: bytes | None) -> None:
    path = next(room.folder.parents[1].glob("prices-*.json"))
    path.unlink() if sheet is None else path.write_bytes(sheet)
    room.grant(1, billed=10**9)
    words = RunBudget(1, metered=True).begin("api", 0, room.wall)
    assert words.startswith(f"budget: what it spends cannot be metered: the prices '{MARK}' cannot be read")
    room.grant(2, tokens=10**9)
    assert RunBudget(2, metered=True).begin("api", 0, room.wall) == ""


# -- what cannot be metered


def test_an_agent_of_which_something_is_out_of_sight_is_ended(room: Room) -> None:
    room.grant(1, billed=5_000_000)
    budget = room.begin(1)
    assert room.after(budget, 2 * BLIND) == ""
    budget.lost_sight("too many run below it")
    assert room.after(budget, BLIND - 2) == ""
    assert room.after(budget, 4) == "budget: what it spends cannot be metered: too many run below it"


def test_an_agent_that_speaks_without_a_transcript_is_ended(room: Room) -> None:
    room.grant(1, billed=10**9)
    budget = room.begin(1)
    assert room.after(budget, 100) == ""
    budget.hear(SAID, room.now)
    assert room.after(budget, BLIND - 2) == ""
    add(room.claude.transcript, line(1, 5))
    assert room.after(budget, 100) == ""


def test_a_transcript_that_vanishes_ends_it_and_one_that_comes_back_does_not(room: Room) -> None:
    room.grant(1, billed=10**9)
    budget = room.begin(1)
    add(room.claude.transcript, line(1, 5))
    assert room.after(budget, 5) == ""
    aside = room.claude.transcript.rename(room.claude.transcript.with_suffix(".aside"))
    assert room.after(budget, BLIND - 2) == ""
    aside.rename(room.claude.transcript)
    assert room.after(budget, 100) == ""
    room.claude.transcript.unlink()
    path = room.claude.transcript
    assert room.after(budget, BLIND + 2) == f"budget: what it spends cannot be metered: {path} cannot be read"


# -- subagents


def test_how_many_subagents_are_at_work_is_said_while_it_is_bound_and_can_be_counted(room: Room) -> None:
    room.grant(1, billed=10**9)
    budget = room.begin(1)
    assert budget.fields()["subagents"] is None, "nothing has been read"
    add(room.claude.transcript, line(1, 1))
    add(room.claude.subagent("agent-a.jsonl"), PROMPT)
    add(room.claude.subagent("agent-b.jsonl"), PROMPT)
    assert (room.after(budget, 2), budget.fields()["subagents"]) == ("", 2)
    add(room.claude.subagent("agent-b.jsonl"), DONE)
    assert (room.after(budget, 2), budget.fields()) == ("", {"subagents": 1})
    room.claude.transcript.rename(room.folder / "hidden")
    assert (room.after(budget, 2), budget.fields()["subagents"]) == ("", None)
    (room.folder / "hidden").rename(room.claude.transcript)
    assert (room.after(budget, 2), budget.fields()["subagents"]) == ("", 1)
    room.grant(2)
    budget.take(2, room.now, room.wall)
    assert budget.fields()["subagents"] is None, "nobody counts it any more"
    assert budget.fields(last=True)["subagents"] == 0
