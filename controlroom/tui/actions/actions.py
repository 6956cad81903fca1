"""The table of actions: what each one does on the screen on top, and why it may not be done."""

from collections.abc import Callable
from functools import partial

from controlroom.domain.keys.actions import BY_NAME
from controlroom.domain.keys.many import plan
from controlroom.text.states import Verdict
from controlroom.tui.actions import (
    agents,
    branches,
    hosts,
    navigate,
    orders,
    questions,
    reports,
    review,
    rules,
    tasks,
    worktrees,
)
from controlroom.tui.context import ContextApp, Level
from controlroom.tui.screens.arranging import MarkingScreen
from controlroom.tui.screens.base import RoomScreen, say
from controlroom.tui.screens.overview import Overview
from controlroom.tui.view_state import Engine

Act = Callable[[ContextApp, RoomScreen], None]
"""What an action does, on the screen on top."""

READ_ONLY = "read-only: you may look, and change nothing"


def do(app: ContextApp, name: str) -> None:
    """Do an action on the screen on top, or say why it cannot be done."""
    screen, view, action = app.screen, app.context.view, BY_NAME[name]
    if not isinstance(screen, RoomScreen):
        return
    if view.read_only and not action.looks:
        say(app, READ_ONLY)
    elif view.engine is Engine.STOPPED and action.changes:
        app.context.link.start_engine()
        say(app, "the engine was stopped: starting it again; press once more when it is back")
    elif view.engine is not Engine.HERE and action.changes:
        say(app, f"not now: {view.reason or 'the engine is still starting'}", Level.DANGER)
    elif action.needs and _has_gone_on(app, screen):
        subject = screen.agent_here() or screen.host_here() or screen.task_here() or "something else"
        say(app, f"this is {subject.rpartition('/')[2]} now: look, then press again")
    elif reason := screen.reason_against(action):
        say(app, reason)
    else:
        together = action.many and screen.marked()
        act = partial(to_all, action=name) if together else ACTS[name]
        act(app, screen)


def _has_gone_on(app: ContextApp, screen: RoomScreen) -> bool:
    """Whether screen or cursor went on to something else by themselves, too late for a key to be meant for it."""
    timing, rows = app.context.keyboard.timing, screen.list_here()
    return timing.is_new(timing.led_at) or (rows is not None and timing.is_new(rows.came_at))


def to_all(app: ContextApp, screen: RoomScreen, action: str) -> None:
    """Begin to do an action to all that is marked: ask for words where it needs some, else show the list."""
    from controlroom.tui.screens.forms import MessageAll, ModelForm, ReassignAll
    from controlroom.tui.screens.many import ListSheet

    if BY_NAME[action].needs == "task":
        tasks.to_all(app, action, screen.marked(), screen.hidden_marks())
        return
    wanted = plan(app.context.fleet, screen.marked(), action, screen.hidden_marks())
    if not wanted.targets:
        say(app, wanted.left_out[0][1] if wanted.left_out else "they are gone")
    elif action == "message":
        app.push_screen(MessageAll(wanted))
    elif action == "model":
        app.push_screen(ModelForm(app.context.fleet, wanted))
    elif action == "adopt":
        agents.adopt_all(app, wanted)
    elif action == "reassign":
        app.push_screen(ReassignAll(app.context.fleet, wanted))
    else:
        app.push_screen(ListSheet(wanted))


def _table(arrange: Callable[[MarkingScreen], None]) -> Act:
    return lambda _app, screen: arrange(screen) if isinstance(screen, MarkingScreen) else None


def _overview(arrange: Callable[[Overview], None]) -> Act:
    return lambda _app, screen: arrange(screen) if isinstance(screen, Overview) else None


def _panes(overview: Overview) -> None:
    """Show the panes; where they are on show, ask of whom and how many."""
    from controlroom.tui.screens.panes import PanesSheet

    if overview.pane_shown and not overview.small_pane:
        overview.app.push_screen(PanesSheet(overview))
    else:
        overview.cover()


ACTS: dict[str, Act] = {
    "open": navigate.open_chosen,
    "next": navigate.next_waiting,
    "back": navigate.back,
    "filter": navigate.open_filter,
    "search": navigate.open_filter,
    "sift": navigate.open_filter,
    "hosts": navigate.hosts,
    "host_charts": navigate.host_charts,
    "money_charts": navigate.money_charts,
    "figures": navigate.figures,
    "host_open": navigate.host_in_full,
    "costs": navigate.costs,
    "budget": navigate.budgets,
    "costs_limits": navigate.turn_costs("turn_full"),
    "costs_by": navigate.turn_costs("turn_by"),
    "timeline": navigate.timeline,
    "bookmark": navigate.bookmark,
    "bookmark_older": navigate.to_bookmark(-1),
    "bookmark_newer": navigate.to_bookmark(1),
    "export": navigate.export,
    "match_older": navigate.to_match(1),
    "match_newer": navigate.to_match(-1),
    "theme": navigate.themes,
    "palette": navigate.palette,
    "help": navigate.show_help,
    "explain": reports.explain_agent,
    "alarms": reports.alarms,
    "attached": reports.attached,
    "host_check": reports.host_check,
    "allow": questions.answer(Verdict.ALLOW),
    "always": questions.answer(Verdict.ALWAYS),
    "deny": questions.answer(Verdict.DENY),
    "rule": rules.make,
    "questions": navigate.questions,
    "undo": orders.undo,
    "spawn": agents.spawn,
    "adopt": agents.adopt,
    "adopt_restart": agents.adopt_anew,
    "kill": agents.kill,
    "reassign": agents.reassign,
    "retry": agents.retry,
    "message": agents.message,
    "pause": agents.pause,
    "resume": agents.resume,
    "interrupt": agents.interrupt,
    "model": agents.model,
    "forget": agents.forget,
    "copy": agents.copy,
    "attach": agents.attach,
    "screen": agents.terminal,
    "worktrees": worktrees.show,
    "worktrees_reload": worktrees.reload,
    "worktree_drop": worktrees.drop,
    "review": review.review,
    "review_open": review.open_here,
    "comment": review.comment,
    "comments_send": review.send_comments,
    "accept": branches.accept,
    "push": branches.push,
    "pull_request": branches.pull_request,
    "work_drop": branches.drop,
    "file_next": review.file_next,
    "file_before": review.file_before,
    "review_reload": review.reload,
    "review_checks": review.checks,
    "host_add": hosts.add,
    "host_remove": hosts.remove,
    "host_retry": hosts.retry,
    "host_take": hosts.take,
    "host_drain": hosts.drain,
    "host_empty": hosts.empty,
    "host_relieve": hosts.relieve,
    "tasks": navigate.tasks,
    "task_open": tasks.open_chosen,
    "task_why": tasks.why,
    "task_add": tasks.add,
    "task_log": tasks.log,
    "task_edit": tasks.edit,
    "task_editor": tasks.edit_outside,
    "task_priority": tasks.priority,
    "task_up": tasks.step(-1),
    "task_down": tasks.step(1),
    "task_hold": tasks.hold,
    "task_first": tasks.first,
    "task_retry": tasks.retry,
    "task_drop": tasks.drop,
    "queue_hold": tasks.hold_queue,
    "halt": tasks.halt,
    "halt_kill": tasks.halt_kill,
    "mark": _table(lambda screen: screen.mark()),
    "mark_all": _table(lambda screen: screen.mark_all()),
    "panes": _overview(_panes),
    "pin": _overview(Overview.pin),
    "sort": _table(lambda screen: screen.turn_sort()),
    "group": _overview(Overview.turn_group),
    "pane_size": _overview(Overview.turn_pane_size),
    "fold_hosts": _overview(Overview.fold_hosts),
    "fold_limits": _overview(Overview.fold_limits),
}
"""What each action does, by its name."""
