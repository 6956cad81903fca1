"""What plans of fleet files go by beside the fleet: gathered from the ledger, and texts from hosts for an export."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from controlroom.domain.claims import digest
from controlroom.domain.fleet_files import AgentWish, FleetFile, FleetTask
from controlroom.domain.fleets.checking import shown_name
from controlroom.domain.fleets.plans import Known
from controlroom.domain.fleets.tasks import there, wishes
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue.templates import filled
from controlroom.engine.claims import ClaimChecker
from controlroom.engine.hosts.inquiries import Inquiries, Unanswered
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.run_tables import known_alive
from controlroom.engine.ledger.usage_views import costs, hours
from controlroom.engine.queue.task_book import TaskBook
from controlroom.engine.store import FleetStore
from controlroom.text.names import agent_name_problem
from controlroom.text.states import AgentKind
from controlroom.wire.inquiries import ReadSpec, SpecRead

COST_DAYS = 30
"""Days of use that an estimate of costs goes by."""

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_LEAST = 5 * 60_000
"""Milliseconds that agents of a profile must have run for their cost to say something."""

_AT_ONCE = 16
"""Agents of which hosts are asked for the texts at once."""


class FleetKnowledge:
    """What the ledger and hosts know of the entries of fleet files. Of the event loop."""

    def __init__(
        self, store: FleetStore, ledger: Ledger, tasks: TaskBook, claims: ClaimChecker, inquiries: Inquiries
    ) -> None:
        self._store, self._ledger, self._tasks, self._claims, self._inquiries = store, ledger, tasks, claims, inquiries

    async def of(self, file: FleetFile, *, rates: bool = False) -> Known:
        """Gather what a plan of a file goes by; `rates`: with what agents cost. Raises `LedgerProblem`."""
        fleet = self._store.fleet
        applied = fleet.fleets.get(file.name)
        entries = [*file.tasks, *(wishes(applied) if applied else ())]
        tasks = await self._tasks.known([task.wish for task in entries])
        known = Known(tasks=tasks)
        named = [task for entry in entries if (task := there(entry.wish.key, fleet, known)) is not None]
        texts = await self._tasks.digests(named)
        hourly = await asyncio.to_thread(self._rates, fleet, self._store.clock()) if rates else {}
        names = {wish.entry.name for wish in file.agents}
        names |= {member.entry.name for member in fleet.members.values() if member.fleet == file.name}
        rows = [row for name in names for host in fleet.hosts if (row := fleet.agents.get(f"{host}/{name}"))]
        return replace(
            known, texts=texts, rates=hourly, digests=dict(self._digests(rows)), stopped=frozenset(self._stopped(rows))
        )

    def _digests(self, rows: Iterable[Agent]) -> Iterable[tuple[str, str]]:
        for row in rows:
            run = self._claims.given(row.host, row.name, row.epoch)
            if run is not None and run.task_digest:
                yield row.id, run.task_digest

    def _stopped(self, rows: Iterable[Agent]) -> Iterable[str]:
        return (row.id for row in rows if row.has_ended and self._claims.was_killed(row.host, row.name, row.epoch))

    def _rates(self, fleet: Fleet, now: int) -> Mapping[str, int]:
        """Micro-dollars that an agent of each profile has cost in an hour, of late. Blocks."""
        since = now - COST_DAYS * _DAY
        spent = {row.key: row.micro for row in costs(self._ledger, "profile", since, now)}
        ran = hours(self._ledger, "profile", since, now, known_alive(fleet, now))
        enough = {profile: ran.get(profile, 0) for profile in spent if ran.get(profile, 0) >= _LEAST}
        return {profile: spent[profile] * _HOUR // enough[profile] for profile in enough}

    # ----------------------------------------------------------------------- texts

    async def filled(self, file: FleetFile) -> FleetFile:
        """Fill the templates of a file; every entry then has its whole text. Raises `Refusal`."""
        names = {wish.template for wish in file.agents} | {task.template for task in file.tasks}
        texts = {**file.templates}
        for name in sorted(names - texts.keys() - {""}):
            texts[name] = await self._tasks.template(name)
        return replace(
            file,
            agents=tuple(_agent(wish, texts) for wish in file.agents),
            tasks=tuple(_task(task, texts) for task in file.tasks),
            templates={},
        )

    async def agent_texts(self, agents: Iterable[Agent]) -> tuple[dict[str, str], dict[str, str]]:
        """Ask hosts for the texts that agents were given; of the others why there is none. Both by id."""
        gate, texts, left = asyncio.Semaphore(_AT_ONCE), dict[str, str](), dict[str, str]()

        async def read(agent: Agent) -> None:
            async with gate:
                try:
                    texts[agent.id] = await self._agent_text(agent)
                except Unanswered as problem:
                    left[agent.id] = str(problem)

        await asyncio.gather(*map(read, agents))
        return texts, left

    async def _agent_text(self, agent: Agent) -> str:
        """The text that an agent was given: what its host has counts only if it is what was ordered."""
        run = self._claims.given(agent.host, agent.name, agent.epoch)
        if run is None:
            raise Unanswered("this room does not know what it was given")
        if run.is_task("") and (run.kind == AgentKind.COMMAND or not agent.task):
            return ""
        spec = await self._inquiries.ask(agent.host, ReadSpec(self._store.new_id(), agent.name, run.epoch), SpecRead)
        if spec.spec is None or not run.is_task(spec.task):
            raise Unanswered(spec.reason or f"{agent.host} gives another task of it than was ordered")
        return spec.task


def _agent(wish: AgentWish, templates: Mapping[str, str]) -> AgentWish:
    values = {"name": wish.entry.name, "host": wish.entry.host, "profile": wish.entry.profile, **wish.variables}
    where = f"agents.{wish.entry.name}" if not agent_name_problem(wish.entry.name) else "agents"
    text = _text(where, wish.template, templates, values) if wish.template else wish.text
    return AgentWish(replace(wish.entry, digest=digest(text)), text)


def _task(task: FleetTask, templates: Mapping[str, str]) -> FleetTask:
    wish = task.wish
    values = {"key": wish.key, "text": wish.text, **wish.variables}
    text = _text(f"tasks.{shown_name(wish.key)}", task.template, templates, values) if task.template else wish.text
    return FleetTask(replace(wish, text=text, variables={}))


def _text(where: str, template: str, templates: Mapping[str, str], values: Mapping[str, str]) -> str:
    try:
        return filled(template, templates[template], values)
    except Refusal as no:
        raise Refusal(f"{where}: {no}") from None
