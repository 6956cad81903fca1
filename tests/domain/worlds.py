"""Fleets to tell stories about, and hypothesis strategies that make many."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from hypothesis import strategies as st

from controlroom.domain import events
from controlroom.domain.budgets import Budget, BudgetUnit, Period, Rung, RungAction
from controlroom.domain.gauges import Alarm, Headroom, LimitKind
from controlroom.domain.model import Agent, Fleet, Host, HostFacts, Limits, LinkState, Money, Profile, Question, State
from controlroom.domain.money.allotment import Fund, NextGrant, Run
from controlroom.domain.money.sharing import Balances, Sharing
from controlroom.domain.orders import Order, Result, Work
from controlroom.domain.questions import QuestionKind
from controlroom.domain.tasks import Queue, QueueRules, Task, TaskState
from controlroom.text.host_sample import HostSample
from controlroom.text.states import AgentKind, Outcome

NOON = 1_795_348_800_000
MINUTE = 60_000
GIB = 1024**3


def facts(owned: bool = True, tmux: str = "3.3a") -> HostFacts:
    return HostFacts("box", "ann", "linux-x86_64", "3.11.2", tmux, 2, 4 * GIB, "m1", "b1", 0, owned)


def host(name: str = "vm1", free: int = 2 * GIB, **changes: object) -> Host:
    sample = HostSample(NOON, 12.0, 4 * GIB - free, 4 * GIB)
    made = Host(name, f"ann@{name}", LinkState.UP, NOON - 60 * MINUTE, seen=NOON, facts=facts(), sample=sample)
    return replace(made, **changes)  # type: ignore[arg-type]


def order(verb: str, name: str = "docs-1", op: int = 1, at: int = NOON, who: str = "") -> Order:
    """An order about an agent of vm1 that is on its way."""
    return Order(op, verb, "vm1", name, 1, at, who)


def agent(name: str = "docs-1", on: str = "vm1", state: State = State.WORKING, **changes: object) -> Agent:
    made = Agent(
        on,
        name,
        1,
        AgentKind.HEADLESS,
        state,
        NOON - 5 * MINUTE,
        task="write the docs",
        session="s-1",
        model="claude-opus-5-5",
    )
    made = replace(made, **changes)  # type: ignore[arg-type]
    return made if "ordered" in changes else replace(made, ordered=Work(made.kind, made.profile, made.model, made.cwd))


def question(text: str = "git push", id_: str = "q1") -> Question:
    return Question(id_, QuestionKind.PERMISSION, f"run: {text}", text, NOON - 2 * MINUTE)


def fleet(*agents: Agent, hosts: tuple[Host, ...] = (), limits: Limits | None = None) -> Fleet:
    hosts = hosts or (host(),)
    return Fleet(
        "room-1",
        {one.name: one for one in hosts},
        {one.id: one for one in agents},
        {"docs": Profile("docs", model="claude-sonnet-5-5", cwd="project")},
        limits or Limits(),
    )


def task(number: int, what: str = "write a test", **changes: object) -> Task:
    made = Task(number, what, TaskState.WAITING, NOON - MINUTE, NOON - MINUTE, place=float(number))
    return replace(made, **changes)  # type: ignore[arg-type]


def with_tasks(world: Fleet, *tasks: Task, **rules: int) -> Fleet:
    queue = Queue(rules=replace(QueueRules(), **rules))
    return replace(world, tasks={one.id: one for one in tasks}, queue=queue)


# --------------------------------------------------------------------------- many of them

names = st.sampled_from(["a", "b", "docs-1"])
hosts = st.sampled_from(["vm1", "vm2"])
epochs = st.integers(1, 3)
times = st.integers(NOON, NOON + 10 * MINUTE)
states = st.sampled_from(list(State))
pendings = st.builds(
    Order,
    st.integers(1, 5),
    st.sampled_from(["spawn", "kill", "reassign", "forget"]),
    hosts,
    names,
    st.integers(1, 3),
    times,
)
agents = st.builds(
    lambda on, name, epoch, state, at: Agent(on, name, epoch, AgentKind.HEADLESS, state, at),
    hosts,
    names,
    epochs,
    states,
    times,
)
others = st.builds(
    lambda on, name, state, at: Agent(on, name, 0, AgentKind.ADOPTED, state, at, place="tmux work", pane="%1"),
    hosts,
    st.sampled_from(["~work", "~work-2"]),
    st.sampled_from([State.IDLE, State.WORKING, State.UNKNOWN, State.WAITING]),
    times,
)
money = st.integers(0, 10**9)
budgets = st.dictionaries(
    st.sampled_from(["day", "hour"]),
    st.builds(
        lambda name, spent, granted: Budget(
            name,
            "fleet",
            Period.DAY,
            BudgetUnit.BILLED,
            10**9,
            95 * 10**7,
            spent=spent,
            granted=granted,
            rungs=(Rung(95, RungAction.PAUSE),),
        ),
        st.sampled_from(["day", "hour"]),
        st.none() | money,
        money,
    ),
)
readings = st.dictionaries(
    st.sampled_from(["ann 5 h", "ann week"]),
    st.builds(
        lambda used, shares: Headroom("ann", "5 h", LimitKind.WINDOW, used, 100, shares=shares),
        st.none() | st.integers(0, 100),
        st.dictionaries(st.just("vm1/a"), st.integers(0, 1000)),
    ),
)
ids = st.builds(lambda on, name: f"{on}/{name}", hosts, names | st.just("~work"))
happenings = st.one_of(
    st.builds(events.HostAdded, hosts, st.just("ann@vm"), times),
    st.builds(events.HostRemoved, hosts),
    st.builds(events.LinkChanged, hosts, st.sampled_from(list(LinkState)), times, st.just("because")),
    st.builds(events.HostMet, hosts, st.just(facts()), times),
    st.builds(
        events.HostSampled, hosts, st.builds(HostSample, times, st.floats(0, 100), st.integers(1, GIB), st.just(GIB))
    ),
    st.builds(events.HostNoticed, hosts, st.just("hm"), times),
    st.builds(
        events.AgentsObserved,
        hosts,
        st.lists(agents, max_size=4).map(tuple),
        times,
        st.booleans(),
        st.lists(names, max_size=2).map(tuple),
    ),
    st.builds(events.AdoptedObserved, hosts, st.lists(others, max_size=3).map(tuple), times, st.booleans()),
    st.builds(events.AdoptedForgotten, st.sampled_from(["vm1/~a", "vm1/docs-1"])),
    st.builds(events.SpendingSeen, hosts, st.dictionaries(ids, money)),
    st.builds(events.MoneySeen, st.builds(Money, money, money, money, money)),
    st.builds(events.BudgetsSeen, budgets),
    st.builds(events.HeadroomSeen, readings),
    st.builds(
        events.Alarmed, st.sampled_from(["ledger", "budget day"]), st.none() | st.builds(Alarm, st.text(max_size=9))
    ),
    st.builds(events.Ordered, pendings, st.none() | agents),
    st.builds(
        events.Concluded,
        st.integers(1, 5),
        ids,
        st.builds(Result, st.sampled_from(list(Outcome)), st.just("so")),
        times,
    ),
    st.builds(
        events.LinesSeen,
        hosts,
        st.lists(st.builds(events.LineSeen, ids, epochs | st.just(0), st.text(max_size=9), times), max_size=3).map(
            tuple
        ),
        times,
    ),
    st.builds(
        events.LoadsSeen,
        hosts,
        st.lists(
            st.builds(
                events.LoadSeen, ids, epochs | st.just(0), st.integers(0, GIB), st.floats(0, 200), st.integers(1, 9)
            ),
            max_size=3,
        ).map(tuple),
        times,
    ),
)


def clock(at: int) -> str:
    """The time of day, in UTC."""
    return datetime.fromtimestamp(at / 1000, timezone.utc).strftime("%H:%M")


def share_out(funds: Sequence[Fund], runs: Iterable[Run], ends: Mapping[tuple[str, str, int], int]) -> list[NextGrant]:
    """What is to be granted now, to whom: only what changes. `ends`: when a run's grant is to end (0: never).

    A run whose grant is to end much later than it does is given it anew; one that no budget binds any more is let free.
    """
    sharing = Sharing(Balances(funds))
    for run in runs:
        sharing.balances.put(run)
    return sharing.shares(lambda run, _: ends.get(run.key, 0))
