"""Whether a host has room for one more agent. What is starting counts as if it were there already."""

from controlroom.domain.model import Fleet, Host, State
from controlroom.domain.words import size


def refusal(fleet: Fleet, host: Host, kind: str) -> str | None:
    """Say why no agent of `kind` fits on `host`, or None. A host without a memory reading is not refused for it.

    Whether tmux is there, the host looks up itself when it is to start something.
    """
    need = fleet.limits.memory_per_agent
    if kind == "command" or not need or host.sample is None:
        return None
    total, used = host.sample.memory_total, host.sample.memory_used
    if total is None or used is None:
        return None
    starting = sum(1 for agent in fleet.agents_on(host.name) if agent.state is State.STARTING and agent.pending)
    free = total - used - starting * need
    if free >= need:
        return None
    return f"{host.name} has {size(max(0, free))} left, an agent needs {size(need)} (limits.memory_per_agent_mb)"
