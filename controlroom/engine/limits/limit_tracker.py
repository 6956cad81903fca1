"""Tracks what every limit leaves, from what Claude told hosts and from what is booked, and shows it in the fleet.

News are gathered for a moment and shown together. Who used how much is read out of the ledger, which takes longer and
is done less often. Times are UTC milliseconds.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from controlroom.domain import events
from controlroom.domain.clock_set import alarm_moved, later
from controlroom.domain.gauges import Alarm, Headroom, LimitKind
from controlroom.domain.limits.buckets import buffer_of
from controlroom.domain.limits.headroom import (
    HOUR,
    Reading,
    Sayings,
    Settled,
    WindowClaim,
    alarms,
    billed,
    heard,
    lasting,
    model_of,
    per_mille,
    settled,
    unread,
    window_gauge,
)
from controlroom.domain.model import State
from controlroom.domain.persistent_tables import HostedTable
from controlroom.engine.background_tasks import Debouncer
from controlroom.engine.config.settings import ApiTable
from controlroom.engine.hosts.translate_usage import LoginSeen, UsagePiece
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem
from controlroom.engine.ledger.usage_views import plan_spend
from controlroom.engine.limits.api_limits import ApiLimits, OrderedOf
from controlroom.engine.limits.limit_rules import LimitRules
from controlroom.engine.store import FleetStore
from controlroom.text.states import AgentKind, Payer, TellKind
from controlroom.wire.messages import Tell

log = logging.getLogger("controlroom.headroom")

SOON = 0.2
"""Seconds in which news are gathered."""

SHARED = 10_000
"""Milliseconds for which it is not asked again who used a window."""

FLOW = 5.0
"""Seconds between two looks at buckets that are being refilled."""

ASKED = 300_000
"""Milliseconds between two questions to the agents of a login how far its windows are used: each may ask the API."""

TICK = 60.0
"""Seconds after which everything is looked at again though nothing was heard."""

Spend = list[tuple[str, str, int]]


class LimitTracker:
    """Keeps the gauges of all limits. All methods are called on the event loop."""

    def __init__(
        self,
        store: FleetStore,
        ledger: Ledger,
        rules: LimitRules,
        api: ApiTable,
        send: Callable[[str, Tell], bool],
        ordered: OrderedOf,
    ) -> None:
        """`send` sends a host a message; it gives False when the host cannot be reached.

        `ordered`: what was ordered of a run, by host, agent and number.
        """
        self._store, self._ledger, self._rules, self._send = store, ledger, rules, send
        store.when_clock_set(self._clock_set)
        self._api = ApiLimits(store, ledger, rules, api, self.schedule, ordered)
        self._said: dict[str, Sayings] = {}
        """By host: what it says of the windows of logins."""
        self._logins: HostedTable[str] = HostedTable()
        """Agent id -> account."""
        self._shares: dict[tuple[str, str], tuple[int, Mapping[str, int]]] = {}
        """By window: when it was read who used it, and who did."""
        self._stale = False
        """Windows were used by more than is shown."""
        self._asked: dict[str, int] = {}
        """By account: when its agents were asked."""
        self._alarms: dict[str, Alarm] = {}
        self._debouncer = Debouncer(self._tell, "headroom", TICK)

    def start(self) -> None:
        """Show what can be known without hosts."""
        self._api.start()
        self.schedule()

    def close(self) -> None:
        """Stop: nothing more is begun."""
        self._api.close()
        self._debouncer.close()

    @property
    def busy(self) -> bool:
        """Whether something was heard that is not told yet."""
        return self._debouncer.busy

    async def wait_idle(self) -> None:
        """Wait until what was heard is told."""
        await self._debouncer.wait_idle()

    @property
    def logins(self) -> Mapping[str, str]:
        """Which account each agent is known to use, by its id."""
        return self._logins

    def heard(self, login: LoginSeen) -> None:
        """A host says how far the windows of an agent's login are used."""
        if self._logins.get(login.agent) != login.account:
            self._logins = self._logins.updated({login.agent: login.account})
        host = login.agent.partition("/")[0]
        self._said[host] = heard(self._said.get(host, {}), login.readings)
        self.schedule()

    def left(self, host: str) -> None:
        """A host is no longer in the room: what it said counts no more."""
        self._said.pop(host, None)
        self.schedule()

    def used(self, host: str, used: UsagePiece) -> None:
        """A host says what an agent has used."""
        self._api.used(host, used)
        self._stale = True
        self.observed()

    def observed(self) -> None:
        """Agents have changed: there may be other models at work, or none."""
        self._debouncer.want(FLOW)

    def schedule(self) -> None:
        """Something has changed: look at everything soon."""
        self._debouncer.want(SOON)

    def _clock_set(self, by: int) -> None:
        """Move all moments with our clock: what was heard and asked is as old as it was."""

        def later_reading(one: Reading) -> Reading:
            return replace(one, at=later(one.at, by))

        def later_said(one: WindowClaim) -> WindowClaim:
            return WindowClaim(later_reading(one.peak), later_reading(one.newest), later(one.since, by))

        self._said = {host: {key: later_said(one) for key, one in said.items()} for host, said in self._said.items()}
        self._asked = {account: later(at, by) for account, at in self._asked.items()}
        self._shares = {key: (later(at, by), parts) for key, (at, parts) in self._shares.items()}
        self._alarms = {about: alarm_moved(alarm, by) for about, alarm in self._alarms.items()}
        self._api.alarms = {about: alarm_moved(alarm, by) for about, alarm in self._api.alarms.items()}
        self.schedule()

    async def _tell(self) -> float:
        """Show all gauges. Returns the seconds until the next look though nothing was heard."""
        now = self._store.clock()
        judged = settled(self._said, now)
        gauges = [*(await self._windows(judged, now)), *(await self._api.gauges(now))]
        self._store.apply(events.HeadroomSeen({gauge.key: gauge for gauge in gauges}))
        over = billed((counted.reading for counted in judged.values()), self._alarms, now)
        self._warn(alarms(gauges, self._alarms, now, clock) | over | self._api.alarms)
        flows = any(gauge.kind is LimitKind.BUCKET and gauge.used for gauge in gauges)
        ends = min(
            (gauge.resets for gauge in gauges if gauge.kind is LimitKind.WINDOW and gauge.resets > now),
            default=now + HOUR,
        )
        return min(FLOW if flows or self._stale else TICK, (ends - now) / 1000)

    def _warn(self, raised: dict[str, Alarm]) -> None:
        """Tell alarms that are new, and that others are over."""
        for about in self._alarms.keys() | raised.keys():
            if self._alarms.get(about) != raised.get(about):
                self._store.apply(events.Alarmed(about, raised.get(about)))
        self._alarms = raised

    # ----------------------------------------------------------------------- windows of plans

    async def _windows(self, judged: Mapping[tuple[str, str], Settled], now: int) -> list[Headroom]:
        latest = {key: one.reading for key, one in judged.items()}
        readings = [one for one in lasting(latest, now) if one.used is not None]
        await self._share(readings, now)
        gauges = [
            window_gauge(
                reading,
                buffer_of(self._rules.windows, reading.window, 100),
                self._shares.get(reading.key, (0, {}))[1],
                judged[reading.key].hosts,
            )
            for reading in readings
        ]
        agents = self._store.fleet.agents
        self._logins = self._logins.updated({}, [agent for agent in self._logins if agent not in agents])
        at_work = {key for key, agent in agents.items() if agent.billing == Payer.PLAN and agent.lives}
        used = {account for agent, account in self._logins.items() if agent in at_work}
        for account in used:
            self._ask(account, max((one.at for one in readings if one.account == account), default=0), now)
        return gauges + [unread(account) for account in sorted(used - {reading.account for reading in readings})]

    def _ask(self, account: str, read: int, now: int) -> None:
        """Let a working agent ask how far its login's windows are used, when nobody has said for a while."""
        if now - max(read, self._asked.get(account, 0)) < ASKED:
            return
        fleet = self._store.fleet
        for key in (key for key, whose in self._logins.items() if whose == account):
            agent = fleet.agents[key]
            fits = agent.kind == AgentKind.HEADLESS and fleet.state_of(agent) is State.WORKING
            if fits and self._send(agent.host, Tell(self._store.new_id(), agent.name, agent.epoch, TellKind.USAGE)):
                self._asked[account] = now
                return

    async def _share(self, readings: list[Reading], now: int) -> None:
        """Read anew who used the windows, where that was not done just now."""
        late = [
            window for window in readings if window.began and self._shares.get(window.key, (0, {}))[0] + SHARED <= now
        ]
        self._stale = self._stale and len(late) < sum(1 for window in readings if window.began)
        for reading in late:
            try:
                spend = await asyncio.to_thread(plan_spend, self._ledger, reading.began, now)
            except LedgerProblem as problem:
                log.error("who used %s of %s cannot be read: %s", reading.window, reading.account, problem)
                continue
            self._shares[reading.key] = now, self._parts(reading, spend)

    def _parts(self, reading: Reading, spend: Spend) -> Mapping[str, int]:
        parts: dict[str, int] = {}
        for agent, model, pico in spend:
            if self._logins.get(agent) == reading.account and model_of(reading.window) in model:
                parts[agent] = parts.get(agent, 0) + pico
        return per_mille(parts)


def clock(at: int) -> str:
    """Write a time as it stands on the operator's wall, with the day where it is another one than today."""
    then, today = time.localtime(at / 1000), time.localtime()
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%a %H:%M", then)
