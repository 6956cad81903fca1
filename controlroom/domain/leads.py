"""Leads: agents that lead others, by a token that says what they may do. What one may is decided in `lead_rights`.

A lead acts on agents and tasks that it started, and sees no others. Money is micro-dollars, times are UTC milliseconds.
"""

import re
from collections.abc import Iterable
from dataclasses import field

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import OpenStrEnum


class LeadVerb(OpenStrEnum):
    """What a lead may be given. To see its own agents and tasks (`ALWAYS`) belongs to every lead."""

    STATUS = "status"
    EXPLAIN = "explain"
    TASK_LIST = "task list"
    SPAWN = "spawn"
    SEND = "send"
    KILL = "kill"
    REASSIGN = "reassign"
    RETRY = "retry"
    ANSWER = "answer"
    """Answer what its agents ask: never given unless it is named."""
    TASK_ADD = "task add"
    TASK_SHOW = "task show"
    TASK_DROP = "task drop"
    LOGS = "logs"
    COLLECT = "collect"
    DIFF = "diff"
    COSTS = "costs"
    UNKNOWN = ""


ALWAYS = (LeadVerb.STATUS, LeadVerb.EXPLAIN, LeadVerb.TASK_LIST)

VERBS = tuple(verb for verb in LeadVerb if verb is not LeadVerb.UNKNOWN)

USUAL = tuple(verb for verb in VERBS if verb is not LeadVerb.ANSWER)
"""What a lead is given where nothing is said."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")

MOST_LEADS = 50
MOST_AGENTS = 1_000
MOST_LIMIT = 2**53

TASKS_PER_AGENT = 10
"""Open tasks that a lead may have for each agent it may have at work."""


@dataclass(frozen=True)
class Lead:
    """What a lead may do, as people gave it."""

    name: str
    verbs: tuple[LeadVerb, ...]
    hosts: tuple[str, ...]
    profiles: tuple[str, ...]
    agents: int
    """How many of its agents may be at work at once."""
    limit: int
    """What its agents may spend in all: so much of what keys pay, and so much at list prices of what plans cover."""
    until: int = 0
    """When all of it ends; 0: never."""
    added: int = 0
    who: str = ""
    """Who gave it."""
    removed: int = 0
    """When it was removed; 0: it was not."""

    def may(self, verb: LeadVerb) -> bool:
        """Whether it was given a verb."""
        return verb in self.verbs or verb in ALWAYS

    def over(self, now: int) -> str:
        """Why it may do nothing any more; "": it may."""
        if self.removed:
            return f"lead {self.name} was removed: it may do nothing any more"
        if self.until and now >= self.until:
            return f"the time of lead {self.name} is over: it may do nothing any more"
        return ""


@dataclass(frozen=True)
class AddLead:
    """Give an agent that leads others its rights. One of this name must not be there."""

    lead: Lead
    digest: str = field(repr=False)
    """SHA-256 of its token, hexadecimal: the token itself never comes here."""

    @property
    def name(self) -> str:
        """The lead's."""
        return self.lead.name


@dataclass(frozen=True)
class RemoveLead:
    """End the rights of a lead at once; its agents go on, up to its ceiling, unless they are to be ended."""

    name: str
    kill: bool = False


LeadIntent = AddLead | RemoveLead


def read_verbs(words: Iterable[str]) -> tuple[LeadVerb, ...]:
    """Read verbs; `task` is all that are about tasks. Raises `ValueError` with what there is."""
    verbs: dict[LeadVerb, None] = {}
    for word in words:
        name = " ".join(word.replace("-", " ").split())
        theirs = [verb for verb in VERBS if verb == name or (name == "task" and verb.startswith("task "))]
        if not theirs:
            raise ValueError(
                f"{ascii(word)[:40]} is no verb of leads: say {', '.join(VERBS)}, or task for all of tasks"
            )
        verbs |= dict.fromkeys(theirs)
    return tuple(verbs)


def ceiling_names(lead: str) -> tuple[str, str]:
    """What the budgets of a lead are called: of what keys pay, and of what plans cover. No other budget can be so."""
    return f"lead {lead}", f"lead {lead}, plans"
