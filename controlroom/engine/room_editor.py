"""Changes the room's hosts and budgets as operators want: first in a file of ours, then in the fleet."""

import asyncio
from collections.abc import Callable

from controlroom.domain import intents
from controlroom.domain.audit import verb_of
from controlroom.domain.decide import Refused, decide
from controlroom.domain.events import HostLabelled
from controlroom.domain.money.budget import described
from controlroom.domain.orders import Result
from controlroom.engine.budgets.controller import BudgetController
from controlroom.engine.config.config import Config
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.engine.config.written_files import change_hosts, drop_budget, keep_budget, label_host
from controlroom.engine.hosts.links import Links
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.store import FleetStore
from controlroom.protocol.home import Home
from controlroom.text.states import Outcome

Change = intents.AddHost | intents.RemoveHost | intents.SetBudget | intents.RemoveBudget

CHANGES = (intents.AddHost, intents.RemoveHost, intents.SetBudget, intents.RemoveBudget)


class RoomEditor:
    """Changes hosts and budgets, one at a time."""

    def __init__(
        self,
        home: Home,
        config: Config,
        store: FleetStore,
        ledger_writer: LedgerWriter,
        budgets: BudgetController,
        links: Links,
        removed: Callable[[str], None],
    ) -> None:
        """`removed` is called with a host that is no longer in the room."""
        self._home, self._config, self._store, self._ledger_writer = home, config, store, ledger_writer
        self._budgets, self._links, self._removed = budgets, links, removed
        self._turn = asyncio.Lock()

    async def change(self, intent: Change, who: str) -> Result:
        """Change the room as an intent wants, or refuse it."""
        async with self._turn:
            op = self._store.new_id()
            if fixed := self._fixed(intent):
                return self._ledger_writer.refused(intent, fixed, who)
            decision = decide(self._store.fleet, intent, op, self._store.clock())
            if isinstance(decision, Refused):
                return self._ledger_writer.refused(intent, decision.reason, who)
            try:
                await asyncio.to_thread(self._keep, intent)
            except ConfigProblem as problem:
                return self._ledger_writer.refused(intent, str(problem), who)
            for event in decision.events:
                self._store.apply(event)
            self._carry_out(decision.effect)
            self._rule(intent)
            words = described(intent.rule) if isinstance(intent, intents.SetBudget) else ""
            self._ledger_writer.audited(who, verb_of(intent), intent.name, 0, Result(Outcome.DONE, words))
            return Result(Outcome.DONE, op=op)

    async def label(self, host: str, labels: tuple[str, ...]) -> None:
        """Give a host that a verb has added these labels. Raises `ConfigProblem`; nothing has changed then."""
        async with self._turn:
            await asyncio.to_thread(label_host, self._home, host, labels)
            self._store.apply(HostLabelled(host, labels))

    def _fixed(self, intent: Change) -> str:
        """Return why only the user may change it, by hand."""
        place, name = self._home.config, intent.name
        if isinstance(intent, intents.RemoveHost) and name in self._config.fixed:
            return f"{name} is a host by {place}: take it out there"
        budgets = isinstance(intent, (intents.SetBudget, intents.RemoveBudget))
        if budgets and name in self._config.fixed_budgets:
            return f"{name} is a budget by {place}: change it there, then run: controlroom stop"
        return ""

    def _keep(self, intent: Change) -> None:
        home = self._home
        match intent:
            case intents.SetBudget():
                keep_budget(home, intent.rule)
            case intents.RemoveBudget():
                drop_budget(home, intent.name)
            case _:
                change_hosts(home, intent)

    def _carry_out(self, effect: intents.Effect | None) -> None:
        if isinstance(effect, intents.ConnectTo):
            self._links.connect(effect.host, effect.address, effect.fingerprint)
        elif isinstance(effect, intents.DisconnectFrom):
            self._links.disconnect(effect.host)
            self._removed(effect.host)

    def _rule(self, intent: Change) -> None:
        rules = dict(self._budgets.funds.rules)
        if isinstance(intent, intents.SetBudget):
            self._budgets.ruled({**rules, intent.name: intent.rule})
        elif isinstance(intent, intents.RemoveBudget):
            rules.pop(intent.name, None)
            self._budgets.ruled(rules)
