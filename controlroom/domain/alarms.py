"""Alarms that follow from the fleet, or from what a host says of itself.

A full disk, a login that agents fail with, a payer that nobody meant, use that nobody can count.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import NamedTuple

from controlroom.domain.changes import Draft
from controlroom.domain.gauges import Alarm, AlarmKind, AlarmLevel
from controlroom.domain.model import Agent, State
from controlroom.domain.overlap import overlap_alarm
from controlroom.domain.tasks import Preflight, Restarts, runs_of
from controlroom.domain.words import named_some
from controlroom.text.host_sample import HostSample
from controlroom.text.states import Cause, Uncounted

_DISK = "disk of "


def watch_disk(draft: Draft, host: str, sample: HostSample | None, at: int) -> None:
    """Raise or end the alarm of a host that has just said how much is left. `sample`: None when it is gone."""
    about = f"{_DISK}{host}"
    standing = draft.alarms.get(about)
    if sample is None or not sample.disk_is_full:
        if standing is not None:
            draft.alarms.drop(about)
    elif standing is None:
        text = f"the disk of {host} is full: lines of its agents' logs are lost until space is freed there"
        draft.alarms.put(about, Alarm(text, AlarmLevel.DANGER, at, kind=AlarmKind.DISK, subject=host))


SEVERAL = 2
"""Agents that must be kept out by it: one alone says so in its own row."""

_DIED = {Cause.NO_LOGIN: "not logged in", Cause.LOGIN_REFUSED: "the login was refused"}
"""What a login does to an agent."""

_AGAIN = "log in again with `claude` on the host, or check the profile's credential"

_LOGIN = "login of "
_THROUGH = (State.WORKING, State.DONE, State.IDLE)


def watch_logins(draft: Draft, host: str, seen: Iterable[tuple[Agent | None, Agent | None]]) -> None:
    """Raise or end the alarm of a host, some of whose agents are others than before: as each was, and as it is."""
    about = f"{_LOGIN}{host}"
    turned = [pair for pair in seen if _part_in_login(pair[0]) != _part_in_login(pair[1])]
    stands = draft.alarms.get(about) is not None
    if not turned or not (stands or any(agent is not None and _kept_out(agent) for pair in turned for agent in pair)):
        return
    alarm = _login_alarm(host, draft.agents_on(host))
    if alarm is None:
        draft.alarms.drop(about)
    else:
        draft.alarms.put(about, alarm)


def _part_in_login(agent: Agent | None) -> tuple[object, ...]:
    """What an agent has to do with it: the login keeps it out, or it got through."""
    if agent is None:
        return ()
    if _kept_out(agent):
        return agent.since, agent.cause, agent.state
    return (agent.started,) if agent.state in _THROUGH else ()


def _login_alarm(host: str, agents: list[Agent]) -> Alarm | None:
    """The alarm that stands: no agent begun after the last one was kept out has got through."""
    out = sorted(filter(_kept_out, agents), key=lambda agent: agent.since)
    if len(out) < SEVERAL:
        return None
    last = out[-1]
    if any(agent.started > last.since and agent.state in _THROUGH and not _kept_out(agent) for agent in agents):
        return None
    died = all(agent.state is State.FAILED for agent in out)
    what, then = ("failed", "reassign them") if died else ("get no further", "tell them to go on")
    words = f"{len(out)} agents on {host} {what} because of its login: {_DIED[last.cause]}: {_AGAIN}; then {then}"
    return Alarm(words, AlarmLevel.DANGER, out[0].since)


def _kept_out(agent: Agent) -> bool:
    """Whether it died of the login, or, on a terminal of its own, lives and gets no further."""
    return agent.state in (State.FAILED, State.IDLE) and agent.cause in _DIED


_TROUBLE = "trouble "


def watch_troubles(draft: Draft, seen: Iterable[tuple[Agent | None, Agent | None]]) -> None:
    """Raise and end the alarms of agents that run and are in trouble: as they were, and are."""
    for before, agent in seen:
        was, words = before.trouble if before else "", agent.trouble if agent and agent.runs else ""
        if agent is not None and words:
            text = f"{agent.id}: {words}; look at it, or end it"
            draft.alarms.put(f"{_TROUBLE}{agent.id}", Alarm(text, since=agent.since, agent=agent.id, mark="trouble"))
        elif was and before is not None:
            draft.alarms.drop(f"{_TROUBLE}{before.id}")


_REBOOT = "reboot of "


def watch_reboots(draft: Draft, host: str, seen: Iterable[tuple[Agent | None, Agent | None]]) -> None:
    """Raise or end the alarm of a host whose reboot has ended agents that nobody has go on: as they were, and are."""
    turned = [pair for pair in seen if _rebooted(pair[0]) != _rebooted(pair[1])]
    if not turned:
        return
    profiles, tasks = draft.fleet.profiles, draft.fleet.tasks.values()
    carried = runs_of(task for task in tasks if task.state.is_open)
    left = []
    here = draft.hosts.get(host)
    drain = here.drain if here is not None and here.drain is not None and here.drain.move else None
    for agent in filter(_rebooted, draft.agents_on(host)):
        if drain is not None and agent.ended >= drain.at:  # it goes on elsewhere, or the drain says why not
            continue
        profile = profiles.get(agent.ordered.profile) if agent.ordered else None
        by_itself = profile is not None and (profile.restarts.after_reboot or profile.restarts.keep)
        if not by_itself and (agent.id, agent.epoch) not in carried:
            left.append(agent)
    if not left:
        draft.alarms.drop(f"{_REBOOT}{host}")
        return
    ended = f"{len(left)} agents: {named_some([agent.name for agent in left])}" if len(left) > 1 else left[0].name
    words = f"a reboot of {host} has ended {ended}; to let them go on: controlroom resume host:{host} cause:rebooted"
    draft.alarms.put(f"{_REBOOT}{host}", Alarm(words, since=min(agent.since for agent in left)))


def _rebooted(agent: Agent | None) -> bool:
    """Whether a reboot of its host ended it."""
    return agent is not None and agent.cause is Cause.REBOOTED and agent.has_ended and bool(agent.session)


_RESTARTS = "restarts of "
"""How what such alarms are about begins; what names the agent in `Queue.restarts` follows."""


def watch_restarts(draft: Draft, restarts: Mapping[str, Restarts]) -> None:
    """Raise and end the alarms of agents that are given up: they are not started again without being asked."""
    for about, alarm in [*draft.alarms.items(draft.fleet.alarms, _RESTARTS)]:
        if alarm.kind is AlarmKind.GIVEN_UP and not restarts.get(alarm.subject, _NEVER_STARTED).gave_up:
            draft.alarms.drop(about)
    for key, kept in restarts.items():
        if kept.gave_up:
            id_ = key if "/" in key else f"{kept.host}/{key}"
            words = f"{id_} is given up: {kept.gave_up}; see controlroom explain {id_}; to begin it again: controlroom"
            words = f"{words} retry {id_}"
            alarm = Alarm(words, AlarmLevel.DANGER, kept.since, id_, kind=AlarmKind.GIVEN_UP, subject=key)
            draft.alarms.put(f"{_RESTARTS}{key}", alarm)


_NEVER_STARTED = Restarts()

_UNFIT = "preflight of "


def watch_preflights(draft: Draft, preflights: Mapping[str, Preflight]) -> None:
    """Raise and end the alarms of hosts that lack what agents need: one alarm, however many agents that keeps out."""
    for about, alarm in [*draft.alarms.items(draft.fleet.alarms, _UNFIT)]:
        if alarm.kind is AlarmKind.PREFLIGHT and alarm.subject not in preflights:
            draft.alarms.drop(about)
    for host, preflight in preflights.items():
        about, standing = f"{_UNFIT}{host}", draft.alarms.get(f"{_UNFIT}{host}")
        if preflight.blocking:
            words = f"{host} lacks what agents need: {preflight.blocking}; it is looked at again by itself"
            since = standing.since if standing else preflight.at
            alarm = Alarm(words, AlarmLevel.DANGER, since, kind=AlarmKind.PREFLIGHT, subject=host)
            draft.alarms.put(about, alarm)
        elif standing is not None:
            draft.alarms.drop(about)


_KEY = "key "
"""How what such alarms are about begins; the agent follows."""


def payer_words(agent: Agent) -> str:
    """Which key an agent uses, what that means, and what to do; "" when it is none that strayed."""
    if not agent.stray_key:
        return ""
    mend = "unset it there" if agent.adopted else 'unset it there, or let its profile say credential = "plan"'
    if " in " in agent.stray_key:
        mend = "remove it there"
    return f"uses {agent.stray_key} and not the plan of {agent.host}, so that its messages are billed: {mend}"


def payer_doubt(agent: Agent) -> str:
    """Say that two sources disagree about who pays for an agent, and what to do; "" when they do not."""
    if not agent.billing_doubt:
        return ""
    check = f"see claude auth status on {agent.host}"
    return f"{agent.billing_doubt}: until that is settled both kinds of budgets bind it; {check}"


def watch_payers(draft: Draft, seen: Iterable[str]) -> None:
    """Raise and end the alarms of agents, named by id, that have just been seen."""
    for key in seen:
        agent = draft.agents.get(key)
        if agent is not None and _strays(agent):
            draft.alarms.put(f"{_KEY}{key}", _payer_alarm(agent))
        else:
            draft.alarms.drop(f"{_KEY}{key}")


def forget_payer(draft: Draft, agent: Agent) -> None:
    """End the alarm of an agent that is no longer there."""
    draft.alarms.drop(f"{_KEY}{agent.id}")


def _strays(agent: Agent) -> bool:
    return bool(agent.stray_key or agent.billing_doubt) and not agent.has_ended


def _payer_alarm(agent: Agent) -> Alarm:
    text = f"{agent.id} {payer_words(agent)}" if agent.stray_key else f"{agent.id}: {payer_doubt(agent)}"
    return Alarm(text, since=agent.started or agent.since, agent=agent.id)


_OVERLAP = "overlap of "
"""How what such alarms are about begins; the agent follows that began later."""


def watch_overlaps(draft: Draft, seen: Iterable[str], at: int) -> None:
    """Raise and end the alarms of agents, named by id, of which it is another than before who edits their files."""
    for key in seen:
        agent, about = draft.agents.get(key), f"{_OVERLAP}{key}"
        standing = draft.alarms.get(about)
        alarm = None
        if agent is not None and agent.edited is not None and agent.edited.overlaps:
            others = {overlap.other: draft.agents.get(overlap.other) for overlap in agent.edited.overlaps}
            there = {other: found for other, found in others.items() if found is not None}
            alarm = overlap_alarm(agent, there, standing.since if standing else at)
        if alarm is not None:
            draft.alarms.put(about, alarm)
        elif standing is not None:
            draft.alarms.drop(about)


def forget_overlaps(draft: Draft, agent: Agent) -> None:
    """End the alarm of an agent that is no longer there."""
    draft.alarms.drop(f"{_OVERLAP}{agent.id}")


LOAD = "load of "
"""How what advice about a host is about begins; the host follows."""

GAPS = "gaps "
"""How what such an alarm is about begins; the host follows."""

_UNCOUNTED = {
    Uncounted.NO_TRANSCRIPT: "one keeps no transcript (--no-session-persistence)",
    Uncounted.GONE: "its transcript is gone",
    Uncounted.UNREADABLE: "transcripts cannot be read",
    Uncounted.TOO_MANY: "there are more transcripts than are read",
    Uncounted.NO_LAST_LOOK: "the record of the last look there cannot be used",
}


class Gap(NamedTuple):
    """Use of Claudes of others that nobody can count. `since`: UTC ms, 0: not known."""

    since: int
    why: Uncounted
    where: str


def gaps_alarm(host: str, gaps: Sequence[Gap]) -> Alarm | None:
    """The alarm about use on a host that nobody can count; None: there is none."""
    if not gaps:
        return None
    first = min(gaps, key=lambda gap: gap.since)
    at = datetime.fromtimestamp(first.since / 1000, timezone.utc) if first.since else None
    begun = f", since {at:%Y-%m-%d %H:%M} UTC" if at else ""
    reason = _UNCOUNTED.get(first.why, "its host does not say why")
    more = f", and {len(gaps) - 1} more" if len(gaps) > 1 else ""
    about = f" ({first.where})" if first.where else ""
    text = f"what adopted Claudes cost on {host} is not known in full{begun}: {reason}{about}{more}"
    return Alarm(text, since=first.since)
