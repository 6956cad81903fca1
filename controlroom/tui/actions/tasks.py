"""Actions on tasks and on the queue: add, hold, move, retry, drop, say why one waits; and the halt of the room."""

from controlroom.domain import intents
from controlroom.domain.display.views import Line
from controlroom.domain.tasks import Task, TaskState
from controlroom.tui.actions.navigate import open_agent
from controlroom.tui.actions.orders import order
from controlroom.tui.actions.reports import Report, ask
from controlroom.tui.context import ContextApp
from controlroom.tui.engine_client import Source
from controlroom.tui.screens.base import RoomScreen


def task_of(app: ContextApp, screen: RoomScreen) -> Task | None:
    """The task that a screen is about."""
    return app.context.fleet.tasks.get(screen.task_here() or "")


def open_chosen(app: ContextApp, screen: RoomScreen) -> None:
    """Open the log of the agent that carries a task out, or last did; without one, say why it waits."""
    task = task_of(app, screen)
    if task and task.last and task.last.id in app.context.fleet.agents:
        open_agent(app, task.last.id)
    else:
        why(app, screen)


def why(app: ContextApp, screen: RoomScreen) -> None:
    """Show why a task stands where it stands, and its whole text."""
    task = task_of(app, screen)
    if task is None:
        return
    id_ = task.id

    async def report(source: Source) -> Report:
        answer, view = await source.task_text(id_), app.context.view
        newer = view.fleet.tasks.get(id_, task)
        text = [Line("", words) for words in answer.text.splitlines()]
        unread = [Line("", answer.reason, "warn")] if answer.reason else []
        return f"{id_} is {newer.state}", [*_told(app, newer), Line("", ""), *text, *unread]

    ask(app, f"{id_} is {task.state}", "reading its text…", report)


def _told(app: ContextApp, task: Task) -> list[Line]:
    """What is known of a task, but for its text."""
    from controlroom.domain.display.tasks import facts
    from controlroom.domain.display.tasks import why as why_lines

    view = app.context.view
    _, *reasons = why_lines(view.fleet, task, view.now, verbs=False)
    return [*(Line("", words, "strong") for words in reasons), *(Line("", words) for words in facts(task))]


def add(app: ContextApp, screen: RoomScreen) -> None:
    """Fill in what is to be done."""
    from controlroom.tui.screens.forms import TaskForm

    app.push_screen(TaskForm(app.context.fleet))


def hold(app: ContextApp, screen: RoomScreen) -> None:
    """Keep a task from starting, or let it start."""
    task = task_of(app, screen)
    if task and task.state is TaskState.HELD:
        order(app, intents.ReleaseTask(task.id), f"{task.id} may start")
    elif task:
        order(app, intents.HoldTask(task.id), f"{task.id} is held")


def first(app: ContextApp, screen: RoomScreen) -> None:
    """Have a task start before all others of its priority."""
    if task := task_of(app, screen):
        order(app, intents.MoveTask(task.id, first=True), f"{task.id} is the first of priority {task.priority}")


def retry(app: ContextApp, screen: RoomScreen) -> None:
    """Have a task that has ended done again."""
    if task := task_of(app, screen):
        order(app, intents.RetryTask(task.id), f"{task.id} is tried again")


def drop(app: ContextApp, screen: RoomScreen) -> None:
    """Take a task out of the queue, after a confirmation."""
    from controlroom.tui.screens.dialogs import ConfirmSheet

    if task := task_of(app, screen):
        intent, done = intents.DropTask(task.id), f"{task.id} is dropped"
        app.push_screen(ConfirmSheet(f"Drop {task.id}?", task.title, "drop", intent, done))


def hold_queue(app: ContextApp, screen: RoomScreen) -> None:
    """Start no more tasks, or start them again."""
    if app.context.fleet.queue.hold is None:
        order(app, intents.HoldQueue(), "no task starts any more; what runs goes on")
    else:
        order(app, intents.ReleaseQueue(), "tasks start again")


def halt(app: ContextApp, screen: RoomScreen) -> None:
    """Halt the room, or end its halt, after a confirmation."""
    from controlroom.domain.display.tasks import queue_line
    from controlroom.tui.screens.dialogs import ConfirmSheet

    fleet = app.context.fleet
    if fleet.queue.halt is None:
        text = (
            "Every agent of this room is interrupted, and nothing starts or goes on until somebody ends the halt. "
            "What cannot be reached now is stopped when it can be.\nTo end agents, too: controlroom halt --kill"
        )
        app.push_screen(ConfirmSheet("Halt the room?", text, "halt", intents.HaltRoom()))
    else:
        text = f"{queue_line(fleet, app.context.view.now)}.\nAgents that the halt interrupted are told to go on."
        app.push_screen(ConfirmSheet("End the halt?", text, "resume", intents.ResumeRoom(), "the halt is over"))
