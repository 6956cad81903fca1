"""Care for agents that others started and that this room has taken over: what their profile limits, held from here.

No runner watches them, so what their host shows of them decides, and a signal to their processes is all that follows.
What cannot be seen from outside (which call of Claude fails, whether one is under way) is not guessed.
"""

from collections.abc import Iterator
from typing import NamedTuple

from controlroom.domain import intents
from controlroom.domain.care_rules import CareRules
from controlroom.domain.model import Agent, Fleet, Host, LinkState, Profile, State
from controlroom.domain.words import seconds
from controlroom.text.states import Cause

IN_A_CALL = 3
"""So many times as long as its profile says may one be silent: nobody here knows whether a call of a tool is under
way, and tests and builds say nothing for long. A runner, which knows, waits as long for one that is in a call."""

SETTLES = 60_000
"""Milliseconds after a link came up until silence counts: what was said before is told by then."""

HOUR = 3_600_000
MEBIBYTE = 1 << 20


class Trouble(NamedTuple):
    """What is wrong with an agent that was taken over."""

    cause: Cause
    words: str
    ends: bool
    """It is to be ended for that; else it is told."""


def trouble(fleet: Fleet, agent: Agent, now: int) -> Trouble | None:
    """What is wrong with an agent by its profile's limits, what ends it first; None: nothing that can be seen now.

    Of a host that is away, or that another room owns, nothing is known and nothing follows.
    """
    profile, host = profile_of(fleet, agent), fleet.hosts.get(agent.host)
    if profile is None or host is None or host.link is not LinkState.UP or not agent.runs:
        return None
    if host.facts is not None and not host.facts.owned:
        return None
    seen = list(_troubles(agent, profile.care, host, now))
    return next((each for each in seen if each.ends), seen[0] if seen else None)


def profile_of(fleet: Fleet, agent: Agent) -> Profile | None:
    """The profile whose limits bind an agent that was taken over; None: there is none."""
    if not agent.adopted or agent.adoption is None:
        return None
    return fleet.profiles.get(agent.adoption.profile)


def _troubles(agent: Agent, rules: CareRules, host: Host, now: int) -> Iterator[Trouble]:
    begun = bound_since(agent)
    if rules.hours and now - begun >= rules.hours * HOUR:
        yield Trouble(Cause.OVER_LIMIT, f"it has run for {rules.hours:g} h, the most (max_hours)", ends=True)
    ends = Cause.OVER_LIMIT in rules.ends
    if rules.memory and agent.rss is not None and agent.rss > rules.memory and not agent.rss_bound:
        takes = f"it takes {agent.rss // MEBIBYTE} MiB of memory, {rules.memory // MEBIBYTE} are the most"
        yield Trouble(Cause.OVER_LIMIT, takes, ends)
    if rules.processes and agent.processes is not None and agent.processes > rules.processes:
        has = f"it has {agent.processes} processes, {rules.processes} are the most"
        yield Trouble(Cause.OVER_LIMIT, has, ends)
    silent = now - max(begun, agent.since, agent.last_line_at)
    settled = now - host.since >= SETTLES
    if rules.quiet and agent.state is State.WORKING and settled and silent >= rules.quiet * IN_A_CALL:
        words = f"nothing was heard of it for {seconds(rules.quiet * IN_A_CALL)}"
        yield Trouble(Cause.QUIET, words, Cause.QUIET in rules.ends)


def bound_since(agent: Agent) -> int:
    """Since when limits bind an agent: since it was taken over with its profile, or this process of it began."""
    return max(agent.adoption.at if agent.adoption else 0, agent.started)


def goes_on(fleet: Fleet, agent: Agent, cause: Cause) -> bool:
    """Whether one that is ended for a trouble goes on under a runner: its profile says so, and whoever adopted it."""
    profile = profile_of(fleet, agent)
    wanted = agent.adoption is not None and agent.adoption.when_ended and bool(agent.session)
    return wanted and profile is not None and cause in profile.restarts.after_trouble


def ending(agent: Agent, *, goes_on: bool) -> intents.KillAgent | intents.RestartAdopted:
    """What ends an agent for its trouble: the process that was shown, and no other."""
    if goes_on:
        return intents.RestartAdopted(agent.id, agent.mark)
    return intents.KillAgent(agent.id, agent.epoch, agent.mark)


def ended_words(fleet: Fleet, agent: Agent, why: Trouble) -> str:
    """What is told of one that is ended: by what, why, and how it can go on."""
    profile = profile_of(fleet, agent)
    restarts = profile is not None and why.cause in profile.restarts.after_trouble and bool(agent.session)
    more = " (a signal cannot restart it)" if restarts else ""
    on = f"; to go on with it{more}: controlroom adopt {agent.id} --restart" if agent.session else ""
    return f"ended by a signal from here: {why.words}{on}"


def care_words(fleet: Fleet, agent: Agent) -> str:
    """What binds an agent that was taken over, beside budgets, and what does not though its profile says it."""
    profile = profile_of(fleet, agent)
    if profile is None:
        named = agent.adoption.profile if agent.adoption else ""
        why = f"its profile {named} is not in the config any more" if named else "it has no profile"
        return f"{why}, so no limit but budgets binds it: controlroom adopt {agent.id} --profile NAME"
    at_its_end: tuple[str, ...] = ()
    if profile.restarts.after_trouble:
        at_its_end = (
            "one that is ended goes on under a runner only if it was taken over with --when-ended"
            if agent.adoption is not None and not agent.adoption.when_ended
            else "one that is ended for that goes on under a runner",
        )
    return "; ".join((_bound_words(profile), *_unseen_words(profile), *at_its_end))


def prospect(fleet: Fleet, name: str, *, when_ended: bool, session: str) -> list[str]:
    """Say what a profile is going to mean for an agent that is taken over with it, a sentence each; empty name: none.

    `when_ended`: its session is to go on once it has ended.
    """
    profile = fleet.profiles.get(name)
    later = "its model, rights and environment stay as it was started"
    if profile is None:
        words = ["without a profile only budgets and halt bind it", _ONLY_SIGNALS, later]
        return [*words, _ON_UNDER_DEFAULTS] if when_ended else words
    budgets = f"what it spends counts for the budgets of profile {name}, too"
    words = [_bound_words(profile), *_unseen_words(profile), _ONLY_SIGNALS, budgets]
    if not when_ended:
        after = [str(cause) for cause in profile.restarts.after_trouble]
        ends = f"; what the profile restarts ({', '.join(after)}) stays ended" if after and session else ""
        return [*words, later + ends]
    return [*words, f"{later}; once it has ended its session goes on under a runner, with those of the profile"]


_ONLY_SIGNALS = "a signal to its processes is all that reaches it: messages and answers need a runner"
_ON_UNDER_DEFAULTS = "once it has ended its session goes on under a runner, headless and with no profile"


def _bound_words(profile: Profile) -> str:
    limits = list(_limits(profile.care))
    if not limits:
        return f"profile {profile.name} limits nothing that is seen from outside"
    ended = _either([words for words, ends in limits if ends])
    told = _either([words for words, ends in limits if not ends])
    parts = ([f"it is ended past {ended}"] if ended else []) + ([f"you are told past {told}"] if told else [])
    return f"profile {profile.name} binds it from outside, by signals: {', '.join(parts)}"


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _unseen_words(profile: Profile) -> list[str]:
    if not profile.care.same_failures:
        return []
    return ["the same call failing again and again (same_failures) is not seen from outside"]


def _limits(rules: CareRules) -> Iterator[tuple[str, bool]]:
    """Each limit that is seen from outside, and whether an agent is ended past it."""
    if rules.hours:
        yield f"{rules.hours:g} h", True
    if rules.memory:
        yield f"{rules.memory // MEBIBYTE} MiB of memory", Cause.OVER_LIMIT in rules.ends
    if rules.processes:
        yield f"{rules.processes} processes", Cause.OVER_LIMIT in rules.ends
    if rules.quiet:
        yield f"{seconds(rules.quiet * IN_A_CALL)} at work without a word", Cause.QUIET in rules.ends
