"""Gives back to an agent what conflicts with the branch that it was to be merged into."""

from collections.abc import Sequence

from controlroom.domain import intents
from controlroom.domain.model import Agent

_NAMED = 30


def give_back(agent: Agent, into: str, files: Sequence[str], *, pushed: bool = False) -> intents.Intent:
    """Return what tells the agent to resolve it; one that has ended goes on in its session for that.

    `pushed`: the branch is the origin's.
    """
    words = _words(into, files, pushed=pushed)
    if agent.has_ended:
        return intents.ResumeAgent(agent.id, agent.epoch, words)
    return intents.SendMessage(agent.id, agent.epoch, words)


def _words(into: str, files: Sequence[str], *, pushed: bool) -> str:
    listed = "\n".join(f"  {path}" for path in files[:_NAMED])
    more = f"\n  and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    how = f"git fetch origin, then git merge origin/{into}" if pushed else f"git merge {into}"
    return (
        f"What you have committed was to be merged into the branch {into}, and conflicts with it in these files:\n"
        f"{listed}{more}\n"
        f"Bring your branch up to date ({how}), resolve the conflicts so that what both sides meant still holds, "
        "and commit the result. Change nothing else."
    )
