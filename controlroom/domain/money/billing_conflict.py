"""Who pays for an agent is not whom it was meant to be, or two sources disagree: said until it is over."""

from collections.abc import Iterable

from controlroom.domain.changes import Draft
from controlroom.domain.gauges import Alarm
from controlroom.domain.model import Agent

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


def watched(draft: Draft, seen: Iterable[str]) -> None:
    """Raise and end the alarms of agents, named by id, that have just been seen."""
    for key in seen:
        agent = draft.agents.get(key)
        if agent is not None and _strays(agent):
            draft.alarms.put(f"{_ABOUT}{key}", _alarm(agent))
        else:
            draft.alarms.drop(f"{_ABOUT}{key}")


def forget(draft: Draft, agent: Agent) -> None:
    """End the alarm of an agent that is no longer there."""
    draft.alarms.drop(f"{_ABOUT}{agent.id}")


def _strays(agent: Agent) -> bool:
    return bool(agent.stray_key or agent.billing_doubt) and not agent.has_ended


def _alarm(agent: Agent) -> Alarm:
    text = f"{agent.id} {words(agent)}" if agent.stray_key else f"{agent.id}: {doubt(agent)}"
    return Alarm(text, since=agent.started or agent.since, agent=agent.id)
