"""Has one host take the place of another: labels, budgets and tasks are taken over first, then all that runs moves.

Each step may be done again: an engine that ends on the way leaves what `host replace` finishes when it is given anew.
"""

from collections.abc import Collection
from dataclasses import replace

from controlroom.domain import intents
from controlroom.domain.orders import Result
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue.replacing import replaced
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.engine.queue.task_book import REASON, TaskBook
from controlroom.engine.room_editor import RoomEditor
from controlroom.engine.store import FleetStore
from controlroom.text.sanitize import redact, sanitize
from controlroom.text.states import Outcome


class HostReplacer:
    """Replaces hosts. Called on the event loop."""

    def __init__(self, store: FleetStore, book: TaskBook, editor: RoomEditor, fixed: Collection[str]) -> None:
        """`fixed`: hosts of config.toml, which only its user changes."""
        self._store, self._book, self._editor, self._fixed = store, book, editor, fixed

    async def replace(self, intent: intents.ReplaceHost, who: str) -> Result:
        """Replace a host by another, or refuse it."""
        intent = replace(intent, reason=redact(sanitize(intent.reason, REASON)))
        op = self._store.new_id()
        try:
            plan = replaced(self._store.fleet, intent, who, self._store.clock(), self._fixed)
            if plan.labels:
                await self._editor.label(intent.by, plan.labels)
            for rule in plan.budgets:
                result = await self._editor.change(intents.SetBudget(rule, new=True), who)
                if not result.ok:
                    raise Refusal(f"budget {rule.name} was not made, and nothing was moved: {result.reason}")
            words = plan.words
            plan = replaced(self._store.fleet, intent, who, self._store.clock(), self._fixed)  # as it is by now
        except (Refusal, ConfigProblem) as no:
            return self._book.refused(intent, str(no), who)
        self._book.update(plan.tasks)
        written = await self._book.drain(intent.name, plan.drain)
        words = f"{words}{'; ' * bool(words)}not on the disk yet: {written}" if written else words
        done = Result(Outcome.DONE, words, op=op)
        self._book.audited_agent(who, "host replace", intent.name, 0, done)
        return done
