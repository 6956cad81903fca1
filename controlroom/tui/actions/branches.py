"""Actions on what an agent has committed: accept it, push it, propose it, drop it. Forms ask before it is done."""

from functools import partial

from controlroom.domain.branch_conflicts import give_back
from controlroom.domain.branch_intents import Accept, BranchIntent, DropWork
from controlroom.domain.display.collected import Collected, markdown, would_be_lost
from controlroom.domain.display.collected import title as title_of
from controlroom.domain.display.diff import shown_path
from controlroom.domain.model import Agent
from controlroom.domain.orders import Result
from controlroom.domain.words import named_some
from controlroom.text.changes import Changes
from controlroom.text.states import Outcome
from controlroom.tui.actions.agents import agent_of
from controlroom.tui.context import ContextApp, Level
from controlroom.tui.engine_client import Source
from controlroom.tui.screens.base import RoomScreen, say
from controlroom.tui.screens.branch_forms import AcceptForm, DropForm, PullRequestForm, PushForm
from controlroom.tui.screens.dialogs import AskSheet
from controlroom.tui.screens.review import ReviewScreen

PATIENCE = 590.0
"""Seconds to wait for a merge or a push: checks run, and remotes answer when they do."""


def _here(app: ContextApp, screen: RoomScreen) -> tuple[ReviewScreen, Agent, Changes] | None:
    """The review on show, whose it is, and what it shows."""
    agent = agent_of(app, screen)
    if not isinstance(screen, ReviewScreen) or agent is None or screen.changes is None:
        return None
    return screen, agent, screen.changes


def accept(app: ContextApp, screen: RoomScreen) -> None:
    """Fill in where an agent's commits are merged into."""
    if here := _here(app, screen):
        app.push_screen(AcceptForm(here[1], here[2], partial(_order, app, here[0], here[1])))


def push(app: ContextApp, screen: RoomScreen) -> None:
    """Fill in where an agent's branch is pushed to."""
    if here := _here(app, screen):
        app.push_screen(PushForm(here[1], here[2], partial(_order, app, here[0], here[1])))


def pull_request(app: ContextApp, screen: RoomScreen) -> None:
    """Fill in a pull request, with the text that is made of what its host says of the work."""
    if (here := _here(app, screen)) and (source := app.context.source):
        app.run_worker(_propose(app, source, *here))


async def _propose(app: ContextApp, source: Source, screen: ReviewScreen, agent: Agent, changes: Changes) -> None:
    from controlroom.client.client import EngineUnavailable

    try:
        told = await source.work(agent.id, agent.epoch)
    except EngineUnavailable as error:
        say(app, f"the engine went away ({error})", Level.DANGER)
        return
    collected = Collected(agent, told.work, told.reason)
    if told.work is None or collected.why:
        say(app, f"{agent.name}: {collected.why}", Level.DANGER)
    elif app.screen is screen:
        body = markdown([collected], app.context.link.now())
        order = partial(_order, app, screen, agent)
        app.push_screen(PullRequestForm(agent, changes, order, title_of(told.work), body))


def drop(app: ContextApp, screen: RoomScreen) -> None:
    """Remove an ended agent's worktree and branch: after a question, and by its name where something would be lost."""
    agent = agent_of(app, screen)
    if isinstance(screen, ReviewScreen) and agent is not None and (source := app.context.source):
        app.run_worker(_drop(app, source, screen, agent))


async def _drop(app: ContextApp, source: Source, screen: ReviewScreen, agent: Agent) -> None:
    from controlroom.client.client import EngineUnavailable

    try:
        told = await source.work(agent.id, agent.epoch)
    except EngineUnavailable as error:
        say(app, f"the engine went away ({error})", Level.DANGER)
        return
    if told.work is None:
        say(app, f"{agent.name}: {told.reason or 'its host says nothing of its work'}", Level.DANGER)
        return
    if app.screen is not screen:
        return
    head, lost = told.work.head, would_be_lost(told.work)

    def do(typed: str = "") -> None:
        _order(app, screen, agent, DropWork(agent.id, agent.epoch, typed, head), False)

    if lost:
        app.push_screen(DropForm(agent.name, lost, do))
    else:
        title = f"Drop the worktree and the branch of {agent.name} on {agent.host}?"
        app.push_screen(AskSheet(title, "All that it has committed is on another branch.", "drop", do))


def _order(app: ContextApp, screen: ReviewScreen, agent: Agent, intent: BranchIntent, gives_back: bool) -> None:
    source = app.context.source
    if source is None:
        say(app, f"not done: the engine is not here ({app.context.view.reason or 'still starting'})", Level.DANGER)
        return
    say(app, f"{agent.name}: on its way; this may take minutes")
    app.run_worker(_carry_out(app, source, screen, agent, intent, gives_back))


async def _carry_out(
    app: ContextApp, source: Source, screen: ReviewScreen, agent: Agent, intent: BranchIntent, gives_back: bool
) -> None:
    from controlroom.client.client import EngineUnavailable

    try:
        result = await source.submit(intent, deadline=PATIENCE)
        if isinstance(intent, Accept) and result.conflicts and gives_back:
            back = await source.submit(give_back(agent, intent.into, result.conflicts, pushed=intent.push))
            _say(app, agent, back, f"it conflicts, and was given back to {agent.name}, which is to resolve it")
        else:
            _say(app, agent, result, f"dropped {result.reason}" if isinstance(intent, DropWork) else result.reason)
    except EngineUnavailable as error:
        say(app, f"the engine went away before it answered ({error}): look before you try again", Level.DANGER)
        return
    app.context.link.show_now()
    if screen.is_attached:
        screen.load()


def _say(app: ContextApp, agent: Agent, result: Result, done: str) -> None:
    if result.ok:
        say(app, f"{agent.name}: {done or 'done'}", Level.DONE)
    elif result.outcome is Outcome.REFUSED:
        files = f": {named_some([shown_path(path) for path in result.conflicts])}" if result.conflicts else ""
        say(app, f"{agent.name}: {result.reason}{files}", Level.DANGER)
    else:
        say(app, f"{agent.name}: not known whether that was done: {result.reason or 'the link dropped'}")
