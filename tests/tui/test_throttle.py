"""On a phone the text of a row stays for a while; what matters shows at once."""

from __future__ import annotations

from dataclasses import replace

from controlroom.domain.model import Fleet, State
from controlroom.domain.persistent_tables import differing, hosted
from controlroom.tui.terminal.throttle import LINE_PACE, ThrottledLines
from tests.domain.worlds import agent, fleet, question

PHONE, WIDE = 45, 120


def saying(text: str, **changes: object) -> Fleet:
    return fleet(replace(agent(last_line=text), **changes))  # type: ignore[arg-type]


def line(shown: Fleet) -> str:
    return shown.agents["vm1/docs-1"].last_line


def test_a_line_stays_for_its_time_and_the_newest_comes_then() -> None:
    calm = ThrottledLines()
    assert line(calm.shown(saying("one"), PHONE, 0.0)) == "one"
    assert line(calm.shown(saying("two"), PHONE, 1.0)) == "one"
    assert line(calm.shown(saying("three"), PHONE, LINE_PACE)) == "three"
    assert line(calm.shown(saying("four"), PHONE, LINE_PACE + 4.9)) == "three"


def test_a_new_state_brings_its_line_at_once() -> None:
    calm = ThrottledLines()
    calm.shown(saying("one"), PHONE, 0.0)
    asks = calm.shown(saying("git push?", state=State.WAITING, question=question()), PHONE, 0.1)
    assert line(asks) == "git push?"


def test_what_else_is_known_of_an_agent_is_not_held_back() -> None:
    calm = ThrottledLines()
    calm.shown(saying("one"), PHONE, 0.0)
    shown = calm.shown(saying("two", spent=5, rss=7), PHONE, 0.1).agents["vm1/docs-1"]
    assert (shown.last_line, shown.spent, shown.rss) == ("one", 5, 7)


def test_what_one_says_costs_nothing_of_the_others() -> None:
    calm = ThrottledLines()
    farm = fleet(*(agent(f"a{number}", last_line="one") for number in range(500)))
    before = calm.shown(farm, PHONE, 0.0)
    spoke = replace(farm.agents["vm1/a7"], last_line="two")
    after = calm.shown(replace(farm, agents=hosted(farm.agents).updated({spoke.id: spoke})), PHONE, 1.0)
    assert differing(before.agents, after.agents) == {"vm1/a7"}
    assert after.agents["vm1/a7"].last_line == "one"
    assert calm.late


def test_nothing_is_held_on_a_workstation_and_nobody_who_is_gone_is_remembered() -> None:
    calm = ThrottledLines()
    calm.shown(saying("one"), PHONE, 0.0)
    two = saying("two")
    assert calm.shown(two, WIDE, 0.1) is two
    calm.shown(saying("one"), PHONE, 0.2)
    calm.shown(replace(two, agents={}), PHONE, 0.3)
    assert line(calm.shown(saying("three"), PHONE, 0.4)) == "three"
