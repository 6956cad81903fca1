"""Sharing out: whatever happens between home and hosts, spent and given away stay below the stop line; nobody starves.

A fleet is simulated: hosts that run on alone, links that are cut in either direction, engines that die between any two
steps and know afterwards only what they wrote down, usage that comes late, twice and out of order, periods that end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.domain.budgets import BudgetUnit, Rung, RungAction
from controlroom.domain.money.allotment import FOREVER, MONEY, Fund, Run, RunGrant
from controlroom.domain.money.budget import BudgetRule
from controlroom.text.states import Payer
from tests.domain.from_scratch import given_away
from tests.domain.worlds import share_out

STOP_ALL = (Rung(100, RungAction.PAUSE),)
DAY = 1000
"""How long a period of the simulation is."""


@dataclass
class Truth:
    """What one run is, on its host."""

    billing: str
    number: int = 0
    ceilings: dict[str, int | None] = field(default_factory=dict)
    ends: int = 0
    spent: int = 0
    messages: list[tuple[int, int]] = field(default_factory=list)
    """(when, how much), in order."""
    shipped: int = 0
    """How many of them home has booked."""
    over: bool = False

    def may(self, now: int) -> bool:
        units = [unit for unit in ("billed", "covered") if {"billed": "plan", "covered": "api"}[unit] != self.billing]
        tops = [self.ceilings[unit] for unit in [*units, "tokens"] if self.ceilings.get(unit) is not None]
        return not self.over and self.number > 0 and now < self.ends and all(self.spent < (top or 0) for top in tops)


@dataclass
class Book:
    """What home has written down."""

    given: dict[str, list[RunGrant]] = field(default_factory=dict)
    booked: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    number: int = 0


class World:
    """Home, hosts, and what is under way between them."""

    def __init__(self, rules: Sequence[BudgetRule], billings: Sequence[str]) -> None:
        self.rules = rules
        self.now = 5
        self.hosts = {f"a{index}": Truth(billing) for index, billing in enumerate(billings)}
        self.book = Book()
        self.sent: list[tuple[str, RunGrant]] = []
        self.acks: list[tuple[str, int]] = []
        self.cut: set[str] = set()
        self.stopped: set[str] = set()
        """Agents that a rung has stopped: what they have not spent is taken back, and given to others."""

    @property
    def began(self) -> int:
        return self.now // DAY * DAY

    def runs(self) -> list[Run]:
        made = []
        for name, truth in self.hosts.items():
            grants = tuple(self.book.given.get(name, ()))
            total = sum(amount for _, amount in self.book.booked.get(name, ()))
            expired = bool(grants) and all(grant.ends and grant.ends <= self.now for grant in grants)
            said = truth.spent if truth.over and name not in self.cut else None
            made.append(
                Run(
                    "vm1",
                    name,
                    1,
                    billing=Payer(truth.billing),
                    booked=total,
                    booked_tokens=total,
                    grants=grants,
                    ended=said is not None,
                    said=said or 0,
                    said_tokens=said or 0,
                    until=max(grant.ends for grant in grants) if expired else FOREVER,
                    asked=name not in self.cut and not expired,
                    priority=len(name) + ord(name[-1]) % 3,
                )
            )
        return made

    def funds(self) -> list[Fund]:
        cut = frozenset(f"vm1/{name}" for name in self.stopped)
        spans = self.began, self.began + DAY
        return [Fund(rule, *spans, self.spent(rule, self.book.booked), cut) for rule in self.rules]

    def spent(self, rule: BudgetRule, messages: dict[str, list[tuple[int, int]]]) -> int:
        from controlroom.domain.money.budget import counts

        return sum(
            amount
            for name, entries in messages.items()
            for at, amount in entries
            if at >= self.began and counts(rule.unit, Payer(self.hosts[name].billing))
        )

    # -- what may happen

    def share(self, dies: str = "") -> None:
        """One round of the engine, which may die before it has written, or before it has sent."""
        runs = self.runs()
        shares = share_out(self.funds(), runs, {run.key: self.began + DAY for run in runs})
        if dies == "before writing":
            return
        fresh = []
        for share in shares:
            self.book.number += 1
            given = RunGrant(self.book.number, share.billed, share.covered, share.tokens, share.windows, share.ends)
            self.book.given.setdefault(share.run.name, []).append(given)
            fresh.append((share.run.name, given))
        if dies != "before sending":
            self.sent += [(name, given) for name, given in fresh if name not in self.cut]

    def arrive(self, index: int, again: bool) -> None:
        if self.sent:
            name, grant = self.sent[index % len(self.sent)]
            if not again:
                self.sent.pop(index % len(self.sent))
            truth = self.hosts[name]
            if grant.number >= truth.number and not truth.over:
                truth.number, truth.ends = grant.number, grant.ends or FOREVER
                truth.ceilings = {unit: grant.ceiling(unit) for unit in MONEY}
                self.acks.append((name, grant.number))

    def hear(self, index: int, lost: bool) -> None:
        if self.acks:
            name, number = self.acks.pop(index % len(self.acks))
            if not lost:
                self.book.given[name] = [given for given in self.book.given[name] if given.number >= number]

    def work(self, index: int, most: int) -> None:
        """An agent answers as many messages of one micro-dollar as its runner lets it, this many at the most."""
        truth = list(self.hosts.values())[index % len(self.hosts)]
        for _ in range(most):
            if truth.may(self.now):
                truth.messages.append((self.now, 1))
                truth.spent += 1

    def ship(self, index: int, most: int) -> None:
        name = list(self.hosts)[index % len(self.hosts)]
        truth = self.hosts[name]
        if name not in self.cut:
            self.book.booked[name] = truth.messages[: truth.shipped + most]
            truth.shipped = len(self.book.booked[name])

    def flip(self, index: int) -> None:
        name = list(self.hosts)[index % len(self.hosts)]
        self.cut ^= {name}
        self.sent = [(other, grant) for other, grant in self.sent if other != name]

    def pass_time(self, some: int) -> None:
        self.now += some
        self.sent = [(name, grant) for name, grant in self.sent if not grant.ends or grant.ends > self.now]

    # -- what must be true

    def check(self) -> None:
        for rule, fund in zip(self.rules, self.funds(), strict=True):
            away = given_away(fund, self.runs())
            assert fund.spent + away <= rule.stop, f"home counts {fund.spent} + {away} of {rule.stop}"
            true = self.spent(rule, {name: truth.messages for name, truth in self.hosts.items()})
            assert true <= rule.stop, f"{true} of {rule.stop} was spent"


Step = tuple[str, int, int]
KINDS = [
    "share",
    "share",
    "dies",
    "arrive",
    "hear",
    "work",
    "work",
    "ship",
    "flip",
    "stop",
    "stop",
    "flow",
    "flow",
    "time",
]
steps = st.lists(
    st.tuples(
        st.sampled_from([*KINDS, "time"]),
        st.integers(0, 20),
        st.integers(0, 30),
    ),
    min_size=8,
    max_size=40,
)


def play(world: World, step: Step) -> None:
    kind, index, amount = step
    ACTS[kind](world, index, amount)


def _flow(world: World, index: int, amount: int) -> None:
    """All that is under way arrives, and everybody works."""
    for _ in range(amount % 3):
        world.share()
    for _ in range(len(world.sent)):
        world.arrive(0, again=False)
    for place in range(amount % 3 and len(world.hosts)):
        world.work(place, amount)


def _stop(world: World, index: int, amount: int) -> None:
    world.stopped ^= {list(world.hosts)[index % len(world.hosts)]}


ACTS: dict[str, Callable[[World, int, int], None]] = {
    "share": lambda world, index, amount: world.share(),
    "dies": lambda world, index, amount: world.share("before writing" if amount % 2 else "before sending"),
    "arrive": lambda world, index, amount: world.arrive(index, again=amount % 4 == 0),
    "hear": lambda world, index, amount: world.hear(index, lost=amount % 5 == 0),
    "work": lambda world, index, amount: world.work(index, amount),
    "ship": lambda world, index, amount: world.ship(index, amount),
    "flip": lambda world, index, amount: world.flip(index),
    "stop": _stop,
    "flow": _flow,
    "time": lambda world, index, amount: world.pass_time(amount * 20),
}


def rule(name: str, limit: int, **more: object) -> BudgetRule:
    return replace(BudgetRule(name, limit, rungs=STOP_ALL), **more)  # type: ignore[arg-type]


@settings(max_examples=400, deadline=None)
@given(
    steps,
    st.lists(st.integers(1, 6) | st.integers(1, 200), min_size=1, max_size=3),
    st.lists(st.sampled_from(["api", "plan", ""]), min_size=1, max_size=5),
    st.sampled_from(["priority", "all"]),
)
def test_nothing_that_happens_passes_a_stop_line(
    played: list[Step], limits: list[int], billings: list[str], order: str
) -> None:
    units = (BudgetUnit.BILLED, BudgetUnit.TOKENS, BudgetUnit.COVERED)
    world = World([rule(f"b{i}", limit, unit=units[i], order=order) for i, limit in enumerate(limits)], billings)
    for step in played:
        play(world, step)
        world.check()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(200, 2000), st.sampled_from(["priority", "all"]), st.integers(1, 40))
def test_who_works_gets_money_as_long_as_there_is_some(agents: int, limit: int, order: str, eager: int) -> None:
    """All work, everything arrives: who cannot go on stops only when next to nothing is left."""
    world = World([rule("day", limit, order=order)], ["api"] * agents)
    spent, before, rounds = 0, -1, 0
    while spent > before or rounds < 3:
        rounds, before = rounds + 1, spent
        world.share()
        while world.sent:
            world.arrive(0, again=False)
        while world.acks:
            world.hear(0, lost=False)
        for index in range(agents):
            world.work(index, eager)
            world.ship(index, eager)
        world.check()
        spent = sum(truth.spent for truth in world.hosts.values())
    assert spent >= limit - max(agents, 2) * max(2, 2 * rule("day", limit).least), f"{spent} of {limit} by {agents}"


def sizes(grants: Sequence[int | None]) -> list[int]:
    return [grant or 0 for grant in grants]


def test_a_share_is_a_part_of_what_is_left_and_nobody_has_most_of_it() -> None:
    runs = [Run("vm1", f"a{index}", 1, dearest=1) for index in range(50)]
    shares = share_out([Fund(rule("day", 100_000), 0, DAY, 0)], runs, {})
    assert sizes([share.billed for share in shares]) == [1000] * 50


def test_the_first_of_many_leaves_enough_for_the_others() -> None:
    fund, runs = Fund(rule("day", 8_000_000), 0, DAY, 0), list[Run]()
    for index in range(12):
        runs.append(Run("vm1", f"a{index}", 1))
        (share,) = (share for share in share_out([fund], runs, {}) if share.run is runs[-1])
        runs[-1] = replace(runs[-1], grants=(RunGrant(index + 1, share.billed),))
    assert min(sizes([run.grants[0].billed for run in runs])) > 100_000


def test_who_comes_last_runs_dry_first() -> None:
    fund = Fund(rule("day", 1000), 0, DAY, spent=975)
    runs = [Run("vm1", name, 1, priority=priority) for name, priority in (("low", 0), ("mid", 5), ("high", 9))]
    runs = [replace(run, grants=(RunGrant(1, 0),)) for run in runs]
    assert [share.run.name for share in share_out([fund], runs, {})] == ["high", "mid"]


def test_a_run_that_no_budget_binds_any_more_is_let_free_once() -> None:
    bound = Run("vm1", "a1", 1, grants=(RunGrant(1, 500, ends=99),))
    (share,) = share_out([], [bound], {bound.key: 99})
    assert (share.billed, share.covered, share.tokens, share.ends) == (None, None, None, 0)
    assert share_out([], [replace(bound, grants=(RunGrant(2),))], {}) == []
    assert share_out([], [Run("vm1", "a1", 1)], {}) == []


def test_what_shrinks_is_taken_back_and_what_is_cut_goes_to_nothing() -> None:
    run = Run("vm1", "a1", 1, booked=300, grants=(RunGrant(1, 900),))
    (share,) = share_out([Fund(rule("day", 1000), 0, DAY, 800)], [run], {})
    assert share.billed == 400
    (share,) = share_out([Fund(rule("day", 10_000), 0, DAY, 300, frozenset({"vm1/a1"}))], [run], {})
    assert share.billed == 300


def test_several_budgets_give_the_least_of_them() -> None:
    run = Run("vm1", "a1", 1, profile="docs", dearest=1, dearest_tokens=1)
    funds = [
        Fund(rule("day", 64_000), 0, DAY, 0),
        Fund(rule("docs", 32_000, scope="profile docs"), 0, DAY, 0),
        Fund(rule("other", 1, scope="profile other"), 0, DAY, 0),
        Fund(rule("tokens", 3_200, unit=BudgetUnit.TOKENS), 0, DAY, 0),
        Fund(rule("week", 85, unit=BudgetUnit.WINDOW, window="seven_day"), 0, DAY, 0),
        Fund(rule("mine", 70, unit=BudgetUnit.WINDOW, window="seven_day", scope="agent vm1/a1"), 0, DAY, 0),
    ]
    (share,) = share_out(funds, [run], {run.key: 77})
    assert (share.billed, share.covered, share.tokens) == (1000, None, 100)
    assert (share.windows, share.ends) == ({"seven_day": 70}, 77)


def test_an_agent_on_a_plan_is_not_bound_by_what_keys_pay() -> None:
    fund = Fund(rule("day", 64_000), 0, DAY, 0)
    assert share_out([fund], [Run("vm1", "a1", 1, billing=Payer.PLAN)], {}) == []
    unknown = Run("vm1", "a1", 1, grants=(RunGrant(1, 900),))
    assert given_away(fund, [unknown]) == 900
    assert given_away(fund, [replace(unknown, billing=Payer.PLAN)]) == 0


def test_what_ended_counts_with_what_it_said_until_the_period_is_over() -> None:
    fund = Fund(rule("day", 64_000), 100, 200, 0)
    run = Run("vm1", "a1", 1, booked=50, grants=(RunGrant(1, 900),), ended=True, said=70, until=150)
    assert given_away(fund, [run]) == 20
    assert given_away(replace(fund, began=150), [run]) == 0


def test_a_small_budget_beside_a_large_one_and_many_agents_on_a_large_one() -> None:
    month = Fund(rule("month", 2_000_000_000), 0, DAY, 0)
    mine = Fund(rule("mine", 1_000_000, scope="agent vm1/a0"), 0, DAY, 0)
    runs = [Run("vm1", f"a{index}", 1) for index in range(200)]
    shares = {share.run.name: share.billed or 0 for share in share_out([month, mine], runs, {})}
    assert shares["a0"] == 500_000
    assert min(shares.values()) == 500_000
    assert max(shares.values()) == 5_000_000
    late = replace(month, spent=1_950_000_000)
    assert min(share.billed or 0 for share in share_out([late], runs, {})) == 125_000


def test_a_share_is_topped_up_before_a_dear_message_could_end_the_run() -> None:
    fund = Fund(rule("day", 8_000_000), 0, DAY, 0)
    others = [Run("vm1", f"b{index}", 1, grants=(RunGrant(2, 500_000),)) for index in range(7)]
    cheap = Run("vm1", "a1", 1, grants=(RunGrant(1, 300_000),), dearest=70_000)
    assert [share for share in share_out([fund], [cheap, *others], {}) if share.run is cheap] == []
    dear = replace(cheap, dearest=250_000)
    (share,) = (share for share in share_out([fund], [dear, *others], {}) if share.run is dear)
    assert share.billed == 500_000


def test_runs_that_a_host_claims_share_among_themselves_what_a_few_would_get() -> None:
    fund = Fund(BudgetRule("day", 1_000_000_000, rungs=STOP_ALL), 0, DAY, 0)
    own = Run("vm1", "a1", 1)
    claimed = [Run("vm2", f"b{number}", 1, ordered=False) for number in range(2000)]
    tops = {share.run.key: share.billed or 0 for share in share_out([fund], [*claimed, own], {})}
    assert tops[own.key] == share_out([fund], [own], {})[0].billed
    assert 0 < sum(tops[run.key] for run in claimed) <= 4 * tops[own.key]
    few = {share.run.key: share.billed for share in share_out([fund], [*claimed[:4], own], {})}
    assert set(few.values()) == {tops[own.key]}
