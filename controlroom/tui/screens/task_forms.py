"""Forms and sheets of tasks: add one, change one, another priority, whose log; and the halt of the room."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Size

from controlroom.domain.checks import Unreadable, read, written
from controlroom.domain.display.tasks import attempt_words
from controlroom.domain.intents import AddTasks, HaltRoom, Intent
from controlroom.domain.keys.many import Plan, with_priority
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.queue.credentials import names
from controlroom.domain.queue.edits import change_of
from controlroom.domain.tasks import Attempt, Task, TaskChange, TaskWish
from controlroom.text.checks import AS_PROFILE, CheckOrder
from controlroom.text.states import AgentKind
from controlroom.tui.context import OpenAttempt, SubmitOrder, SubmitPlan
from controlroom.tui.screens.copy import Offer, Offered
from controlroom.tui.screens.dialogs import Choices, ConfirmSheet, PickSheet, Words
from controlroom.tui.screens.forms import Form, credential_fields, hosts_of
from controlroom.tui.screens.many import ListSheet
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.fields import Choice, Field, OneLine, Prose
from controlroom.tui.widgets.headings import Rule

_NO_NUMBER = "a priority is a whole number"


class TaskForm(Form):
    """Put a task into the queue. Everything but the text is suggested."""

    heading = "add a task"
    go = "add"

    def __init__(self, fleet: Fleet) -> None:
        profiles = (name for name, one in fleet.profiles.items() if one.kind is not AgentKind.INTERACTIVE)
        self._profiles, self._hosts, self._credentials = sorted(profiles), hosts_of(fleet), names(fleet)
        super().__init__()

    def fields(self) -> list[Field]:
        """What is changed most stands nearest to the text, where the cursor begins."""
        default = "default" if "default" in self._profiles else ""
        return self._fields_of(TaskWish("", profile=default), "What is to be done?  Enter adds it")

    def _fields_of(self, wish: TaskWish | Task, hint: str) -> list[Field]:
        """The fields with what is wished in them."""
        hosts = list(dict.fromkeys(["", *self._hosts, wish.host]))
        profiles = list(dict.fromkeys(["", *self._profiles, wish.profile]))
        checks = written(wish.checks)
        return [
            OneLine("guarded", checks["guarded"], hint="files to name when they change, like tests/ '*.lock'"),
            Choice("clean", ["", "yes"], checks["clean"], empty="as the profile says"),
            OneLine("attempts", checks["attempts"], hint="how often it is told that checks failed"),
            OneLine("minutes", checks["minutes"], hint="that each check may take"),
            OneLine("verify", checks["verify"], hint="what proves it, like make lint && make test"),
            OneLine("model", wish.model, hint="what the profile says"),
            OneLine("folder", wish.cwd, hint="home, or what the profile says"),
            Choice("host", hosts, wish.host, empty="any"),
            *credential_fields(self._credentials, wish.credential),
            Choice("profile", profiles, wish.profile, empty="none"),
            OneLine("priority", str(wish.priority), hint="the higher, the sooner"),
            Prose("task", f"{hint}, \\ then Enter begins a new line"),
        ]

    def checks(self) -> CheckOrder | str:
        """What proves its work, or why that cannot be read."""
        try:
            return read({name: self.value(name) for name in written(AS_PROFILE)})
        except Unreadable as wrong:
            return str(wrong)

    def intent(self) -> Intent | str:
        """The text must say something, the priority be a number."""
        if not self.value("task").strip():
            return "write what is to be done first"
        if (priority := priority_of(self.value("priority"))) is None:
            return _NO_NUMBER
        checks = self.checks()
        if isinstance(checks, str):
            return checks
        host, model, folder = self.value("host"), self.value("model").strip(), self.value("folder").strip()
        profile = self.value("profile")
        wish = TaskWish(self.value("task"), priority=priority, profile=profile, host=host, model=model, cwd=folder)
        return AddTasks((replace(wish, credential=self.value("login"), checks=checks),))


class EditForm(TaskForm):
    """Change a task that waits or is held. What stays is not sent."""

    go = "change"

    def __init__(self, fleet: Fleet, task: Task, text: str) -> None:
        self._edited, self._text, self._as_filled = task, text, ""
        """The text, and what can be shown of it: where that is as it was, the text stays as it is."""
        self.heading = f"change {task.id}"
        super().__init__(fleet)

    def fields(self) -> list[Field]:
        """As they are now."""
        fields = self._fields_of(self._edited, "Enter changes it")
        fields[-1].fill(self._text)
        self._as_filled = fields[-1].value
        return fields

    @property
    def _draft_name(self) -> str:
        """What was begun is for the text that was read: another one may have come since."""
        return f"{super()._draft_name} {hash(self._text)}"

    def intent(self) -> Intent | str:
        """What became another."""
        if not self.value("task").strip():
            return "write what is to be done first"
        if (priority := priority_of(self.value("priority"))) is None:
            return _NO_NUMBER
        checks = self.checks()
        if isinstance(checks, str):
            return checks
        task, text = self._edited, self.value("task")

        def other(value: str, before: str) -> str | None:
            return value.strip() if value.strip() != before else None

        change = TaskChange(
            priority=priority if priority != task.priority else None,
            profile=other(self.value("profile"), task.profile),
            host=other(self.value("host"), task.host),
            model=other(self.value("model"), task.model),
            cwd=other(self.value("folder"), task.cwd),
            credential=other(self.value("login"), task.credential),
            checks=checks if checks != task.checks else None,
            body=text if text != self._as_filled else None,
        )
        if change == TaskChange():
            return "nothing has changed: Esc leaves"
        return change_of(task, change, self._text)

    def done(self) -> str:
        """It is changed."""
        return f"{self._edited.id} is changed"


def priority_of(text: str) -> int | None:
    """The number that was typed; None: it is none."""
    try:
        return int(text.strip() or "0")
    except ValueError:
        return None


class PriorityForm(Form):
    """Another priority for tasks."""

    go = "next"

    def __init__(self, plan: Plan[Task]) -> None:
        self._plan = plan
        names = ", ".join(target.subject.id for target in plan.targets)
        out = len(plan.left_out) + len(plan.hidden)
        self.heading = f"priority of {names}" + (f" ({out} left out)" if out else "")
        super().__init__()

    def fields(self) -> list[Field]:
        """The number, which begins as that of the first."""
        now = str(self._plan.targets[0].subject.priority)
        return [OneLine("priority", now, hint="the higher, the sooner")]

    def send(self) -> None:
        """Change one; of several show the list where the heading has no room for all."""
        if (priority := priority_of(self.value("priority"))) is None:
            self.complain(_NO_NUMBER)
            return
        self.finish()
        plan = with_priority(self._plan, priority)
        if len(plan.targets) == 1 and not plan.left_out:
            changed = plan.targets[0]
            self.app.post_message(SubmitOrder(changed.intent, f"{changed.subject.id} has priority {priority}"))
        elif self.query_one("#heading", Rule).cut:
            self.app.push_screen(ListSheet(plan))
        else:
            self.app.post_message(SubmitPlan(plan))


class AttemptSheet(PickSheet):
    """Asks whose log is to be shown, the newest attempt first."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self._of, self._attempts = task.id, tuple(reversed(task.attempts))[:9]

    def compose(self) -> ComposeResult:
        """The attempts, then the keys."""
        now, count = self.context.view.now, len(self._attempts)
        offers = [Offer(attempt.agent, attempt_words(attempt, now).partition(", ")[2]) for attempt in self._attempts]
        with Vertical(classes="sheet"):
            yield Rule(id="heading")
            yield Offered(offers, max(len(attempt.agent) for attempt in self._attempts) + 1)
            yield Choices([*((str(number), "log") for number in range(1, count + 1)), ("q", "back")])

    def on_mount(self) -> None:
        """Say of which task."""
        self.query_one(Rule).show(f"attempts of {self._of}", "newest first", strong=True)

    def take(self, key: str) -> None:
        """Show one."""
        if key.isdecimal() and 0 < int(key) <= len(self._attempts):
            attempt: Attempt = self._attempts[int(key) - 1]
            self.dismiss()
            self.app.post_message(OpenAttempt(attempt))


_HALT = (
    "Every agent of this room is interrupted, and nothing starts or goes on until somebody ends the halt. "
    "What cannot be reached now is stopped when it can be."
)


class HaltSheet(ConfirmSheet):
    """Asks before the room is halted; a further key asks about ending its agents, too."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__("Halt the room?", _HALT, "halt", HaltRoom())
        self._live = bool(_ended_by_kill(fleet))

    def choices(self) -> list[tuple[str, str]]:
        """Halt, end all, or neither."""
        more = [("x", "end the agents, too")] if self._live else []
        return [("y", "halt"), *more, ("q", "leave it")]

    def _take(self, key: str) -> None:
        if key == "x" and self._live and self.painted and not self.gone:
            self.dismiss()
            self.app.push_screen(KillSheet(self.context.fleet, self.app.size))
        else:
            super()._take(key)


_AROUND, _MARGIN = 12, 8
"""Lines and columns of the screen that the names of those who are to be ended leave to all else."""


def _ended_by_kill(fleet: Fleet) -> list[Agent]:
    """The agents that end with `halt --kill`."""
    live = (agent for agent in fleet.agents.values() if not agent.adopted and not agent.has_ended)
    return sorted(live, key=lambda agent: agent.id)


class KillSheet(ConfirmSheet):
    """Asks before every agent of the room is ended. It names those that live now, also while it is on show."""

    def __init__(self, fleet: Fleet, size: Size) -> None:
        """`size`: of the screen; the sheet names as many as that has room for."""
        self._live = _ended_by_kill(fleet)
        self._changed_at: float | None = None
        super().__init__(*self._said(size), HaltRoom(kill=True))

    def _said(self, size: Size) -> tuple[str, str, str]:
        """The question, what is to be read about it, and what `y` does."""
        if not self._live:
            return "Halt the room? No agent is at work.", _HALT, "halt"
        count = f"{len(self._live)} agent{'s' * (len(self._live) != 1)}"
        text = (
            f"{_named(self._live, max(1, size.height - _AROUND) * (size.width - _MARGIN))}\n"
            "Everything they started ends with them, and nothing starts until somebody ends the halt. "
            "Sessions are kept: tasks go on in them then."
        )
        return f"Halt the room and end {count}?", text, f"end {count}"

    def news(self, view: ViewState) -> None:
        """Name another one that has begun, and no longer one that has ended."""
        live = _ended_by_kill(view.fleet)
        if [agent.id for agent in live] == [agent.id for agent in self._live]:
            return
        if not {agent.id for agent in live} <= {agent.id for agent in self._live}:
            self._changed_at = self.context.monotonic()
        self._live = live
        title, text, self._verb = self._said(self.app.size)
        for words in self.query(Words):  # none, once it is being left
            words.tell_anew(title, text)
        for choices in self.query(Choices):
            choices.show(self.choices())

    def _take(self, key: str) -> None:
        timing = self.context.keyboard.timing
        if key == "y" and self._changed_at is not None and timing.is_new(self._changed_at):
            self.query_one("#heading", Rule).show("", "more would end now: look, then press again")
        else:
            super()._take(key)


def _named(live: Sequence[Agent], room: int) -> str:
    """The names that fit into so many characters, the first in any case, and how many more there are."""
    ends = accumulate(len(agent.name) + 2 for agent in live)
    most = max(1, sum(end <= room for end in ends))
    more = f" and {len(live) - most} more" if most < len(live) else ""
    return ", ".join(agent.name for agent in live[:most]) + more
