"""One host in the place of another: whether that can be, and what it takes over. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from controlroom.domain.budgets import ScopeKind, read_scope
from controlroom.domain.intents import ReplaceHost
from controlroom.domain.model import Agent, Fleet, Host, Profile
from controlroom.domain.money import ladder
from controlroom.domain.money.budget import BudgetRule, problem
from controlroom.domain.preconditions import Refusal, reachable, takes_work, unfit
from controlroom.domain.queue.dispatch import is_at_work
from controlroom.domain.queue.drains import carried_out, drained, residents, why_it_stays
from controlroom.domain.tasks import Drain, Task
from controlroom.domain.words import named_some, size
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import AgentKind


@dataclass(frozen=True)
class Replacement:
    """What becomes of a room when one host takes the place of another."""

    drain: Drain
    """Of the host that is replaced."""
    labels: tuple[str, ...] = ()
    """Those that its successor takes over; none: it has its own."""
    budgets: tuple[BudgetRule, ...] = ()
    """Those that its successor gets."""
    tasks: tuple[Task, ...] = ()
    """Open ones that are to be done on its successor from now on."""
    notes: tuple[str, ...] = ()
    """What a person has to do by hand, a sentence each."""

    @property
    def words(self) -> str:
        """What is taken over, and what is left to do by hand."""
        parts = [f"labels {', '.join(self.labels)}"] * bool(self.labels)
        parts += [f"budget {rule.name}" for rule in self.budgets]
        parts += [f"{len(self.tasks)} task{'s' * (len(self.tasks) != 1)} wanted there"] * bool(self.tasks)
        taken = f"{self.drain.to} takes over {'; '.join(parts)}" if parts else ""
        return ". ".join(filter(None, (taken, *self.notes)))


def replaced(fleet: Fleet, intent: ReplaceHost, who: str, now: int, fixed: Iterable[str] = ()) -> Replacement:
    """What it takes for a host to take the place of another. Raises `Refusal` for what is known against it.

    `fixed`: hosts of config.toml, which no verb writes.
    """
    if intent.name == intent.by:
        raise Refusal(f"{intent.name} cannot take its own place: say which host takes it")
    old, new = reachable(fleet, intent.name, now), takes_work(reachable(fleet, intent.by, now))
    _check_machine(new)
    takes = old.labels if old.labels and not new.labels and new.name not in fixed else ()
    wish = Drain(who, now, intent.reason, True, intent.batch, to=new.name)
    host = drained(fleet, old.name, wish)
    assert host.drain is not None
    tasks = tuple(replace(task, host=new.name) for task in fleet.tasks.values() if _is_wanted_on(task, old.name))
    after = replace(fleet, tasks={**fleet.tasks, **{task.id: task for task in tasks}})
    carried = carried_out(after)
    here = residents(after, old.name)
    leaves = [agent for agent in here if not why_it_stays(after, host, agent, carried.get(agent.id))]
    labelled = replace(new, labels=takes or new.labels)
    _check_names(fleet, new, leaves)
    _check_labels(fleet, labelled, leaves, carried.values(), tasks, old)
    _check_fit(fleet, new, leaves)
    _check_room(fleet, old, new, leaves)
    budgets = _budgets(fleet, old.name, new.name)
    return Replacement(host.drain, takes, budgets, tasks, tuple(_notes(fleet, old, new, fixed)))


def _is_wanted_on(task: Task, host: str) -> bool:
    return task.host == host and task.state.is_open


def _check_machine(new: Host) -> None:
    if new.facts is not None and new.facts.lacks_tmux:
        raise Refusal(f"{new.name} has no tmux: install it there (apt-get install tmux)")
    if new.sample is None or new.sample.memory_total is None or new.sample.memory_used is None:
        raise Refusal(f"{new.name} has not said yet how much memory is free: try again in a moment")


def _check_names(fleet: Fleet, new: Host, leaves: Sequence[Agent]) -> None:
    rows = [(agent.name, fleet.agents.get(f"{new.name}/{agent.name}")) for agent in leaves]
    taken = [name for name, row in rows if row is not None and (row.pending or is_at_work(row))]
    if taken:
        raise Refusal(
            f"on {new.name} others are at work under the names {named_some(taken)}: end them, or move them elsewhere"
        )


def _check_labels(
    fleet: Fleet, new: Host, leaves: Sequence[Agent], carried: Iterable[Task], tasks: Sequence[Task], old: Host
) -> None:
    profiles = {agent.ordered.profile for agent in leaves if agent.ordered} | {task.profile for task in tasks}
    wanted = {label for name in profiles for label in fleet.profiles.get(name, Profile("")).labels}
    ids = {agent.id for agent in leaves}
    wanted |= {label for task in (*carried, *tasks) for label in task.labels if task in tasks or _of(task) in ids}
    if missing := sorted(wanted.difference(new.labels)):
        raise Refusal(
            f"{new.name} lacks the label {', '.join(missing)}, which what is at work on {old.name} needs: give it "
            f"these in its table, labels = [{', '.join(map(_quoted, missing))}]"
        )


def _quoted(label: str) -> str:
    return f'"{label}"'


def _of(task: Task) -> str:
    return task.last.id if task.last else ""


def _check_fit(fleet: Fleet, new: Host, leaves: Sequence[Agent]) -> None:
    for agent in leaves:
        work = agent.ordered
        profile = fleet.profiles.get(work.profile) if work else None
        command = profile.command if profile else ()
        if work is not None and (lacks := unfit(fleet, new.name, work.kind, command, profile)):
            raise Refusal(f"{new.name} is not fit for {agent.name}: {lacks}")


def _check_room(fleet: Fleet, old: Host, new: Host, leaves: Sequence[Agent]) -> None:
    rules, sample = fleet.queue.rules, new.sample
    assert sample is not None
    there = sum(1 for agent in fleet.agents_on(new.name) if not agent.adopted and is_at_work(agent))
    most = rules.max_agents_per_host
    if most and there + len(leaves) > most:
        raise Refusal(
            f"{new.name} has {there} of at most {most} agents, and {len(leaves)} come from {old.name}: raise "
            "max_agents_per_host, or end some"
        )
    need = sum(_need(fleet, agent) for agent in leaves)
    assert sample.memory_total is not None
    assert sample.memory_used is not None
    free = sample.memory_total * rules.memory_percent // 100 - sample.memory_used
    if need > free:
        raise Refusal(
            f"{new.name} has {size(max(0, free))} left to give ({rules.memory_percent} % of its memory at most), and "
            f"what is at work on {old.name} takes {size(need)}: take a larger one, or let some of it end first"
        )


def _need(fleet: Fleet, agent: Agent) -> int:
    """The bytes that an agent takes, or is expected to take."""
    return agent.rss or (0 if agent.kind is AgentKind.COMMAND else fleet.limits.memory_per_agent)


def _budgets(fleet: Fleet, old: str, new: str) -> tuple[BudgetRule, ...]:
    """The budgets of a host, for the one that takes its place: none where that has any."""
    scopes = {name: read_scope(budget.scope) for name, budget in fleet.budgets.items()}
    if any(scope.kind is ScopeKind.HOST and scope.name == new for scope in scopes.values()):
        return ()
    rules = (
        replace(ladder.rule_of(fleet.budgets[name]), name=f"{name}-{new}"[:41], scope=f"{ScopeKind.HOST.value} {new}")
        for name, scope in scopes.items()
        if scope.kind is ScopeKind.HOST and scope.name == old
    )
    return tuple(rule for rule in rules if problem(rule) is None and rule.name not in fleet.budgets)


def _notes(fleet: Fleet, old: Host, new: Host, fixed: Iterable[str]) -> list[str]:
    """What only a person can change: it stands in config.toml, or is a right that they gave."""
    notes = [
        f"lead {lead.name} was given {old.name} and not {new.name}: its agents go there, and it begins nothing there"
        for lead in sorted(fleet.leads.values(), key=lambda lead: lead.name)
        if not lead.removed and old.name in lead.hosts and new.name not in lead.hosts
    ]
    if old.labels and not new.labels and new.name in fixed:
        notes.append(f"{new.name} stands in config.toml: write the labels of {old.name} there")
    for name, profile in sorted(fleet.profiles.items()):
        if old.name in profile.restarts.hosts and new.name not in profile.restarts.hosts:
            notes.append(
                f"profiles.{name}.keep_hosts names {old.name}: {new.name} counts instead while that is drained; write "
                f"{new.name} there before {old.name} leaves the room"
            )
    return notes
