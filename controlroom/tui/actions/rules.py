"""Rules made of a question on the screen."""

from controlroom.domain.open_questions import Asking
from controlroom.tui.context import ContextApp, Level
from controlroom.tui.engine_client import Source, unless_lost
from controlroom.tui.screens.base import RoomScreen, say
from controlroom.tui.screens.questions import QuestionsScreen


def make(app: ContextApp, screen: RoomScreen) -> None:
    """Fill in a rule for what the chosen agents ask, once the engine has said which rules there are."""
    if not isinstance(screen, QuestionsScreen):
        return
    asked, source = screen.asked_here, app.context.source
    if asked is None:
        say(app, "a host asks that: rules answer what agents ask")
    elif source is not None:
        app.run_worker(unless_lost(_make(app, source, asked, app.context.keyboard.lead_later())))


async def _make(app: ContextApp, source: Source, asked: Asking, token: object) -> None:
    from controlroom.domain.permissions.judge import RuleSet
    from controlroom.tui.screens.rules import RuleForm, standing

    keyboard, there = app.context.keyboard, False
    try:
        told = await source.rules()
        view = app.context.view
        if told.reason:
            say(app, f"the rules cannot be read: {told.reason}", Level.DANGER)
        elif not any(subject in view.fleet.agents for subject in asked.whom):
            say(app, "who asked that is gone")
        elif keyboard.leads(token):
            rules = RuleSet(tuple(each.rule for each in told.rules), told.floor)
            app.push_screen(RuleForm(view.fleet, asked, standing(told.rules, rules), view.now))
            there = True
    finally:
        await keyboard.led(token, there=there)
