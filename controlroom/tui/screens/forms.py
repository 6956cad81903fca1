"""Forms: start an agent, give it another task, say something to it, add a host.

Plain keys fill them: one begins in the last field, Enter goes on, Backspace in an empty field goes back.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget

from controlroom.domain.address import short_name
from controlroom.domain.claims import claimed_words
from controlroom.domain.intents import (
    AddHost,
    AnswerQuestion,
    Intent,
    ReassignAgent,
    SendMessage,
    SpawnAgent,
)
from controlroom.domain.keys.many import Plan, answer_to_all
from controlroom.domain.model import Agent, Fleet, LinkState, Question
from controlroom.domain.open_questions import Asking
from controlroom.domain.preconditions import default_host
from controlroom.domain.questions import Unfit, same, wants_words
from controlroom.domain.queue.credentials import names
from controlroom.text.states import AgentKind, Verdict
from controlroom.tui.context import SubmitOrder, SubmitPlan
from controlroom.tui.screens.dialogs import AskSheet, Choices, Sheet
from controlroom.tui.screens.many import ListSheet
from controlroom.tui.widgets.fields import Choice, Field, OneLine, Prose
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.question import QuestionPanel
from controlroom.tui.widgets.sentences import Sentences


class Form(Sheet):
    """Fields one under the other; the last one is filled first, the others have something in them already."""

    heading = ""
    go = "start"

    def __init__(self) -> None:
        super().__init__()
        self._fields: list[Field] = self.fields()
        self._sent = False

    def fields(self) -> list[Field]:
        """The fields, from the top."""
        raise NotImplementedError

    def intent(self) -> Intent | str:
        """The intent that the form describes, or what is missing; a form that sends in its own way has none."""
        raise NotImplementedError

    def done(self) -> str:
        """The status message once it was done."""
        return ""

    def value(self, name: str) -> str:
        """What stands in a field; nothing in one that this form has not."""
        return next((field.value for field in self._fields if field.name_of == name), "")

    def compose(self) -> ComposeResult:
        """A heading, the fields, the keys."""
        with Vertical(classes="sheet form"):
            yield Rule(self.heading, id="heading")
            with VerticalScroll(can_focus=False):
                yield from self._fields
            yield Choices([("Enter", self.go), ("⌫", "field above"), ("Esc", "leave")])

    def on_mount(self) -> None:
        """Begin in the last field, with what was begun before."""
        self.query_one("#heading", Rule).show(self.heading, strong=True)
        draft = self.context.drafts.pop(self._draft_name, "")
        if draft:
            self._fields[-1].fill(draft)
        self._fields[-1].enter()

    def on_resize(self) -> None:
        """Keep the keys on show when a phone's keyboard takes half the height: the fields scroll."""
        keys = self.query_one(Choices)
        keys.redraw()
        lines = keys.styles.height.value if keys.styles.height else 1
        self.query_one(VerticalScroll).styles.max_height = max(1, self.size.height - 1 - int(lines))
        if self.focused is not None:
            self.focused.scroll_visible(animate=False)

    @property
    def _draft_name(self) -> str:
        return f"{type(self).__name__} {self.heading}"

    def leave(self) -> None:
        """Close, and keep what was written for another time."""
        text = self._fields[-1].value
        if text.strip() and not self._sent:
            self.context.drafts[self._draft_name] = text
        self.dismiss()

    def send(self) -> None:
        """Ask for what the form says."""
        wanted = self.intent()
        if isinstance(wanted, str):
            self.complain(wanted)
            return
        self.order(wanted)

    def order(self, wanted: Intent) -> None:
        """Close, and have it done."""
        self.finish()
        self.app.post_message(SubmitOrder(wanted, self.done()))

    def complain(self, missing: str) -> None:
        """Show what is missing."""
        heading = self.heading if self.size.width >= 60 else ""  # a phone has no room for both
        self.query_one("#heading", Rule).show(heading, missing, style=self.palette.danger, strong=True)

    def finish(self) -> None:
        """Close; what was written is on its way."""
        self._sent = True
        self.dismiss()

    # ------------------------------------------------------------------ from field to field

    @on(Field.Onward)
    def _onward(self, event: Field.Onward) -> None:
        event.stop()
        index = self._fields.index(event.field)
        if index + 1 < len(self._fields):
            self._fields[index + 1].enter()
        elif not self.gone:
            self.send()

    @on(Field.Downward)
    def _downward(self, event: Field.Downward) -> None:
        event.stop()
        index = self._fields.index(event.field)
        self._fields[min(index + 1, len(self._fields) - 1)].enter()

    @on(Field.Backward)
    def _backward(self, event: Field.Backward) -> None:
        event.stop()
        index = self._fields.index(event.field)
        if index == 0:
            self.leave()
        else:
            self._fields[index - 1].enter()

    @on(Field.Leaving)
    def _leaving(self, event: Field.Leaving) -> None:
        event.stop()
        self.leave()

    def on_choices_taken(self, event: Choices.Taken) -> None:
        """A tap is as good as a key."""
        taken: dict[str, Callable[[], None]] = {"Enter": self.send, "⌫": self._up, "Esc": self.leave}
        taken[event.key]()

    def _up(self) -> None:
        focused: Widget | None = self.focused
        here = next(
            (field for field in self._fields if focused is not None and field in focused.ancestors_with_self), None
        )
        index = self._fields.index(here) if here else len(self._fields) - 1
        self._fields[max(0, index - 1)].enter()


class TellingForm(Form):
    """A form that says, below its fields, what they are going to mean."""

    def told(self) -> Sequence[str]:
        """What is going to happen, a sentence each."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """A heading, the fields, what they mean, the keys."""
        with Vertical(classes="sheet form"):
            yield Rule(self.heading, id="heading")
            with VerticalScroll(can_focus=False):
                yield from self._fields
            yield Sentences("told")
            yield Choices([("Enter", self.go), ("⌫", "field above"), ("Esc", "leave")])

    def on_mount(self) -> None:
        """Begin in the last field, and say what is chosen."""
        super().on_mount()
        self._say()

    def on_resize(self) -> None:
        """Keep fields and keys on show, and as much of the sentences as there is room for."""
        super().on_resize()
        self._say()

    def on_key(self, event: events.Key) -> None:
        """Keys that no field takes turn the pages of the sentences."""
        if event.key in ("pagedown", "pageup"):
            event.stop()
            self.query_one(Sentences).press(event.key)

    @on(Field.Changed)
    def _chosen(self, event: Field.Changed) -> None:
        event.stop()
        self._say()

    def _say(self) -> None:
        sentences, fields = self.query_one(Sentences), self.query_one(VerticalScroll)
        room = self.size.height - 1 - _height(self.query_one(Choices), 1)
        text = 2 * any(isinstance(field, Prose) for field in self._fields)
        sentences.say([(sentence, False) for sentence in self.told()], max(1, room - 1 - len(self._fields) - text))
        fields.styles.max_height = max(1, room - _height(sentences, 1))
        if self.focused is not None:
            self.focused.scroll_visible(animate=False)


def _height(widget: Widget, usual: int) -> int:
    return int(widget.styles.height.value) if widget.styles.height else usual


class SpawnForm(Form):
    """Start an agent. Name, host and profile are suggested: the task is enough."""

    heading = "spawn an agent"

    def __init__(self, fleet: Fleet, host: str) -> None:
        self._fleet = fleet
        self._host = host
        super().__init__()

    def fields(self) -> list[Field]:
        """What is chosen most stands nearest to the task, where the cursor begins: one key up, a digit, one down."""
        hosts = hosts_of(self._fleet)
        first = self._host if self._host in hosts else default_host(self._fleet)
        profiles = sorted(self._fleet.profiles)
        return [
            OneLine("name", suggested_name(self._fleet)),
            Choice("host", hosts, first if first in hosts else ""),
            OneLine("folder", "", hint="home, or what the profile says"),
            Choice("kind", ["", "headless", "interactive"], "", empty="profile's"),
            *credential_fields(names(self._fleet)),
            Choice("profile", ["", *profiles], "default" if "default" in profiles else "", empty="none"),
            Prose("task", "What should it do?  Enter starts, \\ then Enter begins a new line"),
        ]

    def intent(self) -> Intent | str:
        """The task must say something unless the profile is a command."""
        profile = self._fleet.profiles.get(self.value("profile"))
        kind = self.value("kind") or (profile.kind if profile else "headless")
        if not self.value("task").strip() and kind == AgentKind.HEADLESS:
            return "write its task first"
        if not self.value("host"):
            return "no host is connected"
        return SpawnAgent(
            self.value("name").strip(),
            self.value("task"),
            self.value("host"),
            self.value("profile"),
            self.value("kind"),
            cwd=self.value("folder").strip(),
            credential=self.value("login"),
        )

    def done(self) -> str:
        """It runs."""
        return f"{self.value('name').strip()} started on {self.value('host')}"


def hosts_of(fleet: Fleet) -> list[str]:
    """Hosts that can take an agent first, then the rest."""
    up = sorted(host.name for host in fleet.hosts.values() if host.link is LinkState.UP)
    return up + sorted(host.name for host in fleet.hosts.values() if host.link is not LinkState.UP)


def credential_fields(names: Sequence[str], chosen: str = "") -> list[Field]:
    """Which of several credentials is taken; nothing to choose where no profile names several."""
    if not names and not chosen:
        return []
    return [Choice("login", list(dict.fromkeys(["", *names, chosen])), chosen, empty="most left")]


def suggested_name(fleet: Fleet) -> str:
    """A name that no agent has: agent-1, agent-2, …"""
    taken = {agent.name for agent in fleet.agents.values()}
    return next(name for number in range(1, len(taken) + 2) if (name := f"agent-{number}") not in taken)


SESSIONS = ["new", "keep", "leave folder"]
"""What becomes of an agent's session. One that is kept takes the folder along to another host, but for the last.

Short enough for all three to stand side by side on a phone.
"""


class ReassignForm(TellingForm):
    """Give an agent another task."""

    go = "reassign"

    def __init__(self, fleet: Fleet, agent: Agent) -> None:
        self.agent = agent
        """Who gets another task."""
        self._hosts = [agent.host, *(host for host in hosts_of(fleet) if host != agent.host)]
        self.heading = f"new task for {agent.name} on {agent.host}"
        super().__init__()

    def fields(self) -> list[Field]:
        """Where it is to run, whether to keep the session, then the task."""
        kept = SESSIONS if len(self._hosts) > 1 else SESSIONS[:-1]
        sessions = kept if self.agent.session else SESSIONS[:1]
        return [
            *[Choice("host", self._hosts, self.agent.host)] * (len(self._hosts) > 1),
            Choice("session", sessions, sessions[0]),
            Prose("task", "What should it do now?  Enter reassigns, \\ then Enter begins a new line"),
        ]

    def told(self) -> Sequence[str]:
        """What becomes of its run, its session and its folder."""
        agent, to, session = self.agent, self._moves_to(), self.value("session")
        ends = [] if agent.has_ended else [f"its run now is ended{f' on {agent.host}' * bool(to)} first"]
        if not to:
            return [*ends, "it goes on in its session" if session != SESSIONS[0] else "it begins a new session there"]
        if session == SESSIONS[0]:
            return [*ends, f"it begins anew on {to}: its session and its files stay on {agent.host}"]
        if session == SESSIONS[-1]:
            return [*ends, f"its session goes along to {to}: its files stay on {agent.host}"]
        folder = "commits, index, uncommitted and new files; what git ignores stays"
        return [
            *ends,
            f"its session and its folder go along to {to} ({folder}); it is first looked at whether they can",
        ]

    def send(self) -> None:
        """Ask for it; of an agent that this room did not order, ask first whether its host is to be believed."""
        wanted, agent = self.intent(), self.agent
        claimed = claimed_words(agent)
        if isinstance(wanted, ReassignAgent) and claimed:
            title = f"This room did not order {agent.name}. Believe what {agent.host} claims of it?"
            text = f"It is then run again as: {claimed}. Its profile brings the rights that the config gives it."
            then = partial(self.order, replace(wanted, trust=True))
            self.app.push_screen(AskSheet(title, text, "believe it", then))
        elif isinstance(wanted, ReassignAgent) and not wanted.task.strip() and not wanted.host and not agent.has_ended:
            title = f"End {agent.name} on {agent.host} and run the same command again?"
            text = f"It is {agent.state}. Everything it started ends with it."
            self.app.push_screen(AskSheet(title, text, "run it again", partial(self.order, wanted)))
        else:
            super().send()

    def intent(self) -> Intent | str:
        """Carries the epoch that was shown. On another host no task means the one it has."""
        if not self._moves_to() and not self.value("task").strip() and self.agent.kind != AgentKind.COMMAND:
            return "write its new task first"
        session, host = self.value("session"), self._moves_to()
        keep, leave = session != SESSIONS[0], bool(host) and session == SESSIONS[-1]
        return ReassignAgent(self.agent.id, self.agent.epoch, self.value("task"), keep, host, leave_folder=leave)

    def done(self) -> str:
        """It runs again."""
        moved = self._moves_to()
        return f"{self.agent.name} goes on, on {moved}" if moved else f"{self.agent.name} has its new task"

    def _moves_to(self) -> str:
        host = self.value("host") if len(self._hosts) > 1 else self.agent.host
        return host if host != self.agent.host else ""


_ANSWERS = {"allow, and say": Verdict.ALLOW, "deny, and say": Verdict.DENY}


class MessageForm(Form):
    """A message to an agent. While it asks for permission, the words deny the request and say what to do instead."""

    go = "send"

    def __init__(self, agent: Agent, panel: QuestionPanel | None = None, alike: Asking | None = None) -> None:
        """`panel`: where its question is shown, with what was answered so far; `alike`: all who ask the same."""
        self.agent = agent
        """Whom the words are for."""
        self._panel, self._alike = panel, alike
        asks = agent.question is not None
        whom = f"{len(alike.whom)} agents" if alike else f"{agent.name} on {agent.host}"
        self.heading = f"{'answer' if asks else 'message to'} {whom}"
        super().__init__()

    def fields(self) -> list[Field]:
        """What to do with a question, then the words."""
        words = Prose("say", "Enter sends, \\ then Enter begins a new line")
        if self.agent.question is None:
            return [words]
        offered = list(_ANSWERS if wants_words(self.agent.question) else reversed(_ANSWERS))
        return [Choice("answer", offered, offered[0]), words]

    def intent(self) -> Intent | str:
        """An answer carries the question that was shown, a message the epoch."""
        if not self.value("say").strip():
            return "write something first"
        if self.agent.question is None:
            return SendMessage(self.agent.id, self.agent.epoch, self.value("say"))
        verdict, asked = _ANSWERS[self.value("answer")], self.agent.question
        return AnswerQuestion(self.agent.id, asked.id, verdict, self.value("say"), asked.digest)

    def send(self) -> None:
        """Words for a question with choices are the answer to the one that is asked now; with all answered, send."""
        panel, asked = self._panel, self.agent.question
        draft = panel.draft if panel is not None and same(panel.question, asked) else None
        words = self.value("say")
        if panel is None or draft is None or not words.strip() or _ANSWERS[self.value("answer")] is Verdict.DENY:
            self._send_words()
            return
        try:
            panel.turn_to(draft.say(words))
        except Unfit as unfit:
            self.complain(str(unfit))
            return
        self.finish()
        if len(draft.question.items) == 1 and (answer := panel.answer):
            if self._alike:
                plan = answer_to_all(self.context.fleet, self._alike, Verdict.ALLOW, answer.answers)
                self.app.push_screen(ListSheet(plan))
            else:
                self.app.post_message(SubmitOrder(answer, self.done()))

    def _send_words(self) -> None:
        """Send the words as they are: to all who ask alike after a list."""
        wanted = self.intent()
        if self._alike and isinstance(wanted, AnswerQuestion):
            self.finish()
            plan = answer_to_all(self.context.fleet, self._alike, wanted.verdict, words=wanted.text)
            self.app.push_screen(ListSheet(plan))
        else:
            super().send()

    def done(self) -> str:
        """It was told."""
        return f"told {self.agent.name}"


class MessageAll(Form):
    """One message to many agents."""

    go = "send"

    def __init__(self, plan: Plan[Agent]) -> None:
        self._plan = plan
        self.heading = f"message to {plan.named}"
        super().__init__()

    def fields(self) -> list[Field]:
        """The words."""
        return [Prose("say", "Enter sends, \\ then Enter begins a new line")]

    def send(self) -> None:
        """Send it to each, for the run that was marked; list them first where the heading has no room for all."""
        if not self.value("say").strip():
            self.complain("write something first")
            return
        self.finish()
        plan = self._plan.saying(self.value("say"))
        if self.query_one("#heading", Rule).cut:
            self.app.push_screen(ListSheet(plan))
        else:
            self.app.post_message(SubmitPlan(plan))


class ModelForm(Form):
    """The model that one or many agents are to go on with."""

    go = "set"

    def __init__(self, fleet: Fleet, plan: Plan[Agent]) -> None:
        self._plan, self._names = plan, fleet.limits.cheaper
        agents = [target.subject for target in plan.targets]
        one = f"{agents[0].name} on {agents[0].host}, now {agents[0].model or 'its own'}" if len(agents) == 1 else ""
        self.heading = f"model of {one or plan.named}"
        super().__init__()

    def fields(self) -> list[Field]:
        """Its name."""
        return [OneLine("model", "", hint=f"as Claude Code names it, like {' or '.join(self._names) or 'sonnet'}")]

    def send(self) -> None:
        """Order it of each, for the run that was marked."""
        model = self.value("model").strip()
        if not model:
            self.complain("write the model first")
            return
        self.finish()
        todo = self._plan.saying(model)
        if len(todo.targets) == 1 and not todo.left_out:
            agent = todo.targets[0].subject
            self.app.post_message(SubmitOrder(todo.targets[0].intent, f"{agent.name} is set to {model}"))
        else:
            self.app.post_message(SubmitPlan(todo))


class ReassignAll(Form):
    """The same new task or another host for many agents; the list is shown before their runs are ended."""

    go = "next"

    def __init__(self, fleet: Fleet, plan: Plan[Agent]) -> None:
        self._plan = plan
        self._hosts = hosts_of(fleet)
        self.heading = f"new task{' or host' * (len(self._hosts) > 1)} for {plan.named}"
        super().__init__()

    def fields(self) -> list[Field]:
        """Whether to keep the sessions, where they are to run, then the task."""
        several = len(self._hosts) > 1
        more = (
            "Empty, on another host: the same as now" if several else "Enter goes on, \\ then Enter begins a new line"
        )
        return [
            Choice("session", ["new ones", "keep theirs"], "new ones"),
            *[Choice("host", ["", *self._hosts], "", empty="as now")] * several,
            Prose("task", f"What should they do now?  {more}"),
        ]

    def send(self) -> None:
        """Show the list."""
        host = self.value("host") if len(self._hosts) > 1 else ""
        if not self.value("task").strip() and not host:
            self.complain(f"write the new task{', or choose a host,' * (len(self._hosts) > 1)} first")
            return
        plan = self._plan.saying(self.value("task"), self.value("session") == "keep theirs", host)
        if not plan.targets:
            self.complain(f"all of them are on {host} already")
            return
        self.finish()
        self.app.push_screen(ListSheet(plan))


class HostForm(Form):
    """Add a host."""

    heading = "add a host, reached over SSH"
    go = "add"

    def fields(self) -> list[Field]:
        """A name, then where it is."""
        return [
            OneLine("name", "", hint="like vm1; empty: from the address"),
            OneLine("address", "", hint="user@address[:port] or ssh alias"),
        ]

    def intent(self) -> Intent | str:
        """An empty name is made from the address."""
        address = self.value("address").strip()
        if not address:
            return "write its address first"
        return AddHost(self.value("name").strip() or short_name(address), address)

    def done(self) -> str:
        """It is in the room; whether it can be reached shows in its row."""
        return f"{self.value('address').strip()} added"


class SecretForm(Form):
    """Type the secret that a host asks for. It is not shown, not kept as a draft, and goes to the engine alone."""

    go = "say it"

    def __init__(self, host: str, question: Question) -> None:
        self._host, self._question = host, question
        self.heading = question.title
        super().__init__()

    def fields(self) -> list[Field]:
        """One field."""
        return [OneLine("secret", "", hint="hidden while you type; Enter sends it", unseen=True)]

    def intent(self) -> Intent | str:
        """The answer carries the question that was shown."""
        if not self.value("secret"):
            return "type it first"
        return AnswerQuestion(self._host, self._question.id, Verdict.ALLOW, self.value("secret"))

    def done(self) -> str:
        """The host is tried again."""
        return f"{self._host}: answer sent, trying again"

    def leave(self) -> None:
        """Close, and forget what was typed."""
        self.dismiss()
