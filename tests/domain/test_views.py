"""Rows, headlines, figures: what the screen and the scripts are given."""

import json
from dataclasses import replace

import pytest

from controlroom.cli.records import Asked, answer
from controlroom.domain import events, words
from controlroom.domain.display import views
from controlroom.domain.display.filters import fits
from controlroom.domain.keys import actions, keymap
from controlroom.domain.keys.availability import unavailable
from controlroom.domain.model import Evidence, Fleet, LinkState, Money, State
from controlroom.domain.reduce import reduce
from tests.domain.worlds import GIB, MINUTE, NOON, agent, fleet, host, order, question

AWAY = host("vm2", link=LinkState.LOST, since=NOON - 9 * MINUTE, seen=NOON - 9 * MINUTE, reason="reset")


def busy() -> Fleet:
    return fleet(
        agent("web-2", last_line="Read web/src/nav.tsx", rss=310 * 1024**2, cpu_percent=9.4),
        agent("docs-1", state=State.WAITING, question=question()),
        agent("seed-9", state=State.FAILED, detail="exit 1: not logged in"),
        agent("far-1", on="vm2", last_line="…"),
        hosts=(host(), AWAY),
    )


def test_what_needs_a_person_comes_first() -> None:
    rows = views.agent_rows(busy(), NOON)
    assert [row.name for row in rows] == ["docs-1", "seed-9", "far-1", "web-2"]
    assert [row.line for row in rows] == [
        "wants to run: git push",
        "exit 1: not logged in",
        "…",
        "Read web/src/nav.tsx",
    ]


def test_a_lost_agent_shows_how_old_the_news_are() -> None:
    row = next(row for row in views.agent_rows(busy(), NOON) if row.name == "far-1")
    assert (row.state, row.age) == (State.LOST, "9m")


def test_what_was_never_heard_has_no_age() -> None:
    away = replace(host("vm1"), link=LinkState.CONNECTING, seen=0)
    world = fleet(agent(), hosts=(away,))
    assert views.agent_rows(world, NOON)[0].age == "–"


def test_the_headline_counts_and_names_who_is_away() -> None:
    head = views.headline(busy())
    assert (head.counts[State.WAITING], head.counts[State.LOST], head.counts[State.WORKING]) == (1, 1, 1)
    assert (head.questions, head.hosts_up, head.hosts_away) == (1, 1, ("vm2",))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("nav", ["web-2"]),
        ("FAILED", ["seed-9"]),
        ("vm2", ["far-1"]),
        ("docs push", ["docs-1"]),
        ("nope", []),
        ("state:failed", ["seed-9"]),
        ("state:failed,lost", ["seed-9", "far-1"]),
        ("state:fail", ["seed-9"]),
        ("state:asks", ["docs-1"]),
        ("state:ended", ["seed-9"]),
        ("host:vm2", ["far-1"]),
        ("host:vm", []),
        ("host:vm* name:d*", ["docs-1"]),
        ("-host:vm1", ["far-1"]),
        ("host:vm1 -nav -state:failed", ["docs-1"]),
        ("kind:headless name:web-2", ["web-2"]),
        ("http: nav", []),
        ("-", ["docs-1", "seed-9", "far-1", "web-2"]),
    ],
)
def test_a_filter_looks_at_the_whole_row_or_at_what_it_names(text: str, names: list[str]) -> None:
    world = busy()
    assert [row.name for row in views.agent_rows(world, NOON) if fits(world.agents[row.id], row, text)] == names


def test_hosts_in_trouble_come_first_with_the_age_of_their_figures() -> None:
    rows = views.host_rows(busy(), NOON)
    assert [(row.name, row.stale) for row in rows] == [("vm2", "9m"), ("vm1", "")]
    assert rows[1].memory_used == 2 * GIB


def test_status_is_json_with_the_promised_keys() -> None:
    shown = agent(evidence=(Evidence("stream", "working", "assistant", NOON),), pending=order("kill"))
    status = json.loads(json.dumps(answer("status", Asked(fleet(shown), NOON, [shown]))))
    (entry,) = status["agents"]
    assert entry["id"] == "vm1/docs-1"
    assert entry["state_since"] == "2026-11-22T11:55:00Z"
    assert entry["evidence"][0]["source"] == "stream"
    assert {"pid", "memory_bytes", "cpu_percent", "exit_code", "question", "last_line", "kind", "model", "task"} <= set(
        entry
    )
    (machine,) = status["hosts"]
    assert {"name", "state", "cpu_percent", "memory_used_bytes", "memory_total_bytes"} <= set(machine)
    assert entry["memory_bytes"] is None, "what is not known is null, never 0"


@pytest.mark.parametrize(
    ("model", "short"),
    [
        ("claude-sonnet-5-5", "sonnet-5.5"),
        ("claude-opus-5", "opus-5"),
        ("claude-haiku-4-5-20251001", "haiku-4.5"),
        ("claude-sonnet-5[1m]", "sonnet-5"),
        ("gpt", "gpt"),
        ("", ""),
    ],
)
def test_model_names_fit_a_column(model: str, short: str) -> None:
    assert views.short_model(model) == short


@pytest.mark.parametrize(
    ("minutes", "text"), [(-5, "now"), (0, "now"), (41, "41m"), (130, "2h10"), (60 * 23, "23h"), (60 * 24 * 3, "3d")]
)
def test_ages_are_short(minutes: int, text: str) -> None:
    assert words.age(minutes * MINUTE) == text


@pytest.mark.parametrize(
    ("count", "text"), [(None, "–"), (0, "0B"), (1023, "1023B"), (310 * 1024**2, "310M"), (int(1.25 * GIB), "1.2G")]
)
def test_sizes_are_short(count: int | None, text: str) -> None:
    assert words.size(count) == text


def test_one_day_and_some_days() -> None:
    assert [words.days(number) for number in (0.5, 1.0, 1.04, 1.5, 30)] == [
        "0.5 days",
        "1 day",
        "1 day",
        "1.5 days",
        "30 days",
    ]


def test_bars_have_their_width_whatever_the_share() -> None:
    assert [len(words.bar(share, 9)) for share in (None, -1.0, 0.0, 0.333, 1.0, 7.0)] == [9] * 6
    assert words.bar(0.5, 4) == "━━··"


def test_history_is_right_aligned_and_bounded() -> None:
    assert words.history([0, 50, 100, 500], 6) == "  ▁▅▇▇"
    assert words.history(range(100), 5).startswith("▇")


def test_every_action_has_its_own_key_on_each_screen() -> None:
    for screen in ("overview", "agent", "hosts"):
        keys = [action.key for action in keymap.DEFAULT.on_screen(screen) if action.key]
        assert len(keys) == len(set(keys)), (screen, keys)


def test_no_two_keys_differ_only_by_case() -> None:
    for screen in ("overview", "agent", "hosts"):
        keys = [action.key.lower() for action in keymap.DEFAULT.on_screen(screen) if action.key]
        assert len(keys) == len(set(keys))


def test_what_cannot_be_done_says_why() -> None:
    world = busy()
    by_name = actions.BY_NAME
    assert unavailable(by_name["allow"], world, "vm1/web-2") == "web-2 asks nothing now"
    assert unavailable(by_name["allow"], world, "vm1/docs-1") is None
    assert unavailable(by_name["kill"], world, "vm1/seed-9") == "seed-9 has ended: exit 1: not logged in"
    assert unavailable(by_name["kill"], world, "vm2/far-1") == "vm2 cannot be asked now"
    assert unavailable(by_name["kill"], world) == "choose an agent first"
    assert unavailable(by_name["allow"], world, host="gone") == "gone asks nothing now"
    assert unavailable(by_name["spawn"], Fleet()) == "add a host first"
    assert unavailable(by_name["help"], world) is None


def test_agents_of_others_stand_after_ours_of_the_same_need_and_are_called_so() -> None:
    theirs = [
        agent(name="~a-shell", epoch=0, kind="adopted", state=State.UNKNOWN),
        agent(name="~asks", epoch=0, kind="adopted", state=State.WAITING, place="tmux work"),
    ]
    world = fleet(
        *theirs, agent(name="works"), agent(name="z-asks", state=State.WAITING), agent(name="idle", state=State.IDLE)
    )
    assert [row.name for row in views.agent_rows(world, NOON)] == ["z-asks", "~asks", "idle", "~a-shell", "works"]
    told = {one["name"]: one for one in answer("status", Asked(world, NOON, world.agents.values()))["agents"]}
    assert (told["~asks"]["kind"], told["~asks"]["place"], told["works"]["place"]) == ("adopted", "tmux work", None)


@pytest.mark.parametrize(
    ("spent", "billing", "words"),
    [
        (None, "api", ""),
        (1_920_000, "api", "$1.92"),
        (1_920_000, "plan", "≈$1.92"),
        (0, "", "≈$0.00"),
        (41, "api", "<$0.0001"),
    ],
)
def test_what_is_no_bill_wears_its_sign(spent: int | None, billing: str, words: str) -> None:
    assert views.cost_words(agent("a1", spent=spent, billing=billing)) == words


@pytest.mark.parametrize(
    ("money", "words"),
    [
        (None, ""),
        (Money(), ""),
        (Money(0, 0, 98_200_000, 0), "$98.20 today"),
        (Money(0, 0, 0, 12_100_000), "≈$12.10 today"),
        (Money(1, 1, 98_200_000, 12_100_000), "$98.20 and ≈$12.10 today"),
    ],
)
def test_a_day_is_said_in_few_words_and_never_summed(money: Money | None, words: str) -> None:
    assert views.spent_words(money) == words


def test_a_program_of_others_that_nobody_knows_is_not_counted() -> None:
    others = agent("~shell", epoch=0, kind="adopted", state=State.UNKNOWN)
    claude = agent("~claude", epoch=0, kind="adopted", state=State.WORKING)
    counts = views.headline(fleet(others, claude)).counts
    assert (counts[State.UNKNOWN], counts[State.WORKING]) == (0, 1)


def test_a_limit_that_is_over_is_not_shown_as_one_to_come() -> None:
    ended = agent(state=State.LIMITED, detail="5-hour limit", ended=NOON, limited_until=NOON + MINUTE)
    assert (views.limit_end(ended, NOON), views.limit_end(ended, NOON + MINUTE)) == (NOON + MINUTE, None)
    assert views.agent_row(fleet(ended), ended, NOON).line == "5-hour limit"
    assert (
        views.agent_row(fleet(ended), ended, NOON + MINUTE).line == "its limit is over, and it had ended: let it go on"
    )


def test_memory_that_is_an_upper_bound_is_marked_as_one() -> None:
    one = agent(rss=3 * GIB, rss_bound=True)
    assert views.agent_row(fleet(one), one, NOON).memory == "≤3.0G"
    exact, unknown = agent(rss=3 * GIB), agent(rss_bound=True)
    assert [views.memory_words(other) for other in (exact, unknown)] == ["3.0G", "–"]
    seen = events.LoadsSeen("vm1", (events.LoadSeen(one.id, 1, 5, 1.0, 300, rss_bound=True),), NOON)
    assert reduce(fleet(exact), seen).agents[one.id].rss_bound


def test_a_task_of_several_lines_stands_in_a_row_as_one() -> None:
    begun = agent(state=State.STARTING, task="Go on where you stopped.␤␤(You go on on another machine.)")
    row = views.agent_row(fleet(begun), begun, NOON)
    assert row.task == row.line == "Go on where you stopped. (You go on on another machine.)"
