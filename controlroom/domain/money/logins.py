"""One login that several agents die of is one alarm: it names the host, and what to do, once."""

from collections.abc import Iterable
from dataclasses import replace

from controlroom.domain.gauges import Alarm
from controlroom.domain.model import Agent, Fleet, State

SEVERAL = 2
"""Agents that must have died of it: one alone says so in its own row."""

_DIED = ("not logged in", "the login was refused")
"""How a runner's words begin when Claude could not log in, or was turned away."""

_AGAIN = "log in again with `claude` on the host, or check the profile's credential"

_ABOUT = "login of "


def watched(fleet: Fleet, host: str, seen: Iterable[Agent]) -> Fleet:
    """Raise or end the alarm of a host, some of whose agents have just been seen."""
    about = f"{_ABOUT}{host}"
    if about not in fleet.alarms and not any(map(_died, seen)):
        return fleet
    alarm = _alarm(fleet, host)
    if alarm == fleet.alarms.get(about):
        return fleet
    others = {key: known for key, known in fleet.alarms.items() if key != about}
    return replace(fleet, alarms={**others, about: alarm} if alarm else others)


def _alarm(fleet: Fleet, host: str) -> Alarm | None:
    """Give the alarm that stands: no agent begun after the last death has got through."""
    agents = fleet.agents_on(host)
    dead = sorted(filter(_died, agents), key=lambda agent: agent.since)
    if len(dead) < SEVERAL:
        return None
    last = dead[-1]
    if any(agent.started > last.since and agent.state in (State.WORKING, State.DONE, State.IDLE) for agent in agents):
        return None
    why = next(words for words in _DIED if last.detail.startswith(words))
    words = f"{len(dead)} agents of {host} have died of its login: {why}: {_AGAIN}; then reassign them"
    return Alarm(words, "danger", dead[0].since)


def _died(agent: Agent) -> bool:
    return agent.state is State.FAILED and agent.detail.startswith(_DIED)
