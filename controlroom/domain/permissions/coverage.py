"""What rules would do with what is asked now: which open questions they answer, and why the others stay open."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from controlroom.domain.model import Agent, Fleet
from controlroom.domain.permissions.calls import Call, call_of
from controlroom.domain.permissions.judge import RuleSet
from controlroom.domain.permissions.rules import Rule, RuleVerdict
from controlroom.domain.questions import Question
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Scope:
    """Whose calls rules are about."""

    words: str
    folder: str = ""
    profile: str = ""
    host: str = ""
    agent: str = ""


@dataclass(frozen=True)
class Covered:
    """What rules would do with one open question. `why`: what is in the way where they answer nothing."""

    subject: str
    answers: bool
    why: str = ""


def askable(agent: Agent, question: Question) -> Call | str:
    """The call that rules go by, or why none answers this, in words."""
    if agent.adopted:
        return "somebody else started it: it is looked at alone"
    if agent.ordered is None or agent.claims:
        return "what its host says of it is not what this room ordered: no rule goes by that"
    return call_of(agent, question)


def scopes(agent: Agent) -> tuple[Scope, ...]:
    """For whom a rule may hold, of whom an agent is one, narrow first."""
    folder = agent.cwd.rstrip("/")
    plain = folder.startswith(("/", "~/")) and not any(sign in folder for sign in "*?[")
    found = [Scope(f"{agent.name} on {agent.host}", host=agent.host, agent=agent.name)]
    if plain:
        found.append(Scope(f"in {folder}", folder=folder))
    if agent.profile:
        found.append(Scope(f"profile {agent.profile}", profile=agent.profile))
    return (*found, Scope(f"on {agent.host}", host=agent.host), Scope("everywhere"))


def coverage(fleet: Fleet, rules: RuleSet, added: Sequence[Rule], now: int, used: Mapping[str, int]) -> list[Covered]:
    """What these would do with each open question of an agent, were they added to the rules: what they answer first."""
    together = replace(rules, rules=(*rules.rules, *added))
    asked = ((fleet.agents.get(subject), question) for subject, question in fleet.questions())
    found = [_covered(agent, question, together, added, now, used) for agent, question in asked if agent is not None]
    return sorted(found, key=lambda each: not each.answers)


def _covered(
    agent: Agent, question: Question, rules: RuleSet, added: Sequence[Rule], now: int, used: Mapping[str, int]
) -> Covered:
    call = askable(agent, question)
    if isinstance(call, str):
        return Covered(agent.id, answers=False, why=call)
    judged = rules.judge(call, now, used)
    if any(rule.name in judged.rules for rule in added):
        asks = judged.verdict is RuleVerdict.ASK
        return Covered(agent.id, not asks, "a person is asked about it from then on" if asks else "")
    if not any(rule.is_for(call) for rule in added):
        return Covered(agent.id, answers=False, why=f"the rule is for {added[0].where} alone")
    return Covered(agent.id, answers=False, why=judged.why)
