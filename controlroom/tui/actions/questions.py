"""Answers to the question on show: a verdict, a numbered choice, or words."""

from collections.abc import Callable

from controlroom.domain import intents
from controlroom.domain.keys.many import answer_to_all
from controlroom.domain.model import Agent, Host, Question
from controlroom.domain.open_questions import Asking
from controlroom.domain.questions import QuestionKind, Unfit, wants_words
from controlroom.text.states import ItemAnswer, Verdict
from controlroom.tui.actions.navigate import go_to, open_chosen
from controlroom.tui.actions.orders import order, was_denied
from controlroom.tui.context import ContextApp
from controlroom.tui.screens.base import RoomScreen, say
from controlroom.tui.screens.many import ListSheet
from controlroom.tui.view_state import Engine
from controlroom.tui.widgets.question import QuestionPanel


def answer(verdict: Verdict) -> Callable[[ContextApp, RoomScreen], None]:
    """Make the action that answers the question on show with a verdict."""
    return lambda app, screen: _answer(app, screen, verdict)


def _answer(app: ContextApp, screen: RoomScreen, verdict: Verdict) -> None:
    """Answer the question on show, once all of it was on show; what several ask after a list of them."""
    panel, asked = screen.question_here(), screen.alike()
    question = panel.question if panel is not None else None
    if asked is not None and (verdict is Verdict.DENY or not wants_words(asked.question)):
        list_alike(app, asked, verdict)
    elif panel is None or question is None:
        open_chosen(app, screen)
    elif not _was_read(app, panel, verdict):
        return
    elif verdict is not Verdict.DENY and question.kind is QuestionKind.SECRET:
        from controlroom.tui.screens.forms import SecretForm

        app.push_screen(SecretForm(panel.subject, question))
    elif verdict is not Verdict.DENY and wants_words(question):
        _go_on(app, screen, panel)
    else:
        intent = intents.AnswerQuestion(panel.subject, question.id, verdict, digest=question.digest)
        order(app, intent, _answered(app, panel.subject, question, verdict), _then(app, screen, panel.subject, verdict))


def list_alike(
    app: ContextApp, asked: Asking, verdict: Verdict, answers: tuple[ItemAnswer, ...] = (), words: str = ""
) -> None:
    """List who asks this and would be answered so; the list is what is answered, whatever comes meanwhile."""
    plan = answer_to_all(app.context.fleet, asked, verdict, answers, words)
    if plan.targets:
        app.push_screen(ListSheet(plan))
    else:
        say(app, plan.left_out[0][1] if plan.left_out else "they are gone")


def _then(app: ContextApp, screen: RoomScreen, subject: str, verdict: Verdict) -> Callable[[], None]:
    """What follows on an answer that was taken: the next question; a no can be taken back."""
    agent = app.context.fleet.agents.get(subject)

    def go_on() -> None:
        if verdict is Verdict.DENY and agent is not None:
            was_denied(app, [agent])
        _lead_on(app, screen, subject)

    return go_on


def _lead_on(app: ContextApp, screen: RoomScreen, subject: str) -> None:
    """Show the next question, unless the person has gone elsewhere meanwhile."""
    if app.screen is screen and subject in (screen.agent_here(), screen.host_here()):
        subjects = [other for other, _ in app.context.fleet.questions() if other != subject]
        if subjects:
            app.context.keyboard.timing.lead()
            if not screen.lead_to(subjects):
                go_to(app, screen, subjects[0])


def _was_read(app: ContextApp, panel: QuestionPanel, verdict: Verdict) -> bool:
    """Whether the whole question was on show before the key was pressed; if not, show more of it."""
    if app.context.keyboard.timing.startled(panel.shown_at):
        say(app, "that has just appeared: look, then press again")
        return False
    if verdict is not Verdict.DENY and not panel.read:
        panel.turn()
        say(app, f"read all of it first: {panel.more} shows more")
        return False
    return True


def _go_on(app: ContextApp, screen: RoomScreen, panel: QuestionPanel) -> None:
    """Send the answer when it is complete, else go on to the next item."""
    keys = app.context.keys
    if (intent := panel.answer) and (asked := screen.alike()):
        list_alike(app, asked, Verdict.ALLOW, intent.answers)
    elif intent:
        name = panel.subject.rpartition("/")[2]
        order(app, intent, f"{name}: answered", _then(app, screen, panel.subject, Verdict.ALLOW))
    elif panel.draft is None:
        say(app, f"it wants an answer in words: {keys.shown('message')}")
    else:
        try:
            panel.turn_to(panel.draft.onward())
        except Unfit as unfit:
            say(app, f"{unfit} ({keys.shown('message')})")


def choose(app: ContextApp, number: int) -> None:
    """Answer the question on the screen on top with one of its choices, counted from 1."""
    screen, view = app.screen, app.context.view
    if not isinstance(screen, RoomScreen) or view.engine is not Engine.HERE or view.read_only:
        return
    panel = screen.question_here()
    if panel is None or panel.draft is None or not _was_read(app, panel, Verdict.ALLOW):
        return
    before, item = panel.draft.step, panel.draft.item
    panel.turn_to(panel.draft.take(number))
    if item is not None and not item.several and before == panel.draft.step:
        _go_on(app, screen, panel)


def _answered(app: ContextApp, subject: str, question: Question, verdict: Verdict) -> str:
    fleet = app.context.fleet
    asker: Agent | Host | None = fleet.agents.get(subject) or fleet.hosts.get(subject)
    name = asker.name if asker else subject
    if question.kind is QuestionKind.SECRET:
        return f"{name}: not told"
    if question.kind is QuestionKind.HOST_KEY:
        return f"{name}: key {'accepted' if verdict is not Verdict.DENY else 'refused'}"
    if wants_words(question):
        return f"{name}: {'answered' if verdict is not Verdict.DENY else 'denied'}"
    words = {Verdict.ALLOW: "allowed once", Verdict.ALWAYS: "allowed for the session"}.get(verdict, "denied")
    back = f" · {app.context.keys.shown('undo')} undoes it" if verdict is Verdict.DENY else ""
    return f"{name}: {words}{back}"
