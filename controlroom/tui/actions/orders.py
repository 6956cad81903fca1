"""Orders: intents submitted to the engine, for one subject or for many agents, and what is said of the outcome."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from controlroom.text.states import Outcome
from controlroom.tui.context import ContextApp, Level, Say, Undo
from controlroom.tui.engine_client import Source, unless_lost
from controlroom.tui.screens.base import RoomScreen, say, top_screen

if TYPE_CHECKING:
    from controlroom.domain.intents import Intent
    from controlroom.domain.keys.many import AnyPlan
    from controlroom.domain.model import Agent
    from controlroom.domain.orders import Result

DENIAL_UNDO = 60.0
"""Seconds for which a no can be taken back: later the key would reach an agent that nobody thinks of any more."""

MISTAKE = "I denied it by mistake; please ask again."


def order(app: ContextApp, intent: "Intent", done: str = "", then: Callable[[], None] | None = None) -> None:
    """Submit an intent; once it was carried out `then` is called, and `done` is the status message."""
    if source := _engine(app):
        app.run_worker(_order(app, source, intent, done, then))
        _go_on(app, [intent])


def order_all(app: ContextApp, plan: "AnyPlan") -> None:
    """Submit an intent for each of many agents or tasks; only those for whom it was tried in vain stay marked."""
    if source := _engine(app):
        app.run_worker(unless_lost(_order_all(app, source, plan)))
        _go_on(app, [target.intent for target in plan.targets])


def _go_on(app: ContextApp, orders: Sequence["Intent"]) -> None:
    """Go from a question that is being answered to the next one."""
    from controlroom.domain.intents import AnswerQuestion

    answered = {intent.subject for intent in orders if isinstance(intent, AnswerQuestion)}
    if answered and (screen := top_screen(app)):
        screen.answered(answered)


def undo(app: ContextApp, screen: RoomScreen) -> None:
    """Take back what was done last, where that can be."""
    undos = app.context.undos
    undos[:] = [each for each in undos if each.until > app.context.monotonic()]
    if undos:
        undos.pop().take_back()
    else:
        say(app, "nothing to undo: only a denial and a forgotten agent can be taken back, for a while")


def _can_undo(app: ContextApp, take_back: Callable[[], None], seconds: float) -> None:
    app.context.undos.append(Undo(take_back, app.context.monotonic() + seconds))


def was_denied(app: ContextApp, agents: Iterable["Agent"]) -> None:
    """Note who was denied: they can be told that it was a mistake."""
    from controlroom.domain.intents import SendMessage
    from controlroom.domain.keys.many import Plan, Target

    targets = [Target(agent, SendMessage(agent.id, agent.epoch, MISTAKE)) for agent in agents]
    if len(targets) == 1:
        told = f"{targets[0].subject.name}: told to ask again"
        _can_undo(app, partial(order, app, targets[0].intent, told), DENIAL_UNDO)
    elif targets:
        _can_undo(app, partial(order_all, app, Plan("message", tuple(targets), ())), DENIAL_UNDO)


def forget(app: ContextApp, named: str, submit: Callable[[], None]) -> None:
    """Submit what forgets agents after a while in which they can be kept."""
    context = app.context

    def keep() -> None:
        timer.stop()
        say(app, f"{named} kept", Level.DONE)

    timer = app.set_timer(context.forget_after, submit)
    _can_undo(app, keep, context.forget_after)
    say(app, f"{named} forgotten in {context.forget_after:.0f} s: {context.keys.shown('undo')} undoes it")


def _engine(app: ContextApp) -> Source | None:
    if app.context.source is None:
        reason = app.context.view.reason or "still starting"
        say(app, f"not done: the engine is not here ({reason})", Level.DANGER)
    return app.context.source


async def _order(app: ContextApp, source: Source, intent: "Intent", done: str, then: Callable[[], None] | None) -> None:
    from controlroom.client.client import EngineUnavailable

    try:
        result = await source.submit(intent)
    except EngineUnavailable as error:
        say(app, f"the engine went away before it answered ({error}): look before you try again", Level.DANGER)
        return
    app.context.link.show_now()
    if then is not None and result.ok:
        then()
    app.post_message(_outcome(result, done))  # after what the panels say of the newer fleet


def _outcome(result: "Result", done: str) -> Say:
    if result.ok:
        return Say(f"{done} ({result.reason})" if done and result.reason else done or result.reason, Level.DONE)
    if result.outcome is Outcome.REFUSED:
        return Say(result.reason, Level.DANGER)
    return Say(f"not known whether that was done: {result.reason or 'the link dropped'}; looking again")


async def _order_all(app: ContextApp, source: Source, plan: "AnyPlan") -> None:
    from controlroom.domain.keys.many import AT_ONCE, summed

    gate = asyncio.Semaphore(AT_ONCE)
    results = await asyncio.gather(*(_submit(source, target.intent, gate) for target in plan.targets))
    done = [target.subject.id for target, result in zip(plan.targets, results, strict=True) if result and result.ok]
    app.context.link.show_now()
    if plan.action == "deny":
        denied = (app.context.fleet.agents.get(name) for name in done)
        was_denied(app, [agent for agent in denied if agent is not None])
    for screen in app.screen_stack:
        if isinstance(screen, RoomScreen) and screen.made:
            screen.unmark([*done, *(each.id for each, _ in plan.left_out)])
    level = Level.DONE if len(done) == len(plan.targets) else Level.DANGER
    app.post_message(Say(summed(plan, results), level))


async def _submit(source: Source, intent: "Intent", gate: asyncio.Semaphore) -> "Result | None":
    """Submit one intent; None: the engine went away before it answered."""
    from controlroom.client.client import EngineUnavailable

    async with gate:
        try:
            return await source.submit(intent)
        except EngineUnavailable:
            return None
