"""What actions do that only lead somewhere: another screen or sheet, another line, another order of what is there."""

from collections.abc import Callable

from controlroom.domain.model import Agent, State
from controlroom.tui.room import Level, Room
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.screens.hosts import HostsScreen
from controlroom.tui.screens.timeline import TimelineScreen
from controlroom.tui.widgets.fields import FilterLine

Act = Callable[[Room, RoomScreen], None]
"""What an action does, on the screen that is on top."""


def agent_of(room: Room, screen: RoomScreen) -> Agent | None:
    """Give the agent that a screen is about."""
    return room.fleet.agents.get(screen.agent_here() or "")


def open_agent(room: Room, agent: str) -> None:
    """Show an agent; from one agent to another the way back stays one step."""
    if isinstance(room.screen, AgentScreen):
        room.screen.turn_to(agent)
    else:
        room.push_screen(AgentScreen(agent))


def open_hosts(room: Room, host: str | None = None) -> None:
    """Show the hosts, with the cursor on one of them."""
    if isinstance(room.screen, HostsScreen):
        if host:
            room.screen.turn_to(host)
    else:
        room.push_screen(HostsScreen(host))


def _open(room: Room, screen: RoomScreen) -> None:
    if isinstance(screen, TimelineScreen):
        screen.open_here()
    elif agent := screen.agent_here():
        open_agent(room, agent)


def _timeline(room: Room, screen: RoomScreen) -> None:
    room.push_screen(TimelineScreen(screen.marked()))


def _in_timeline(act: Callable[[TimelineScreen], None]) -> Callable[[Room, RoomScreen], None]:
    return lambda _room, screen: act(screen) if isinstance(screen, TimelineScreen) else None


def _hosts(room: Room, screen: RoomScreen) -> None:
    open_hosts(room)


def _back(room: Room, screen: RoomScreen) -> None:
    for line in screen.query(FilterLine):
        if line.text:
            line.write("")
            return
    if screen.step_back():
        return
    if len(room.screen_stack) > 1:
        room.pop_screen()
    else:
        room.exit()


def _next(room: Room, screen: RoomScreen) -> None:
    """Go to the question after the one on show; with one question, to that; with none, say so.

    After them come agents that wait at something on their own terminals, which is no question.
    """
    asked = [subject for subject, _ in room.fleet.questions()]
    agents = room.fleet.agents.values()
    waits = [agent for agent in agents if agent.question is None and room.fleet.state_of(agent) is State.WAITING]
    asked += [agent.id for agent in sorted(waits, key=lambda agent: (agent.since, agent.id))]
    if not asked:
        room.say("nothing needs you now", Level.DONE)
        return
    here = screen.agent_here() if isinstance(screen, AgentScreen) else screen.host_here()
    subject = asked[(asked.index(here) + 1) % len(asked)] if here in asked else asked[0]
    if isinstance(screen, (AgentScreen, HostsScreen)) and (subject in room.fleet.hosts) != isinstance(
        screen, HostsScreen
    ):
        room.pop_screen()
    if subject in room.fleet.hosts:
        open_hosts(room, subject)
    else:
        open_agent(room, subject)


def _host_open(room: Room, screen: RoomScreen) -> None:
    if isinstance(screen, HostsScreen):
        screen.open_host(not screen.alone)


def _filter(room: Room, screen: RoomScreen) -> None:
    screen.query_one(FilterLine).open()


def _match(step: int) -> Callable[[Room, RoomScreen], None]:
    return lambda _room, screen: screen.to_match(step) if isinstance(screen, AgentScreen) else None


def _help(room: Room, screen: RoomScreen) -> None:
    from controlroom.tui.screens.help import HelpScreen

    room.push_screen(HelpScreen(screen.where, screen.motions()))


def _explain(room: Room, screen: RoomScreen) -> None:
    from controlroom.domain.display.explain import explain, lines
    from controlroom.tui.screens.dialogs import ReportSheet

    if agent := agent_of(room, screen):
        now = room.view.now
        told = explain(room.fleet, agent, now)
        shown = lines(told, now, room.view.clock, room.keys)
        room.push_screen(ReportSheet(f"why {told.agent} is {told.state}", shown))


def _costs(room: Room, screen: RoomScreen) -> None:
    from controlroom.tui.screens.costs import CostsScreen

    room.push_screen(CostsScreen())


def _costs_screen(turn: str) -> Callable[[Room, RoomScreen], None]:
    """Turn the Costs screen to something else."""
    return lambda _room, screen: getattr(screen, turn)()


def _alarms(room: Room, screen: RoomScreen) -> None:
    from controlroom.domain.display.views import alarm_lines
    from controlroom.tui.screens.dialogs import ReportSheet

    told = alarm_lines(room.fleet, room.view.now, room.view.clock)
    if not told:
        room.say("there is no alarm", Level.DONE)
        return
    room.push_screen(ReportSheet(f"alarms: {len(room.fleet.alarms)}", told))


def _attach(room: Room, screen: RoomScreen) -> None:
    if agent := screen.agent_here():
        room.attach(agent)


def _screen(room: Room, screen: RoomScreen) -> None:
    from controlroom.tui.screens.terminal import TerminalSheet

    if agent := screen.agent_here():
        room.push_screen(TerminalSheet(agent))


def _theme(room: Room, screen: RoomScreen) -> None:
    open_themes(room)


def open_themes(room: Room, name: str = "") -> None:
    """Offer the themes, beginning with one of them, or with the one that is worn."""
    from controlroom.tui.screens.themes import ThemeSheet

    room.push_screen(ThemeSheet(name))


GOING: dict[str, Act] = {
    "open": _open,
    "next": _next,
    "explain": _explain,
    "costs": _costs,
    "costs_limits": _costs_screen("turn_full"),
    "costs_by": _costs_screen("turn_by"),
    "alarms": _alarms,
    "attach": _attach,
    "screen": _screen,
    "filter": _filter,
    "search": _filter,
    "timeline": _timeline,
    "sift": _filter,
    "bookmark": _in_timeline(TimelineScreen.bookmark),
    "bookmark_older": _in_timeline(lambda screen: screen.to_bookmark(-1)),
    "bookmark_newer": _in_timeline(lambda screen: screen.to_bookmark(1)),
    "export": _in_timeline(TimelineScreen.export),
    "match_older": _match(1),
    "match_newer": _match(-1),
    "hosts": _hosts,
    "host_open": _host_open,
    "theme": _theme,
    "help": _help,
    "back": _back,
}
