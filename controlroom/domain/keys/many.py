"""What is done to many agents or tasks at once: to which, each as it was listed, and the sum of what became of it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from controlroom.domain import intents
from controlroom.domain.claims import claimed_words
from controlroom.domain.intents import Intent
from controlroom.domain.keys.actions import BY_NAME
from controlroom.domain.keys.availability import unavailable
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.open_questions import Asking
from controlroom.domain.orders import Result
from controlroom.domain.questions import Question, answer_words, same, wants_words
from controlroom.domain.queue.edits import change_of
from controlroom.domain.tasks import Task, TaskChange, TaskState
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import ItemAnswer, Outcome, Verdict

AT_ONCE = 10
"""Orders under way at one time."""
_NAMED = 3
"""Refusals that are named in the sum; the others are counted."""


Subject = TypeVar("Subject", bound=Agent | Task, covariant=True)


@dataclass(frozen=True)
class Target(Generic[Subject]):
    """One of many, as it was listed, and what is asked for it: of an agent for its epoch, or its question."""

    subject: Subject
    intent: Intent


@dataclass(frozen=True)
class Plan(Generic[Subject]):
    """What is about to be done to many."""

    action: str
    targets: tuple[Target[Subject], ...]
    left_out: tuple[tuple[Subject, str], ...]
    """Marked ones that it cannot be done to, each with the reason."""
    hidden: tuple[Subject, ...] = ()
    """Marked ones that were out of sight: they are not touched, and stay marked."""
    answer: str = ""
    """What is answered to all of them, in words, where that is more than a verdict."""
    host: str = ""
    """Where they are to go; empty: they stay."""
    alike: bool = False
    """All of them ask the same: once it was shown, one key answers it."""

    def saying(
        self: "Plan[Agent]", text: str, keep: bool = False, host: str = "", leave: bool = False
    ) -> "Plan[Agent]":
        """The same plan for the same runs, with these words; `host`: where they are to go, but for those there.

        `keep`: in their sessions; `leave`: without their folders.
        """
        stay: tuple[tuple[Agent, str], ...] = tuple(
            (target.subject, _is_there(target.subject)) for target in self.targets if target.subject.host == host
        )
        targets = (
            Target(
                target.subject,
                _paced(intent_of(target.subject, self.action, text, keep, host, leave), len(self.targets)),
            )
            for target in self.targets
            if target.subject.host != host
        )
        return replace(self, targets=tuple(targets), left_out=(*self.left_out, *stay), host=host)

    @property
    def title(self) -> str:
        """Ask for it in a sentence."""
        if self.host:
            moves = [target.intent for target in self.targets if isinstance(target.intent, intents.ReassignAgent)]
            along = "they go on in their sessions"
            if not any(intent.keep_session for intent in moves):
                along = "files and sessions stay behind"
            elif not all(intent.leave_folder for intent in moves):
                along += ", with their folders"
            return f"Move {self._counted} to {self.host}? Their runs are ended first; {along}."
        if self.answer:
            return f"Answer {self._counted} with {self.answer}?"
        adopted = (target.intent for target in self.targets if isinstance(target.intent, intents.AdoptAgent))
        if profile := next((intent.profile for intent in adopted), ""):
            return f"Take {self._counted} over? Limits and budgets of profile {profile} then hold, by signals."
        return _TITLES[self.action].format(self._counted, asks="asks" if len(self.targets) == 1 else "ask")

    @property
    def done(self) -> str:
        """What has been done to those to whom it was done."""
        if any(isinstance(target.intent, intents.ResumeAgent) and target.intent.paced for target in self.targets):
            return "to go on, one after the other"
        return "moved" if self.host else "answered" if self.answer else _DONE[self.action]

    @property
    def verb(self) -> str:
        """What is done, in a word."""
        return (
            "move" if self.host else "answer" if self.answer else _VERBS.get(self.action) or BY_NAME[self.action].title
        )

    @property
    def named(self) -> str:
        """Name whom it is about, and say how many of those that were marked are left out."""
        count = len(self.left_out) + len(self.hidden)
        out = f" ({count} left out)" if count else ""
        return f"{self._counted}{out}: {', '.join(_name(target.subject) for target in self.targets)}"

    @property
    def _counted(self) -> str:
        number, noun = len(self.targets), "task" if BY_NAME[self.action].needs == "task" else "agent"
        return f"{number} {noun}{'s' * (number != 1)}"


AnyPlan = Plan[Agent | Task]


def _name(subject: Agent | Task) -> str:
    return subject.name if isinstance(subject, Agent) else subject.id


_TITLES = {
    "kill": "Kill {}, and everything they started?",
    "adopt": "Take {} over? They are then held to budgets, by signals to their processes.",
    "forget": "Forget {}? Their logs are removed, for good.",
    "pause": "Pause {}? Their runs end, and their sessions are kept.",
    "resume": "Let {} go on where they stopped?",
    "interrupt": "Interrupt {}? They then wait for a message.",
    "reassign": "Give {} a new task? Their runs now are ended first.",
    "retry": "Give {} the same task again? What still runs of them is ended first.",
    "allow": "Allow what {} {asks}, this once?",
    "always": "Allow what {} {asks}, and what is named below it until their sessions end?",
    "deny": "Deny what {} {asks}?",
    "message": "Say this to {}?",
    "model": "Have {} go on with this model?",
    "task_hold": "Hold {}? They start once they are released.",
    "task_release": "Release {}? They start as soon as they may.",
    "task_retry": "Have {} done again? Their attempts are counted anew.",
    "task_drop": "Drop {}? They are not done any more.",
    "task_priority": "Give {} this priority?",
}
_VERBS = {"task_release": "release"}
"""Where an action of the table is turned round."""
_DONE = {
    "kill": "ended",
    "adopt": "taken over",
    "forget": "removed",
    "pause": "paused",
    "resume": "going on",
    "interrupt": "interrupted",
    "reassign": "given the task",
    "retry": "begun again",
    "allow": "allowed once",
    "always": "allowed for the session",
    "deny": "denied",
    "message": "told",
    "model": "given the model",
    "task_hold": "held",
    "task_release": "released",
    "task_retry": "tried again",
    "task_drop": "dropped",
    "task_priority": "changed",
}


def plan(fleet: Fleet, marked: Sequence[str], action: str, hidden: Sequence[str] = (), host: str = "") -> Plan[Agent]:
    """What is to be done to whom; the words of a message or a task come later.

    `hidden`: marked, and out of sight; `host`: where they are to go.
    """
    targets: list[Target[Agent]] = []
    left_out: list[tuple[Agent, str]] = []
    for agent in (fleet.agents[agent] for agent in marked if agent in fleet.agents):
        reason = unavailable(BY_NAME[action], fleet, agent.id)
        if reason is None and action in ("allow", "always") and wants_words(agent.question):
            reason = f"{agent.name} wants choices or words for an answer"
        if reason is None and action in ("allow", "always") and agent.question and agent.question.cut:
            reason = f"{agent.name} asks more than can be shown here"
        if reason is None and action in ("reassign", "retry") and claimed_words(agent):
            reason = f"{agent.name} was not ordered by this room: reassign it by itself"
        if reason is None and host == agent.host:
            reason = _is_there(agent)
        if reason is None:
            targets.append(Target(agent, intent_of(agent, action, host=host)))
        else:
            left_out.append((agent, reason))
    unseen = tuple(fleet.agents[agent] for agent in hidden if agent in fleet.agents)
    if len(targets) > 1:
        targets = [replace(target, intent=_paced(target.intent)) for target in targets]
    return Plan(action, tuple(targets), tuple(left_out), unseen)


def task_plan(fleet: Fleet, marked: Sequence[str], action: str, hidden: Sequence[str] = ()) -> Plan[Task]:
    """What is to be done to which tasks; a priority comes later."""
    tasks = [fleet.tasks[task] for task in marked if task in fleet.tasks]
    targets: list[Target[Task]] = []
    left_out: list[tuple[Task, str]] = []
    for task in tasks:
        reason = unavailable(BY_NAME.get(action, BY_NAME["task_hold"]), fleet, task=task.id)
        if action == "task_hold" and task.state is TaskState.HELD:
            reason = f"{task.id} is held already"
        elif action == "task_release" and task.state is not TaskState.HELD:
            reason = f"{task.id} is not held: it is {task.state}"
        if reason is None:
            targets.append(Target(task, _TASK_INTENTS[action](task.id)))
        else:
            left_out.append((task, reason))
    return Plan(
        action, tuple(targets), tuple(left_out), tuple(fleet.tasks[task] for task in hidden if task in fleet.tasks)
    )


def held_or_released(fleet: Fleet, marked: Sequence[str]) -> str:
    """What the key that holds tasks does to these: they are released where none of them can be held."""
    waits = any(fleet.tasks[task].state is TaskState.WAITING for task in marked if task in fleet.tasks)
    return "task_hold" if waits else "task_release"


def with_priority(todo: Plan[Task], priority: int) -> Plan[Task]:
    """The same plan for the same tasks, with this priority."""
    change = TaskChange(priority=priority)
    return replace(todo, targets=tuple(Target(each.subject, change_of(each.subject, change)) for each in todo.targets))


_TASK_INTENTS: dict[str, Callable[[str], Intent]] = {
    "task_hold": intents.HoldTask,
    "task_release": intents.ReleaseTask,
    "task_retry": intents.RetryTask,
    "task_drop": intents.DropTask,
    "task_priority": lambda task: intents.EditTask(task, TaskChange()),
}


def answer_to_all(
    fleet: Fleet, asked: Asking, verdict: Verdict, answers: tuple[ItemAnswer, ...] = (), words: str = ""
) -> Plan[Agent]:
    """The same answer to all who ask this, each for the question that it asked then.

    Who asks something else by now, or cannot be answered so, is left out. Those that say the same stand together.
    """
    targets: dict[tuple[str, ...], list[Target[Agent]]] = {}
    left_out: list[tuple[Agent, str]] = []
    for asker in asked.askers:
        agent, own = fleet.agents.get(asker.subject), asker.question
        if agent is None:
            continue
        if reason := _unanswerable(fleet, agent, own, verdict, bool(answers or words)):
            left_out.append((agent, reason))
        else:
            intent = intents.AnswerQuestion(agent.id, own.id, verdict, words, own.digest, answers)
            targets.setdefault(tuple(own.lines), []).append(Target(agent, intent))
    said = [*answer_words(asked.question, answers), *[f"“{words}”"] * bool(words)] if answers or words else []
    together = tuple(target for same_words in targets.values() for target in same_words)
    return Plan(str(verdict), together, tuple(left_out), answer="; ".join(said), alike=True)


def _unanswerable(fleet: Fleet, agent: Agent, asked: Question, verdict: Verdict, said: bool) -> str | None:
    """Why an answer cannot be given to what this agent asked."""
    if not same(agent.question, asked):
        return f"{agent.name} asks something else by now" if agent.question else f"{agent.name} asks nothing any more"
    if verdict is not Verdict.DENY and wants_words(asked) and not said:
        return f"{agent.name} wants choices or words for an answer"
    if verdict is not Verdict.DENY and asked.cut:
        return f"{agent.name} asks more than can be shown here"
    return unavailable(BY_NAME[verdict], fleet, agent.id)


def _paced(intent: Intent, among: int = 2) -> Intent:
    """What is asked for one of several: those that go on do so one after the other, as there is room."""
    return replace(intent, paced=True) if isinstance(intent, intents.ResumeAgent) and among > 1 else intent


def _is_there(agent: Agent) -> str:
    return f"{agent.name} is on {agent.host} already"


def intent_of(
    agent: Agent, action: str, text: str = "", keep: bool = False, host: str = "", leave: bool = False
) -> Intent:
    """What an action asks for one agent; of an agent that waits, to go on is a message."""
    if action in ("allow", "always", "deny") and agent.question is not None:
        return intents.AnswerQuestion(agent.id, agent.question.id, Verdict(action), text, agent.question.digest)
    if action == "message":
        return intents.SendMessage(agent.id, agent.epoch, text)
    if action == "model":
        return intents.SetModel(agent.id, agent.epoch, text)
    if action == "adopt":
        return intents.AdoptAgent(agent.id, agent.mark, profile=text)
    if action == "reassign":
        keep = keep and bool(agent.session or host)
        return intents.ReassignAgent(agent.id, agent.epoch, text, keep, host, leave_folder=leave)
    if action == "resume" and not agent.has_ended:
        return intents.SendMessage(agent.id, agent.epoch, intents.GO_ON)
    if action in _BOUND:
        return _BOUND[action](agent.id, agent.epoch, agent.mark)
    return _INTENTS[action](agent.id, agent.epoch)


_INTENTS: dict[str, Callable[[str, int], Intent]] = {
    "retry": intents.RetryAgent,
    "resume": intents.ResumeAgent,
    "forget": intents.ForgetAgent,
}
_BOUND: dict[str, Callable[[str, int, str], Intent]] = {
    "kill": intents.KillAgent,
    "pause": intents.PauseAgent,
    "interrupt": intents.InterruptAgent,
}
"""Those that an agent of others can be meant by: they carry the process that it was shown with."""


def summed(todo: AnyPlan, outcomes: Sequence[Result | None]) -> str:
    """Sum up what became of many: how many were done, which were refused and why, of which nothing is known."""
    pairs = list(zip(todo.targets, outcomes, strict=True))
    done = sum(1 for _, outcome in pairs if outcome is not None and outcome.ok)
    refused = [
        _reason(target, outcome)
        for target, outcome in pairs
        if outcome is not None and outcome.outcome is Outcome.REFUSED
    ]
    unknown = [target.subject.id for target, outcome in pairs if outcome is None or _unknown(outcome)]
    parts = [f"{done} {todo.done}"] if done or not (refused or unknown) else []
    parts += [f"{len(refused)} refused: {_several(refused, '; ')}"] * bool(refused)
    parts += [f"of {len(unknown)} not known: {_several(unknown, ', ')}; look before you try again"] * bool(unknown)
    return ", ".join(parts)


def _unknown(outcome: Result) -> bool:
    return not outcome.ok and outcome.outcome is not Outcome.REFUSED


def _reason(target: Target[Agent | Task], outcome: Result) -> str:
    """A refusal with what it is about."""
    return outcome.reason if target.subject.id in outcome.reason else f"{target.subject.id}: {outcome.reason}"


def _several(words: Sequence[str], between: str) -> str:
    more = f"{between}and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return between.join(words[:_NAMED]) + more
