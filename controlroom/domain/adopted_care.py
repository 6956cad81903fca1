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
    if profile is None or host is None or host.link is not LinkState.UP or not agent.lives:
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
    limits, unseen = list(_limit_words(profile.care)), []
    if profile.care.same_failures:
        unseen.append("the same call failing again and again (same_failures) is not seen from outside")
    if profile.restarts.after_trouble:
        unseen.append(
            "one that is ended goes on under a runner only if it was taken over with --when-ended"
            if agent.adoption is not None and not agent.adoption.when_ended
            else "one that is ended for that goes on under a runner"
        )
    bound = f"profile {profile.name} binds it from outside, by signals: {', '.join(limits)}" if limits else ""
    return "; ".join([bound or f"profile {profile.name} limits nothing that is seen from outside", *unseen])


def _limit_words(rules: CareRules) -> Iterator[str]:
    def then(cause: Cause) -> str:
        return "then it is ended" if cause in rules.ends else "then it is told"

    if rules.hours:
        yield f"{rules.hours:g} h, then it is ended"
    if rules.memory:
        yield f"{rules.memory // MEBIBYTE} MiB of memory, {then(Cause.OVER_LIMIT)}"
    if rules.processes:
        yield f"{rules.processes} processes, {then(Cause.OVER_LIMIT)}"
    if rules.quiet:
        yield f"{seconds(rules.quiet * IN_A_CALL)} at work without a word, {then(Cause.QUIET)}"
