"""What an agent that leads others may do and sees: its own agents and tasks, its hosts and profiles, its ceiling.

At its socket a token says which lead speaks. What that lead may is looked up with every request, so that a session that
is open when the lead is removed, or its time is over, has nothing left.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from controlroom.domain.address import HostKind
from controlroom.domain.changes import Changes, between
from controlroom.domain.lead_rights import is_own, own_agent, own_task
from controlroom.domain.leads import Lead, LeadVerb, ceiling_names
from controlroom.domain.model import Agent, Fleet, Host, Profile, with_changes
from controlroom.domain.money.budget import ceilings
from controlroom.domain.orders import Result
from controlroom.domain.preconditions import Refusal
from controlroom.domain.tasks import Task
from controlroom.domain.waits import WaitReason
from controlroom.engine.frontends.rights import Acting, NotAdmitted, Rights
from controlroom.engine.frontends.turns import SharedTurns
from controlroom.engine.hosts.inquiries import Rank
from controlroom.engine.lead_book import Grant, LeadBook
from controlroom.protocol.branches import AskWork
from controlroom.protocol.messages import (
    LEAD,
    Answer,
    Answered,
    AskChanges,
    AskCosts,
    AskDiff,
    AskTask,
    Costs,
    FetchLog,
    FollowedAgent,
    Hello,
    Page,
    Question,
    SearchLog,
)
from controlroom.text.names import LOCAL
from controlroom.text.states import Outcome

MAY_ASK: Mapping[type, LeadVerb] = {
    FetchLog: LeadVerb.LOGS,
    SearchLog: LeadVerb.LOGS,
    AskChanges: LeadVerb.DIFF,
    AskDiff: LeadVerb.DIFF,
    AskWork: LeadVerb.COLLECT,
    AskCosts: LeadVerb.COSTS,
    AskTask: LeadVerb.TASK_SHOW,
}
"""By kind of question: the verb that a lead must have been given for it. Any other is refused, also what is yet to be
invented: the audit, the ledger, rules, who is attached, hosts, screens, what others cost."""

LONGEST_TOKEN = 200

ResultOf = Callable[[int], "asyncio.Future[Result] | None"]


class LeadDoor(Rights):
    """Whoever comes in here has said no token yet, and may do nothing."""

    name = LEAD
    rank = Rank.WATCHER
    roles = ("lead",)
    longest_request = 256 * 1024
    open_requests = 8

    def __init__(self, book: LeadBook, result_of: ResultOf, only: str | None = None) -> None:
        """`only`: the one lead whose token may be said here, "" for none; None: any."""
        self.turns, self._book, self._result_of, self._only = SharedTurns(), book, result_of, only

    def for_one(self, only: str | None) -> "LeadDoor":
        """The same door, for a process that may say the token of one lead alone."""
        door = LeadDoor(self._book, self._result_of, only)
        door.turns = self.turns
        return door

    def admitted(self, hello: Hello) -> Rights:
        """Return what the token stands for. Raises `NotAdmitted`."""
        grant = self._book.told_by(hello.token) if 0 < len(hello.token) <= LONGEST_TOKEN else None
        if grant is None:
            raise NotAdmitted(
                "this token is no lead's of this room, or not any more: a person gives one with controlroom lead add"
            )
        if self._only not in (None, grant.name):
            whose = f"lead {self._only}" if self._only else "no lead, for a lead began it"
            raise NotAdmitted(f"this token is not that of the agent which says it: it may speak for {whose}")
        return LeadRights(self._book, grant, self._result_of, self)


class LeadRights(Acting):
    """May do what one lead may."""

    name = LEAD
    rank = Rank.WATCHER
    roles = LeadDoor.roles
    longest_request = LeadDoor.longest_request
    open_requests = LeadDoor.open_requests

    def __init__(self, book: LeadBook, grant: Grant, result_of: ResultOf, door: Rights) -> None:
        super().__init__(partial(book.act, grant), result_of)
        self.turns, self.who = door.turns, f"lead {grant.name}"
        self._book, self._grant = book, grant

    def _lead(self, fleet: Fleet) -> Lead | None:
        """The lead as it is now; None: it may do nothing any more."""
        return None if self._book.over(self._grant) else fleet.leads.get(self._grant.name)

    def fleet(self, fleet: Fleet, changes: Changes | None = None) -> Fleet:
        """Return the fleet as this lead sees it: nothing that is not its own."""
        lead = self._lead(fleet)
        if lead is None:
            return Fleet(room=fleet.room)
        own = [key for key in self._book.led.of(lead.name) if is_own(fleet, lead.name, key)]
        names = {rule.name for rule in ceilings(lead)}
        return Fleet(
            room=fleet.room,
            hosts={name: _host(fleet.hosts[name]) for name in lead.hosts if name in fleet.hosts},
            agents={key: _agent(fleet.agents[key], lead) for key in own},
            profiles={name: _profile(fleet.profiles[name]) for name in lead.profiles if name in fleet.profiles},
            budgets={name: budget for name, budget in fleet.budgets.items() if name in names},
            tasks={key: _task(task, lead) for key, task in fleet.tasks.items() if task.origin.lead == lead.name},
            leads={lead.name: replace(lead, who="")},
        )

    def changes(self, changes: Changes, held: Fleet, shown: Fleet) -> Changes:
        """Return what is another in the fleet as it is shown: all of it is looked at, and it is small."""
        return between(held, shown)

    def followed(self, logs: tuple[FollowedAgent, ...]) -> tuple[FollowedAgent, ...]:
        """Return the logs that may be followed."""
        fleet = self._book.fleet
        lead = self._lead(fleet)
        if lead is None or not lead.may(LeadVerb.LOGS):
            return ()
        return tuple(log for log in logs if is_own(fleet, lead.name, log.agent))

    def page(self, page: Page) -> Page:
        """Return records of a log as they are shown: none of one that it follows and may see no longer."""
        return page if self.followed((FollowedAgent(page.agent),)) else replace(page, data="", skipped=0)

    def instead(self, question: Question) -> Answer | None:
        """Return what is told instead of an answer; None: it may be answered."""
        try:
            self._check(question)
        except Refusal as no:
            return Answered(question.id, Result(Outcome.REFUSED, str(no)))
        return None

    def _check(self, question: Question) -> None:
        """See that a question may be answered. Raises `Refusal`."""
        fleet, name = self._book.fleet, self._grant.name
        if over := self._book.over(self._grant):
            raise Refusal(over)
        verb = MAY_ASK.get(type(question))
        if verb is None or not fleet.leads[name].may(verb):
            raise Refusal(f"lead {name} was not given {verb or type(question).__name__}")
        match question:
            case AskTask():
                own_task(fleet, name, question.task)
            case AskCosts():
                if question.by != "agent":
                    raise Refusal("a lead sees what each of its agents has cost: by agent, and in no other way")
            case FetchLog() | SearchLog() | AskChanges() | AskDiff() | AskWork():
                own_agent(fleet, name, question.agent)
            case _:
                raise Refusal(f"lead {name} may not ask that")

    def told(self, answer: Answer, question: Question) -> Answer:
        """Return an answer as this lead sees it."""
        if not isinstance(answer, Costs):
            return answer
        own = self._book.led.of(self._grant.name)
        rows = tuple(row for row in answer.rows if row.key in own)
        return replace(answer, rows=rows, ran={key: ran for key, ran in answer.ran.items() if key in own})


def _agent(agent: Agent, lead: Lead) -> Agent:
    """An agent of its own, without who else has to do with it."""
    pending = agent.pending and replace(agent.pending, who="")
    shown = with_changes(agent, pending=pending, edited=None, claims=(), evidence=())
    return shown if lead.may(LeadVerb.LOGS) else with_changes(shown, last_line="", last_line_at=0)


_ITS_OWN = frozenset(
    {
        *(WaitReason.AFTER, WaitReason.AFTER_FAILED, WaitReason.AT_WORK, WaitReason.LEAD, WaitReason.REFUSED),
        *(WaitReason.NO_PROFILE, WaitReason.OUTSIDE, WaitReason.PROFILE_FULL, WaitReason.COST),
    }
)
"""Reasons to wait that name what is its own; others name budgets, logins, people and agents of the room."""

_NOT_TOLD = "(not told)"


def _task(task: Task, lead: Lead) -> Task:
    """A task that it gave; why it waits is told without whose budget, login, hold or agent that is."""
    wait = task.wait
    if wait is None or wait.reason in _ITS_OWN:
        return task
    hosts = (replace(each, about=each.about and _NOT_TOLD) for each in wait.hosts if each.host in lead.hosts)
    credentials = (replace(each, name="one of them", about=_masked(each.about)) for each in wait.credentials)
    about = _masked(wait.about)
    if wait.reason is WaitReason.BUDGET:
        own = [words for words in wait.about if any(name in words for name in ceiling_names(lead.name))]
        about = tuple(own) or ("a budget of the room holds it",)
    return replace(task, wait=replace(wait, about=about, hosts=tuple(hosts), credentials=tuple(credentials)))


def _masked(about: tuple[str, ...]) -> tuple[str, ...]:
    return (_NOT_TOLD,) if about else ()


def _host(host: Host) -> Host:
    """A host without where it is and what it asks."""
    shown = Host(host.name, LOCAL if host.kind is HostKind.LOCAL else "", host.link, host.since)
    return replace(shown, seen=host.seen, sample=host.sample, labels=host.labels)


def _profile(profile: Profile) -> Profile:
    """A profile without how it is run."""
    return Profile(profile.name, profile.kind, model=profile.model)
