"""(Fleet, Event) -> Fleet: the only way a fleet changes.

An event about a host or agent that is not (or no longer) known changes nothing: late news is not an error.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from controlroom.domain import events
from controlroom.domain.model import Agent, Fleet, Host, LinkState, State, moved
from controlroom.domain.money import logins, stray

HISTORY = 60
"""Values of each figure kept per host for its history bars: one for each `SLOT`."""

SLOT = 5_000
"""Milliseconds that one value of a history stands for: five minutes in all."""

V = TypeVar("V")
N = TypeVar("N", int, float)


def reduce(fleet: Fleet, event: events.Event) -> Fleet:
    """Give the fleet after `event`. What did not change is the same object, so readers can compare by identity."""
    return _STEPS[type(event)](fleet, event)


def _with(mapping: Mapping[str, V], key: str, value: V) -> dict[str, V]:
    return {**mapping, key: value}


def _without(mapping: Mapping[str, V], *keys: str) -> dict[str, V]:
    return {key: value for key, value in mapping.items() if key not in keys}


def _set_host(fleet: Fleet, host: Host) -> Fleet:
    return replace(fleet, hosts=_with(fleet.hosts, host.name, host))


def _configured(fleet: Fleet, event: events.Configured) -> Fleet:
    hosts = {
        name: fleet.hosts.get(name) or Host(name, address, since=event.at) for name, address in event.hosts.items()
    }
    agents = {key: agent for key, agent in fleet.agents.items() if agent.host in hosts}
    return replace(fleet, profiles=dict(event.profiles), limits=event.limits, hosts=hosts, agents=agents)


def _host_added(fleet: Fleet, event: events.HostAdded) -> Fleet:
    return _set_host(fleet, Host(event.host, event.address, since=event.at))


def _host_removed(fleet: Fleet, event: events.HostRemoved) -> Fleet:
    agents = {key: agent for key, agent in fleet.agents.items() if agent.host != event.host}
    return replace(fleet, hosts=_without(fleet.hosts, event.host), agents=agents)


def _link_changed(fleet: Fleet, event: events.LinkChanged) -> Fleet:
    host = fleet.hosts.get(event.host)
    if host is None:
        return fleet
    since = host.since if host.link is event.link else event.at
    reason = event.reason.removeprefix(f"{event.host}: ")  # the name stands beside it wherever it is shown
    changed = replace(host, link=event.link, since=since, reason=reason, question=event.question)
    return fleet if changed == host else _set_host(fleet, changed)


def _host_met(fleet: Fleet, event: events.HostMet) -> Fleet:
    host = fleet.hosts.get(event.host)
    if host is None:
        return fleet
    met = replace(
        host, link=LinkState.UP, since=event.at, reason="", question=None, seen=event.at, facts=event.facts, notice=""
    )
    return _set_host(fleet, met)


def _host_sampled(fleet: Fleet, event: events.HostSampled) -> Fleet:
    host = fleet.hosts.get(event.host)
    if host is None:
        return fleet
    sample = event.sample
    memory = None
    if sample.memory_used and sample.memory_total:
        memory = round(100 * sample.memory_used / sample.memory_total, 1)
    network = None if sample.network_in is None else sample.network_in + (sample.network_out or 0)
    slots = _slots(host, sample.at)
    sampled = replace(
        host,
        sample=sample,
        seen=max(host.seen, sample.at),
        cpu_history=_longer(host.cpu_history, sample.cpu_percent, slots),
        memory_history=_longer(host.memory_history, memory, slots),
        iowait_history=_longer(host.iowait_history, sample.iowait_percent, slots),
        network_history=_longer(host.network_history, network, slots),
    )
    return _set_host(fleet, sampled)


def _slots(host: Host, at: int) -> int:
    """Count the slots from the last sample to this one: all that passed, as a host that says nothing is as it was.

    What passed while the link was down is nobody's knowledge.
    """
    if host.sample is None:
        return 1
    passed = at // SLOT - host.sample.at // SLOT
    return max(0, min(passed, 1 if host.sample.at < host.since else HISTORY))


def _longer(history: tuple[N, ...], value: N | None, slots: int) -> tuple[N, ...]:
    """Add a value `slots` after the last one, which stands for those between; 0: instead of the last one."""
    if value is None:
        return history
    kept = history if slots else history[:-1]
    between = history[-1:] * (slots - 1)
    return (kept + between + (value,))[-HISTORY:]


def _host_owned(fleet: Fleet, event: events.HostOwned) -> Fleet:
    host = fleet.hosts.get(event.host)
    if host is None or host.facts is None:
        return fleet
    facts = replace(host.facts, owned=event.owned, owner_epoch=event.epoch)
    return fleet if facts == host.facts else _set_host(fleet, replace(host, facts=facts))


def _host_noticed(fleet: Fleet, event: events.HostNoticed) -> Fleet:
    host = fleet.hosts.get(event.host)
    return _set_host(fleet, replace(host, notice=event.text, seen=max(host.seen, event.at))) if host else fleet


def _agents_observed(fleet: Fleet, event: events.AgentsObserved) -> Fleet:
    if event.host not in fleet.hosts:
        return fleet
    agents = dict(fleet.agents)
    theirs = [seen for seen in event.agents if seen.host == event.host]
    for seen in theirs:
        agents[seen.id] = _observed(agents.get(seen.id), seen)
    present = {agent.id for agent in theirs}
    for agent in fleet.agents_on(event.host):
        missing = agent.name in event.gone or (event.complete and agent.id not in present)
        if missing and not _awaited(agent) and not agent.adopted:
            agents.pop(agent.id, None)
    watched = stray.watched(replace(fleet, agents=agents), event.host, theirs)
    return logins.watched(watched, event.host, theirs)


def _foreign_observed(fleet: Fleet, event: events.ForeignObserved) -> Fleet:
    if event.host not in fleet.hosts:
        return fleet
    here = {agent.id: agent for agent in fleet.agents_on(event.host) if agent.adopted}
    seen = {agent.id: _observed(here.get(agent.id), agent) for agent in event.agents if agent.host == event.host}
    if here == seen:
        return fleet
    others = {key: agent for key, agent in fleet.agents.items() if key not in here}
    return stray.watched(replace(fleet, agents=others | seen), event.host, seen.values())


def _awaited(agent: Agent) -> bool:
    """A spawn or reassign that is on its way: the host need not know of it yet."""
    return agent.pending is not None and agent.pending.verb in ("spawn", "reassign", "resume")


def _observed(known: Agent | None, seen: Agent) -> Agent:
    """Merge what the host says with what only we keep: loads, the last line, the order on its way."""
    if known is None:
        return seen
    if known.epoch > seen.epoch:
        return known if _awaited(known) else seen
    if known.epoch < seen.epoch:
        return replace(seen, pending=known.pending, spent=known.spent)
    merged = replace(
        seen,
        pending=known.pending,
        rss=known.rss,
        cpu_percent=known.cpu_percent,
        processes=known.processes,
        spent=None if seen.adopted and seen.session != known.session else known.spent,
        last_line=known.last_line,
        last_line_at=known.last_line_at,
    )
    if merged.has_ended:
        merged = replace(merged, rss=None, cpu_percent=None, processes=None)
    return known if merged == known else merged


def _lines_seen(fleet: Fleet, event: events.LinesSeen) -> Fleet:
    agents = dict(fleet.agents)
    for line in event.lines:
        agent = agents.get(line.agent)
        if agent and agent.epoch == line.epoch and agent.host == event.host:
            agents[line.agent] = moved(agent, last_line=line.text, last_line_at=line.at)
    return replace(_seen(fleet, event.host, event.at), agents=agents)


def _loads_seen(fleet: Fleet, event: events.LoadsSeen) -> Fleet:
    agents = dict(fleet.agents)
    for load in event.loads:
        agent = agents.get(load.agent)
        if agent and agent.epoch == load.epoch and agent.host == event.host and not agent.has_ended:
            agents[load.agent] = moved(agent, rss=load.rss, cpu_percent=load.cpu_percent, processes=load.processes)
    return replace(_seen(fleet, event.host, event.at), agents=agents)


def _spending_seen(fleet: Fleet, event: events.SpendingSeen) -> Fleet:
    changed = {
        key: replace(agent, spent=spent)
        for key, spent in event.spent.items()
        if (agent := fleet.agents.get(key)) and agent.host == event.host and agent.spent != spent
    }
    return replace(fleet, agents={**fleet.agents, **changed}) if changed else fleet


def _money_seen(fleet: Fleet, event: events.MoneySeen) -> Fleet:
    return fleet if fleet.money == event.money else replace(fleet, money=event.money)


def _budgets_seen(fleet: Fleet, event: events.BudgetsSeen) -> Fleet:
    kept = _kept(fleet.budgets, event.budgets)
    return fleet if kept is fleet.budgets else replace(fleet, budgets=kept)


def _headroom_seen(fleet: Fleet, event: events.HeadroomSeen) -> Fleet:
    kept = _kept(fleet.headroom, event.headroom)
    return fleet if kept is fleet.headroom else replace(fleet, headroom=kept)


def _kept(old: Mapping[str, V], new: Mapping[str, V]) -> Mapping[str, V]:
    """Give the new records, those that are as they were as the same objects."""
    if old == new:
        return old
    return {key: old[key] if old.get(key) == value else value for key, value in new.items()}


def _alarmed(fleet: Fleet, event: events.Alarmed) -> Fleet:
    if fleet.alarms.get(event.about) == event.alarm:
        return fleet
    if event.alarm is None:
        return replace(fleet, alarms=_without(fleet.alarms, event.about))
    return replace(fleet, alarms=_with(fleet.alarms, event.about, event.alarm))


def _seen(fleet: Fleet, name: str, at: int) -> Fleet:
    """Note that a host was heard; to the second, so that a busy host does not become a new record every time."""
    host = fleet.hosts.get(name)
    if host is None or at - host.seen < 1000:
        return fleet
    return _set_host(fleet, replace(host, seen=at))


def _ordered(fleet: Fleet, event: events.Ordered) -> Fleet:
    known = fleet.agents.get(event.agent)
    agent = replace(event.row, spent=known.spent) if event.row and known else event.row or known
    if agent is None or agent.host not in fleet.hosts:
        return fleet
    return replace(fleet, agents=_with(fleet.agents, agent.id, replace(agent, pending=event.pending)))


def _concluded(fleet: Fleet, event: events.Concluded) -> Fleet:
    agent = fleet.agents.get(event.agent)
    if agent is None or agent.pending is None or agent.pending.op != event.op:
        return fleet
    verb = agent.pending.verb
    if verb == "forget" and event.outcome == "done":
        return replace(fleet, agents=_without(fleet.agents, event.agent))
    concluded = replace(agent, pending=None)
    if event.outcome != "done" and _awaited(agent) and concluded.state is State.STARTING:
        concluded = replace(concluded, state=State.FAILED, since=event.at, ended=event.at, detail=event.reason)
    return replace(fleet, agents=_with(fleet.agents, event.agent, concluded))


_STEPS: dict[type, Callable[[Fleet, Any], Fleet]] = {
    events.Configured: _configured,
    events.HostAdded: _host_added,
    events.HostRemoved: _host_removed,
    events.LinkChanged: _link_changed,
    events.HostMet: _host_met,
    events.HostSampled: _host_sampled,
    events.HostOwned: _host_owned,
    events.HostNoticed: _host_noticed,
    events.AgentsObserved: _agents_observed,
    events.ForeignObserved: _foreign_observed,
    events.LinesSeen: _lines_seen,
    events.LoadsSeen: _loads_seen,
    events.SpendingSeen: _spending_seen,
    events.MoneySeen: _money_seen,
    events.BudgetsSeen: _budgets_seen,
    events.HeadroomSeen: _headroom_seen,
    events.Alarmed: _alarmed,
    events.Ordered: _ordered,
    events.Concluded: _concluded,
}
