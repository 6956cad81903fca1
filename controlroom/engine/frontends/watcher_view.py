"""What watchers may do, and what they see where the config withholds something: fleet and logs without those texts.

`tasks`: what people tell agents. `logs`: what agents say, and all that is made of it. A task also stands in an agent's
log, so without `tasks` the records that carry it are blanked there, and no question about them is answered. What stays
keeps its place and its length, so that positions in a log hold for everybody.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import replace

from controlroom.domain.anonymize import unnamed, unnamed_text
from controlroom.domain.audit import AuditLine
from controlroom.domain.changes import Changes
from controlroom.domain.gauges import Alarm, AlarmKind
from controlroom.domain.model import Agent, Fleet, LogPlace, Overlap, Question, with_changes
from controlroom.domain.orders import Result
from controlroom.domain.persistent_tables import hosted, table
from controlroom.domain.questions import QuestionKind
from controlroom.domain.tasks import Queue, Task
from controlroom.domain.waits import Wait, WaitReason
from controlroom.engine.config.config import Withheld
from controlroom.engine.frontends.rights import LOOK_ONLY, Rights
from controlroom.engine.frontends.turns import SharedTurns
from controlroom.engine.hosts.inquiries import Rank
from controlroom.protocol.branches import AskWork, WorkTold
from controlroom.protocol.messages import (
    LOOK,
    AgentChanges,
    Answer,
    Answered,
    AskAttached,
    AskAudit,
    AskChanges,
    AskComparison,
    AskCosts,
    AskDiff,
    AskFigures,
    AskHistory,
    AskRunways,
    AskTask,
    Audit,
    DiffPage,
    FetchLog,
    FollowedAgent,
    History,
    Hits,
    LookAtScreen,
    Page,
    Screen,
    SearchLog,
    TaskText,
)
from controlroom.protocol.messages import Question as Asked
from controlroom.text.branch_work import BranchWork
from controlroom.text.checks import AS_PROFILE, Checks
from controlroom.text.names import is_adopted_name
from controlroom.text.states import Outcome
from controlroom.wire.records import unpack

NO_LOGS = "the logs are withheld from watchers"
NO_TASKS = "the tasks are withheld from watchers, and what this would show may hold them"
NO_WORK = "the logs are withheld from watchers, and with them what agents have written"
HIDDEN = "withheld from watchers"
_ASKED = {QuestionKind.PERMISSION: f"do what is {HIDDEN}", QuestionKind.PLAN: f"plan, which is {HIDDEN}"}
"""The titles of questions that watchers may not read, as the rest of a sentence; of any other kind: `HIDDEN`."""

MOST_SEARCHED = 10_000
"""Lines of the audit that a watcher's search goes through, where something is withheld: the newest ones."""

_YOU = "you: "
"""How a line begins that says what a person said (`text.event_text`)."""

_TOLD = ("assistant", "system", "result", "control_request", "control_cancel_request", "rate_limit_event")
"""Agent events in which nothing stands that a person said."""

_UNNAMED = {
    WaitReason.LIMIT: ("of a login",),
    WaitReason.NEW_WINDOW: ("of a login",),
    WaitReason.BUDGET: ("a budget holds new work",),
}
"""What a watcher is told instead of the names that a reason bears."""

MAY_ASK = (
    FetchLog,
    SearchLog,
    LookAtScreen,
    AskChanges,
    AskDiff,
    AskCosts,
    AskHistory,
    AskComparison,
    AskAudit,
    AskAttached,
    AskRunways,
    AskFigures,
    AskTask,
    AskWork,
)
"""The questions that a watcher may ask. What is not named here it may not: also what is yet to be invented.

Not among them: a check-up, for which a host runs programs, and the care of the ledger, which writes or takes minutes.
"""


class Watcher(Rights):
    """May look, at what is not withheld; one for all watchers, so that a change is worked on once."""

    name = LOOK
    rank = Rank.WATCHER
    roles = ("tui", "cli", "watch")
    longest_request = 128 * 1024
    open_requests = 8

    def __init__(self, withheld: Withheld) -> None:
        self.withheld, self.turns = withheld, SharedTurns()
        self._seen = self._shown = Fleet()

    def fleet(self, fleet: Fleet, changes: Changes | None = None) -> Fleet:
        """Return the fleet as watchers see it.

        `changes`: what changed since it was given to whoever asks, so that nothing else is looked at. None: all is new.
        """
        if self.withheld == Withheld():
            return fleet
        if fleet is not self._seen:
            shown = unnamed(fleet) if self.withheld.accounts else fleet
            if fleet.tasks or fleet.queue.restarts:
                shown = replace(shown, tasks=self._tasks(fleet, changes), queue=self._queue(fleet.queue))
            if self.withheld.tasks and fleet.fleets:
                fleets = {name: replace(one, tasks={}) for name, one in fleet.fleets.items()}
                members = {
                    name: replace(one, entry=replace(one.entry, digest="")) for name, one in fleet.members.items()
                }
                shown = replace(shown, fleets=fleets, members=members)
            if self.withheld.tasks or self.withheld.logs:
                shown = replace(shown, agents=self._withheld(fleet, changes))
            if self.withheld.logs:
                shown = replace(shown, alarms=self._alarms(shown, changes))
            self._seen, self._shown = fleet, shown
        return self._shown

    def changes(self, changes: Changes, held: Fleet, shown: Fleet) -> Changes:
        """Return what may be another in the fleet as it is shown: one login more may be another number for each."""
        if not self.withheld.accounts or not (changes.headroom or changes.budgets or changes.alarms):
            return changes
        return replace(
            changes,
            budgets={*held.budgets, *shown.budgets},
            headroom={*held.headroom, *shown.headroom},
            alarms={*held.alarms, *shown.alarms},
        )

    def _withheld(self, fleet: Fleet, changes: Changes | None) -> Mapping[str, Agent]:
        """Return the agents as they are shown: those that changed, over those that were shown last.

        Whoever asks was given a fleet no newer than the one that was shown last to anybody: what changed since then is
        among what changed since theirs.
        """
        if changes is None:
            return hosted({key: self._agent(agent) for key, agent in fleet.agents.items()})
        here = {key: agent for key in changes.agents if (agent := fleet.agents.get(key)) is not None}
        new = {key: self._agent(agent) for key, agent in here.items()}
        return hosted(self._shown.agents).updated(new, changes.agents - here.keys())

    def _tasks(self, fleet: Fleet, changes: Changes | None) -> Mapping[str, Task]:
        """Return the tasks as they are shown: those that changed, over those that were shown last."""
        if changes is None:
            return table({key: self._task(task) for key, task in fleet.tasks.items()})
        here = {key: task for key in changes.tasks if (task := fleet.tasks.get(key)) is not None}
        new = {key: self._task(task) for key, task in here.items()}
        return table(self._shown.tasks).updated(new, changes.tasks - here.keys())

    def _alarms(self, shown: Fleet, changes: Changes | None) -> Mapping[str, Alarm]:
        """Return the alarms as they are shown: which files agents edit stands in their logs."""
        if changes is not None and not changes.alarms and not self.withheld.accounts:
            return self._shown.alarms
        return table({about: _pathless(alarm) for about, alarm in shown.alarms.items()})

    def _task(self, task: Task) -> Task:
        """Return a task without the words that are withheld: its own, and those of hosts about how it went."""
        if self.withheld.tasks:
            task = replace(task, title=HIDDEN, text="", key="", checks=AS_PROFILE)
        attempts = tuple(replace(attempt, reason="", checks=None) for attempt in task.attempts)
        return replace(task, reason="", attempts=attempts, wait=self._wait(task.wait))

    def _wait(self, wait: Wait | None) -> Wait | None:
        """Return why something waits; logins and budgets may bear names."""
        if wait is None:
            return None
        each = tuple(replace(one, about=_UNNAMED.get(one.reason, one.about)) for one in wait.credentials)
        return replace(wait, about=_UNNAMED.get(wait.reason, wait.about), credentials=each)

    def _queue(self, queue: Queue) -> Queue:
        restarts = {key: replace(kept, refused="", wait=self._wait(kept.wait)) for key, kept in queue.restarts.items()}
        preflights = {host: replace(seen, folders={}) for host, seen in queue.preflights.items()}
        return replace(queue, blocked=self._wait(queue.blocked), restarts=restarts, preflights=preflights)

    def _agent(self, agent: Agent) -> Agent:
        if self.withheld.tasks:
            is_task = agent.adopted or agent.last_line.startswith(_YOU)
            agent = with_changes(agent, task="", last_line="" if is_task else agent.last_line)
            agent = with_changes(agent, checks=agent.checks and _unsaid(agent.checks))
            agent = with_changes(agent, adoption=agent.adoption and replace(agent.adoption, task=""))
        if self.withheld.logs:
            asked = agent.question
            title = _ASKED.get(asked.kind, HIDDEN) if asked else ""
            hidden = Question(asked.id, asked.kind, title, HIDDEN, asked.asked) if asked else None
            evidence = tuple(replace(item, value="") for item in agent.evidence)
            claims = tuple(replace(item, said="") for item in agent.claims)
            edited = agent.edited and replace(agent.edited, overlaps=tuple(map(_nameless, agent.edited.overlaps)))
            agent = with_changes(agent, detail="", question=hidden, evidence=evidence, last_line="", claims=claims)
            agent = with_changes(agent, edited=edited, checks=agent.checks and _unprinted(agent.checks))
        return agent

    def instead(self, asked: Asked) -> Answer | None:
        """Return what is told instead of an answer; None: it may be answered."""
        if not isinstance(asked, MAY_ASK):
            return Answered(asked.id, Result(Outcome.REFUSED, LOOK_ONLY))
        why = NO_LOGS if self.withheld.logs else NO_TASKS if self.withheld.tasks else ""
        match asked:
            case SearchLog() if why:
                place = asked.after or asked.before or LogPlace(asked.epoch, -1, 0)
                return Hits(asked.id, place, done=True, reason=why)
            case AskTask() if self.withheld.tasks:
                return TaskText(asked.id, reason=NO_TASKS)
            case LookAtScreen() if why:
                return Screen(asked.id, reason=why)
            case AskChanges() if self.withheld.logs:
                return AgentChanges(asked.id, reason=NO_WORK)
            case AskDiff() if self.withheld.logs:
                return DiffPage(asked.id, reason=NO_WORK)
            case AskHistory() if self.withheld.accounts and asked.subject not in self._seen.hosts:
                return History(asked.id)  # windows bear the names of accounts
            case FetchLog() if self.hides(asked.agent):
                place = asked.after or asked.before or LogPlace(asked.epoch, -1, 0)
                return Page(asked.agent, place, place, id=asked.id, reason=why, withheld=True)
        return None

    def asked(self, asked: Asked) -> Asked:
        """Return the question to be answered instead: a search of the audit must not find what it may not show."""
        if isinstance(asked, AskAudit) and self.withheld != Withheld():
            return AskAudit(asked.id, MOST_SEARCHED)
        return asked

    def told(self, answer: Answer, asked: Asked) -> Answer:
        """Return an answer as watchers see it; `asked` is their own question."""
        if isinstance(answer, Page):
            return self.page(answer)
        if isinstance(answer, Audit) and isinstance(asked, AskAudit) and self.withheld != Withheld():
            lines = [shown for line in answer.lines if asked.text.lower() in _searched(shown := self._line(line))]
            return replace(answer, lines=tuple(lines[-max(1, asked.count) :]))
        if isinstance(answer, WorkTold) and answer.work and (self.withheld.tasks or self.withheld.logs):
            return replace(answer, work=self._work(answer.work))
        return answer

    def _work(self, work: BranchWork) -> BranchWork:
        """Return what was done without the words of the agent, which may repeat its task: figures and names stay."""
        commits = tuple(replace(commit, subject=HIDDEN) for commit in work.commits)
        return replace(work, answer="", answered=0, answer_cut=False, reason=work.reason and HIDDEN, commits=commits)

    def _line(self, line: AuditLine) -> AuditLine:
        """Reasons are sentences of hosts and of older versions as well: no rule tells what an agent said in them."""
        target, reason = line.target, line.reason
        if self.withheld.accounts:
            target, reason = unnamed_text(self._seen, target), unnamed_text(self._seen, reason)
        if reason and (self.withheld.tasks or self.withheld.logs):
            reason = HIDDEN
        return replace(line, target=target, reason=reason)

    def followed(self, logs: tuple[FollowedAgent, ...]) -> tuple[FollowedAgent, ...]:
        """Return the logs that may be followed."""
        return tuple(log for log in logs if not self.hides(log.agent))

    def hides(self, agent: str) -> bool:
        """Whether an agent's log is withheld; one that others started is what its terminal shows, tasks and all."""
        return self.withheld.logs or (self.withheld.tasks and is_adopted_name(agent.partition("/")[2]))

    def page(self, page: Page) -> Page:
        """Return records as watchers see them; those that say what a person said are blank."""
        if not self.withheld.tasks or not page.data:
            return page
        try:
            lines = base64.b64decode(page.data).split(b"\n")
        except binascii.Error:
            return replace(page, data="", reason="its host sent a damaged page")
        shown = b"\n".join(_blanked(line) if line else line for line in lines)
        return replace(page, data=base64.b64encode(shown).decode())


def _unsaid(checks: Checks) -> Checks:
    """Checks without their commands, which a task may say."""
    runs = tuple(run._replace(command=HIDDEN) for run in checks.runs)
    return checks._replace(runs=runs, command=HIDDEN if checks.command else "")


def _unprinted(checks: Checks) -> Checks:
    """Checks without what they printed, and without what the host says of files."""
    more = checks.more_guarded + len(checks.guarded)
    return checks._replace(output="", guarded=(HIDDEN,) * bool(more), more_guarded=max(0, more - 1), guards_unknown="")


def _nameless(overlap: Overlap) -> Overlap:
    return replace(overlap, repository=HIDDEN, path=HIDDEN)


def _pathless(alarm: Alarm) -> Alarm:
    if alarm.kind is not AlarmKind.OVERLAP:
        return alarm
    return replace(alarm, text=f"{alarm.subject} and {alarm.agent} have edited the same file, whose name is {HIDDEN}")


def _searched(line: AuditLine) -> str:
    return f"{line.who} {line.verb} {line.target} {line.outcome} {line.reason}".lower()


def _blanked(line: bytes) -> bytes:
    """Blank the words of a record in which a person may have said something; its length stays.

    What is no whole record may be a part of one.
    """
    record = unpack(line)
    if len(record.body) == len(line):
        return b" " * len(line)
    if record.stream in "oen" or (record.stream == "a" and _is_the_agents(record.body)):
        return line
    size = len(record.body)
    words = b"(withheld)" if size >= len(b"(withheld)") else b""
    return line[: len(line) - size] + words.ljust(size)


def _is_the_agents(body: bytes) -> bool:
    """Return whether an event holds nothing that a person said. One that cannot be read, as a part cannot, may."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(event, dict):
        return False
    if event.get("type") in _TOLD:
        return True
    message = event.get("message")
    blocks = message.get("content") if isinstance(message, dict) else None
    if event.get("type") != "user" or not isinstance(blocks, list):
        return False
    return all(isinstance(block, dict) and block.get("type") == "tool_result" for block in blocks)
