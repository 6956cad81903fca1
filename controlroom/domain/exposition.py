"""The figures of a room as monitoring systems take them: families of samples, named for good and bounded in number.

Pure. Every value is a number in the base unit of its name (seconds, dollars, a ratio from 0 to 1); what is not known
has no sample. Names that come from people or hosts are made safe, and of too many of them the rest is left out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from controlroom.domain.figures import Figures
from controlroom.domain.history import Metric
from controlroom.domain.model import Fleet, State
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.sanitize import redact, sanitize

MOST_NAMES = 100
"""Profiles, limits and budgets of which there are samples; the most used come first."""

_LONGEST = 100
"""Characters of a name."""

Labels = tuple[str, ...]

Samples = Mapping[Labels, float]
"""Values by those of their labels."""


@dataclass(frozen=True)
class Family:
    """Samples of one name."""

    name: str
    says: str
    samples: Samples
    labels: Labels = ()
    counts: bool = False
    """It counts what has happened since the engine began; else it is a value of now."""


def families(fleet: Fleet, figures: Figures, counted: Mapping[Metric, int]) -> list[Family]:
    """Every family that there is something to say of. `counted`: what has happened since the engine began."""
    all_of_them = (*_work(figures, counted), *_agents(fleet, figures), *_use(fleet, figures))
    return [family for family in all_of_them if family.samples]


def _work(figures: Figures, counted: Mapping[Metric, int]) -> Iterator[Family]:
    states: Samples = {("waiting",): figures.waiting, ("running",): figures.running, ("held",): figures.held}
    yield Family("tasks", "Open tasks.", states, ("state",))
    yield _value("oldest_wait_seconds", "The longest wait of a task that may start.", _s(figures.oldest_wait))
    yield _value("median_wait_seconds", "The median wait of tasks that may start.", _s(figures.median_wait))
    for metric, name, says in (
        (Metric.DONE, "tasks_done", "Tasks that were done."),
        (Metric.FAILED, "tasks_failed", "Tasks that failed for good."),
        (Metric.BEGUN, "attempts", "Attempts at tasks that began."),
    ):
        yield Family(name, says, {(): counted.get(metric, 0)}, counts=True)
    refused: Samples = {("429",): counted.get(Metric.RATE_LIMITED, 0), ("529",): counted.get(Metric.OVERLOADED, 0)}
    yield Family("api_refused", "Requests that the API refused.", refused, ("status",), counts=True)
    answers = {("0.5",): _s(figures.answer_median), ("0.95",): _s(figures.answer_95)}
    known: Samples = {quantile: value for quantile, value in answers.items() if value is not None}
    yield Family("api_answer_seconds", "Time of the API's answers in the last hour.", known, ("quantile",))
    yield _value("finished_task_usd", "What a task that was done today has cost on average.", _usd(figures.task_cost))


def _agents(fleet: Fleet, figures: Figures) -> Iterator[Family]:
    states = Counter(str(fleet.state_of(agent)) for agent in fleet.agents.values() if not agent.adopted)
    every: Samples = {(str(state),): states[str(state)] for state in State}
    yield Family("agents", "Agents by their state, on all hosts, without adopted ones.", every, ("state",))
    yield _value("agents_most", "The queue starts no more agents than that.", figures.most_agents)
    busy = figures.busy_percent
    yield _value("busy_ratio", "How much of the last hour agents worked.", None if busy is None else busy / 100)
    costs = {("api",): _usd(figures.agent_hour_billed), ("plan",): _usd(figures.agent_hour_covered)}
    hours: Samples = {labels: cost for labels, cost in costs.items() if cost is not None}
    yield Family("agent_hour_usd", "What an hour of an agent has cost today.", hours, ("billing",))


def _use(fleet: Fleet, figures: Figures) -> Iterator[Family]:
    rows = sorted(figures.rows, key=lambda row: -row.micro)
    kinds = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
    tokens = [((row.key, kind), getattr(row, kind)) for row in rows for kind in kinds]
    yield _named("day_tokens", "Tokens since the day began.", tokens, ("profile", "kind"), len(kinds))
    money = [((row.key, str(row.billing) or "unknown"), row.micro / 1_000_000) for row in rows]
    yield _named("day_usd", "Spent since the day began, at list prices.", money, ("profile", "billing"))
    limits = [((one.account, one.name), one.used_percent) for one in fleet.headroom.values()]
    used = [(labels, percent / 100) for labels, percent in limits if percent is not None]
    used.sort(key=lambda pair: -pair[1])
    yield _named("limit_used_ratio", "How much of a limit is used.", used, ("account", "limit"))
    budgets = [
        ((one.name,), one.spent / one.limit) for one in fleet.budgets.values() if one.limit and one.spent is not None
    ]
    yield _named("budget_spent_ratio", "How much of a budget is spent.", budgets, ("budget",))


def _named(name: str, says: str, samples: Iterable[tuple[Labels, float]], labels: Labels, each: int = 1) -> Family:
    """A family whose labels are names of others; what is called alike once it is safe is summed."""
    kept: dict[Labels, float] = {}
    for names, value in samples:
        safe = tuple(_safe(part) for part in names)
        if safe in kept or len(kept) < MOST_NAMES * each:
            kept[safe] = kept.get(safe, 0.0) + value
    return Family(name, says, kept, labels)


def _safe(name: str) -> str:
    return redact(sanitize(name, _LONGEST))


def _value(name: str, says: str, value: float | None) -> Family:
    return Family(name, says, {} if value is None else {(): value})


def _s(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _usd(micro: int | None) -> float | None:
    return None if micro is None else micro / 1_000_000
