"""Actions on agents: start, end, give another task, message, interrupt, and look at or attach to a terminal."""

from textual.app import SuspendNotSupported

from controlroom.domain import intents
from controlroom.domain.keys.many import Plan, intent_of, plan
from controlroom.domain.model import Agent
from controlroom.tui.actions.orders import order
from controlroom.tui.context import ContextApp, Level
from controlroom.tui.engine_client import Source, unless_lost
from controlroom.tui.screens.base import RoomScreen, say


def agent_of(app: ContextApp, screen: RoomScreen) -> Agent | None:
    """The agent that a screen is about."""
    return app.context.fleet.agents.get(screen.agent_here() or "")


def spawn(app: ContextApp, screen: RoomScreen) -> None:
    """Fill in what a new agent is to do, on the host that the screen is about."""
    from controlroom.tui.screens.forms import SpawnForm

    agent = agent_of(app, screen)
    app.push_screen(SpawnForm(app.context.fleet, screen.host_here() or (agent.host if agent else "")))


def adopt(app: ContextApp, screen: RoomScreen) -> None:
    """Choose a name and a profile for an agent that others started, and take it over."""
    from controlroom.tui.screens.adopting import AdoptForm

    if agent := agent_of(app, screen):
        app.push_screen(AdoptForm(app.context.fleet, agent))


def adopt_all(app: ContextApp, wanted: Plan[Agent]) -> None:
    """Choose a profile for several agents that others started; they are listed before they are taken over."""
    from controlroom.tui.screens.adopting import AdoptAll

    app.push_screen(AdoptAll(app.context.fleet, wanted))


def adopt_anew(app: ContextApp, screen: RoomScreen) -> None:
    """Choose a profile with which an agent of others goes on under a runner; it asks before it ends anything."""
    from controlroom.tui.screens.adopting import AnewForm

    if agent := agent_of(app, screen):
        app.push_screen(AnewForm(app.context.fleet, agent))


def kill(app: ContextApp, screen: RoomScreen) -> None:
    """End an agent's run, after a confirmation."""
    from controlroom.tui.screens.dialogs import ConfirmSheet

    if agent := agent_of(app, screen):
        title = f"Kill {agent.name} on {agent.host}?"
        text = f"It is {app.context.fleet.state_of(agent)}. Everything it started ends with it."
        app.push_screen(ConfirmSheet(title, text, "kill", intents.KillAgent(agent.id, agent.epoch, agent.mark)))


def forget(app: ContextApp, screen: RoomScreen) -> None:
    """Remove an agent that has ended, and its logs, after a confirmation."""
    from controlroom.tui.screens.dialogs import ConfirmSheet

    if agent := agent_of(app, screen):
        title = f"Forget {agent.name} on {agent.host}?"
        text = "Its logs are removed from the host, for good."
        app.push_screen(ConfirmSheet(title, text, "forget", intents.ForgetAgent(agent.id, agent.epoch)))


def reassign(app: ContextApp, screen: RoomScreen) -> None:
    """Fill in another task for an agent."""
    from controlroom.tui.screens.forms import ReassignForm

    if agent := agent_of(app, screen):
        app.push_screen(ReassignForm(app.context.fleet, agent))


def retry(app: ContextApp, screen: RoomScreen) -> None:
    """Give an agent its task again; where it still runs, after a confirmation."""
    from controlroom.tui.screens.dialogs import ConfirmSheet

    agent = agent_of(app, screen)
    if agent is None:
        return
    intent, done = intents.RetryAgent(agent.id, agent.epoch), f"{agent.name} has its task again"
    if agent.has_ended:
        order(app, intent, done)
    else:
        text = f"It is {app.context.fleet.state_of(agent)}. This run is ended first."
        app.push_screen(ConfirmSheet(f"Give {agent.name} its task again?", text, "retry", intent, done))


def message(app: ContextApp, screen: RoomScreen) -> None:
    """Write to an agent; its question, where it has one, is answered in words."""
    from controlroom.tui.screens.forms import MessageForm

    if agent := agent_of(app, screen):
        panel = screen.question_here()
        panel = panel if panel is not None and panel.subject == agent.id else None
        app.push_screen(MessageForm(agent, panel, screen.alike()))


def interrupt(app: ContextApp, screen: RoomScreen) -> None:
    """Stop an agent's turn; it then waits for a message."""
    if agent := agent_of(app, screen):
        done = f"interrupted {agent.name}; it waits for a message"
        order(app, intents.InterruptAgent(agent.id, agent.epoch, agent.mark), done)


def model(app: ContextApp, screen: RoomScreen) -> None:
    """Choose the model that an agent is to go on with."""
    from controlroom.tui.screens.forms import ModelForm

    if agent := agent_of(app, screen):
        app.push_screen(ModelForm(app.context.fleet, plan(app.context.fleet, [agent.id], "model")))


def pause(app: ContextApp, screen: RoomScreen) -> None:
    """End an agent's run, and keep its session."""
    if agent := agent_of(app, screen):
        order(app, intents.PauseAgent(agent.id, agent.epoch, agent.mark), f"paused {agent.name}; resume lets it go on")


def resume(app: ContextApp, screen: RoomScreen) -> None:
    """Let an agent go on where it stopped."""
    if agent := agent_of(app, screen):
        order(app, intent_of(agent, "resume"), f"{agent.name} goes on")


def terminal(app: ContextApp, screen: RoomScreen) -> None:
    """Look at an agent's terminal."""
    from controlroom.tui.screens.terminal import TerminalSheet

    if agent := screen.agent_here():
        app.push_screen(TerminalSheet(agent))


def copy(app: ContextApp, screen: RoomScreen) -> None:
    """Choose what of an agent goes to the clipboard."""
    from controlroom.tui.screens.copy import CopySheet, newest_command

    if agent := agent_of(app, screen):
        command = newest_command(app.context.logs.book(agent))
        app.push_screen(CopySheet(agent, screen.line_here(), command))


def attach(app: ContextApp, screen: RoomScreen) -> None:
    """Hand this terminal to an agent's session until the person leaves it."""
    agent, source = screen.agent_here(), app.context.source
    if agent and source is None:
        say(app, f"not now: {app.context.view.reason or 'the engine is still starting'}", Level.DANGER)
    elif agent and source:
        app.run_worker(unless_lost(_attach(app, source, agent, app.context.keyboard.lead_later())))


async def _attach(app: ContextApp, source: Source, agent: str, token: object) -> None:
    from controlroom.client.client import NoAttachment

    try:
        attachment = await source.attachment(agent)
    except NoAttachment as problem:
        say(app, str(problem), Level.DANGER)
        return
    finally:
        wanted = app.context.keyboard.leads(token)
        await app.context.keyboard.led(token, there=False)  # what was typed ahead is for nobody's program
    if not wanted:
        return
    try:
        with app.suspend():
            trouble = attachment.run()
    except SuspendNotSupported:
        say(app, "this terminal cannot be lent to an agent: run controlroom attach in another one", Level.DANGER)
        return
    app.refresh(layout=True)
    if trouble:
        say(app, trouble, Level.DANGER)
    elif attachment.why_read_only:
        say(app, f"it was read-only: {attachment.why_read_only}")
