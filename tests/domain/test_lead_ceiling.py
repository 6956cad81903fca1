"""A ceiling is passed by nothing, whatever is in flight when the agents of a lead have used up what they may."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.domain.leads import VERBS, Lead
from controlroom.domain.money.allotment import FOREVER, IN_FLIGHT, Fund, NextGrant, Run, RunGrant, kept_back
from controlroom.domain.money.budget import ceilings, counts, covers
from controlroom.domain.money.sharing import Balances, Sharing
from controlroom.text.states import Payer

LEAD = Lead("research", VERBS, ("vm1",), ("docs",), 6, 5_000_000)


class Agents:
    """Agents of a lead that spend as fast as they can, granted again after each message."""

    def __init__(self, limit: int) -> None:
        self.rule, _ = ceilings(replace(LEAD, limit=limit))
        self.balances = Balances([Fund(self.rule, 0, FOREVER, 0)])
        self.sharing = Sharing(self.balances)
        self.runs: dict[tuple[str, str, int], Run] = {}
        self.spent = self.numbers = 0

    def start(self, name: str, dearest: int, subagents: int) -> None:
        run = Run("vm1", name, 1, billing=Payer.API, lead="research", dearest=dearest, dearest_of_any=dearest)
        share = self.sharing.first(replace(run, subagents=subagents), lambda run, funds: FOREVER)
        assert share is not None
        if not share.dry:
            self.grant(share)

    def grant(self, share: NextGrant) -> None:
        self.numbers += 1
        given = RunGrant(self.numbers, billed=share.billed, ends=FOREVER, run=share.run.key)
        self.put(replace(share.run, grants=(given,)))

    def put(self, run: Run) -> None:
        self.runs[run.key] = run
        self.balances.put(run)
        self.balances.stand(self.rule.name, self.spent, frozenset())

    def go_on(self, run: Run, dice: Random, dearest: int) -> None:
        """Send one message; once its grant is used up it ends, with what is in flight by then."""
        assert run.newest is not None
        ends = run.booked >= (run.newest.billed or 0)
        messages = 1 + IN_FLIGHT * (run.subagents or 0) if ends else 1
        cost = sum(dice.choice((dearest, dearest, dice.randint(1, dearest))) for _ in range(messages))
        self.spent += cost
        self.put(replace(run, booked=run.booked + cost, said=run.booked + cost, ended=ends))
        for share in self.sharing.shares(lambda run, funds: FOREVER):
            self.grant(share)


@settings(max_examples=60)
@given(
    st.integers(5, 60),
    st.lists(st.integers(0, 2), min_size=1, max_size=6),
    st.integers(1_000, 200_000),
    st.integers(0, 2**32),
)
def test_no_ceiling_is_passed_and_most_of_it_is_used(
    messages: int, subagents: list[int], dearest: int, seed: int
) -> None:
    limit = messages * dearest
    dice, agents = Random(seed), Agents(limit)
    for number, below in enumerate(subagents):
        agents.start(f"a{number}", dearest, below)
    kept = sum(map(kept_back, agents.runs.values()))
    while live := [run for run in agents.runs.values() if not run.ended]:
        agents.go_on(dice.choice(live), dice, dearest)
        assert agents.spent <= limit
    if agents.runs:
        assert agents.spent >= limit - kept - max(agents.rule.enough, limit // 5)


def test_what_nobody_knows_the_price_of_has_more_kept_back() -> None:
    run = Run("vm1", "a", 1, subagents=0)
    assert kept_back(run) == 500_000
    assert kept_back(replace(run, subagents=2)) == 1_500_000
    assert kept_back(replace(run, dearest=10_000, dearest_of_any=20_000, subagents=1)) == 60_000
    assert kept_back(replace(run, ended=True)) == 0


def test_a_ceiling_holds_the_agents_of_its_lead_and_no_others() -> None:
    billed, covered = ceilings(LEAD)
    assert covers(billed.scope, "vm1", "a", "docs", "research")
    assert not covers(billed.scope, "vm1", "a", "docs", "other")
    assert not covers(billed.scope, "vm1", "a", "docs")
    assert [counts(rule.unit, payer) for rule in (billed, covered) for payer in (Payer.API, Payer.PLAN)] == [
        True,
        False,
        False,
        True,
    ]
    assert billed.binds
    assert billed.stop == LEAD.limit
