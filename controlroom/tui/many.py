"""What is done to many agents at once: each as it was listed, ten at a time, summed up in one sentence."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from controlroom.domain import intents
from controlroom.domain.actions import BY_NAME, unavailable
from controlroom.domain.intents import Intent
from controlroom.domain.model import Agent, Fleet
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.source import Outcome, Source
from controlroom.tui.widgets.question import wants_words
from controlroom.tui.widgets.says import Level

if TYPE_CHECKING:
    from controlroom.tui.app import ControlRoomApp

AT_ONCE = 10
"""Orders under way at one time."""
_NAMED = 3
"""Refusals that are named in the sum; the others are counted."""


@dataclass(frozen=True)
class Target:
    """One agent of many, as it was listed, and what is asked for it: for its epoch, or its question."""

    agent: Agent
    intent: Intent


@dataclass(frozen=True)
class Plan:
    """What is about to be done to many."""

    action: str
    targets: tuple[Target, ...]
    left_out: tuple[tuple[Agent, str], ...]
    """Marked agents that it cannot be done to, each with the reason."""

    def saying(self, text: str, keep: bool = False) -> "Plan":
        """Give the same for the same runs, with these words."""
        targets = (Target(target.agent, _intent(target.agent, self.action, text, keep)) for target in self.targets)
        return replace(self, targets=tuple(targets))

    @property
    def title(self) -> str:
        """Ask for it in a sentence."""
        number = len(self.targets)
        return _TITLES[self.action].format(f"{number} agent{'s' if number != 1 else ''}")


_TITLES = {
    "kill": "Kill {}, and everything they started?",
    "forget": "Forget {}? Their logs are removed, for good.",
    "interrupt": "Interrupt {}? They then wait for a message.",
    "reassign": "Give {} a new task? Their runs now are ended first.",
    "allow": "Allow what {} ask, this once?",
    "always": "Allow what {} ask, and the like of it from now on?",
    "deny": "Turn down what {} ask?",
    "message": "Say this to {}?",
}
_DONE = {
    "kill": "ended",
    "forget": "removed",
    "interrupt": "interrupted",
    "reassign": "given the task",
    "allow": "allowed once",
    "always": "allowed from now on",
    "deny": "denied",
    "message": "told",
}


def plan(fleet: Fleet, marked: Sequence[str], action: str) -> Plan:
    """Say what is to be done to whom; the words of a message or a task come later."""
    targets: list[Target] = []
    left_out: list[tuple[Agent, str]] = []
    for agent in (fleet.agents[agent] for agent in marked if agent in fleet.agents):
        reason = unavailable(BY_NAME[action], fleet, agent.id)
        if reason is None and action in ("allow", "always") and wants_words(agent.question):
            reason = f"{agent.name} wants words for an answer"
        if reason is None:
            targets.append(Target(agent, _intent(agent, action)))
        else:
            left_out.append((agent, reason))
    return Plan(action, tuple(targets), tuple(left_out))


def _intent(agent: Agent, action: str, text: str = "", keep: bool = False) -> Intent:
    if action in ("allow", "always", "deny") and agent.question is not None:
        return intents.AnswerQuestion(agent.id, agent.question.id, action)
    if action == "message":
        return intents.SendMessage(agent.id, agent.epoch, text)
    if action == "reassign":
        return intents.ReassignAgent(agent.id, agent.epoch, text, keep and bool(agent.session))
    if action == "kill":
        return intents.KillAgent(agent.id, agent.epoch)
    return (intents.ForgetAgent if action == "forget" else intents.InterruptAgent)(agent.id, agent.epoch)


def begin(room: "ControlRoomApp", screen: RoomScreen, action: str) -> None:
    """Begin to do an action to all marked agents: ask for words where it needs some, else show the list."""
    from controlroom.tui.screens.forms import MessageAll, ReassignAll
    from controlroom.tui.screens.many import ListSheet

    todo = plan(room.fleet, screen.marked(), action)
    if not todo.targets:
        room.say(todo.left_out[0][1] if todo.left_out else "they are no longer there")
    elif action == "message":
        room.push_screen(MessageAll(screen, todo))
    elif action == "reassign":
        room.push_screen(ReassignAll(screen, todo))
    else:
        room.push_screen(ListSheet(screen, todo))


def carry_out(room: "ControlRoomApp", screen: RoomScreen, todo: Plan) -> None:
    """Ask the engine for all of it; what was done loses its mark, what was refused keeps it."""
    if room.source is None:
        room.say(f"not done: the engine is not here ({room.picture.reason or 'still starting'})", Level.DANGER)
        return
    room.work(_carry_out(room, room.source, screen, todo))


async def _carry_out(room: "ControlRoomApp", source: Source, screen: RoomScreen, todo: Plan) -> None:
    gate = asyncio.Semaphore(AT_ONCE)
    outcomes = await asyncio.gather(*(_submit(source, target.intent, gate) for target in todo.targets))
    done = [target.agent.id for target, outcome in zip(todo.targets, outcomes, strict=True) if outcome and outcome.ok]
    room.see_now(source)
    if screen.made:
        screen.unmark(done)
    words = summed(todo, outcomes)
    room.say(words, Level.DONE if len(done) == len(todo.targets) else Level.DANGER)


async def _submit(source: Source, intent: Intent, gate: asyncio.Semaphore) -> Outcome | None:
    """Ask for one of them; None: the engine went away before it answered."""
    from controlroom.fleet.client import EngineUnavailable

    async with gate:
        try:
            return await source.submit(intent)
        except EngineUnavailable:
            return None


def summed(todo: Plan, outcomes: Sequence[Outcome | None]) -> str:
    """Sum up what became of many: how many were done, which were refused and why, of which nothing is known."""
    pairs = list(zip(todo.targets, outcomes, strict=True))
    done = sum(1 for _, outcome in pairs if outcome is not None and outcome.ok)
    refused = [
        _reason(target, outcome)
        for target, outcome in pairs
        if outcome is not None and not outcome.ok and outcome.outcome == "refused"
    ]
    unknown = [target.agent.id for target, outcome in pairs if outcome is None or _unknown(outcome)]
    parts = [f"{done} {_DONE[todo.action]}"] if done or not (refused or unknown) else []
    parts += [f"{len(refused)} refused: {_several(refused, '; ')}"] * bool(refused)
    parts += [f"of {len(unknown)} not known: {_several(unknown, ', ')}; look before you try again"] * bool(unknown)
    return ", ".join(parts)


def _unknown(outcome: Outcome) -> bool:
    return not outcome.ok and outcome.outcome != "refused"


def _reason(target: Target, outcome: Outcome) -> str:
    """Give a refusal with the agent that it is about."""
    return outcome.reason if target.agent.id in outcome.reason else f"{target.agent.id}: {outcome.reason}"


def _several(words: Sequence[str], between: str) -> str:
    more = f"{between}and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return between.join(words[:_NAMED]) + more
