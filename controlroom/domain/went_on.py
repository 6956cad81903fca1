"""Where an agent that has ended goes on: its session has moved to another host, and cannot go on where it was."""

from controlroom.domain.model import Agent, Fleet


def went_on(fleet: Fleet, agent: Agent) -> Agent | None:
    """The agent that goes on elsewhere in the session of one that has ended; None: none is known."""
    if not agent.has_ended or not agent.session or agent.adopted or agent.pending or len(fleet.hosts) < 2:
        return None
    names = (f"{host}/{agent.name}" for host in fleet.hosts if host != agent.host)  # a move keeps the name
    others = (other for name in names if (other := fleet.agents.get(name)) is not None)
    return next((other for other in others if _is_later(other, agent)), None)


def _is_later(other: Agent, agent: Agent) -> bool:
    same = other.session == agent.session and not other.adopted and other.pending is None
    return same and (not other.has_ended or other.started > agent.started)


def moved_from(fleet: Fleet, agent: Agent) -> list[str]:
    """The ids of agents that may say, now that this one is another, that they went on in it."""
    if not agent.session or agent.adopted or len(fleet.hosts) < 2:
        return []
    return [f"{host}/{agent.name}" for host in fleet.hosts if host != agent.host]
