"""Actions on an agent's work: look at it, comment on it, send the comments."""

from controlroom.domain.review import sent_to
from controlroom.tui.actions.agents import agent_of
from controlroom.tui.actions.orders import order
from controlroom.tui.context import ContextApp
from controlroom.tui.screens.base import RoomScreen, say
from controlroom.tui.screens.review import ReviewScreen, ReviewSheet


def review(app: ContextApp, screen: RoomScreen) -> None:
    """Show what an agent has changed."""
    if agent := agent_of(app, screen):
        app.push_screen(ReviewScreen(agent.id))


def open_here(app: ContextApp, screen: RoomScreen) -> None:
    """Read the diff of the chosen file; in a diff, comment on a line."""
    if isinstance(screen, ReviewScreen):
        screen.open_here()


def file_next(app: ContextApp, screen: RoomScreen) -> None:
    """Go to the next file."""
    if isinstance(screen, ReviewScreen):
        screen.to_file(1)


def file_before(app: ContextApp, screen: RoomScreen) -> None:
    """Go to the file before."""
    if isinstance(screen, ReviewScreen):
        screen.to_file(-1)


def reload(app: ContextApp, screen: RoomScreen) -> None:
    """Compare anew."""
    if isinstance(screen, ReviewScreen):
        screen.load()


def checks(app: ContextApp, screen: RoomScreen) -> None:
    """Show all that is known of the checks of an agent's work."""
    from controlroom.domain.checks import check_lines
    from controlroom.domain.display.views import Line
    from controlroom.tui.screens.dialogs import ReportSheet

    if (agent := agent_of(app, screen)) and agent.checks:
        lines = [Line("", line) for line in check_lines(agent.checks, app.context.view.now)]
        app.push_screen(ReportSheet(f"checks of {agent.name}", lines))


def comment(app: ContextApp, screen: RoomScreen) -> None:
    """Say something of a line, or of a file."""
    if isinstance(screen, ReviewScreen):
        screen.comment()


def send_comments(app: ContextApp, screen: RoomScreen) -> None:
    """Send what was said as one message, after a look at it."""
    agent = agent_of(app, screen)
    if agent is None or not isinstance(screen, ReviewScreen):
        return
    intent, name = sent_to(agent, screen.message()), agent.name
    count = len(screen.comments)
    what = f"{count} comment{'s' * (count != 1)}"

    def send() -> None:
        order(app, intent, f"{name} has your {what}", screen.forget_comments)

    goes_on = ", which then goes on in its session" if agent.has_ended else ""
    app.push_screen(ReviewSheet(f"send {what} to {name}{goes_on}?", screen.message(), send))
    if agent.question is not None:
        say(app, f"{name} asks something: it reads your comments once that is answered")
