"""Actions on tasks and on the queue: add, edit, hold, move, retry, drop, explain; and the halt of the room."""

from collections.abc import Callable, Sequence

from textual.app import SuspendNotSupported

from controlroom.domain import intents
from controlroom.domain.display.arrange import TaskSort
from controlroom.domain.display.tasks import facts, queue_line
from controlroom.domain.display.tasks import why as why_lines
from controlroom.domain.display.views import Line
from controlroom.domain.keys.many import held_or_released, task_plan
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue.edits import stepped
from controlroom.domain.tasks import Task, TaskChange, TaskState
from controlroom.text.sanitize import shown
from controlroom.tui.actions.navigate import open_agent, open_attempt
from controlroom.tui.actions.orders import order
from controlroom.tui.actions.reports import Report, ask
from controlroom.tui.context import ContextApp, Level
from controlroom.tui.engine_client import Source, unless_lost
from controlroom.tui.screens.base import RoomScreen, say
from controlroom.tui.screens.tasks import TasksScreen
from controlroom.tui.terminal.editor import Problem, in_editor


def task_of(app: ContextApp, screen: RoomScreen) -> Task | None:
    """The task that a screen is about."""
    return app.context.fleet.tasks.get(screen.task_here() or "")


def open_chosen(app: ContextApp, screen: RoomScreen) -> None:
    """Open the agent that carries a task out, or last did; without one, say why it waits."""
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
        text = [Line("", words) for words in shown(answer.text).split("\n")]
        unread = [Line("", answer.reason, "warn")] if answer.reason else []
        return f"{id_} is {newer.state}", [*_told(app, newer), Line("", ""), *text, *unread]

    ask(app, f"{id_} is {task.state}", "reading its text…", report)


def _told(app: ContextApp, task: Task) -> list[Line]:
    """What is known of a task, but for its text."""
    view = app.context.view
    _, *reasons = why_lines(view.fleet, task, view.now, verbs=False)
    return [
        *(Line("", words, "strong") for words in reasons),
        *(Line("", words) for words in facts(task, view.now, view.room_zone)),
    ]


def add(app: ContextApp, screen: RoomScreen) -> None:
    """Fill in what is to be done."""
    from controlroom.tui.screens.task_forms import TaskForm

    app.push_screen(TaskForm(app.context.fleet))


def edit(app: ContextApp, screen: RoomScreen) -> None:
    """Fill in what is to be another of a task."""
    from controlroom.tui.screens.task_forms import EditForm

    if task := task_of(app, screen):
        _with_text(app, screen, task, lambda text: app.push_screen(EditForm(app.context.fleet, task, text)))


def edit_outside(app: ContextApp, screen: RoomScreen) -> None:
    """Change the text of a task in the person's own editor."""
    if task := task_of(app, screen):
        _with_text(app, screen, task, lambda text: _outside(app, task, text))


def _with_text(app: ContextApp, screen: RoomScreen, task: Task, go_on: Callable[[str], object]) -> None:
    """Read the whole text of a task, and go on with it, unless the person has left that or gone elsewhere meanwhile."""

    async def read(source: Source) -> bool:
        answer = await source.task_text(task.id)
        if app.screen is not screen or screen.task_here() != task.id or not keyboard.leads(token):
            return False
        if answer.reason:
            say(app, f"the text of {task.id} cannot be read: {answer.reason}", Level.DANGER)
            return False
        go_on(answer.text)
        return True

    async def read_and_lead(source: Source) -> None:
        there = False
        try:
            there = await read(source)
        finally:
            await keyboard.led(token, there=there)

    if app.context.source is not None:
        keyboard = app.context.keyboard
        token = keyboard.lead_later()
        app.run_worker(unless_lost(read_and_lead(app.context.source)))


def _outside(app: ContextApp, task: Task, text: str) -> None:
    """Lend the terminal to an editor, and order what came of it."""
    from controlroom.domain.queue.edits import change_of

    try:
        with app.suspend():
            changed = in_editor(text, task.id)
    except SuspendNotSupported:
        changed = Problem("this terminal cannot be lent to an editor")
    app.refresh(layout=True)
    if isinstance(changed, Problem):
        say(app, f"{task.id} stays as it is: {changed.words}", Level.DANGER)
    elif changed == text:
        say(app, f"{task.id} stays as it is")
    else:
        order(app, change_of(task, TaskChange(body=changed), text), f"{task.id} has its new text")


def step(direction: int) -> Callable[[ContextApp, RoomScreen], None]:
    """Make the action that has a task start before the one above it (-1), or after the one below it (1)."""

    def move(app: ContextApp, screen: RoomScreen) -> None:
        if not isinstance(screen, TasksScreen) or (task := task_of(app, screen)) is None:
            return
        if screen.layout_now.task_sort is not TaskSort.TURN:
            say(app, f"sort them by turn first: {app.context.keys.shown('sort')}")
            return
        try:
            intent = stepped(app.context.fleet, task, direction, screen.ids, app.context.view.now)
        except Refusal as refusal:
            say(app, str(refusal))
            return
        order(app, intent, f"{task.id} starts {'sooner' if direction < 0 else 'later'}")

    return move


def priority(app: ContextApp, screen: RoomScreen) -> None:
    """Fill in another priority for a task."""
    if task := task_of(app, screen):
        to_all(app, "task_priority", [task.id])


def to_all(app: ContextApp, action: str, marked: Sequence[str], hidden: Sequence[str] = ()) -> None:
    """Begin to do an action to these tasks: ask for the priority, else show the list."""
    from controlroom.tui.screens.many import ListSheet
    from controlroom.tui.screens.task_forms import PriorityForm

    action = held_or_released(app.context.fleet, marked) if action == "task_hold" else action
    wanted = task_plan(app.context.fleet, marked, action, hidden)
    if not wanted.targets:
        say(app, wanted.left_out[0][1] if wanted.left_out else "they are gone")
    elif action == "task_priority":
        app.push_screen(PriorityForm(wanted))
    else:
        app.push_screen(ListSheet(wanted))


def log(app: ContextApp, screen: RoomScreen) -> None:
    """Open the log of a task's attempt; where there were several, ask of which."""
    from controlroom.tui.screens.task_forms import AttemptSheet

    task = task_of(app, screen)
    if task is None:
        return
    if len(task.attempts) == 1:
        open_attempt(app, task.attempts[0])
    else:
        app.push_screen(AttemptSheet(task))


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
    from controlroom.tui.screens.dialogs import ConfirmSheet
    from controlroom.tui.screens.task_forms import HaltSheet

    fleet = app.context.fleet
    if fleet.queue.halt is None:
        app.push_screen(HaltSheet(fleet))
    else:
        text = f"{queue_line(fleet, app.context.view.now)}.\nAgents that the halt interrupted are told to go on."
        app.push_screen(ConfirmSheet("End the halt?", text, "resume", intents.ResumeRoom(), "the halt is over"))


def halt_kill(app: ContextApp, screen: RoomScreen) -> None:
    """Halt the room and end its agents, after a confirmation that names them."""
    from controlroom.tui.screens.task_forms import KillSheet

    halt_now = app.context.fleet.queue.halt
    if halt_now is not None and halt_now.kill:
        say(app, f"the room is halted already, by {halt_now.who}")
    else:
        app.push_screen(KillSheet(app.context.fleet, app.size))
