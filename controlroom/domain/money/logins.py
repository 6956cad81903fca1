"""One login that several agents die of is one alarm: it names the host, and what to do, once."""

from collections.abc import Iterable

from controlroom.domain.changes import Draft
from controlroom.domain.gauges import Alarm
from controlroom.domain.model import Agent, State
from controlroom.text.causes import Cause

SEVERAL = 2
"""Agents that must have died of it: one alone says so in its own row."""

_DIED = {Cause.NO_LOGIN: "not logged in", Cause.LOGIN_REFUSED: "the login was refused"}
"""What a login does to an agent."""

_AGAIN = "log in again with `claude` on the host, or check the profile's credential"

_ABOUT = "login of "
_THROUGH = (State.WORKING, State.DONE, State.IDLE)


def watched(draft: Draft, host: str, seen: Iterable[tuple[Agent | None, Agent | None]]) -> None:
    """Raise or end the alarm of a host, some of whose agents are others than before: as each was, and as it is."""
    about = f"{_ABOUT}{host}"
    turned = [pair for pair in seen if _part(pair[0]) != _part(pair[1])]
    stands = draft.alarms.get(about) is not None
    if not turned or not (stands or any(agent is not None and _died(agent) for pair in turned for agent in pair)):
        return
    alarm = _alarm(host, draft.agents_on(host))
    if alarm is None:
        draft.alarms.drop(about)
    else:
        draft.alarms.put(about, alarm)


def _part(agent: Agent | None) -> tuple[object, ...]:
    """Give what an agent has to do with it: it died of the login, or got through."""
    if agent is None:
        return ()
    if _died(agent):
        return agent.since, agent.cause
    return (agent.started,) if agent.state in _THROUGH else ()


def _alarm(host: str, agents: list[Agent]) -> Alarm | None:
    """Give the alarm that stands: no agent begun after the last death has got through."""
    dead = sorted(filter(_died, agents), key=lambda agent: agent.since)
    if len(dead) < SEVERAL:
        return None
    last = dead[-1]
    if any(agent.started > last.since and agent.state in _THROUGH for agent in agents):
        return None
    words = f"{len(dead)} agents of {host} have died of its login: {_DIED[last.cause]}: {_AGAIN}; then reassign them"
    return Alarm(words, "danger", dead[0].since)


def _died(agent: Agent) -> bool:
    return agent.state is State.FAILED and agent.cause in _DIED
