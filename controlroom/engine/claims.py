"""What was ordered of every run, against what its host says: differences are shown and audited, and the order counts.

Whatever runs as an agent's user may also try to answer its question or to raise its ceiling. A sound runner refuses
that and counts it; if the runner itself was got at, a question disappears, or a grant appears, that nobody here
ordered: that raises an alarm. The work for one agent does not grow with the fleet. Times are UTC milliseconds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from controlroom.domain import events
from controlroom.domain.claims import HONEST, OrderedRun, claim_words, digest, digest_of, joined, shown
from controlroom.domain.events import Alarmed
from controlroom.domain.gauges import Alarm, AlarmLevel
from controlroom.domain.intents import SpawnOn, TellOn
from controlroom.domain.model import Agent, Fleet, with_changes
from controlroom.domain.orders import ENDS, Claim, Order, Result
from controlroom.domain.questions import same
from controlroom.domain.queue.backoff import using
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.run_tables import (
    ENDED_BY_ORDER,
    ORDERED_RUNS,
    drop_ordered,
    prune_ordered,
    write_ordered,
)
from controlroom.engine.ledger.usage_tables import Statement
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.store import FleetStore
from controlroom.text.states import AgentKind, Outcome, TellKind

EPOCHS = 4
"""Runs of one agent whose orders are kept at hand: one that was refused leaves the one before it in force."""

Name = tuple[str, str]
"""Host and name of an agent."""


class ClaimChecker:
    """Keeps what was ordered. All methods are called on the event loop."""

    def __init__(self, store: FleetStore, ledger: Ledger, ledger_writer: LedgerWriter) -> None:
        """Recall what was ordered. Raises `LedgerProblem`."""
        self._store, self._ledger_writer = store, ledger_writer
        self._runs: dict[Name, dict[int, OrderedRun]] = {}
        """By agent, then epoch, in the order in which they were ordered."""
        self._audited: dict[Name, set[tuple[int, str]]] = {}
        """By agent: the runs and fields about which a claim was audited; 0: runs that were not ordered."""
        self._differ: dict[str, dict[str, tuple[Claim, ...]]] = {}
        """By host: its agents of which it says something else than was ordered."""
        self._killed: dict[Name, int] = {}
        """By agent: the newest of its runs that this room ordered to end, unless that was refused."""
        self._switches: dict[int, TellOn] = {}
        """Orders to go on with another model that are open, by number."""
        rows, ended = ledger.read_all([(ORDERED_RUNS, ()), (ENDED_BY_ORDER, ())])
        for row in rows:
            self._take(OrderedRun(*row))
        for host, name, epoch, verb, outcome in ended:
            self._killed[host, name] = max(epoch, self._killed.get((host, name), 0))
            if outcome == Outcome.DONE:
                self._end(host, name, epoch, verb)

    def start(self) -> None:
        """Forget what is long over."""
        self._ledger_writer.keep([prune_ordered()])

    # ----------------------------------------------------------------------- what is ordered

    def ordered(self, effect: SpawnOn, order: Order) -> Statement:
        """Take what is being ordered; give what is to be written with the order."""
        profile = self._store.fleet.profiles.get(effect.profile)
        before = self._latest((effect.host, effect.name))
        command = digest_of(effect.command)
        if effect.kind == AgentKind.COMMAND and not command and before is not None:
            command = before.command_digest  # its host runs the one of the epoch before
        run = OrderedRun(
            effect.host,
            effect.name,
            effect.epoch,
            effect.kind,
            effect.profile,
            effect.model,
            effect.cwd,
            using(profile, effect.credential).billing if profile else "",
            shown(effect.task),
            digest(effect.task),
            command,
            order.op,
            effect.chosen,
            effect.credential,
            effect.worktree,
            effect.chosen_credential,
            effect.lead,
            self._store.clock(),
            order.verb == "resume",
        )
        if self._killed.get((run.host, run.name)) == run.epoch:
            del self._killed[run.host, run.name]
        self._take(run)
        return write_ordered(run)

    def kills(self, order: Order) -> None:
        """Take that a run is being ended: how it ends is known before its host says it."""
        self._killed[order.host, order.agent] = order.epoch

    def switches(self, order: Order, effect: TellOn) -> None:
        """Take that a run is being told to go on with another model: its host may say either from now on."""
        if (run := self.of(effect.host, effect.name, effect.epoch)) is not None:
            self._switches[order.op] = effect
            self._runs[effect.host, effect.name][effect.epoch] = replace(run, also=effect.text)

    def choose(self, agent: Agent, model: str, *, now_too: bool = False, lasting: bool = True) -> None:
        """Take the model that the next runs of an agent begin with; `now_too`: it goes on with it already."""
        run = self.of(agent.host, agent.name, agent.epoch)
        if run is None:
            return
        run = replace(run, chosen=model if lasting else run.chosen)
        run = replace(run, model=model, also=run.model) if now_too else run
        self._runs[agent.host, agent.name][agent.epoch] = run
        self._ledger_writer.keep([write_ordered(run)])
        shown = with_changes(agent, ordered=run.work)
        self._store.apply(events.AgentsObserved(agent.host, (shown,), self._store.clock()))

    def was_killed(self, host: str, name: str, epoch: int) -> bool:
        """Whether this room ordered a run to end for good, also where an engine before this one did."""
        if self._killed.get((host, name)) != epoch:
            return False
        run = self.of(host, name, epoch)
        return run is None or not run.paused

    def concluded(self, order: Order, outcome: Outcome) -> None:
        """Take what became of an order."""
        if outcome is Outcome.REFUSED and order.verb in ENDS:
            self._killed.pop((order.host, order.agent), None)
        elif outcome is Outcome.DONE and order.verb in ENDS:
            self._end(order.host, order.agent, order.epoch, order.verb)
        elif outcome is Outcome.DONE and order.verb == "forget":
            self._forget(order.host, order.agent, order.epoch)
        elif (told := self._switches.pop(order.op, None)) is not None and outcome is Outcome.DONE:
            agent = self._store.fleet.agents.get(order.subject)
            if agent is not None and agent.epoch == told.epoch:
                self.choose(agent, told.text, now_too=True, lasting=told.lasting)

    def _end(self, host: str, name: str, epoch: int, verb: str) -> None:
        runs = self._runs.get((host, name), {})
        if epoch in runs:
            runs[epoch] = replace(runs[epoch], ended=True, paused=verb == "pause")

    def _forget(self, host: str, name: str, epoch: int) -> None:
        """An agent was removed with all its runs up to this one."""
        if self._killed.get((host, name), 0) <= epoch:
            self._killed.pop((host, name), None)
        runs = self._runs.get((host, name), {})
        for old in [number for number in runs if number <= epoch]:
            del runs[old]
        if not runs:
            self._runs.pop((host, name), None)
            self._audited.pop((host, name), None)
        self._ledger_writer.keep([drop_ordered(host, name, epoch)])

    def of(self, host: str, name: str, epoch: int) -> OrderedRun | None:
        """Return what was ordered of a run; None: this room did not order it."""
        return self._runs.get((host, name), {}).get(epoch)

    def given(self, host: str, name: str, epoch: int) -> OrderedRun | None:
        """Return the run that was given the task on which a run works; None: this room did not order it."""
        run = self.of(host, name, epoch)
        return None if run is None else run.given

    def _take(self, run: OrderedRun) -> None:
        name = (run.host, run.name)
        runs = self._runs.setdefault(name, {})
        runs.pop(run.epoch, None)
        before = runs.get(run.epoch - 1) if run.resumed else None
        runs[run.epoch] = replace(run, first=before.given) if before is not None else run
        for old in list(runs)[:-EPOCHS]:
            del runs[old]
        audited = self._audited.get(name, set())
        self._audited[name] = {(epoch, field) for epoch, field in audited if epoch in runs and epoch != run.epoch}

    def _latest(self, name: Name) -> OrderedRun | None:
        return next(reversed(self._runs.get(name, {}).values()), None)

    # ----------------------------------------------------------------------- what hosts say

    def joined(self, event: events.AgentsObserved) -> events.AgentsObserved:
        """Put what was ordered into what a host says."""
        shown = self._store.fleet.agents
        agents = tuple(self._joined(agent, shown) for agent in event.agents if agent.host == event.host)
        return replace(event, agents=agents)

    def recalled(self, agent: Agent) -> Agent:
        """Put what was ordered into an agent that its host has not shown yet."""
        return self._joined(agent, {})

    def _joined(self, agent: Agent, shown: Mapping[str, Agent]) -> Agent:
        killed = self._killed.get((agent.host, agent.name)) == agent.epoch
        return joined(agent, self.of(agent.host, agent.name, agent.epoch), shown.get(agent.id), killed=killed)

    def tell(self, event: events.AgentsObserved) -> None:
        """Show what a host says otherwise than was ordered, and audit what is new of it."""
        differ = self._differ.setdefault(event.host, {})
        before = dict(differ) if differ else {}
        for agent in event.agents:
            claims = agent.claims or self._claimed_epoch(agent)
            self._audit(agent, claims)
            if wrong := tuple(claim for claim in claims if claim.field not in HONEST):
                differ[agent.name] = wrong
            else:
                differ.pop(agent.name, None)
        for name in event.gone if not event.complete else set(differ) - {agent.name for agent in event.agents}:
            differ.pop(name, None)
        if differ != before:
            self._alarm(event.host, differ)

    def left(self, host: str) -> None:
        """A host is no longer in the room: nothing that it says is shown."""
        if self._differ.pop(host, None):
            self._alarm(host, {})

    def _claimed_epoch(self, agent: Agent) -> tuple[Claim, ...]:
        """Return whether a run was not ordered, of an agent that was."""
        latest = self._latest((agent.host, agent.name))
        if agent.ordered is not None or latest is None:
            return ()
        return (Claim("epoch", str(latest.epoch), str(agent.epoch)),)

    def _audit(self, agent: Agent, claims: Sequence[Claim]) -> None:
        if not claims:
            return
        audited = self._audited.setdefault((agent.host, agent.name), set())
        epoch = agent.epoch if self.of(agent.host, agent.name, agent.epoch) is not None else 0
        new = [claim for claim in claims if (epoch, claim.field) not in audited]
        audited.update((epoch, claim.field) for claim in new)
        for claim in new:
            words = Result(Outcome.REFUSED, f"its host says {claim_words(claim)}: what was ordered counts")
            self._ledger_writer.audited(f"host {agent.host}", "claim", agent.id, agent.epoch, words)

    def _alarm(self, host: str, differ: Mapping[str, Sequence[Claim]]) -> None:
        about = f"claims {host}"
        known = self._store.fleet.alarms.get(about)
        alarm = _alarm(host, differ, known.since if known else self._store.clock()) if differ else None
        if alarm != known:
            self._store.apply(events.Alarmed(about, alarm))


def _alarm(host: str, differ: Mapping[str, Iterable[Claim]], since: int) -> Alarm:
    name, claims = next(iter(differ.items()))
    more = f" (and {len(differ) - 1} more of its agents)" if len(differ) > 1 else ""
    said = "; ".join(map(claim_words, claims))
    words = (
        f"{host} says of {name}{more} what was not ordered: {said}. What was ordered counts; something there rewrites "
        f"what is written down of it, or another room acts there: controlroom explain {host}/{name}"
    )
    return Alarm(words, AlarmLevel.DANGER, since, f"{host}/{name}")


class UnorderedWatch:
    """Watches the agents of a room. All methods are called on the event loop."""

    def __init__(self, store: FleetStore, ledger_writer: LedgerWriter, gave: Callable[[Agent], bool]) -> None:
        """`gave` says whether the grant that an agent goes by is one that this room gave it."""
        self._store, self._ledger_writer, self._gave = store, ledger_writer, gave
        self._told: dict[str, tuple[int, str]] = {}
        """By agent: the epoch, and the question that was answered last ("": it was interrupted)."""
        self._raised: set[tuple[str, str]] = set()

    def tells(self, effect: TellOn) -> None:
        """Note an order to an agent: it ends the alarm about its question."""
        agent = f"{effect.host}/{effect.name}"
        if effect.what in (TellKind.ANSWER, TellKind.INTERRUPT):
            self._told[agent] = effect.epoch, effect.question
        self._drop("question", agent)

    def look(self, before: Fleet, agents: Iterable[Agent]) -> None:
        """See what has become of agents since `before`."""
        for agent in agents:
            if agent.has_ended or agent.adopted:
                continue
            earlier = before.agents.get(agent.id)
            earlier = earlier if earlier is not None and earlier.epoch == agent.epoch else None
            if agent.forged > (earlier.forged if earlier else 0):
                self._raise("forged", agent, _forged(agent))
            if agent.grant and agent.grant != (earlier.grant if earlier else 0) and not self._gave(agent):
                self._raise("grant", agent, _grant(agent))
            if earlier is not None and self._is_gone(earlier, agent):
                self._raise("question", agent, _question(agent))
        self._tidy()

    def _is_gone(self, earlier: Agent, agent: Agent) -> bool:
        """Whether its question went away by itself. On a terminal of its own anybody there may have answered it."""
        asked = earlier.question
        if (
            asked is None
            or same(asked, agent.question)
            or agent.kind != AgentKind.HEADLESS
            or earlier.pending is not None
        ):
            return False
        epoch, question = self._told.get(agent.id, (0, ""))
        return epoch != agent.epoch or question not in ("", asked.id)

    def _raise(self, kind: str, agent: Agent, words: str) -> None:
        self._raised.add((kind, agent.id))
        self._ledger_writer.unordered(kind, agent, words)
        alarm = Alarm(f"{agent.id}: {words}", AlarmLevel.DANGER, self._store.clock(), agent.id)
        self._store.apply(Alarmed(f"{kind} {agent.id}", alarm))

    def _tidy(self) -> None:
        """What was said of runs that are over is over."""
        for kind, key in tuple(self._raised):
            agent = self._store.fleet.agents.get(key)
            if agent is None or agent.has_ended:
                self._drop(kind, key)
                self._told.pop(key, None)

    def _drop(self, kind: str, agent: str) -> None:
        if (kind, agent) in self._raised:
            self._raised.discard((kind, agent))
            self._store.apply(Alarmed(f"{kind} {agent}", None))


def _forged(agent: Agent) -> str:
    orders = "an order" if agent.forged == 1 else f"{agent.forged} orders"
    return (
        f"{orders} came to its runner that this room did not sign, and did nothing: something on {agent.host} tries to"
        " steer it; look at its log, and kill it if in doubt"
    )


def _grant(agent: Agent) -> str:
    return f"it goes by a grant ({agent.grant}) that this room did not give: kill it, or reassign it"


def _question(agent: Agent) -> str:
    return "its question is gone, and nobody here answered it: look at its log, and kill it if in doubt"
