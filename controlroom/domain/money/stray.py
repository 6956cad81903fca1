"""Who pays for an agent is not whom it was meant to be, or two sources disagree: said until it is over."""

from collections.abc import Iterable
from dataclasses import replace

from controlroom.domain.gauges import Alarm
from controlroom.domain.model import Agent, Fleet

_ABOUT = "key "
"""How what such alarms are about begins; the agent follows."""


def words(agent: Agent) -> str:
    """Say which key an agent uses, what that means, and what to do; "" when it is none that strayed."""
    if not agent.stray_key:
        return ""
    mend = "unset it there" if agent.adopted else 'unset it there, or let its profile say credential = "plan"'
    if " in " in agent.stray_key:
        mend = "take it out of there"
    return f"uses {agent.stray_key} and not the plan of {agent.host}, so that its messages are billed: {mend}"


def doubt(agent: Agent) -> str:
    """Say that two sources disagree about who pays for an agent, and what to do; "" when they do not."""
    if not agent.billing_doubt:
        return ""
    check = f"see claude auth status on {agent.host}"
    return f"{agent.billing_doubt}: until that is settled both kinds of budgets bind it; {check}"


def watched(fleet: Fleet, host: str, seen: Iterable[Agent]) -> Fleet:
    """Raise and end the alarms of a host's agents, of which these have just been seen."""
    if not any(map(_strays, seen)) and not any(about.startswith(_ABOUT) for about in fleet.alarms):
        return fleet
    mine = f"{_ABOUT}{host}/"
    kept = {about: alarm for about, alarm in fleet.alarms.items() if not about.startswith(mine)}
    now = {f"{_ABOUT}{agent.id}": _alarm(agent) for agent in fleet.agents_on(host) if _strays(agent)}
    alarms = kept | now
    return fleet if alarms == fleet.alarms else replace(fleet, alarms=alarms)


def _strays(agent: Agent) -> bool:
    return bool(agent.stray_key or agent.billing_doubt) and not agent.has_ended


def _alarm(agent: Agent) -> Alarm:
    text = f"{agent.id} {words(agent)}" if agent.stray_key else f"{agent.id}: {doubt(agent)}"
    return Alarm(text, since=agent.started or agent.since, agent=agent.id)
