"""(Fleet, Event) -> Fleet: the only way a fleet changes.

An event about a host or agent that is not (or no longer) known changes nothing: late news is not an error.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from controlroom.domain import clock_set, events
from controlroom.domain.alarms import (
    GAPS,
    LOAD,
    forget_overlaps,
    forget_payer,
    watch_disk,
    watch_logins,
    watch_overlaps,
    watch_payers,
    watch_preflights,
    watch_reboots,
    watch_restarts,
    watch_troubles,
)
from controlroom.domain.changes import Changes, Draft
from controlroom.domain.claims import paused
from controlroom.domain.drain_alarms import watch_drain
from controlroom.domain.imports import IMPORT, import_alarm
from controlroom.domain.model import Agent, Fleet, Host, LinkState, State
from controlroom.domain.orders import STARTS
from controlroom.text.states import Outcome

ADOPTED_SHOWN = 86_400_000
"""Milliseconds that one which has ended is shown, unless it is forgotten before."""

MOST_ADOPTED = 100
"""Of one host that have ended, the newest."""

END_UNSEEN = "it has ended, and nobody saw how: its exit code is not known"


def adopted_after(here: Mapping[str, Agent], seen: Iterable[Agent], at: int, *, complete: bool) -> dict[str, Agent]:
    """A host's agents of others when `seen` has been told of them; `complete`: those are all that live.

    `here`: those that were known before, by id; `at`: our clock.
    """
    newest = {agent.id: agent for agent in seen if complete or agent.has_ended or agent.id in here}
    kept = {key: agent for key, agent in here.items() if key not in newest}
    if complete:
        sessions = {agent.session for agent in newest.values() if agent.session}
        kept = {key: over for key, agent in kept.items() if (over := _over(agent, sessions, at)) is not None}
    shown = {key: agent for key, agent in (kept | newest).items() if not is_long_ended(agent, at)}
    ended = sorted((agent for agent in shown.values() if agent.has_ended), key=lambda agent: -agent.ended)
    beyond = {agent.id for agent in ended[MOST_ADOPTED:]}
    return {key: agent for key, agent in shown.items() if key not in beyond}


def _over(agent: Agent, sessions: set[str], at: int) -> Agent | None:
    """One that is not among those that live as it is kept, None when it is not.

    A tmux session without a Claude leaves nothing that could be known of it; a Claude's session that another goes on
    with, under whatever name, is that one's.
    """
    if agent.session in sessions:
        return None
    if agent.has_ended or not agent.session:
        return agent if agent.has_ended else None
    return replace(
        agent,
        state=State.UNKNOWN,
        since=at,
        ended=at,
        detail=END_UNSEEN,
        pid=None,
        pane="",
        limited_until=None,
        rss=None,
        rss_bound=False,
        cpu_percent=None,
        processes=None,
        evidence=(),
    )


def is_long_ended(agent: Agent, at: int) -> bool:
    """Whether one has ended so long ago that it is shown no more. `at`: our clock."""
    return agent.has_ended and at - agent.ended > ADOPTED_SHOWN


HISTORY = 60
"""Values of each figure kept per host for its history bars: one for each `SLOT`."""

SLOT = 5_000
"""Milliseconds that one value of a history stands for: five minutes in all."""

N = TypeVar("N", int, float)


def reduce(fleet: Fleet, event: events.Event) -> Fleet:
    """The fleet after `event`. What did not change is the same object, so readers can compare by identity."""
    return changed(fleet, event)[0]


def changed(fleet: Fleet, event: events.Event) -> tuple[Fleet, Changes]:
    """The fleet after `event`, and which of its records are others than before."""
    draft = Draft(fleet)
    _STEPS[type(event)](draft, event)
    return draft.done()


def _configured(draft: Draft, event: events.Configured) -> None:
    hosts = {name: draft.hosts.get(name) for name in event.hosts}
    draft.hosts.become(
        {
            name: replace(
                hosts[name] or Host(name, address, since=event.at),
                labels=event.labels.get(name, ()),
                size=event.sizes.get(name, ""),
            )
            for name, address in event.hosts.items()
        }
    )
    for host in draft.hosts.changed():
        if host not in event.hosts:
            _forget_agents(draft, host)
    draft.set_room(profiles=dict(event.profiles), limits=event.limits)


def _host_added(draft: Draft, event: events.HostAdded) -> None:
    draft.hosts.put(event.host, Host(event.host, event.address, since=event.at, labels=event.labels, size=event.size))


def _host_labelled(draft: Draft, event: events.HostLabelled) -> None:
    host = draft.hosts.get(event.host)
    if host is not None:
        draft.hosts.put(host.name, replace(host, labels=event.labels))


def _host_removed(draft: Draft, event: events.HostRemoved) -> None:
    draft.hosts.drop(event.host)
    watch_disk(draft, event.host, None, 0)
    watch_drain(draft, event.host, None)
    draft.alarms.drop(f"{LOAD}{event.host}")
    draft.alarms.drop(f"{GAPS}{event.host}")
    draft.alarms.drop(f"{IMPORT}{event.host}")
    _forget_agents(draft, event.host)


def _host_drained(draft: Draft, event: events.HostDrained) -> None:
    host = draft.hosts.get(event.host)
    if host is not None:
        draft.hosts.put(host.name, replace(host, drain=event.drain))
        watch_drain(draft, host.name, event.drain)
        if event.drain is not None:
            draft.alarms.drop(f"{LOAD}{host.name}")


def _forget_agents(draft: Draft, host: str) -> None:
    agents = [*draft.agents_on(host), *draft.agents_on(host, adopted=True)]
    for agent in agents:
        _drop(draft, agent)
    gone = [(agent, None) for agent in agents]
    watch_logins(draft, host, gone)
    watch_reboots(draft, host, gone)
    watch_troubles(draft, gone)


def _drop(draft: Draft, agent: Agent) -> None:
    draft.agents.drop(agent.id)
    forget_payer(draft, agent)
    forget_overlaps(draft, agent)


def _link_changed(draft: Draft, event: events.LinkChanged) -> None:
    host = draft.hosts.get(event.host)
    if host is None:
        return
    since = host.since if host.link is event.link else event.at
    reason = event.reason.removeprefix(f"{event.host}: ")  # the name stands beside it wherever it is shown
    changed = replace(host, link=event.link, since=since, reason=reason, question=event.question)
    draft.hosts.put(host.name, changed)


def _host_met(draft: Draft, event: events.HostMet) -> None:
    host = draft.hosts.get(event.host)
    if host is not None:
        since = event.at
        met = replace(host, link=LinkState.UP, since=since, reason="", question=None, seen=since, facts=event.facts)
        draft.hosts.put(host.name, replace(met, notice=""))


def _host_clock_seen(draft: Draft, event: events.HostClockSeen) -> None:
    _put_facts(draft, event.host, clock_offset=event.offset)


def _put_facts(draft: Draft, name: str, **changes: object) -> None:
    """Change some of what is known of a host since it was met."""
    host = draft.hosts.get(name)
    if host is not None and host.facts is not None:
        draft.hosts.put(name, replace(host, facts=replace(host.facts, **changes)))  # type: ignore[arg-type]


def _clock_set(draft: Draft, event: events.ClockSet) -> None:
    clock_set.moved(draft, event.by)


def _host_sampled(draft: Draft, event: events.HostSampled) -> None:
    host = draft.hosts.get(event.host)
    if host is None:
        return
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
    draft.hosts.put(host.name, sampled)
    watch_disk(draft, host.name, sample, sample.at)


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


def _host_owned(draft: Draft, event: events.HostOwned) -> None:
    _put_facts(draft, event.host, owned=event.owned, owner_epoch=event.epoch)


def _tmux_found(draft: Draft, event: events.TmuxFound) -> None:
    _put_facts(draft, event.host, tmux=event.version, tmux_problem=event.problem)


def _host_noticed(draft: Draft, event: events.HostNoticed) -> None:
    host = draft.hosts.get(event.host)
    if host is not None:
        draft.hosts.put(host.name, replace(host, notice=event.text, seen=max(host.seen, event.at)))


def _import_seen(draft: Draft, event: events.ImportSeen) -> None:
    host = draft.hosts.get(event.host)
    if host is None:
        return
    draft.hosts.put(host.name, replace(host, imported=event.imported))
    about = f"{IMPORT}{host.name}"
    if (alarm := import_alarm(host.name, event.imported)) is not None:
        draft.alarms.put(about, alarm)
    elif draft.alarms.get(about) is not None:
        draft.alarms.drop(about)


def _agents_observed(draft: Draft, event: events.AgentsObserved) -> None:
    if draft.hosts.get(event.host) is None:
        return
    theirs = [seen for seen in event.agents if seen.host == event.host]
    pairs: list[tuple[Agent | None, Agent | None]] = []
    for seen in theirs:
        before = draft.agents.get(seen.id)
        merged = _observed(before, seen)
        draft.agents.put(seen.id, merged)
        pairs.append((before, merged))
    for agent in _missing(draft, event, {agent.id for agent in theirs}):
        pairs.append((agent, None))
        _drop(draft, agent)
    watch_payers(draft, [seen.id for seen in theirs])
    watch_logins(draft, event.host, pairs)
    watch_reboots(draft, event.host, pairs)
    watch_troubles(draft, pairs)


def _missing(draft: Draft, event: events.AgentsObserved, present: set[str]) -> list[Agent]:
    """The agents that a host no longer has."""
    gone = [draft.agents.get(f"{event.host}/{name}") for name in event.gone]
    missing = [agent for agent in gone if agent is not None]
    if event.complete:
        missing += [agent for agent in draft.agents_on(event.host) if agent.id not in present]
    return [agent for agent in missing if not _awaited(agent) and not agent.adopted]


def _adopted_observed(draft: Draft, event: events.AdoptedObserved) -> None:
    if draft.hosts.get(event.host) is None:
        return
    theirs = [agent for agent in event.agents if agent.host == event.host]
    if event.complete or any(agent.has_ended for agent in theirs):
        _adopted_after(draft, event, theirs)
    else:
        for agent in theirs:
            before = draft.agents.get(agent.id)
            if before is not None and before.adopted:
                draft.agents.put(agent.id, now := _observed(before, agent))
                watch_troubles(draft, [(before, now)])
    watch_payers(draft, [agent.id for agent in theirs])


def _adopted_after(draft: Draft, event: events.AdoptedObserved, theirs: list[Agent]) -> None:
    """Take who lives and who has ended."""
    here = {agent.id: agent for agent in draft.agents_on(event.host, adopted=True)}
    observed = [_observed(_same(here, agent), agent) for agent in theirs]
    now = adopted_after(here, observed, event.at, complete=event.complete)
    for key, agent in here.items():
        if key not in now:
            _drop(draft, agent)
    for key, agent in now.items():
        draft.agents.put(key, agent)
    watch_troubles(draft, [(agent, now.get(key)) for key, agent in here.items() if agent.trouble])
    watch_troubles(draft, [(None, agent) for key, agent in now.items() if key not in here and agent.trouble])
    watch_payers(draft, here.keys() & now.keys())


def _same(here: Mapping[str, Agent], seen: Agent) -> Agent | None:
    """Find an agent of others as it was known: by its name, else by its Claude, whose name another node may give."""
    before = here.get(seen.id)
    if before is None and seen.session:
        before = next((one for one in here.values() if (one.session, one.pid) == (seen.session, seen.pid)), None)
    return before


def _adopted_forgotten(draft: Draft, event: events.AdoptedForgotten) -> None:
    agent = draft.agents.get(event.agent)
    if agent is not None and agent.adopted and agent.has_ended:
        _drop(draft, agent)


def _adoption_changed(draft: Draft, event: events.AdoptionChanged) -> None:
    agent = draft.agents.get(event.agent)
    if agent is not None and agent.adopted:
        draft.agents.put(agent.id, replace(agent, adoption=event.adoption))


def _adopted_troubled(draft: Draft, event: events.AdoptedTroubled) -> None:
    agent = draft.agents.get(event.agent)
    if agent is not None and agent.adopted and agent.trouble != event.trouble:
        troubled = replace(agent, trouble=event.trouble)
        draft.agents.put(agent.id, troubled)
        watch_troubles(draft, [(agent, troubled)])


def _awaited(agent: Agent) -> bool:
    """A spawn or reassign that is on its way: the host need not know of it yet."""
    return agent.pending is not None and agent.pending.verb in STARTS


def _observed(known: Agent | None, seen: Agent) -> Agent:
    """Merge what the host says with what only we keep: loads, the last line, the order on its way."""
    if known is None:
        return seen
    if known.epoch > seen.epoch:
        return known if _awaited(known) else seen
    if known.epoch < seen.epoch:
        return replace(seen, pending=known.pending, spent=known.spent, edited=known.edited)
    merged = replace(
        seen,
        pending=known.pending,
        rss=known.rss,
        rss_bound=known.rss_bound,
        cpu_percent=known.cpu_percent,
        processes=known.processes,
        spent=None if seen.adopted and seen.session != known.session else known.spent,
        last_line=known.last_line,
        last_line_at=known.last_line_at,
        edited=known.edited,
        trouble=known.trouble if seen.adopted and seen.mark == known.mark else seen.trouble,
    )
    if merged.has_ended:
        merged = replace(merged, rss=None, rss_bound=False, cpu_percent=None, processes=None)
    return known if merged == known else merged


def _lines_seen(draft: Draft, event: events.LinesSeen) -> None:
    for line in event.lines:
        agent = draft.agents.get(line.agent)
        if agent and agent.epoch == line.epoch and agent.host == event.host:
            draft.move(line.agent, agent, last_line=line.text, last_line_at=line.at)
    _heard(draft, event.host, event.at)


def _loads_seen(draft: Draft, event: events.LoadsSeen) -> None:
    for load in event.loads:
        agent = draft.agents.get(load.agent)
        if agent and agent.epoch == load.epoch and agent.host == event.host and not agent.has_ended:
            draft.move(
                load.agent,
                agent,
                rss=load.rss,
                rss_bound=load.rss_bound,
                cpu_percent=load.cpu_percent,
                processes=load.processes,
            )
    _heard(draft, event.host, event.at)


def _spending_seen(draft: Draft, event: events.SpendingSeen) -> None:
    for key, spent in event.spent.items():
        agent = draft.agents.get(key)
        if agent and agent.host == event.host:
            draft.move(key, agent, spent=spent)


def _edits_seen(_: Draft, __: events.EditsSeen) -> None:
    """What a host says of edits changes the fleet once it is joined with what others say."""


def _edits_joined(draft: Draft, event: events.EditsJoined) -> None:
    for key, edited in event.agents.items():
        agent = draft.agents.get(key)
        if agent is not None:
            draft.move(key, agent, edited=edited)
    watch_overlaps(draft, event.agents, event.at)


def _money_seen(draft: Draft, event: events.MoneySeen) -> None:
    draft.set_room(money=event.money)


def _budgets_seen(draft: Draft, event: events.BudgetsSeen) -> None:
    draft.budgets.become(event.budgets)


def _headroom_seen(draft: Draft, event: events.HeadroomSeen) -> None:
    draft.headroom.become(event.headroom)


def _alarmed(draft: Draft, event: events.Alarmed) -> None:
    if event.alarm is None:
        draft.alarms.drop(event.about)
    else:
        draft.alarms.put(event.about, event.alarm)


def _tasks_seen(draft: Draft, event: events.TasksSeen) -> None:
    for task in event.tasks:
        draft.tasks.put(task.id, task)
    for key in event.dropped:
        draft.tasks.drop(key)


def _leads_seen(draft: Draft, event: events.LeadsSeen) -> None:
    draft.set_room(leads=dict(event.leads))


def _fleets_seen(draft: Draft, event: events.FleetsSeen) -> None:
    for fleet in event.fleets:
        draft.fleets.put(fleet.name, fleet)
    for member in event.members:
        draft.members.put(member.entry.name, member)
    for name in event.dropped:
        draft.fleets.drop(name)
    for name in event.left:
        draft.members.drop(name)


def _queue_seen(draft: Draft, event: events.QueueSeen) -> None:
    if event.queue.restarts != draft.fleet.queue.restarts:
        watch_restarts(draft, event.queue.restarts)
    if event.queue.preflights != draft.fleet.queue.preflights:
        watch_preflights(draft, event.queue.preflights)
    draft.set_room(queue=event.queue)


def _heard(draft: Draft, name: str, at: int) -> None:
    """Note that a host was heard; to the second, so that a busy host does not become a new record every time."""
    host = draft.hosts.get(name)
    if host is not None and at - host.seen >= 1000:
        draft.hosts.put(name, replace(host, seen=at))


def _ordered(draft: Draft, event: events.Ordered) -> None:
    known = draft.agents.get(event.order.subject)
    kept = replace(event.row, spent=known.spent, edited=known.edited) if event.row and known else None
    agent = kept or event.row or known
    if agent is not None and draft.hosts.get(agent.host) is not None:
        draft.agents.put(agent.id, replace(agent, pending=event.order))


def _concluded(draft: Draft, event: events.Concluded) -> None:
    agent = draft.agents.get(event.agent)
    if agent is None or agent.pending is None or agent.pending.op != event.op:
        return
    verb = agent.pending.verb
    if verb == "forget" and event.result.outcome is Outcome.DONE:
        _drop(draft, agent)
        return
    concluded = replace(agent, pending=None)
    if verb == "pause" and event.result.outcome is Outcome.DONE and not agent.adopted:
        concluded = paused(concluded)
    if event.result.outcome is not Outcome.DONE and _awaited(agent) and concluded.state is State.STARTING:
        concluded = replace(concluded, state=State.FAILED, since=event.at, ended=event.at, detail=event.result.reason)
    draft.agents.put(event.agent, concluded)


_STEPS: dict[type, Callable[[Draft, Any], None]] = {
    events.Configured: _configured,
    events.HostAdded: _host_added,
    events.HostLabelled: _host_labelled,
    events.HostRemoved: _host_removed,
    events.HostDrained: _host_drained,
    events.LinkChanged: _link_changed,
    events.HostMet: _host_met,
    events.HostClockSeen: _host_clock_seen,
    events.ClockSet: _clock_set,
    events.HostSampled: _host_sampled,
    events.HostOwned: _host_owned,
    events.TmuxFound: _tmux_found,
    events.HostNoticed: _host_noticed,
    events.ImportSeen: _import_seen,
    events.AgentsObserved: _agents_observed,
    events.AdoptedObserved: _adopted_observed,
    events.AdoptedForgotten: _adopted_forgotten,
    events.AdoptionChanged: _adoption_changed,
    events.AdoptedTroubled: _adopted_troubled,
    events.LinesSeen: _lines_seen,
    events.LoadsSeen: _loads_seen,
    events.SpendingSeen: _spending_seen,
    events.EditsSeen: _edits_seen,
    events.EditsJoined: _edits_joined,
    events.MoneySeen: _money_seen,
    events.BudgetsSeen: _budgets_seen,
    events.HeadroomSeen: _headroom_seen,
    events.Alarmed: _alarmed,
    events.TasksSeen: _tasks_seen,
    events.FleetsSeen: _fleets_seen,
    events.QueueSeen: _queue_seen,
    events.LeadsSeen: _leads_seen,
    events.Ordered: _ordered,
    events.Concluded: _concluded,
}
