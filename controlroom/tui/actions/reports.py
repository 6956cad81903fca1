"""Actions that show a report on a sheet: why an agent is in its state, alarms, who is attached, the check of a host."""

from collections.abc import Awaitable, Callable, Sequence

from controlroom.domain.display.views import Line
from controlroom.tui.actions.agents import agent_of
from controlroom.tui.context import ContextApp, Level
from controlroom.tui.engine_client import Source
from controlroom.tui.screens.base import RoomScreen, say

Report = tuple[str, Sequence[Line]]
"""A heading, and the lines under it."""


def explain_agent(app: ContextApp, screen: RoomScreen) -> None:
    """Show why an agent is in its state, and what to do about it."""
    from controlroom.domain.display.explain import explain, for_watchers, lines
    from controlroom.domain.model import State
    from controlroom.tui.screens.dialogs import ReportSheet

    if agent := agent_of(app, screen):
        view = app.context.view
        reason = explain(view.fleet, agent, view.now)
        reason = for_watchers(reason) if view.read_only else reason
        shown = lines(reason, view.now, view.clock, app.context.keys)
        app.push_screen(
            ReportSheet(
                f"why {reason.agent} {'failed' if reason.state == State.FAILED else f'is {reason.state}'}", shown
            )
        )


def alarms(app: ContextApp, screen: RoomScreen) -> None:
    """Show all alarms, the worst first."""
    from controlroom.domain.display.views import alarm_lines
    from controlroom.tui.screens.dialogs import ReportSheet

    view = app.context.view
    shown = alarm_lines(view.fleet, view.now, view.clock)
    if shown:
        app.push_screen(ReportSheet(f"alarms: {len(view.fleet.alarms)}", shown))
    else:
        say(app, "there are no alarms", Level.DONE)


def host_check(app: ContextApp, screen: RoomScreen) -> None:
    """Check whether the chosen host has all that agents need."""
    if name := screen.host_here():
        ask(app, f"check of {name}", f"{name} is being checked…", lambda source: _checked(source, name))


async def _checked(source: Source, name: str) -> Report:
    from controlroom.domain.display.checkup import Grade, lines

    result = await source.check(name)
    bad = sum(check.verdict == Grade.BAD for check in result.checks)
    verdict = "not all is known" if result.reason else f"{bad} problem{'s' * (bad != 1)}" if bad else "no problems"
    rest = [Line("", result.reason, "warn")] if result.reason else []
    return f"check of {name}: {verdict}", [*lines(result.checks), *rest]


def attached(app: ContextApp, screen: RoomScreen) -> None:
    """Show who is attached to the engine."""

    async def report(source: Source) -> Report:
        from controlroom.domain.attached import lines

        result, view = await source.attached(), app.context.view
        if result.reason:
            return "who is attached", [Line("", result.reason, "warn")]
        return f"who is attached: {len(result.front_ends)}", lines(result.front_ends, view.now, view.clock)

    ask(app, "who is attached", "asking the engine…", report)


def ask(app: ContextApp, heading: str, meanwhile: str, report: Callable[[Source], Awaitable[Report]]) -> None:
    """Show a sheet at once, and fill it when the engine answers."""
    from controlroom.tui.screens.dialogs import ReportSheet

    if app.context.source is None:
        say(app, "not now: the engine is not here", Level.DANGER)
        return
    sheet = ReportSheet(heading, [Line("", meanwhile)])
    app.push_screen(sheet)

    async def fill(source: Source) -> None:
        from controlroom.client.client import EngineUnavailable

        try:
            sheet.report(*await report(source))
        except EngineUnavailable as problem:
            sheet.report(f"{heading}: not done", [Line("", str(problem), "warn")])

    app.run_worker(fill(app.context.source))
