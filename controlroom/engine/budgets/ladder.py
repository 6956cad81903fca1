"""The rungs of budgets: each is done once in a period, audited, announced, and remembered across engines."""

import asyncio
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from controlroom.domain import events, intents
from controlroom.domain.budgets import Budget, Rung, RungAction
from controlroom.domain.model import Agent
from controlroom.domain.money.allotment import Run
from controlroom.domain.money.budget import BudgetRule
from controlroom.domain.money.ladder import (
    account_of,
    alarm,
    holds,
    is_paused,
    is_stopped,
    is_unstopped,
    other_model,
    stopped_by,
    stopping,
    told,
)
from controlroom.domain.orders import Result
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.budgets.pauses import Submit
from controlroom.engine.ledger.grant_tables import paused, reached, unreached
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.notify.notifier import run_program
from controlroom.engine.store import FleetStore
from controlroom.text.sanitize import redact
from controlroom.text.states import Outcome

log = logging.getLogger("controlroom.budgets")

COMMAND = 20.0
"""Seconds that the operator's command may take."""

AGAIN = 60_000
"""Milliseconds after which an agent that was taken over is stopped again that lives all the same."""

_HARSHER = (RungAction.INTERRUPT, RungAction.PAUSE, RungAction.STOP)
_SIGNALS: Mapping[RungAction, type[intents.KillAgent | intents.InterruptAgent]] = {
    RungAction.INTERRUPT: intents.InterruptAgent,
    RungAction.STOP: intents.KillAgent,
}

Done = tuple[str, int, int, str]
"""Budget, period, per cent and action of a rung that was done."""


Runs = Callable[[str], Iterable[Run]]
"""Gives the runs that a budget is about."""


class Ladder:
    """Does what rungs say. All methods are called on the event loop."""

    def __init__(
        self,
        store: FleetStore,
        ledger_writer: LedgerWriter,
        submit: Submit,
        done: Iterable[Done],
        moment: Callable[[int], str],
        logins: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`done`: what was done before; `moment`: writes a time for people; `logins`: accounts of plans, by agent."""
        self._store, self._ledger_writer, self._submit, self._moment = store, ledger_writer, submit, moment
        self._logins = logins
        self._done = set(done)
        self._paused: dict[str, int] = {}
        """Agents of which it is written that they were paused, and in which run."""
        self._signalled: dict[str, tuple[str, int]] = {}
        """Agents that were taken over and that a budget has had stopped: which process, and when; UTC ms."""
        self._alarmed: set[str] = set()
        """Budgets that alarms stand for."""
        self._switched: dict[str, tuple[int, str]] = {}
        """Agents that were told to go on with another model: in which run, and with which."""
        self._background = BackgroundTasks("ladder")

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return len(self._background) > 0

    async def close(self) -> None:
        """Stop: nothing more is begun."""
        await self._background.end()

    def begin_anew(self, budgets: Iterable[str]) -> None:
        """Forget which rungs were done, of budgets that have changed or are gone."""
        names = set(budgets)
        self._done = {done for done in self._done if done[0] not in names}
        if names:
            self._ledger_writer.keep([unreached(name) for name in sorted(names)])

    def climb(self, rules: Mapping[str, BudgetRule], budgets: Mapping[str, Budget], runs: Runs) -> None:
        """Do what has been reached and not been done yet, and raise the alarms of all budgets."""
        for name, budget in budgets.items():
            for rung in budget.rungs[: budget.reached]:
                key = (name, budget.began or budget.ends, rung.percent, rung.action)
                if key not in self._done and name in rules:
                    self._done.add(key)
                    self._reach(rules[name], budget, rung, [run for run in runs(name) if not run.ended])
            self._alarm(f"budget {name}", budget)
        for name in self._alarmed - budgets.keys():
            self._store.apply(events.Alarmed(f"budget {name}", None))
        self._alarmed = set(budgets)
        self._stop_adopted(rules, budgets)
        self._switch_models()

    def _stop_adopted(self, rules: Mapping[str, BudgetRule], budgets: Mapping[str, Budget]) -> None:
        """Do to agents that were taken over what rungs say, for as long as they say it: no runner stops those."""
        fleet, now = self._store.fleet, self._store.clock()
        stops = {name: action for name, budget in budgets.items() if name in rules and (action := stopping(budget))}
        logins = self._logins() if stops else {}
        for agent in fleet.agents.values() if stops else ():
            if not agent.adoption or not agent.lives or agent.pending or not fleet.reachable(agent):
                continue
            named = (name for name in stops if holds(budgets[name], agent, account_of(fleet, agent, logins)))
            name = max(named, key=lambda name: _HARSHER.index(stops[name]), default="")
            mark, at = self._signalled.get(agent.id, ("", 0))
            if not name or (agent.mark == mark and now - at < AGAIN) or is_stopped(agent, stops[name]):
                continue
            self._signalled[agent.id] = agent.mark, now
            self._background.begin(self._signal(agent, stops[name], f"budget {name}"))

    async def _signal(self, agent: Agent, action: RungAction, who: str) -> None:
        kind = _SIGNALS.get(action, intents.PauseAgent)
        kind = intents.KillAgent if kind is intents.PauseAgent and not agent.session else kind
        await self._submit(kind(agent.id, agent.epoch, agent.mark), who)

    def _switch_models(self) -> None:
        """Have agents at work go over to the models that budgets say, each once until that is another one."""
        fleet = self._store.fleet
        if not any(profile.switches_model for profile in fleet.profiles.values()):
            return
        for agent in fleet.agents.values():
            if not agent.lives or agent.pending is not None or not fleet.reachable(agent):
                continue
            model, why = other_model(fleet, agent)
            if model and self._switched.get(agent.id) != (agent.epoch, model):
                self._switched[agent.id] = agent.epoch, model
                log.info("%s: %s", agent.id, why)
                self._background.begin(self._switch(agent, model))
            elif not model:
                self._switched.pop(agent.id, None)

    async def _switch(self, agent: Agent, model: str) -> None:
        await self._submit(intents.SetModel(agent.id, agent.epoch, model, lasting=False), "budgets")

    def write_paused(self, agents: Mapping[str, Agent | None]) -> None:
        """Audit which runs were paused, of agents that have changed (None: one that is gone)."""
        now, fresh = self._store.clock(), []
        for key, agent in agents.items():
            if agent is None or not is_paused(agent):
                self._paused.pop(key, None)
            elif self._paused.get(key) != agent.epoch:
                self._paused[key] = agent.epoch
                fresh.append(paused(key, agent.epoch, agent.detail, agent.ended or now))
        if fresh:
            self._ledger_writer.keep(fresh)

    def _alarm(self, about: str, budget: Budget) -> None:
        raised, now = self._store.fleet.alarms.get(about), self._store.clock()
        until = self._moment(budget.ends) if budget.ends else ""
        fresh = alarm(budget, until, now, self._unstopped(budget))
        if fresh is not None and raised is not None and not fresh.is_news_after(raised):
            fresh = replace(fresh, since=raised.since)
        if fresh != raised:
            self._store.apply(events.Alarmed(about, fresh))

    def _unstopped(self, budget: Budget) -> list[str]:
        """The agents in a budget's scope that others started and that nothing here stops, by id."""
        if not budget.reached:
            return []
        logins, fleet = self._logins(), self._store.fleet
        theirs = (agent for agent in fleet.agents.values() if agent.adopted and agent.lives)
        using = ((agent, account_of(fleet, agent, logins)) for agent in theirs if agent.session or agent.spent)
        return sorted(agent.id for agent, account in using if is_unstopped(budget, agent, account))

    def _reach(self, rule: BudgetRule, budget: Budget, rung: Rung, runs: Sequence[Run]) -> None:
        """Do one rung."""
        period = budget.began or budget.ends
        text = told(budget, rung)
        self._ledger_writer.keep(reached(rule.name, period, rung.percent, rung.action, self._store.clock()))
        self._ledger_writer.audited(f"budget {rule.name}", rung.action, rule.scope, 0, Result(Outcome.DONE, text))
        log.info("%s", text)
        if rule.command:
            self._background.begin(self._command(rule, budget, rung, text))
        if rung.action in (RungAction.INTERRUPT, RungAction.STOP) and not rule.dry_run:
            for agent in sorted(stopped_by(rule, runs)):
                self._background.begin(self._stop(agent, rung.action, f"budget {rule.name}"))

    async def _stop(self, agent: str, action: RungAction, who: str) -> None:
        shown = self._store.fleet.agents.get(agent)
        if shown is not None and shown.lives:
            kind = intents.InterruptAgent if action is RungAction.INTERRUPT else intents.KillAgent
            await self._submit(kind(agent, shown.epoch), who)

    async def _command(self, rule: BudgetRule, budget: Budget, rung: Rung, text: str) -> None:
        """Run the operator's command; that it cannot be run is a line in the log."""
        facts: dict[str, Any] = {
            "budget": rule.name,
            "scope": rule.scope,
            "action": rung.action,
            "percent": rung.percent,
            "unit": rule.unit,
            "spent": budget.spent,
            "limit": rule.limit,
            "ends": budget.ends,
            "dry_run": rule.dry_run,
            "text": text,
        }
        environ = {f"CONTROLROOM_BUDGET_{name.upper()}": str(value) for name, value in facts.items()}
        try:
            running = run_program(list(rule.command), json.dumps(facts).encode(), {**os.environ, **environ})
            problem = await asyncio.wait_for(running, COMMAND)
        except (OSError, ValueError) as error:
            problem = str(error)
        except TimeoutError:
            problem = f"it took longer than {COMMAND:g} s"
        if problem:
            log.warning("budget %s: its command failed: %s", rule.name, redact(problem)[:300])
