"""The rules of a room at work: read, read again when their file changes, asked about every question, counted.

A rule's answer is an order like a person's: decided against the fleet as it is, bound to the digest of what was judged,
refused by the runner if it shows something else by then, audited with the rule's name. A rule with a number of uses
answers only once the use is on the disk.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import astuple, replace

from controlroom.domain.audit import verb_of
from controlroom.domain.changes import Changes
from controlroom.domain.events import Alarmed
from controlroom.domain.gauges import Alarm, AlarmLevel
from controlroom.domain.intents import AnswerQuestion
from controlroom.domain.model import Agent
from controlroom.domain.orders import Result
from controlroom.domain.permissions.calls import Call, call_of
from controlroom.domain.permissions.intents import AddRule, KeptRule, RemoveRule, RuleIntent
from controlroom.domain.permissions.judge import NO_RULES, Judgement, RuleSet
from controlroom.domain.permissions.rules import Rule, RuleVerdict
from controlroom.domain.questions import Question
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.config.rules_file import drop_rule, keep_rule, load_rules
from controlroom.engine.config.toml_file import ConfigProblem, stamp
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.rule_tables import RULE_USES, keep_use
from controlroom.engine.ledger.writer import Keep, LedgerWriter, Written
from controlroom.engine.store import FleetStore
from controlroom.protocol.home import Home
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.sanitize import redact
from controlroom.text.states import Outcome, Verdict

log = logging.getLogger("controlroom.engine")

TRIES = 3
"""How often rules answer one question, where an answer was not taken."""

_VERDICTS = {RuleVerdict.ALLOW: Verdict.ALLOW, RuleVerdict.DENY: Verdict.DENY}


@dataclass
class _Use:
    mark: str
    used: int = 0
    last: int = 0


@dataclass(frozen=True)
class _Asked:
    """One question of one run, as it was judged."""

    epoch: int
    question: str
    digest: str


@dataclass
class _Judged:
    """A question that was judged. `open`: it may be judged again, for its answer was not taken. `answered`: it was, or
    an answer to it is under way."""

    asked: _Asked
    tries: int = 0
    open: bool = True
    answered: bool = False


Submit = Callable[[AnswerQuestion, str, str], Awaitable[Result]]
"""(answer, who, the rules that give it) -> what became of it."""


class RuleBook:
    """Rules of one room. All methods are called on its event loop."""

    def __init__(self, home: Home, store: FleetStore, ledger: Ledger, writer: LedgerWriter, submit: Submit) -> None:
        """`submit` carries out an answer, given for somebody and by the rules of a name."""
        self._path, self._store, self._ledger, self._writer, self._submit = home.rules, store, ledger, writer, submit
        self.rules: RuleSet = NO_RULES
        self.trouble = ""
        """What is wrong with the file; then the rules are those that were last read."""
        self._stamp: tuple[int, int, int] | None = None
        self._uses: dict[str, _Use] = {}
        self._judged: dict[str, _Judged] = {}
        """By agent: the question that was judged last."""
        self._halted = False
        self._turn = asyncio.Lock()
        self._answering = BackgroundTasks("rules")

    # ----------------------------------------------------------------------- life

    def start(self) -> None:
        """Read the rules, and answer whatever is asked from now on."""
        for name, mark, used, last in self._ledger.read(RULE_USES):
            self._uses[name] = _Use(mark, used, last)
        self._stamp = stamp(self._path)
        self._load()
        self._store.subscribe(self._changed)

    def look(self) -> None:
        """Read the file again if it is another one than before."""
        before, self._stamp = self._stamp, stamp(self._path)
        if self._stamp != before:
            self._load()

    def reload(self) -> None:
        """Read the file again at once: it has just been written."""
        self._stamp = stamp(self._path)
        self._load()

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return len(self._answering) > 0

    async def wait_idle(self) -> None:
        """Wait until no answer is under way."""
        await self._answering.wait_idle()

    async def close(self) -> None:
        """Answer nothing more."""
        self._store.unsubscribe(self._changed)
        await self._answering.end()

    def _load(self) -> None:
        """Take up what the file says; with a mistake in it the rules stay as they were, and an alarm says so."""
        try:
            self.rules, trouble = load_rules(self._path), ""
        except ConfigProblem as problem:
            trouble = f"{problem} - the rules are those that were read before it" if self.rules.rules else str(problem)
            log.warning("%s", trouble)
        if trouble != self.trouble:
            self.trouble = trouble
            alarm = Alarm(trouble, AlarmLevel.WARNING, self._store.clock()) if trouble else None
            self._store.apply(Alarmed("rules", alarm))
        self._judged = {agent: judged for agent, judged in self._judged.items() if judged.answered}
        self._consider(self._store.fleet.agents)

    # ----------------------------------------------------------------------- what is told of them

    def kept(self) -> tuple[KeptRule, ...]:
        """Return the rules as they stand now."""
        now = self._store.clock()
        return tuple(self._kept(rule, now) for rule in self.rules.rules)

    def _kept(self, rule: Rule, now: int) -> KeptRule:
        use = self._use(rule)
        return KeptRule(rule, use.used, use.last, rule.is_over(now, use.used))

    def judge(self, call: Call) -> Judgement:
        """Say what the rules say of a call now."""
        return self.rules.judge(call, self._store.clock(), self._used())

    def _used(self) -> dict[str, int]:
        return {rule.name: self._use(rule).used for rule in self.rules.rules if rule.uses}

    def _use(self, rule: Rule) -> _Use:
        """How often a rule has answered; another one of the same name has not."""
        use, mark = self._uses.get(rule.name), _mark(rule)
        if use is None or use.mark != mark:
            use = self._uses[rule.name] = _Use(mark)
        return use

    # ----------------------------------------------------------------------- changing

    async def change(self, intent: RuleIntent, who: str) -> Result:
        """Write a rule into the file or take it out, and go by that at once; or refuse it."""
        async with self._turn:
            self.look()
            there = self.rules.named.get(intent.name)
            if self.trouble:
                return self._writer.refused(intent, f"mend the file first: {self.trouble}", who)
            if isinstance(intent, RemoveRule) and there is None:
                return self._writer.refused(intent, f"there is no rule {ascii(intent.name)[:60]}", who)
            if isinstance(intent, AddRule) and there is not None and not intent.replaces:
                return self._writer.refused(intent, f"a rule {intent.name} is there already: {there.what}", who)
            try:
                await asyncio.to_thread(self._write, intent)
            except ConfigProblem as problem:
                return self._writer.refused(intent, str(problem), who)
            self.reload()
            what = intent.rule if isinstance(intent, AddRule) else there
            words = f"{what.verdict} {what.what}" if what else ""
            self._writer.audited(who, verb_of(intent), intent.name, 0, Result(Outcome.DONE, redact(words)))
            return Result(Outcome.DONE)

    def _write(self, intent: RuleIntent) -> None:
        if isinstance(intent, AddRule):
            keep_rule(self._path, intent.rule)
        else:
            drop_rule(self._path, intent.name)

    # ----------------------------------------------------------------------- answering

    def _changed(self, changes: Changes) -> None:
        halted = self._store.fleet.queue.halt is not None
        goes_on, self._halted = self._halted and not halted, halted
        self._consider(self._store.fleet.agents if goes_on else changes.agents)

    def _consider(self, agents: Iterable[str]) -> None:
        """Answer what these agents ask, as far as the rules do."""
        fleet = self._store.fleet
        for name in agents:
            agent = fleet.agents.get(name)
            if agent is None or agent.question is None:
                self._judged.pop(name, None)
            elif not self._halted and fleet.reachable(agent):
                self._look_at(agent, agent.question)

    def _look_at(self, agent: Agent, question: Question) -> None:
        asked = _Asked(agent.epoch, question.id, question.digest)
        before = self._judged.get(agent.id)
        if before is None or before.asked != asked:
            before = self._judged[agent.id] = _Judged(asked)
        if before.open and before.tries < TRIES:
            before.open = False
            self._judge(agent, question, before)

    def _judge(self, agent: Agent, question: Question, judged: "_Judged") -> None:
        if agent.ordered is None or agent.claims:
            return  # what its host says of it is not what was ordered: no rule goes by that
        call = call_of(agent, question)
        if isinstance(call, str):
            return
        judgement = self.judge(call)
        verdict = _VERDICTS.get(judgement.verdict) if judgement.verdict else None
        if verdict is not None:
            judged.tries, judged.answered = judged.tries + 1, True
            self._answering.begin(self._answer(agent.id, judged, verdict, judgement, self._count(judgement)))

    def _count(self, judgement: Judgement) -> list[Written]:
        """Count a use of each rule, and return the writes that must be on the disk before the answer is given."""
        now, awaited = self._store.clock(), []
        for rule in [self.rules.named[name] for name in judgement.rules if name in self.rules.named]:
            use = self._use(rule)
            use.used, use.last = use.used + 1, now
            statement = keep_use(rule.name, use.mark, use.used, now)
            written = self._writer.outbox.put([statement], Keep.ONCE if rule.uses else Keep.STATE)
            awaited += [written] * (rule.uses > 0)
        return awaited

    async def _answer(
        self, agent: str, judged: "_Judged", verdict: Verdict, judgement: Judgement, counted: Sequence[Written]
    ) -> None:
        rules = self.rules
        if [problem for problem in [await each for each in counted] if problem]:
            return  # how often it has answered cannot be kept: a person answers
        if self._halted or self.rules is not rules:
            judged.open, judged.answered = True, False
            self._consider([agent])  # by what is said now
            return
        words = f"Denied by {_by(judgement)}: {judgement.why}." if verdict is Verdict.DENY else ""
        asked = judged.asked
        intent = AnswerQuestion(agent, asked.question, verdict, words, asked.digest)
        result = await self._submit(intent, _by(judgement), judgement.by)
        if not result.ok:
            judged.open, judged.answered = True, False
            log.info("%s: %s did not answer: %s", agent, _by(judgement), result.reason)


def _by(judgement: Judgement) -> str:
    """Who answers, for the audit: `rule tests`."""
    return f"rule {judgement.by}" if len(judgement.rules) == 1 else f"rules {judgement.by}"


def _mark(rule: Rule) -> str:
    """Name what a rule says, but for how often: the same for another number of uses."""
    said = repr(astuple(replace(rule, uses=0))).encode()
    return hashlib.sha256(said).hexdigest()[:16]
