"""Overlap: who has edited the same file, for agents alone and for many, and what is said of it."""

from __future__ import annotations

import random

import pytest

from controlroom.domain import events
from controlroom.domain.display.advice import steps
from controlroom.domain.display.views import agent_line
from controlroom.domain.gauges import AlarmKind
from controlroom.domain.model import Agent, Edited, Fleet, Host, LinkState, Overlap, State
from controlroom.domain.overlap import (
    OTHERS,
    Edits,
    OverlapIndex,
    edited_words,
    is_same_work,
    overlap_alarm,
    overlap_words,
    row_words,
)
from controlroom.domain.reduce import reduce
from controlroom.text.states import AgentKind

DOCS, CODE = "example.org/team/docs", "example.org/team/code"


def edits(*paths: str, repository: str = DOCS, tree: str = "", more: bool = False) -> list[Edits]:
    return [Edits(repository, tree or f"tree of {paths}", frozenset(paths), more)]


def index(*over: str) -> OverlapIndex:
    return OverlapIndex(lambda _, __: False, lambda agent: agent in over)


def others(found: Edited | None) -> list[tuple[str, str, int]]:
    assert found is not None
    return [(each.other, each.path, each.files) for each in found.overlaps]


def test_two_that_have_edited_one_path_of_one_repository_overlap() -> None:
    book = index()
    assert book.put("vm1/a", edits("x", "y")) == {"vm1/a"}
    assert book.put("vm2/b", edits("y", "z")) == {"vm1/a", "vm2/b"}
    assert others(book.edited("vm1/a")) == [("vm2/b", "y", 1)]
    assert others(book.edited("vm2/b")) == [("vm1/a", "y", 1)]


def test_the_same_path_of_another_repository_is_another_file() -> None:
    book = index()
    book.put("vm1/a", edits("x"))
    assert book.put("vm1/b", edits("x", repository=CODE)) == {"vm1/b"}
    assert others(book.edited("vm1/a")) == []


def test_it_is_over_when_one_has_not_edited_it_any_more_or_is_gone() -> None:
    book = index()
    for agent in ("vm1/a", "vm1/b", "vm1/c"):
        book.put(agent, edits("x", tree=agent))
    assert book.put("vm1/b", []) == {"vm1/a", "vm1/b", "vm1/c"}
    assert others(book.edited("vm1/a")) == [("vm1/c", "x", 1)]
    assert book.drop("vm1/c") == {"vm1/a"}
    assert others(book.edited("vm1/a")) == []
    assert book.edited("vm1/c") is None


def test_who_comes_into_a_tree_after_another_has_ended_has_seen_what_that_one_did() -> None:
    for over in ((), ("vm1/a",), ("vm1/b",)):
        book = index(*over)
        book.put("vm1/a", edits("x", tree="one"))
        book.put("vm1/b", edits("x", tree="one"))
        assert bool(others(book.edited("vm1/a"))) == (not over)
    book = index("vm1/a")
    book.put("vm1/a", edits("x", tree="one"))
    book.put("vm1/b", edits("x", tree="two"))
    assert others(book.edited("vm1/b")) == [("vm1/a", "x", 1)], "what has ended and is not merged still collides"


def test_of_many_that_overlap_some_are_named() -> None:
    book = index()
    for number in range(50):
        book.put(f"vm1/a{number}", edits("CHANGELOG.md", "x", tree=str(number)))
    found = book.edited("vm1/a49")
    assert found is not None
    assert len(found.overlaps) == OTHERS
    assert {each.files for each in found.overlaps} == {2}


def test_what_it_says_follows_from_the_claims_in_whatever_order_they_came() -> None:
    """The index is changed a little at a time; one that is made at once from the same claims says the same."""
    for seed in range(40):
        dice, book = random.Random(seed), index()
        claims: dict[str, list[Edits]] = {}
        for _ in range(60):
            agent = f"vm{dice.randrange(2)}/a{dice.randrange(6)}"
            if agent in claims and dice.random() < 0.2:
                book.drop(agent)
                del claims[agent]
            else:
                paths = dice.sample("abcdef", dice.randrange(4))
                claims[agent] = edits(*paths, repository=dice.choice([DOCS, CODE]), tree=dice.choice("12"))
                book.put(agent, claims[agent])
        anew = index()
        for agent, claimed in claims.items():
            anew.put(agent, claimed)
        for agent in claims:
            assert set(others(book.edited(agent))) == set(others(anew.edited(agent))), f"seed {seed}"


# --------------------------------------------------------------------------- the fleet


def agent(name: str, host: str = "vm1", started: int = 1, **more: object) -> Agent:
    made = Agent(host, name, 1, AgentKind.HEADLESS, State.WORKING, 5, started=started)
    return Agent(**{**made.__dict__, **more})


def fleet(*agents: Agent) -> Fleet:
    hosts = {name: Host(name, name, LinkState.UP) for name in ("vm1", "vm2")}
    return Fleet(hosts=hosts, agents={one.id: one for one in agents})


def joined(now: Fleet, **found: Edited | None) -> Fleet:
    return reduce(now, events.EditsJoined({f"vm1/{name}": edited for name, edited in found.items()}, 9))


def beside(*names: str) -> Edited:
    return Edited(3, overlaps=tuple(Overlap(f"vm1/{name}", DOCS, "src/x.py", 2) for name in names))


def test_of_two_one_has_the_alarm_with_both_names_and_the_path() -> None:
    now = joined(fleet(agent("a"), agent("b", started=2)), a=beside("b"), b=beside("a"))
    ((about, alarm),) = now.alarms.items()
    assert about == "overlap of vm1/b"
    assert (alarm.kind, alarm.agent, alarm.subject, alarm.since) == (AlarmKind.OVERLAP, "vm1/b", "vm1/a", 9)
    for part in ("vm1/a", "vm1/b", "src/x.py", DOCS):
        assert part in alarm.text


def test_the_alarm_is_over_with_the_overlap_and_with_the_agent() -> None:
    now = joined(fleet(agent("a"), agent("b", started=2)), a=beside("b"), b=beside("a"))
    assert not joined(now, a=Edited(3), b=Edited(3)).alarms
    assert not reduce(now, events.AgentsObserved("vm1", (), 10, gone=("b",))).alarms


def test_what_is_known_of_its_edits_stays_through_news_and_through_its_next_run() -> None:
    now = joined(fleet(agent("a"), agent("b", started=2)), a=beside("b"))
    for seen in (agent("a", detail="else"), agent("a", epoch=2)):
        assert reduce(now, events.AgentsObserved("vm1", (seen,), 10)).agents["vm1/a"].edited == beside("b")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (agent("a", task="do it", ended=5, state=State.DONE), agent("a", "vm2", task="do it"), True),
        (agent("a", task="do it"), agent("a", "vm2", task="do it"), False),
        (agent("a", task="do it", ended=5, state=State.DONE), agent("a", "vm2", task="other"), False),
        (agent("a", task="do it", ended=5, state=State.DONE), agent("b", "vm2", task="do it"), False),
        (agent("a", ended=5, state=State.DONE), agent("a", "vm2"), False),
    ],
)
def test_one_that_was_moved_does_not_overlap_with_what_it_was(one: Agent, other: Agent, same: bool) -> None:
    assert is_same_work(fleet(one, other), one.id, other.id) == same


def test_both_rows_say_so_before_what_the_agent_says() -> None:
    now = joined(fleet(agent("a", last_line="reads"), agent("b", started=2)), a=beside("b"), b=beside("a"))
    assert agent_line(now, now.agents["vm1/a"], 10) == "src/x.py and 1 more file also edited by vm1/b: reads"
    assert agent_line(now, now.agents["vm1/b"], 10) == "src/x.py and 1 more file also edited by vm1/a"


def test_it_is_advised_to_compare_the_two() -> None:
    now = joined(fleet(agent("a"), agent("b", started=2)), a=beside("b"))
    first, *_ = steps(now, now.agents["vm1/a"], 10)
    assert first.words == "vm1/b has edited src/x.py, too: compare the two before both are merged."
    assert first.command == "controlroom diff vm1/a"
    assert not any("too:" in step.words for step in steps(now, now.agents["vm1/b"], 10))


def test_words() -> None:
    assert overlap_words(Overlap("vm1/b", DOCS, "x.py")) == f"x.py of {DOCS}, which vm1/b has edited, too"
    assert overlap_words(Overlap("vm1/b", DOCS, "x.py", 2)).startswith("x.py and 1 more file of")
    assert row_words(Edited(1, overlaps=(Overlap("vm1/b", DOCS, "x.py", 3), Overlap("vm1/c", DOCS, "x.py")))) == (
        "x.py and 2 more files also edited by vm1/b, and 1 more"
    )
    assert row_words(Edited(1)) == row_words(None) == ""
    assert edited_words(None) == edited_words(Edited(0)) == ""
    assert edited_words(Edited(1)) == "1 file"
    assert edited_words(Edited(500, in_part=True)).startswith("at least 500 files: of the others it is not known")
    assert overlap_alarm(agent("a"), {}, 5) is None
