"""What each action of the table does on the screen: most open a sheet, or ask the engine with what was shown."""

from collections.abc import Callable
from functools import partial

from controlroom.domain import intents
from controlroom.domain.claims import deaf_words
from controlroom.domain.keys.actions import BY_NAME
from controlroom.domain.keys.many import plan
from controlroom.domain.model import Agent, Host, Question
from controlroom.domain.questions import QuestionKind, Unfit, wants_words
from controlroom.tui.actions.asked import attached, host_check
from controlroom.tui.actions.navigate import GOING, Act, agent_of
from controlroom.tui.room import Level, Room
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.screens.overview import Overview
from controlroom.tui.view_state import Engine
from controlroom.tui.widgets.question import QuestionPanel

READ_ONLY = "read-only: you may look, and change nothing"


def do(room: Room, name: str) -> None:
    """Do an action on the screen that is on top, or say why it cannot be done."""
    screen = room.screen
    if not isinstance(screen, RoomScreen):
        return
    if room.view.read_only and not BY_NAME[name].looks:
        room.say(READ_ONLY)
    elif room.view.engine is Engine.STOPPED and BY_NAME[name].changes:
        room.start_engine()
        room.say("the engine was stopped: starting it again; press once more when it is back")
    elif room.view.engine is not Engine.HERE and BY_NAME[name].changes:
        room.say(f"not now: {room.view.reason or 'the engine is still starting'}", Level.DANGER)
    elif reason := screen.reason_against(BY_NAME[name]):
        room.say(reason)
    else:
        if BY_NAME[name].needs:
            screen.keep_choice()
        act = partial(_to_all, action=name) if BY_NAME[name].many and screen.marked() else _ACTS[name]
        act(room, screen)


def _to_all(room: Room, screen: RoomScreen, action: str) -> None:
    """Begin to do an action to all marked agents: ask for words where it needs some, else show the list."""
    from controlroom.tui.screens.forms import MessageAll, ReassignAll
    from controlroom.tui.screens.many import ListSheet

    todo = plan(room.fleet, screen.marked(), action)
    if not todo.targets:
        room.say(todo.left_out[0][1] if todo.left_out else "they are no longer there")
    elif action == "message":
        room.push_screen(MessageAll(screen, todo))
    elif action == "reassign":
        room.push_screen(ReassignAll(screen, todo))
    else:
        room.push_screen(ListSheet(screen, todo))


def _palette(room: Room, screen: RoomScreen) -> None:
    from controlroom.tui.screens.palette import PaletteScreen

    room.push_screen(PaletteScreen(screen))


# --------------------------------------------------------------------------- arranging the overview


def _overview(arrange: Callable[[Overview], None]) -> Callable[[Room, RoomScreen], None]:
    return lambda room, screen: arrange(screen) if isinstance(screen, Overview) else None


def _panes(overview: Overview) -> None:
    """Show the panes; where they are on show, ask of whom and how many."""
    from controlroom.tui.screens.panes import PanesSheet

    if overview.pane_shown:
        overview.room.push_screen(PanesSheet(overview))
    else:
        overview.cover()


# --------------------------------------------------------------------------- changing something


def _spawn(room: Room, screen: RoomScreen) -> None:
    from controlroom.tui.screens.forms import SpawnForm

    room.push_screen(SpawnForm(room.fleet, _host_of(room, screen)))


def _host_of(room: Room, screen: RoomScreen) -> str:
    agent = room.fleet.agents.get(screen.agent_here() or "")
    return screen.host_here() or (agent.host if agent else "")


def _kill(room: Room, screen: RoomScreen) -> None:
    if agent := agent_of(room, screen):
        doing = f"It is {room.fleet.state_of(agent)}. Everything it started ends with it."
        _ask(room, f"Kill {agent.name} on {agent.host}?", doing, "kill", intents.KillAgent(agent.id, agent.epoch))


def _forget(room: Room, screen: RoomScreen) -> None:
    if agent := agent_of(room, screen):
        what = "Its logs are removed from the host, for good."
        _ask(room, f"Forget {agent.name} on {agent.host}?", what, "forget", intents.ForgetAgent(agent.id, agent.epoch))


def _host_remove(room: Room, screen: RoomScreen) -> None:
    if name := screen.host_here():
        what = "Its agents live on; this room no longer looks at them."
        _ask(room, f"Take {name} out of the room?", what, "remove", intents.RemoveHost(name))


def _host_take(room: Room, screen: RoomScreen) -> None:
    if name := screen.host_here():
        deaf = deaf_words(room.fleet.agents_on(name))
        what = f"Another control room owns it and can then only look. Its agents work on. {deaf}".strip()
        done = f"this room owns {name} now" + (f"; {deaf}" if deaf else "")
        _ask(room, f"Take {name} for this control room?", what, "take", intents.TakeHost(name), done)


def _host_retry(room: Room, screen: RoomScreen) -> None:
    if name := screen.host_here():
        room.order(intents.RetryHost(name), f"trying {name}")


def _ask(room: Room, title: str, text: str, verb: str, intent: intents.Intent, done: str = "") -> None:
    from controlroom.tui.screens.dialogs import ConfirmSheet

    room.push_screen(ConfirmSheet(title, text, verb, intent, done))


def _reassign(room: Room, screen: RoomScreen) -> None:
    from controlroom.tui.screens.forms import ReassignForm

    if agent := agent_of(room, screen):
        room.push_screen(ReassignForm(room.fleet, agent))


def _message(room: Room, screen: RoomScreen) -> None:
    from controlroom.tui.screens.forms import MessageForm

    if agent := agent_of(room, screen):
        panel = screen.question_here()
        room.push_screen(MessageForm(agent, panel if panel is not None and panel.subject == agent.id else None))


def _interrupt(room: Room, screen: RoomScreen) -> None:
    if agent := agent_of(room, screen):
        room.order(intents.InterruptAgent(agent.id, agent.epoch), f"interrupted {agent.name}; it waits for a message")


def _host_add(room: Room, screen: RoomScreen) -> None:
    from controlroom.tui.screens.forms import HostForm

    room.push_screen(HostForm())


# --------------------------------------------------------------------------- answering


def _answer(verdict: str) -> Callable[[Room, RoomScreen], None]:
    return lambda room, screen: _answer_shown(room, screen, verdict)


def _answer_shown(room: Room, screen: RoomScreen, verdict: str) -> None:
    """Answer the question on show, and only once all of it was on show."""
    panel = screen.question_here()
    question = panel.question if panel is not None else None
    if panel is None or question is None:
        GOING["open"](room, screen)
    elif not _seen(room, panel, verdict):
        return
    elif verdict != "deny" and question.kind is QuestionKind.SECRET:
        from controlroom.tui.screens.forms import SecretForm

        room.push_screen(SecretForm(panel.subject, question))
    elif verdict != "deny" and wants_words(question):
        _go_on(room, panel)
    else:
        answer = intents.AnswerQuestion(panel.subject, question.id, verdict, digest=question.digest)
        room.order(answer, _answered(room, panel.subject, question, verdict))


def _seen(room: Room, panel: QuestionPanel, verdict: str) -> bool:
    """Say whether what is on show was meant, and was on show as a whole; show more of it, where it was not."""
    if room.touch.startled(panel.shown_at):
        room.say("that has just appeared: look, then press again")
        return False
    if verdict != "deny" and not panel.read:
        panel.turn()
        room.say(f"read all of it first: {panel.more} shows more")
        return False
    return True


def _go_on(room: Room, panel: QuestionPanel) -> None:
    """Send the answer when all of it has been said, else go on to what has not."""
    if answer := panel.answer:
        name = panel.subject.rpartition("/")[2]
        room.order(answer, f"{name}: answered")
    elif panel.draft is None:
        room.say(f"it wants an answer in words: {room.keys.shown('message')}")
    else:
        try:
            panel.turn_to(panel.draft.onward())
        except Unfit as unfit:
            room.say(f"{unfit} ({room.keys.shown('message')})")


def choose(room: Room, number: int) -> None:
    """Answer what is asked on the screen that is on top with the number of one of its choices."""
    screen = room.screen
    ours = isinstance(screen, RoomScreen) and room.view.engine is Engine.HERE and not room.view.read_only
    panel = screen.question_here() if ours and isinstance(screen, RoomScreen) else None
    if panel is None or panel.draft is None or not _seen(room, panel, "allow"):
        return
    before, item = panel.draft.step, panel.draft.item
    panel.turn_to(panel.draft.take(number))
    if item is not None and not item.several and before == panel.draft.step:
        _go_on(room, panel)


def _answered(room: Room, subject: str, question: Question, verdict: str) -> str:
    known: Agent | Host | None = room.fleet.agents.get(subject) or room.fleet.hosts.get(subject)
    name = known.name if known else subject
    if question.kind is QuestionKind.SECRET:
        return f"{name}: not told"
    if question.kind is QuestionKind.HOST_KEY:
        return f"{name}: key {'accepted' if verdict != 'deny' else 'refused'}"
    if wants_words(question):
        return f"{name}: {'answered' if verdict != 'deny' else 'denied'}"
    words = {"allow": "allowed once", "always": "allowed from now on", "deny": "denied"}[verdict]
    return f"{name}: {words}"


_ACTS: dict[str, Act] = {
    **GOING,
    "palette": _palette,
    "allow": _answer("allow"),
    "always": _answer("always"),
    "deny": _answer("deny"),
    "spawn": _spawn,
    "kill": _kill,
    "reassign": _reassign,
    "message": _message,
    "interrupt": _interrupt,
    "forget": _forget,
    "host_add": _host_add,
    "host_remove": _host_remove,
    "host_check": host_check,
    "host_retry": _host_retry,
    "host_take": _host_take,
    "mark": _overview(Overview.mark),
    "mark_all": _overview(Overview.mark_all),
    "panes": _overview(_panes),
    "pin": _overview(Overview.pin),
    "sort": _overview(Overview.turn_sort),
    "group": _overview(Overview.turn_group),
    "fold_hosts": _overview(Overview.fold_hosts),
    "fold_limits": _overview(Overview.fold_limits),
    "attached": attached,
}
