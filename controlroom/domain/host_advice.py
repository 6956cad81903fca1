"""Advice about hosts that are too full, too busy, or idle: when it stands, and what can be done. Pure.

It goes by whole five-minute means, so that no peak raises it; it ends well below the line that raised it, so that it
does not come and go. Times are UTC milliseconds, shares per cent of the machine.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from controlroom.domain.calculators.offers import Machine, Market
from controlroom.domain.history import STEP, Metric
from controlroom.domain.model import Agent, Fleet, Host, LinkState, State
from controlroom.domain.queue.dispatch import World
from controlroom.domain.queue.drains import carried_out, leavers, residents, targets
from controlroom.domain.tasks import Drain, Task
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import StrEnum

MOST_MOVES = 10
"""Agents that are advised to move at once."""

SPARE = 10
"""Per cent below the line that a host is relieved to."""

LOOKED_BACK = 7 * 3_600_000
"""Milliseconds of means that advice goes by."""


class Concern(StrEnum):
    """What advice is about."""

    MEMORY = "memory"
    CPU = "cpu"
    IDLE = "idle"

    @property
    def metric(self) -> Metric:
        """The means that it goes by."""
        return Metric.MEMORY if self is Concern.MEMORY else Metric.CPU


@dataclass(frozen=True)
class Band:
    """Where advice begins and ends: so many means in a row beyond one line, and so many behind the other."""

    begins: float
    after: int
    ends: float
    then: int
    rises: bool = True
    """It begins above its line; False: below."""

    def is_beyond(self, mean: float) -> bool:
        """Whether a mean lies where advice begins."""
        return mean >= self.begins if self.rises else mean <= self.begins

    def is_behind(self, mean: float) -> bool:
        """Whether a mean lies where advice ends."""
        return mean < self.ends if self.rises else mean > self.ends


def band(concern: Concern, memory_percent: int) -> Band:
    """When advice about this stands. `memory_percent`: how full a start may make a host's memory."""
    if concern is Concern.MEMORY:
        return Band(memory_percent, 6, memory_percent - SPARE / 2, 3)
    if concern is Concern.CPU:
        return Band(90.0, 6, 90.0 - SPARE / 2, 3)
    return Band(5.0, 72, 10.0, 1, rises=False)


Means = Sequence[tuple[int, float]]
"""When five minutes began, and their mean, oldest first."""


def stands_since(means: Means, line: Band, now: int) -> int:
    """Since when advice stands, 0: it does not. A gap begins the count anew; long silence ends what stood."""
    since = first = last = beyond = behind = 0
    for at, mean in means:
        if last and at - last > line.then * STEP:
            since = 0
        if not last or at - last != STEP:
            beyond = behind = 0
        beyond, behind = (beyond + 1 if line.is_beyond(mean) else 0), (behind + 1 if line.is_behind(mean) else 0)
        first = at if beyond == 1 else first
        if beyond >= line.after:
            since = since or first
        if behind >= line.then:
            since = 0
        last = at
    return since if since and now - (last + STEP) <= 3 * STEP else 0


@dataclass(frozen=True)
class Step:
    """An agent that may go on elsewhere, and where."""

    agent: Agent
    to: str
    task: Task | None = None


@dataclass(frozen=True)
class Advice:
    """What can be done about a host."""

    host: str
    concern: Concern
    line: float
    since: int
    moves: tuple[Step, ...] = ()
    """Agents that would bring it below its line, on other hosts that have room; as far as there are."""
    size: Machine | None = None
    """The next size that its provider sells: the next larger one, of an idle host the next smaller."""


def advise(fleet: Fleet, means: Mapping[tuple[str, Metric], Means], market: Market, now: int) -> tuple[Advice, ...]:
    """Say what can be done about each host that it is to be said of, the most pressing thing of each first."""
    found = []
    for host in fleet.hosts.values():
        if host.link is LinkState.UP and host.drain is None and host.facts is not None and host.facts.owned:
            for concern in Concern:
                kept = means.get((host.name, concern.metric), ())
                if (advice := _advice(fleet, host, concern, kept, market, now)) is not None:
                    found.append(advice)
                    break
    return tuple(found)


def _advice(fleet: Fleet, host: Host, concern: Concern, means: Means, market: Market, now: int) -> Advice | None:
    line = band(concern, fleet.queue.rules.memory_percent)
    since = stands_since(means, line, now)
    if not since:
        return None
    size = sold(market, host.size)
    if concern is Concern.IDLE:
        if size is None or residents(fleet, host.name):
            return None  # it costs nobody anything, as far as is known
        smaller = [one for one in _others(market, size) if one.month < size.month and one.memory < size.memory]
        return Advice(host.name, concern, line.begins, since, size=max(smaller, key=_price, default=None))
    mean = means[-1][1]
    larger = _larger(market, size, concern, mean, line)
    return Advice(host.name, concern, line.begins, since, relief(fleet, host, concern, mean, now), larger)


def sold(market: Market, name: str) -> Machine | None:
    """The size that a host says it has, as it is sold; None: it says none, or nobody sells that."""
    wanted = name.casefold()
    each = ((one, one.name.casefold(), f"{one.provider}/{one.name}".casefold()) for one in market.machines)
    return next((one for one, *names in each if wanted and wanted in names), None)


def _others(market: Market, size: Machine) -> Iterable[Machine]:
    return (one for one in market.machines if one.provider == size.provider and one != size)


def _price(machine: Machine) -> tuple[int, int]:
    return machine.month, machine.memory


def _larger(market: Market, size: Machine | None, concern: Concern, mean: float, line: Band) -> Machine | None:
    """The cheapest larger size on which the same work would stay below the line."""
    if size is None:
        return None
    least = mean / (line.begins - SPARE)

    def has(machine: Machine) -> int:
        return machine.memory if concern is Concern.MEMORY else machine.vcpus

    larger = (one for one in _others(market, size) if has(one) > has(size) and has(one) >= least * has(size))
    return min(larger, key=_price, default=None)


def relief(fleet: Fleet, host: Host, concern: Concern, mean: float, now: int) -> tuple[Step, ...]:
    """The fewest agents that would bring a host well below its line, and where they would go on.

    As many as other hosts have room for; measured use decides, and of which there is no reading does not count.
    """
    line = band(concern, fleet.queue.rules.memory_percent)
    excess = _excess(host, concern, mean, line)
    emptied = replace(host, drain=Drain("", 0, move=True))
    meant, carried = replace(fleet, hosts={**fleet.hosts, host.name: emptied}), carried_out(fleet)
    steps: list[Step] = []
    weighed = ((_use(agent, concern), agent) for agent in leavers(meant, emptied, carried))
    for use, agent in sorted(weighed, key=lambda pair: (-pair[0], pair[1].id)):
        if excess <= 0 or use <= 0 or len(steps) >= MOST_MOVES:
            break
        task = carried.get(agent.id)
        target = World(meant, now).elsewhere(agent, task, targets(meant, emptied, agent))
        if isinstance(target, str):
            steps.append(Step(agent, target, task))
            excess -= use
            there = replace(agent, host=target, state=State.STARTING, started=now, since=now, rss=None)
            meant = replace(meant, agents={**meant.agents, there.id: there})
    return tuple(steps)


def _excess(host: Host, concern: Concern, mean: float, line: Band) -> float:
    """How much is to go: bytes, or per cent of one core."""
    share = (mean - (line.begins - SPARE)) / 100
    if concern is Concern.MEMORY:
        total = host.sample.memory_total if host.sample else None
        return share * (total or (host.facts.memory_total if host.facts else 0))
    return share * 100 * (host.facts.cores if host.facts else 1)


def _use(agent: Agent, concern: Concern) -> float:
    return float((agent.rss if concern is Concern.MEMORY else agent.cpu_percent) or 0)
