"""What budgets come to, kept as runs change, is what it comes to when all is summed up from scratch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.domain.budgets import BudgetUnit, Rung, RungAction, StopOrder
from controlroom.domain.money.allotment import Fund, NextGrant, Run, RunGrant
from controlroom.domain.money.budget import BudgetRule
from controlroom.domain.money.sharing import Balances, Key, Sharing
from tests.domain import from_scratch

STOP = (Rung(100, RungAction.PAUSE),)
BASE = BudgetRule("base", 1, rungs=STOP)
RULES = [
    replace(BASE, name="day", limit=40_000_000),
    replace(BASE, name="small", limit=900_000),
    replace(BASE, name="all", limit=3_000_000, order=StopOrder.ALL),
    replace(BASE, name="host", limit=2_000_000, scope="host vm1"),
    replace(BASE, name="profile", limit=5_000_000, scope="profile docs", unit=BudgetUnit.COVERED),
    replace(BASE, name="agent", limit=700_000, scope="agent vm1/a1"),
    replace(BASE, name="tokens", limit=4_000_000, unit=BudgetUnit.TOKENS),
    replace(BASE, name="week", limit=80, unit=BudgetUnit.WINDOW, window="seven_day", scope="account ann"),
]
few = st.integers(0, 300_000)
runs = st.builds(
    Run,
    st.sampled_from(["vm1", "vm2", "vm3"]),
    st.sampled_from([f"a{number}" for number in range(9)]),
    st.integers(1, 2),
    profile=st.sampled_from(["", "docs"]),
    billing=st.sampled_from(["", "api", "plan"]),
    priority=st.integers(0, 2),
    booked=few,
    booked_tokens=few,
    ended=st.sampled_from([False, False, False, True]),
    said=few,
    said_tokens=few,
    until=st.sampled_from([50, 2**62]),
    asked=st.sampled_from([True, True, True, False]),
    again=st.sampled_from([False, False, False, True]),
    dearest=st.none() | st.sampled_from([30_000, 900_000]),
    dearest_of_any=st.none() | st.just(900_000),
    subagents=st.none() | st.integers(0, 3),
    ordered=st.sampled_from([True, False]),
    accounts=st.sampled_from([frozenset[str](), frozenset({"ann"})]),
)
acts = st.lists(
    st.one_of(
        st.tuples(st.just("put"), runs),
        st.tuples(st.just("drop"), st.integers(0, 20)),
        st.tuples(st.just("spend"), st.tuples(st.integers(0, 7), st.integers(1, 3_000_000))),
        st.tuples(
            st.just("cut"), st.tuples(st.integers(0, 7), st.sets(st.sampled_from(["vm1/a1", "vm2/a2", "vm3/a3"])))
        ),
        st.tuples(st.just("share"), st.just("lost")),
        st.tuples(st.just("later"), st.integers(1, 100_000)),
    ),
    min_size=4,
    max_size=25,
)


@dataclass
class Room:
    """Budgets that are kept, and beside them what they are kept of."""

    rules: list[BudgetRule]
    funds: dict[str, Fund] = field(init=False)
    runs: dict[Key, Run] = field(default_factory=dict)
    ends: int = 100_000
    number: int = 0

    def __post_init__(self) -> None:
        self.funds = {rule.name: Fund(rule, 100, 1000, 0) for rule in self.rules}
        self.sharing = Sharing(Balances(self.funds.values()))

    def put(self, run: Run) -> None:
        known = self.runs.pop(run.key, None)
        self.runs[run.key] = run if known is None else replace(run, grants=known.grants)
        self.sharing.balances.put(self.runs[run.key])

    def drop(self, index: int) -> None:
        if self.runs:
            key = list(self.runs)[index % len(self.runs)]
            del self.runs[key]
            self.sharing.balances.drop(key)

    def stand(self, index: int, **changes: object) -> None:
        name = self.rules[index % len(self.rules)].name
        fund = self.funds[name] = replace(self.funds[name], **changes)  # type: ignore[arg-type]
        self.sharing.balances.stand(name, fund.spent, fund.cut)

    def spend(self, what: tuple[int, int]) -> None:
        index, amount = what
        self.stand(index, spent=self.funds[self.rules[index % len(self.rules)].name].spent + amount)

    def cut(self, what: tuple[int, set[str]]) -> None:
        self.stand(what[0], cut=frozenset(what[1]))

    def later(self, by: int) -> None:
        """Another period: all grants end later, which whoever keeps the clock says of each."""
        self.ends += by
        for run in self.runs.values():
            self.sharing.balances.put(run)

    def share(self, fate: str) -> None:
        ends = {run.key: self.ends if run.name != "a5" else 0 for run in self.runs.values()}
        true = from_scratch.share_out(list(self.funds.values()), list(self.runs.values()), ends)
        shares = self.sharing.shares(lambda run, _: ends[run.key])
        assert shares == true
        for share in shares:
            run = self.runs[share.run.key]
            self.runs[run.key] = run if fate == "lost" else replace(run, grants=(*run.grants, self.given(share)))
            self.sharing.balances.put(self.runs[run.key])

    def given(self, share: NextGrant) -> RunGrant:
        self.number += 1
        return RunGrant(self.number, share.billed, share.covered, share.tokens, share.windows, share.ends)

    def check(self) -> None:
        for name, fund in self.funds.items():
            balance = self.sharing.balances.of[name]
            theirs = [run for run in self.runs.values() if fund.holds(run)]
            live = [run for run in theirs if not run.ended]
            assert balance.runs == {run.key: run for run in theirs}
            assert balance.given == from_scratch.given_away(fund, self.runs.values())
            assert balance.live == len(live)
            assert balance.overshoot == from_scratch.overshoot(live)


@settings(max_examples=300, deadline=None)
@given(st.lists(runs, max_size=12), acts, st.sets(st.integers(0, len(RULES) - 1), min_size=1, max_size=4))
def test_whatever_happens_it_is_shared_out_as_if_all_were_looked_at(
    first: list[Run], played: list[tuple[str, object]], rules: set[int]
) -> None:
    room = Room([RULES[index] for index in sorted(rules)])
    for run in first:
        room.put(run)
    for act, what in [("share", "granted"), *played]:
        getattr(room, act)(what)
        room.check()
        if act != "share":
            room.share("granted")


@settings(max_examples=100, deadline=None)
@given(st.lists(runs, max_size=12), runs)
def test_a_run_that_would_begin_is_given_what_it_would_be_given_and_leaves_no_trace(
    others: list[Run], new: Run
) -> None:
    room = Room(RULES)
    for run in others:
        room.put(run)
    room.share("granted")
    live = replace(new, ended=False, asked=True, grants=())
    with_it = [run for run in room.runs.values() if run.key != new.key] + [live]
    ends = {run.key: room.ends if run.name != "a5" else 0 for run in with_it}
    funds = list(room.funds.values())
    wanted = [share for share in from_scratch.share_out(funds, with_it, ends) if share.run is live]
    others_want = len(from_scratch.share_out(funds, with_it, ends)) > len(wanted)
    share = room.sharing.first(live, lambda run, _: ends[run.key])
    room.check()
    if not others_want:
        assert share == (wanted[0] if wanted else None)


def test_when_little_is_left_those_who_come_last_give_back_what_they_have() -> None:
    room = Room([replace(BASE, name="small", limit=900_000)])
    for number in range(8):
        room.put(Run("vm1", f"a{number}", 1, priority=number, dearest=90_000, booked=1))
    room.share("granted")
    for spent in (300_000, 300_000, 100_000, 100_000):
        room.spend((0, spent))
        room.share("granted")
        room.check()
    tops = {run.name: (run.grants[-1].billed or 0) - 1 for run in room.runs.values()}
    assert tops["a7"] > 0
    assert tops["a0"] == 0


def test_some_at_a_time_all_are_given_something_who_goes_first_first() -> None:
    room = Room([RULES[0]])
    for number in range(9):
        room.put(Run("vm1", f"a{number}", 1, priority=number))
    named: list[list[str]] = []
    while shares := room.sharing.shares(lambda *_: 77, 4):
        named.append([share.run.name for share in shares])
        for share in shares:
            room.put(share.run)
            run = room.runs[share.run.key] = replace(share.run, grants=(room.given(share),))
            room.sharing.balances.put(run)
    assert named == [["a8", "a7", "a6", "a5"], ["a4", "a3", "a2", "a1"], ["a0"]]
