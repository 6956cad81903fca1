"""Agents that were taken over are held to the limits of their profiles by what is seen of them from outside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain import events, intents
from controlroom.domain.adopted_care import (
    HOUR,
    IN_A_CALL,
    SETTLES,
    bound_since,
    care_words,
    ended_words,
    ending,
    goes_on,
    trouble,
)
from controlroom.domain.adopting import adoption
from controlroom.domain.adoption import Adoption
from controlroom.domain.care_rules import CareRules
from controlroom.domain.decide import Decision, decide
from controlroom.domain.model import Agent, Fleet, LinkState, Profile, State
from controlroom.domain.reduce import reduce
from controlroom.domain.restart_rules import RestartRules
from controlroom.text.states import Cause
from tests.domain.worlds import MINUTE, NOON, agent, facts, fleet, host

MIB = 1 << 20
RULES = CareRules(8, 10 * MINUTE, 3, 500 * MIB, 20, (Cause.OVER_LIMIT, Cause.QUIET))
TAKEN = Adoption("api-1", "b1.7.5", at=NOON, who="ann", profile="docs")
ID = "vm1/~work"


def theirs(**changes: Any) -> Agent:
    made = {"epoch": 0, "kind": "adopted", "pid": 7, "mark": "b1.7.5", "adoption": TAKEN, "started": NOON - HOUR}
    return agent("~work", **{**made, **changes})


def world(one: Agent, rules: CareRules = RULES, **changes: Any) -> Fleet:
    up = host(**{"since": NOON - HOUR, **changes})
    profile = Profile("docs", care=rules, restarts=RestartRules(after_trouble=("quiet",)))
    return replace(fleet(one, hosts=(up,)), profiles={"docs": profile})


def found(one: Agent, now: int = NOON + MINUTE, rules: CareRules = RULES, **changes: Any) -> tuple[str, bool]:
    why = trouble(world(one, rules, **changes), one, now)
    return ("", False) if why is None else (why.words, why.ends)


def test_each_limit_is_passed_where_it_says_and_not_before() -> None:
    quiet = RULES.quiet * IN_A_CALL
    assert found(theirs(rss=500 * MIB, processes=20)) == ("", False)
    assert found(theirs(rss=501 * MIB)) == ("it takes 501 MiB of memory, 500 are the most", True)
    assert found(theirs(processes=21)) == ("it has 21 processes, 20 are the most", True)
    assert found(theirs(state=State.IDLE), NOON + 8 * HOUR - 1) == ("", False)
    assert found(theirs(state=State.IDLE), NOON + 8 * HOUR) == ("it has run for 8 h, the most (max_hours)", True)
    assert found(theirs(last_line_at=NOON + 5), NOON + quiet) == ("", False)
    assert found(theirs(last_line_at=NOON), NOON + quiet) == ("nothing was heard of it for 30m", True)
    only_told = replace(RULES, ends=())
    assert found(theirs(rss=501 * MIB), rules=only_told)[1] is False
    assert found(theirs(state=State.IDLE), NOON + 8 * HOUR, only_told)[1] is True, "as a runner ends its own"


def test_a_program_of_which_nothing_says_what_it_does_is_held_to_what_is_seen_of_it() -> None:
    script = theirs(state=State.UNKNOWN, session="", rss=501 * MIB)
    assert found(script) == ("it takes 501 MiB of memory, 500 are the most", True)
    assert found(replace(script, rss=None), NOON + 8 * HOUR) == ("it has run for 8 h, the most (max_hours)", True)
    assert found(replace(script, rss=None), NOON + RULES.quiet * IN_A_CALL) == ("", False), "it may be silent"
    assert found(replace(script, pid=None)) == ("", False)


def test_what_ends_it_is_told_first() -> None:
    loud = replace(RULES, ends=(Cause.QUIET,))
    words, ends = found(theirs(rss=501 * MIB), NOON + RULES.quiet * IN_A_CALL, loud)
    assert (words, ends) == ("nothing was heard of it for 30m", True)


def test_hours_count_from_when_it_was_taken_over_with_its_profile() -> None:
    old = theirs(started=NOON - 100 * HOUR)
    assert bound_since(old) == NOON, "nobody is ended for what it ran before"
    later = NOON + 20 * HOUR
    again = intents.AdoptAgent(ID, "b1.7.5", profile="docs")
    unbound = theirs(adoption=replace(TAKEN, profile=""))
    assert adoption(world(unbound), again, later, "bob").at == later, "another profile begins to bind it only now"
    assert adoption(world(old), again, later, "bob").at == NOON
    assert bound_since(theirs(started=later)) == later, "what its script runs next begins anew"


_MOMENTS = st.integers(NOON - 3 * HOUR, NOON + 30 * HOUR)


@given(
    at=_MOMENTS,
    started=_MOMENTS,
    since=_MOMENTS,
    line=_MOMENTS,
    linked=_MOMENTS,
    now=_MOMENTS,
    state=st.sampled_from(State),
    rss=st.none() | st.integers(0, 1 << 32),
    bound=st.booleans(),
    processes=st.none() | st.integers(0, 99),
    owned=st.booleans(),
    link=st.sampled_from(LinkState),
    taken=st.booleans(),
    profile=st.sampled_from(["docs", "", "gone"]),
)
def test_nobody_is_ended_for_what_is_not_known(
    at: int, started: int, since: int, line: int, linked: int, now: int, state: State, rss: int | None, bound: bool,
    processes: int | None, owned: bool, link: LinkState, taken: bool, profile: str,
) -> None:  # fmt: skip
    """Whatever is seen: only one that this room took over, with a profile, on a host that is heard and that it owns."""
    taking = replace(TAKEN, at=at, profile=profile) if taken else None
    seen = {"rss": rss, "rss_bound": bound, "processes": processes, "last_line_at": line}
    one = theirs(adoption=taking, started=started, since=since, state=state, **seen)
    here = world(one, link=link, facts=facts(owned), since=linked)
    why = trouble(here, one, now)
    if why is None:
        return
    assert taken
    assert (profile, owned, link, one.runs) == ("docs", True, LinkState.UP, True)
    by_time = now - max(at, started) >= 8 * HOUR
    by_size = (rss is not None and not bound and rss > RULES.memory) or (processes or 0) > RULES.processes
    by_silence = (
        state is State.WORKING
        and now - max(at, started, since, line) >= RULES.quiet * IN_A_CALL
        and now - linked >= SETTLES
    )
    assert by_time or by_size or by_silence
    assert why.cause is not Cause.QUIET or by_silence
    decision = decide(here, ending(one, goes_on=goes_on(here, one, why.cause)), 5, now, "profile docs")
    if isinstance(decision, Decision):
        assert isinstance(decision.effect, intents.SignalOn)
        assert decision.effect.mark == one.mark, "a signal goes to the process that was shown, and to no other"


def test_it_goes_on_under_a_runner_only_where_profile_and_person_both_said_so() -> None:
    one, wanted = theirs(), theirs(adoption=replace(TAKEN, when_ended=True))
    assert not goes_on(world(one), one, Cause.QUIET)
    assert not goes_on(world(wanted), wanted, Cause.OVER_LIMIT)
    assert goes_on(world(wanted), wanted, Cause.QUIET)
    assert isinstance(ending(wanted, goes_on=True), intents.RestartAdopted)
    why = trouble(world(one), one, NOON + RULES.quiet * IN_A_CALL)
    assert why is not None
    assert ended_words(world(one), one, why) == (
        "ended by a signal from here: nothing was heard of it for 30m; to go on with it (a signal cannot restart it): "
        f"controlroom adopt {ID} --restart"
    )


def test_what_binds_it_and_what_does_not_is_said() -> None:
    words = care_words(world(theirs()), theirs())
    assert "by signals: it is ended past 8 h, 500 MiB of memory, 20 processes or 30m at work without a word" in words
    loud = world(theirs(), replace(RULES, ends=()))
    told = "it is ended past 8 h, you are told past 500 MiB of memory, 20 processes or 30m at work without a word"
    assert told in care_words(loud, theirs())
    assert "same_failures) is not seen from outside" in words
    assert "only if it was taken over with --when-ended" in words
    bare = theirs(adoption=replace(TAKEN, profile=""))
    assert care_words(world(bare), bare).startswith("it has no profile, so no limit but budgets binds it")
    gone = theirs(adoption=replace(TAKEN, profile="gone"))
    assert care_words(world(gone), gone).startswith("its profile gone is not in the config any more")


def test_a_trouble_is_an_alarm_until_it_is_over_or_the_agent_is() -> None:
    one = theirs()
    loud = reduce(world(one), events.AdoptedTroubled(ID, "it has 21 processes"))
    assert "it has 21 processes" in loud.alarms[f"trouble {ID}"].text
    again = reduce(loud, events.AdoptedObserved("vm1", (replace(one, since=NOON),), NOON, complete=False))
    assert again.agents[ID].trouble == "it has 21 processes", "its host knows nothing of that"
    other = reduce(loud, events.AdoptedObserved("vm1", (replace(one, mark="b1.9.9", adoption=None),), NOON))
    assert f"trouble {ID}" not in other.alarms, "a later process of the name has no part in it"
    over = replace(one, ended=NOON, state=State.FAILED, pid=None)
    ended = reduce(loud, events.AdoptedObserved("vm1", (over,), NOON, complete=False))
    assert f"trouble {ID}" not in ended.alarms
    assert f"trouble {ID}" not in reduce(loud, events.AdoptedTroubled(ID, "")).alarms
