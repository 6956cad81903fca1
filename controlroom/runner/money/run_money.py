"""The money of one run: metered for home, told by Claude itself, held to its grant; and the windows of its plan.

What Claudes spend that its processes start is the run's, too; a plain command has no other money.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from controlroom.metering.usage_file import pico_of
from controlroom.runner.claude import channel, login, settings
from controlroom.runner.claude.login import LoginWatch, of_spec
from controlroom.runner.claude.nested import LATE, Nested, NestedClaude, below, is_fresh
from controlroom.runner.claude.plan_windows import PlanWindows
from controlroom.runner.claude.transcripts import RecentPieces
from controlroom.runner.money.grant_file import RunCeilings
from controlroom.runner.money.run_budget import NEVER, RunBudget
from controlroom.runner.money.run_spend import RunSpend
from controlroom.runner.money.usage_meter import UsageMeter
from controlroom.runner.outcome import Refused
from controlroom.runner.spec import Order
from controlroom.text.json_fields import table, text
from controlroom.text.states import AgentKind, Payer

ASKS = 5.0
"""Seconds between two questions to a Claude at work what its session has cost, while a grant binds its money."""


class Money:
    """Everything that a runner knows and does about money. Times are those of the runner's two clocks, read here."""

    def __init__(self, order: Order, session: Callable[[], str], note: Callable[[str], object]) -> None:
        """`session` gives the session of the agent, "" while it is not known; `note` writes a line into its log."""
        self.billing = ""
        """Who pays (`login.Login`); "" when it is not known, and for what is not Claude."""
        self.doubt = ""
        """How what its Claude says of that disagrees."""
        self._order, self._session, self._note = order, session, note
        self._unseen = set[str]()
        self._metered = order.spec.kind != AgentKind.COMMAND
        self._login: LoginWatch | None = None
        self._budget = RunBudget(order.grant, metered=self._metered, signed=self._signed)
        self.recent = RecentPieces(lambda: self._budget.binds)
        """What was read of the transcripts just now."""
        self._usage: UsageMeter | None = None
        self._spend: RunSpend | None = None
        self._nested: Nested | None = None
        self._windows: PlanWindows | None = None
        self._first = ""
        self._asked = 0
        self._asks_at = 0.0

    def _signed(self, terms: RunCeilings) -> bool:
        """Return whether its room gave it these terms; a room that signs nothing is an older one."""
        order = self._order
        return not order.key or terms.is_signed(order.key, order.name, order.epoch, order.owner)

    # ------------------------------------------------------------------ the beginning

    def begin(self, environ: Mapping[str, str]) -> str:
        """Take the grant that the run begins with; return why it must not begin, "" when it may.

        `environ` is the agent's, with the folder that it works in as PWD.
        """
        spec = self._order.spec
        if self._metered:
            cwd = environ["PWD"]
            self._login = LoginWatch(environ, cwd, spec.command[1:], lambda: of_spec(environ, cwd, spec))
        self.billing = self._login.billing if self._login else ""
        has_windows = self._metered and self.billing != Payer.API
        self._windows = self._budget.windows = PlanWindows(environ) if has_windows else None
        return self._budget.begin(self.billing, time.monotonic(), _now())

    def watch(self, environ: Mapping[str, str], cwd: str, session: str) -> None:
        """Be ready to count what a session costs that is about to begin or to go on."""
        spec = self._order.spec
        config, resumed = settings.config_folder(environ, cwd, spec.command[1:]), spec.resume
        forks = not is_fresh(spec.command[1:])
        self._usage = usage = UsageMeter(
            config, cwd, resumed, forks=forks, clock=_now, random=os.urandom, recent=self.recent
        )
        self._first = session
        if not resumed and session:
            usage.total(session, 0, began=True)
            usage.join(config, cwd, session, fresh=is_fresh(spec.command[1:]))
        began = time.monotonic()
        self._spend = spend = RunSpend(
            config, cwd, session, lambda: _now() - round(1000 * (time.monotonic() - began)), usage.reported, self.recent
        )
        self._budget.watch(spend, lambda: self._session() or session, began, self.billing)

    def watch_below(self, environ: Mapping[str, str], cwd: str, own: int) -> None:
        """Be ready for Claudes that the agent's processes start; `own`: its own one's process, 0: it has none."""
        self._environ, self._cwd = environ, cwd
        runner = os.getpid()
        self._nested = Nested(
            environ, cwd, below(environ, runner), own=own, runner=runner, session=lambda: self._session() or self._first
        )

    # ------------------------------------------------------------------ while it runs

    def hear(self, event: dict[str, Any]) -> None:
        """Take an event of the agent, or a line of its transcript."""
        now = time.monotonic()
        if self._usage and (answer := channel.answer(event)):
            self._answered(self._usage, *answer)
        self._told_who_pays(login.told_by(event))
        if self._login and (changed := self._login.change(now)):
            self._doubt(changed)
        if self._windows:
            self._windows.hear(event, _now())
        if self._usage:
            self._usage.hear(event, now)
            self._budget.hear(event, now)

    def question(self, *, first: bool = False) -> bytes:
        """Return the question what its session has cost, when it is time to put it to Claude; mostly nothing.

        The `first` one comes before the first message. Only where a key pays: for a plan Claude would look through all
        of its transcripts to answer, and ask its API.
        """
        now = time.monotonic()
        if self.billing != Payer.API or not self._budget.money or now < self._asks_at:
            return b""
        self._asked += 0 if first else 1
        self._asks_at = now + ASKS
        return channel.line(self._asked)

    def plan_question(self) -> bytes:
        """Return the question how far the windows of its plan are used. Raises `Refused` when a key pays."""
        if self._windows is None:
            raise Refused("a key pays for it: there is no plan to ask about")
        return self._windows.question()

    @property
    def wants_status_line(self) -> bool:
        """Whether an agent on a terminal is to tell what no file of its says while it runs."""
        return self._metered

    def told(self, status_line: dict[str, Any]) -> None:
        """Take what Claude has told its status line: how far its plan is used, and what its session has cost by now."""
        self._told_who_pays("plan" if status_line.get("rate_limits") else "")
        if self._windows:
            self._windows.told(status_line, _now())
        pico = pico_of(table(status_line.get("cost")).get("total_cost_usd"))
        session = text(status_line.get("session_id"), 64)
        if self._usage and pico is not None and session == (self._session() or self._first):
            self._usage.show(session, pico)

    def _answered(self, usage: UsageMeter, number: int, pico: int) -> None:
        """Take the answer; number 0, before the first message, is what the session had cost before the run."""
        usage.total(self._session() or self._first, pico, began=number == 0)

    def take(self, number: int) -> None:
        """Go by the grant that has been written. Raises `Refused`."""
        self._budget.take(number, time.monotonic(), _now())

    def wakes_at(self, *, ending: bool) -> float:
        """Return the monotonic time at which `due` has something to do."""
        times = [self._usage.wakes_at if self._usage else NEVER, NEVER if ending else self._budget.wakes_at]
        times.append(self._nested.wakes_at if self._nested else NEVER)
        return min(times)

    def notice(self) -> None:
        """Something was created where Claudes that begin create something."""
        if self._nested:
            self._nested.notice()

    def due(self, *, ending: bool) -> str:
        """Look, when it is time; return why the agent must stop, "" while it may go on, or ends already (`ending`)."""
        now = time.monotonic()
        if self._usage:
            self._usage.due(self._session(), now)
        if self._nested and self._nested.wakes_at <= now:
            self._look_below(self._nested, now)
        why = self._budget.due(now)
        return "" if ending else why

    def _look_below(self, nested: Nested, now: float) -> None:
        """Meter what Claudes below the agent spend."""
        over = nested.look(now)
        if nested.too_many:
            self._lose_sight("more Claudes run below it at once than can be told apart")
        if any(claude.is_unseen for claude in (*nested.alive.values(), *over)):
            self._lose_sight("a Claude below it keeps no transcript (--no-session-persistence)")
        for claude in (*nested.alive.values(), *over):
            if not claude.session or claude.session == (self._session() or self._first):
                continue
            if claude.session != claude.metered:
                claude.metered = claude.session
                self._meter_below(claude)
            if self._usage and self._spend:
                self._read_below(self._usage, self._spend, claude.session, now, over=claude in over)

    def _lose_sight(self, why: str) -> None:
        """Say once that not all that it spends is counted; a grant that binds it ends it for that."""
        if why not in self._unseen:
            self._unseen.add(why)
            self._note(f"its cost is not known whole: {why}")
        self._budget.lost_sight(why)

    def _read_below(self, usage: UsageMeter, spend: RunSpend, session: str, now: float, *, over: bool) -> None:
        """Read what has been added to the session of a Claude below; what it has spent is held to the grant at once."""
        before = usage.taken
        if over:
            usage.finish(session)
            self._budget.finish(now)
            spend.leave(session)
        else:
            usage.look(session)
        if usage.taken > before:
            self._budget.expect(now)

    def _meter_below(self, one: NestedClaude) -> None:
        """Begin to count a Claude below the agent. The first one below a command makes its run one with money.

        Where another pays for it than for the agent, it is not known of the run who pays.
        """
        billing = one.billing()
        if self._usage is None:
            self.billing = billing
            self.watch(self._environ, self._cwd, "")
        elif billing != self.billing:
            self.billing = ""
            self._budget.paid_by("")
        if self._usage and self._spend:
            self._usage.join(one.config, one.cwd, one.session, fresh=one.fresh)
            self._spend.join(one.config, one.cwd, one.session, fresh=one.fresh)

    # ------------------------------------------------------------------ the end

    def finish(self) -> None:
        """The agent has ended: count what is left to be counted."""
        now = time.monotonic()
        if self._nested:
            self._look_below(self._nested, now)
            self._look_below(self._nested, now + LATE)
            self._nested.close()
        if self._usage:
            self._usage.finish(self._session())
            self._budget.finish(now)

    def over(self) -> str:
        """Return in words why nothing more may be spent; "" while something may."""
        return self._budget.over(time.monotonic())

    @property
    def written(self) -> int:
        """What grows as Claude writes: its transcripts, those of subagents, what Claudes below it have used."""
        return self._usage.taken + self._usage.size(self._session() or self._first) if self._usage else 0

    @property
    def subagents(self) -> int | None:
        """How many subagents of the agent are at work; None: not known."""
        return self._budget.subagents

    def fields(self, *, last: bool) -> dict[str, Any]:
        """Return what the status is to say; `last`: the agent has ended."""
        doubt = {"billing_doubt": self.doubt} if self.doubt else {}
        fields = self._budget.fields(last=last)
        if fields.get("subagents") is not None and self._nested and not last:
            fields["subagents"] = (fields["subagents"] or 0) + self._nested.at_work
        return {**fields, **doubt}

    def _told_who_pays(self, told: str) -> None:
        """Take what Claude says. Where it is not what is set up here, nobody knows: both kinds of budgets bind it."""
        if self._metered and (doubt := login.doubt(self.billing, told)):
            self._doubt(doubt)

    def _doubt(self, why: str) -> None:
        if not self.doubt:
            self.doubt, self.billing = why, ""
            self._budget.paid_by("")


def _now() -> int:
    return time.time_ns() // 1_000_000
