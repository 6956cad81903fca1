"""The leads of a room: given and removed, told by their tokens, held to what they may, ended when their time is over.

Whatever a lead wants comes through `act`, which decides by the lead as it is at that moment, whichever session it was
said in. A token is compared by its SHA-256, in constant time, with that of every lead.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

from controlroom.domain import intents
from controlroom.domain.audit import verb_of
from controlroom.domain.events import LeadsSeen
from controlroom.domain.lead_rights import added, allowed, check_added
from controlroom.domain.leads import AddLead, Lead, LeadIntent, RemoveLead
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.money.budget import Ceiling, ceilings
from controlroom.domain.orders import Result
from controlroom.domain.preconditions import Refusal, no_session
from controlroom.domain.tasks import TaskState
from controlroom.domain.words import dollars, named_some
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.budgets.controller import BudgetController
from controlroom.engine.ledger.lead_tables import LEADS, drop_lead, keep_lead, read_lead
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.writer import Keep, LedgerWriter
from controlroom.engine.store import FleetStore
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Outcome

Submit = Callable[[intents.Intent, str], Coroutine[Any, Any, Result]]
"""(intent, who wants it): decides it and carries it out."""

ACTS, A_MINUTE = 120, 60_000
"""How often a lead may want something in so many milliseconds: each leaves a line in the audit."""

AGAIN = 60_000
"""Milliseconds until what was refused, or has not come about, is ordered again."""

_DIGEST = 64

_WAITS = (TaskState.WAITING, TaskState.HELD)


@dataclass(frozen=True)
class Grant:
    """What a token stands for: one lead, as it was added then. Another one of the name has other rights."""

    name: str
    added: int


class LeadBook:
    """Leads of one room. All methods are called on its event loop."""

    def __init__(
        self, store: FleetStore, ledger: Ledger, writer: LedgerWriter, budgets: BudgetController, submit: Submit
    ) -> None:
        self._store, self._ledger, self._writer = store, ledger, writer
        self._budgets, self._submit = budgets, submit
        self.led = budgets.led
        """Which agents leads have begun."""
        self._digests: dict[str, str] = {}
        self._acts: dict[str, list[int]] = {}
        """By lead: when it wanted something lately."""
        self._ordered: dict[str, int] = {}
        """What was ordered because a lead is over, and until when it is not ordered again: runs, tasks."""
        self._turn = asyncio.Lock()
        self._background = BackgroundTasks("leads")

    @property
    def fleet(self) -> Fleet:
        """The fleet as it is."""
        return self._store.fleet

    # ----------------------------------------------------------------------- life

    def start(self) -> None:
        """Take up the leads that the ledger has."""
        kept = [read_lead(row) for row in self._ledger.read(LEADS)]
        self._digests = {lead.name: digest for digest, lead in kept}
        self._show({lead.name: lead for _, lead in kept})

    @property
    def busy(self) -> bool:
        """Whether an agent is being ended."""
        return len(self._background) > 0

    async def wait_idle(self) -> None:
        """Wait until none is."""
        await self._background.wait_idle()

    async def close(self) -> None:
        """Begin nothing more."""
        await self._background.end()

    def look(self) -> None:
        """End what leads have left: agents when their time is over, and tasks that would wait for one removed.

        A lead that was removed is forgotten once it has no agents any more.
        """
        leads, now = self.fleet.leads.values(), self._store.clock()
        self._ordered = {what: until for what, until in self._ordered.items() if now < until <= now + AGAIN}
        for lead in leads:
            if lead.until and now >= lead.until:
                self._end(lead)
        for task in self.fleet.tasks.values():
            if task.origin.lead and task.state in _WAITS and self._has_gone(task.origin.lead):
                self._order(f"drop {task.id}", intents.DropTask(task.id), task.origin.lead)
        removed = [lead.name for lead in leads if lead.removed]
        led = {agent.lead for agent in self.fleet.agents.values()} if removed else set()
        for name in [name for name in removed if name not in led]:
            self._forget(name)

    def _has_gone(self, name: str) -> bool:
        lead = self.fleet.leads.get(name)
        return lead is None or bool(lead.removed)

    def _end(self, lead: Lead) -> None:
        """Pause what is at work of a lead whose time is over: on a host that is away, once it is there again."""
        for agent in self._at_work(lead.name):
            if agent.pending is None and self.fleet.reachable(agent):
                kind = intents.KillAgent if no_session(agent) else intents.PauseAgent
                self._order(f"end {agent.id} {agent.epoch}", kind(agent.id, agent.epoch), lead.name)

    def _order(self, what: str, intent: intents.Intent, lead: str) -> None:
        """Order something because a lead is over, unless that was ordered a moment ago."""
        if what not in self._ordered:
            self._ordered[what] = self._store.clock() + AGAIN
            self._background.begin(self._ordered_now(intent, f"the end of lead {lead}"))

    async def _ordered_now(self, intent: intents.Intent, who: str) -> None:
        await self._submit(intent, who)

    def _at_work(self, name: str) -> list[Agent]:
        return [agent for agent in self.fleet.agents.values() if agent.lead == name and not agent.has_ended]

    def _forget(self, name: str) -> None:
        self._digests.pop(name, None)
        self.led.forget(name)
        self._writer.outbox.put(drop_lead(name), Keep.RECORD)
        self._show({kept: lead for kept, lead in self.fleet.leads.items() if kept != name})

    def _show(self, leads: Mapping[str, Lead]) -> None:
        """Show the leads, and have their ceilings bind."""
        self._store.apply(LeadsSeen(leads))
        rules = {name: rule for name, rule in self._budgets.funds.rules.items() if not isinstance(rule, Ceiling)}
        rules |= {rule.name: rule for lead in leads.values() for rule in ceilings(lead)}
        if rules != self._budgets.funds.rules:
            self._budgets.ruled(rules)

    # ----------------------------------------------------------------------- giving and removing

    async def change(self, intent: LeadIntent, who: str) -> Result:
        """Give a lead its rights, or end them; or refuse it."""
        async with self._turn:
            try:
                words = await (self._add(intent, who) if isinstance(intent, AddLead) else self._remove(intent, who))
            except Refusal as no:
                return self._writer.refused(intent, str(no), who)
            result = Result(Outcome.DONE, words)
            self._writer.audited(who, verb_of(intent), intent.name, 0, result)
            return result

    async def _add(self, intent: AddLead, who: str) -> str:
        now = self._store.clock()
        check_added(self.fleet, intent.lead, now)
        if len(intent.digest) != _DIGEST or not set(intent.digest) <= set("0123456789abcdef"):
            raise Refusal("a lead is told by the SHA-256 of its token, in hexadecimal")
        lead = added(intent.lead, who, now)
        before = drop_lead(lead.name) if lead.name in self.fleet.leads else []
        if problem := await self._writer.outbox.put([*before, keep_lead(lead, intent.digest)]):
            raise Refusal(f"nothing was given: {problem}")
        self.led.forget(lead.name)
        self._digests[lead.name] = intent.digest
        self._show({**self.fleet.leads, lead.name: lead})
        return f"{dollars(lead.limit)} in all, {lead.agents} agent{'s' * (lead.agents != 1)} at once"

    async def _remove(self, intent: RemoveLead, who: str) -> str:
        lead = self.fleet.leads.get(intent.name)
        if lead is None or lead.removed:
            raise Refusal(f"there is no lead {ascii(intent.name)[:60]}; see controlroom lead list")
        over = replace(lead, removed=self._store.clock())
        self._show({**self.fleet.leads, lead.name: over})
        written = await self._writer.outbox.put([keep_lead(over, self._digests.get(lead.name, ""))], Keep.RECORD)
        given = [task for task in self.fleet.tasks.values() if task.origin.lead == lead.name]
        for task in [task for task in given if task.state in _WAITS]:
            await self._submit(intents.DropTask(task.id), who)
        agents, ended = self._at_work(lead.name), list[str]()
        for agent in agents if intent.kill else ():
            result = await self._submit(intents.KillAgent(agent.id, agent.epoch), who)
            ended += [agent.id] * (result.outcome in (Outcome.ASKED, Outcome.DONE))
        late = f"; not on the disk yet: {written}" if written else ""
        return f"{_left_behind([agent.id for agent in agents if agent.id not in ended], ended)}{late}"

    # ----------------------------------------------------------------------- what leads do

    def told_by(self, token: str) -> Grant | None:
        """Return what a token stands for; None: nothing, or nothing any more."""
        digest, now = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest(), self._store.clock()
        told = None
        for lead in self.fleet.leads.values():
            same = hmac.compare_digest(digest, self._digests.get(lead.name, ""))
            if same and not lead.over(now):
                told = Grant(lead.name, lead.added)
        return told

    def over(self, grant: Grant) -> str:
        """Why a grant gives nothing any more; "": it does."""
        lead = self.fleet.leads.get(grant.name)
        if lead is None or lead.added != grant.added:
            return f"lead {grant.name} was removed: it may do nothing any more"
        return lead.over(self._store.clock())

    async def act(self, grant: Grant, intent: intents.Intent, who: str) -> Result:
        """Do what a lead wants, as far as it may."""
        if wait := self._too_often(grant.name):
            return Result(Outcome.REFUSED, wait)
        try:
            if over := self.over(grant):
                raise Refusal(over)
            wanted = allowed(self.fleet, grant.name, intent, self._store.clock())
        except Refusal as no:
            return self._writer.refused(intent, str(no), who)
        return await self._submit(wanted, who)

    def _too_often(self, name: str) -> str:
        now = self._store.clock()
        acts = self._acts[name] = [at for at in self._acts.get(name, ()) if 0 <= now - at < A_MINUTE]
        if len(acts) >= ACTS:
            return f"lead {name} has wanted {ACTS} things in a minute, which is the most: wait a moment"
        acts.append(now)
        return ""


def _left_behind(go_on: list[str], ended: list[str]) -> str:
    """Say what becomes of a lead that is removed, and of its agents."""
    words = "it may do nothing any more"
    if ended:
        words += f"; its agents are ended: {named_some(ended)}"
    if go_on:
        words += f"; its agents go on, up to its ceiling: {named_some(go_on)}. To end them: controlroom kill"
    return words if go_on or ended else f"{words}; no agent of it is at work"
