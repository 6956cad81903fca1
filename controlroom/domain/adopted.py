"""What becomes of agents that others started: those that live, and those that have ended and are shown for a while.

A host tells of an end once, and a host that could not be asked meanwhile not at all; so it is kept here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from controlroom.domain.model import Agent, State

SHOWN = 86_400_000
"""Milliseconds that one which has ended is shown, unless it is forgotten before."""

MOST = 100
"""Of one host that have ended, the newest."""

UNSEEN = "it has ended, and nobody saw how: its exit code is not known"


def after(here: Mapping[str, Agent], seen: Iterable[Agent], at: int, *, complete: bool) -> dict[str, Agent]:
    """Give a host's agents of others when `seen` has been told of them; `complete`: those are all that live.

    `here`: those that were known before, by id; `at`: our clock.
    """
    newest = {agent.id: agent for agent in seen if complete or agent.has_ended or agent.id in here}
    kept = {key: agent for key, agent in here.items() if key not in newest}
    if complete:
        sessions = {agent.session for agent in newest.values() if agent.session}
        kept = {key: over for key, agent in kept.items() if (over := _over(agent, sessions, at)) is not None}
    shown = {key: agent for key, agent in (kept | newest).items() if not is_old(agent, at)}
    ended = sorted((agent for agent in shown.values() if agent.has_ended), key=lambda agent: -agent.ended)
    beyond = {agent.id for agent in ended[MOST:]}
    return {key: agent for key, agent in shown.items() if key not in beyond}


def _over(agent: Agent, sessions: set[str], at: int) -> Agent | None:
    """Give one that is not among those that live as it is kept, None when it is not.

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
        detail=UNSEEN,
        pid=None,
        pane="",
        limited_until=None,
        rss=None,
        rss_bound=False,
        cpu_percent=None,
        processes=None,
        evidence=(),
    )


def is_old(agent: Agent, at: int) -> bool:
    """Tell whether one has ended so long ago that it is shown no more. `at`: our clock."""
    return agent.has_ended and at - agent.ended > SHOWN
