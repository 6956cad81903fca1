"""What each action of the table does on the screen: most open a sheet, or ask the engine with what was shown."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from controlroom.domain import intents
from controlroom.domain.actions import BY_NAME
from controlroom.domain.model import Agent, Host, Question
from controlroom.domain.questions import wants_words
from controlroom.tui.asked import attached, host_check
from controlroom.tui.going import GOING, Deed, agent_of
from controlroom.tui.many import begin
from controlroom.tui.picture import Engine
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.screens.overview import Overview
from controlroom.tui.widgets.says import Level

if TYPE_CHECKING:
    from controlroom.tui.app import ControlRoomApp

READ_ONLY = "read-only: you may look, and change nothing"


def do(room: "ControlRoomApp", name: str) -> None:
    """Do an action on the screen that is on top, or say why it cannot be done."""
    screen = room.screen
    if not isinstance(screen, RoomScreen):
        return
    if room.picture.read_only and not BY_NAME[name].looks:
        room.say(READ_ONLY)
    elif room.picture.engine is Engine.STOPPED and BY_NAME[name].changes:
        room.start_engine()
        room.say("the engine was stopped: starting it again; press once more when it is back")
    elif room.picture.engine is not Engine.HERE and BY_NAME[name].changes:
        room.say(f"not now: {room.picture.reason or 'the engine is still starting'}", Level.DANGER)
    elif reason := screen.reason_against(BY_NAME[name]):
        room.say(reason)
    else:
        if BY_NAME[name].needs:
            screen.keep_choice()
        deed = partial(begin, action=name) if BY_NAME[name].many and screen.marked() else _DEEDS[name]
        deed(room, screen)


# --------------------------------------------------------------------------- arranging the overview


def _overview(arrange: Callable[[Overview], None]) -> Callable[["ControlRoomApp", RoomScreen], None]:
    return lambda room, screen: arrange(screen) if isinstance(screen, Overview) else None


def _panes(overview: Overview) -> None:
    """Show the panes; where they are on show, ask of whom and how many."""
    from controlroom.tui.screens.panes import PanesSheet

    if overview.pane_shown:
        overview.room.push_screen(PanesSheet(overview))
    else:
        overview.cover()


# --------------------------------------------------------------------------- changing something


def _spawn(room: "ControlRoomApp", screen: RoomScreen) -> None:
    from controlroom.tui.screens.forms import SpawnForm

    room.push_screen(SpawnForm(room.fleet, _host_of(room, screen)))


def _host_of(room: "ControlRoomApp", screen: RoomScreen) -> str:
    agent = room.fleet.agents.get(screen.agent_here() or "")
    return screen.host_here() or (agent.host if agent else "")


def _kill(room: "ControlRoomApp", screen: RoomScreen) -> None:
    if agent := agent_of(room, screen):
        doing = f"It is {room.fleet.state_of(agent)}. Everything it started ends with it."
        _ask(room, f"Kill {agent.name} on {agent.host}?", doing, "kill", intents.KillAgent(agent.id, agent.epoch))


def _forget(room: "ControlRoomApp", screen: RoomScreen) -> None:
    if agent := agent_of(room, screen):
        what = "Its logs are removed from the host, for good."
        _ask(room, f"Forget {agent.name} on {agent.host}?", what, "forget", intents.ForgetAgent(agent.id, agent.epoch))


def _host_remove(room: "ControlRoomApp", screen: RoomScreen) -> None:
    if name := screen.host_here():
        what = "Its agents live on; this room no longer looks at them."
        _ask(room, f"Take {name} out of the room?", what, "remove", intents.RemoveHost(name))


def _host_take(room: "ControlRoomApp", screen: RoomScreen) -> None:
    if name := screen.host_here():
        what = "Another control room owns it and can then only look. Its agents work on."
        _ask(room, f"Take {name} for this control room?", what, "take", intents.TakeHost(name))


def _ask(room: "ControlRoomApp", title: str, text: str, verb: str, intent: intents.Intent) -> None:
    from controlroom.tui.screens.sheets import ConfirmSheet

    room.push_screen(ConfirmSheet(title, text, verb, intent))


def _reassign(room: "ControlRoomApp", screen: RoomScreen) -> None:
    from controlroom.tui.screens.forms import ReassignForm

    if agent := agent_of(room, screen):
        room.push_screen(ReassignForm(room.fleet, agent))


def _message(room: "ControlRoomApp", screen: RoomScreen) -> None:
    from controlroom.tui.screens.forms import MessageForm

    if agent := agent_of(room, screen):
        room.push_screen(MessageForm(agent))


def _interrupt(room: "ControlRoomApp", screen: RoomScreen) -> None:
    if agent := agent_of(room, screen):
        room.order(intents.InterruptAgent(agent.id, agent.epoch), f"interrupted {agent.name}; it waits for a message")


def _host_add(room: "ControlRoomApp", screen: RoomScreen) -> None:
    from controlroom.tui.screens.forms import HostForm

    room.push_screen(HostForm())


# --------------------------------------------------------------------------- answering


def _answer(verdict: str) -> Callable[["ControlRoomApp", RoomScreen], None]:
    return lambda room, screen: _answer_shown(room, screen, verdict)


def _answer_shown(room: "ControlRoomApp", screen: RoomScreen, verdict: str, words: str = "") -> None:
    """Answer the question on show, and only once all of it was on show."""
    panel = screen.question_here()
    question = panel.question if panel is not None else None
    if panel is None or question is None:
        GOING["open"](room, screen)
    elif room.touch.startled(panel.shown_at):
        room.say("that has just appeared: look, then press again")
    elif verdict != "deny" and not panel.read:
        panel.turn()
        room.say(f"read all of it first: {panel.more} shows more")
    elif verdict != "deny" and question.kind == "secret":
        from controlroom.tui.screens.forms import SecretForm

        room.push_screen(SecretForm(panel.subject, question))
    elif verdict != "deny" and wants_words(question) and not words:
        room.say(f"it wants an answer: the number of a choice, or {room.keys.shown('message')} and words")
    else:
        answer = intents.AnswerQuestion(panel.subject, question.id, verdict, words)
        room.order(answer, _answered(room, panel.subject, question, verdict))


def choose(room: "ControlRoomApp", screen: RoomScreen, number: int) -> None:
    """Answer a question with the number of one of its choices."""
    if room.picture.engine is Engine.HERE and not room.picture.read_only:
        _answer_shown(room, screen, "allow", str(number))


def _answered(room: "ControlRoomApp", subject: str, question: Question, verdict: str) -> str:
    known: Agent | Host | None = room.fleet.agents.get(subject) or room.fleet.hosts.get(subject)
    name = known.name if known else subject
    if question.kind == "secret":
        return f"{name}: not told"
    if question.kind == "host_key":
        return f"{name}: key {'accepted' if verdict != 'deny' else 'refused'}"
    if wants_words(question):
        return f"{name}: {'answered' if verdict != 'deny' else 'denied'}"
    words = {"allow": "allowed once", "always": "allowed from now on", "deny": "denied"}[verdict]
    return f"{name}: {words}"


_DEEDS: dict[str, Deed] = {
    **GOING,
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
