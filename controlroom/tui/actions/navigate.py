"""Actions that lead somewhere: another screen or sheet, another line, the next agent that waits."""

from collections.abc import Callable

from controlroom.domain.model import LinkState, LogPlace, State
from controlroom.domain.tasks import Attempt
from controlroom.domain.words import named_some
from controlroom.tui.context import ContextApp, Level
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.base import RoomScreen, say
from controlroom.tui.screens.hosts import HostsScreen
from controlroom.tui.screens.timeline import TimelineScreen
from controlroom.tui.widgets.type_line import FilterLine

Act = Callable[[ContextApp, RoomScreen], None]


def open_agent(app: ContextApp, agent: str) -> None:
    """Show an agent; from one agent to another the way back stays one step."""
    if isinstance(app.screen, AgentScreen):
        app.screen.turn_to(agent)
    else:
        app.push_screen(AgentScreen(agent))


def open_attempt(app: ContextApp, attempt: Attempt) -> None:
    """Show the agent of an attempt; where it has run again since, its log from where the attempt began."""
    agent = app.context.fleet.agents.get(attempt.id)
    if agent is None:
        say(app, f"{attempt.id} is gone, and its logs with it")
    elif agent.epoch == attempt.epoch:
        open_agent(app, agent.id)
    else:
        app.push_screen(AgentScreen(agent.id, LogPlace(attempt.epoch, 1, 0)))


def open_hosts(app: ContextApp, host: str | None = None) -> None:
    """Show the hosts, with the cursor on one of them."""
    if not isinstance(app.screen, HostsScreen):
        app.push_screen(HostsScreen(host))
    elif host:
        app.screen.turn_to(host)


def open_tasks(app: ContextApp, task: str = "") -> None:
    """Show the tasks, with the cursor on one of them; back to them where this screen was opened from there."""
    from controlroom.tui.screens.tasks import TasksScreen

    if any(isinstance(below, TasksScreen) for below in app.screen_stack):
        while not isinstance(app.screen, TasksScreen):
            app.pop_screen()
        app.screen.turn_to(task)
    else:
        app.push_screen(TasksScreen(task))


def tasks(app: ContextApp, screen: RoomScreen) -> None:
    """Show the tasks; the cursor is on that of the agent under it, where there is one."""
    from controlroom.domain.display.tasks import task_of

    agent = app.context.fleet.agents.get(screen.agent_here() or "")
    task = task_of(app.context.fleet, agent) if agent else None
    open_tasks(app, task.id if task else "")


def open_themes(app: ContextApp, name: str = "") -> None:
    """Offer the themes, with the cursor on one of them, or on the one in use."""
    from controlroom.tui.screens.themes import ThemeSheet

    app.push_screen(ThemeSheet(name))


def questions(app: ContextApp, screen: RoomScreen) -> None:
    """Show all open questions; back to them where this screen was opened from there."""
    from controlroom.tui.screens.questions import QuestionsScreen

    if any(isinstance(below, QuestionsScreen) for below in app.screen_stack[:-1]):
        app.pop_screen()
    else:
        app.push_screen(QuestionsScreen())


def open_chosen(app: ContextApp, screen: RoomScreen) -> None:
    """Open the agent under the cursor, or the host that asks; on the timeline at the line under the cursor."""
    if isinstance(screen, TimelineScreen):
        screen.open_here()
    elif screen.where == "questions" and (host := screen.host_here()):
        open_hosts(app, host)
    elif agent := screen.agent_here():
        open_agent(app, agent)


def back(app: ContextApp, screen: RoomScreen) -> None:
    """Go a step back within the screen, else leave the screen, else the app."""
    if screen.step_back():
        return
    if len(app.screen_stack) > 1:
        app.pop_screen()
    else:
        app.exit()


def next_waiting(app: ContextApp, screen: RoomScreen) -> None:
    """Go to the question after the one on show; without a question, say so.

    After the questions come agents that wait at something on their own terminals, which is no question.
    """
    fleet = app.context.fleet
    subjects = [subject for subject, _ in fleet.questions()]
    agents = fleet.agents.values()
    waits = [agent for agent in agents if agent.question is None and fleet.state_of(agent) is State.WAITING]
    subjects += [agent.id for agent in sorted(waits, key=lambda agent: (agent.since, agent.id))]
    if not subjects:
        away = sorted(host.name for host in fleet.hosts.values() if host.link is not LinkState.UP)
        if away:
            are = "is" if len(away) == 1 else "are"
            say(app, f"nothing is asked, as far as is known: {named_some(away)} {are} away")
        else:
            say(app, "nothing needs you now", Level.DONE)
        return
    here = screen.agent_here() if isinstance(screen, AgentScreen) else screen.host_here()
    subject = subjects[(subjects.index(here) + 1) % len(subjects)] if here in subjects else subjects[0]
    go_to(app, screen, subject)


def go_to(app: ContextApp, screen: RoomScreen, subject: str) -> None:
    """Show an agent or a host; the way back stays one step."""
    is_host, on_hosts = subject in app.context.fleet.hosts, isinstance(screen, HostsScreen)
    if isinstance(screen, (AgentScreen, HostsScreen)) and is_host != on_hosts:
        app.pop_screen()
    if is_host:
        open_hosts(app, subject)
    else:
        open_agent(app, subject)


def hosts(app: ContextApp, screen: RoomScreen) -> None:
    """Show the hosts."""
    open_hosts(app)


def host_in_full(app: ContextApp, screen: RoomScreen) -> None:
    """Show the chosen host alone, or the table again."""
    if isinstance(screen, HostsScreen):
        screen.open_host(not screen.alone)


def host_charts(app: ContextApp, screen: RoomScreen) -> None:
    """Draw the chosen host over time."""
    from controlroom.tui.screens.charts import HostCharts

    if host := screen.host_here():
        app.push_screen(HostCharts(host))


def figures(app: ContextApp, screen: RoomScreen) -> None:
    """Show how work flows."""
    from controlroom.tui.screens.charts import FlowCharts

    app.push_screen(FlowCharts())


def money_charts(app: ContextApp, screen: RoomScreen) -> None:
    """Draw what was spent, and the windows of plans, over the span on show."""
    from controlroom.tui.screens.charts import MoneyCharts
    from controlroom.tui.screens.costs import CostsScreen

    app.push_screen(MoneyCharts(screen.span) if isinstance(screen, CostsScreen) else MoneyCharts())


def costs(app: ContextApp, screen: RoomScreen) -> None:
    """Show what was spent."""
    from controlroom.tui.screens.costs import CostsScreen

    app.push_screen(CostsScreen())


def budgets(app: ContextApp, screen: RoomScreen) -> None:
    """Choose a budget, and fill in what is to become of it."""
    from controlroom.tui.screens.budgets import choose_budget

    app.push_screen(choose_budget(app.context.fleet))


def turn_costs(turn: str) -> Act:
    """Make the action that turns the costs screen to something else."""
    return lambda _app, screen: getattr(screen, turn)()


def timeline(app: ContextApp, screen: RoomScreen) -> None:
    """Show the logs of the marked agents in one list."""
    app.push_screen(TimelineScreen(screen.marked()))


def bookmark(app: ContextApp, screen: RoomScreen) -> None:
    """Keep the line under the cursor, or let it go."""
    if isinstance(screen, TimelineScreen):
        screen.bookmark()


def to_bookmark(step: int) -> Act:
    """Make the action that goes to the next older (-1) or newer (1) line that was kept."""
    return lambda _app, screen: screen.to_bookmark(step) if isinstance(screen, TimelineScreen) else None


def export(app: ContextApp, screen: RoomScreen) -> None:
    """Write the lines on show into a file."""
    if isinstance(screen, TimelineScreen):
        screen.export()


def to_match(step: int) -> Act:
    """Make the action that goes to the next older (1) or newer (-1) match in an agent's log."""
    return lambda _app, screen: screen.to_match(step) if isinstance(screen, AgentScreen) else None


def open_filter(app: ContextApp, screen: RoomScreen) -> None:
    """Type a filter or a search."""
    screen.query_one(FilterLine).open()


def themes(app: ContextApp, screen: RoomScreen) -> None:
    """Offer the themes."""
    open_themes(app)


def palette(app: ContextApp, screen: RoomScreen) -> None:
    """Find an action, agent, host or theme by a part of its name."""
    from controlroom.tui.screens.palette import PaletteScreen

    app.push_screen(PaletteScreen(screen))


def show_help(app: ContextApp, screen: RoomScreen) -> None:
    """Explain the keys of the screen."""
    from controlroom.tui.screens.help import HelpScreen

    app.push_screen(HelpScreen(screen.where, screen.motions()))
