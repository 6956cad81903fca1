"""Actions on the git worktrees of agents: look at all of them, drop one."""

from controlroom.domain.worktrees import DropWorktree, KeptWorktree, agent_of, lost_with
from controlroom.tui.actions.branches import PATIENCE
from controlroom.tui.context import ContextApp, Level
from controlroom.tui.screens.base import RoomScreen, say
from controlroom.tui.screens.worktrees import WorktreesScreen


def show(app: ContextApp, screen: RoomScreen) -> None:
    """Show the worktrees, those of the chosen host or agent first."""
    agent = app.context.fleet.agents.get(screen.agent_here() or "")
    app.push_screen(WorktreesScreen(agent.host if agent else screen.host_here() or ""))


def reload(app: ContextApp, screen: RoomScreen) -> None:
    """Ask the hosts anew."""
    if isinstance(screen, WorktreesScreen):
        screen.load()
        screen.see(screen.view)


def drop(app: ContextApp, screen: RoomScreen) -> None:
    """Remove a worktree: after a question, and by the name of its agent where something would be lost."""
    from controlroom.tui.screens.branch_forms import DropForm
    from controlroom.tui.screens.dialogs import AskSheet

    if not isinstance(screen, WorktreesScreen) or (chosen := screen.chosen) is None:
        return
    name, lost = agent_of(chosen.key), lost_with(chosen)

    def do(typed: str = "") -> None:
        app.run_worker(_drop(app, screen, chosen, typed))

    if lost:
        app.push_screen(DropForm(name, lost, do))
    else:
        title = f"Drop {chosen.id} and its branch {chosen.branch}?"
        app.push_screen(AskSheet(title, "All that it has is elsewhere, too.", "drop", do))


async def _drop(app: ContextApp, screen: WorktreesScreen, chosen: KeptWorktree, typed: str) -> None:
    from controlroom.client.client import EngineUnavailable

    if (source := app.context.source) is None:
        say(app, f"not done: the engine is not here ({app.context.view.reason or 'still starting'})", Level.DANGER)
        return
    say(app, f"{chosen.id}: on its way")
    try:
        result = await source.submit(DropWorktree(chosen.id, typed), deadline=PATIENCE)
    except EngineUnavailable as error:
        say(app, f"the engine went away before it answered ({error}): look before you try again", Level.DANGER)
        return
    if result.ok:
        say(app, f"{chosen.id} is dropped", Level.DONE)
    else:
        say(app, f"{chosen.id}: {result.reason or 'not known whether it was dropped: look again'}", Level.DANGER)
    if screen.is_attached:
        screen.load()
