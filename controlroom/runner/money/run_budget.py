"""What a run may still spend, seen to by its runner alone: no network, no engine, no node.

The terms stand in grant.json and are read when the run begins and when the node says that there are new ones. Whatever
ends them (a ceiling, or their time and `GRACE` more, in which a renewal may still come) pauses the agent; so does
anything that keeps the runner from counting, after `BLIND` seconds: money that cannot be metered is not spent. A time
is turned into one on a clock that never jumps as soon as it is read.

A message is paid by then that has crossed the line, and one that is in flight at that moment: so the overshoot is one
message of the agent and of each of its subagents. What stands in no transcript (titles, the checks of an automatic
mode) is known when Claude tells its total: asked every few seconds, to its status line, or at the end of a turn.

An agent runs as the same user as its runner. Terms are signed at home and prices named by their digest, so nothing that
it writes into either raises a ceiling, and a transcript that it hides, moves or cuts short is noticed; an agent that
attacks the runner itself is out of reach.
A plain command is not metered, and nothing here binds it, until a Claude begins below it.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Any

from controlroom.metering.prices import Sheet, sheet_from_json
from controlroom.runner.claude.plan_windows import PlanWindows
from controlroom.runner.files import read_regular
from controlroom.runner.folder import GRANT, prices_file
from controlroom.runner.money import grant_file
from controlroom.runner.money.grant_file import BadGrant, RunCeilings, UnsignedGrant
from controlroom.runner.money.run_spend import RunSpend
from controlroom.runner.outcome import Refused, Unsigned
from controlroom.text.event_text import limit_name

GRACE = 60.0
"""Seconds after the end of a grant's time in which a renewal may still come."""

BLIND = 15.0
"""Seconds for which it may be unknown what an agent at work spends."""

SOON, LATE, BEAT = 0.2, 2.0, 1.0
"""Seconds from something said to a look, for how long looks follow it, and between looks at any other time."""

NEVER = float("inf")

_STATE_FOLDER = os.path.join(os.pardir, os.pardir)
_SHEET_LIMIT = 4 * 1024 * 1024


def _since_boot() -> float:
    """Return seconds since the machine was booted, its sleep included where the system counts it (Linux)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class RunBudget:
    """The terms of one run, and how far they are used up. Times are seconds on a clock that never jumps."""

    def __init__(
        self,
        expected: int,
        *,
        metered: bool,
        signed: Callable[[RunCeilings], bool] = lambda _terms: True,
        since_boot: Callable[[], float] = _since_boot,
    ) -> None:
        """`expected`: the grant that the run was started with, 0: none; not `metered`: nothing binds it.

        `signed` says whether its room gave these terms. `since_boot` gives seconds and goes on while the machine
        sleeps: a grant's time does, too.
        """
        self.wakes_at = NEVER
        self.windows: PlanWindows | None = None
        """What is known of the plan that pays for it."""
        self._expected, self._metered, self._signed = expected, metered, signed
        self._terms: RunCeilings | None = None
        self._sheet: Sheet | None = None
        self._spend: RunSpend | None = None
        self._session: Callable[[], str] = str
        self._billing = ""
        self._since_boot = since_boot
        self._ends_at = NEVER
        """When the terms end, by `since_boot`."""
        self._talk_until = 0.0
        self._talked = False
        self._blind_since = NEVER
        self._why_blind = self._lost = ""
        self._told: tuple[int, bool] = (0, False)

    # ------------------------------------------------------------------ the terms

    def begin(self, billing: str, now: float, clock: int) -> str:
        """Read what the run begins with (`clock`: UTC milliseconds); return why it must not begin, "" when it may.

        `billing`: who pays for it (`login.Login`).
        """
        self._billing = billing
        try:
            self._go_by(self._expected, clock)
        except BadGrant as error:
            return f"budget: {error}" if self._metered else ""
        return self.over(now)

    def watch(self, spend: RunSpend, session: Callable[[], str], now: float, billing: str) -> None:
        """A Claude begins: `spend` counts it, `session` gives its session, `billing` says who pays."""
        self._spend, self._session, self._billing, self._metered = spend, session, billing, True
        if self._sheet:
            spend.price(self._sheet)
        self.wakes_at = now if self.binds else NEVER

    def paid_by(self, billing: str) -> None:
        """Take who pays from now on, "" when it is not known."""
        self._billing = billing
        self.expect(0.0)

    def take(self, number: int, now: float, clock: int) -> None:
        """Go by the grant that has been written. Raises `Refused`, and then goes by the one before."""
        if self._terms and number < self._terms.number:
            raise Refused(f"it goes by a newer grant ({self._terms.number})")
        if self._terms is None or number > self._terms.number:
            try:
                self._go_by(number, clock)
            except UnsignedGrant as error:
                raise Unsigned(str(error)) from None
            except BadGrant as error:
                raise Refused(str(error)) from None
            self._count(now)
            self.wakes_at = now

    def _go_by(self, number: int, clock: int) -> None:
        terms = grant_file.read(GRANT)
        if terms is None and not number:
            return
        if terms is None or terms.number < number:
            raise BadGrant("grant.json is not the one that was given")
        if not self._signed(terms):
            raise UnsignedGrant("grant.json was not written by the room that began this run: reassign it")
        sheet = _read_sheet(terms.prices) if terms.money else None
        self._terms, self._sheet = terms, sheet or self._sheet
        lasts = min(terms.until - clock, terms.lasts) / 1000 if terms.until or terms.lasts else NEVER
        self._ends_at = self._since_boot() + lasts
        if sheet and self._spend:
            self._spend.price(sheet)

    @property
    def money(self) -> bool:
        """Whether a ceiling is money."""
        return self.binds and self._terms is not None and self._terms.money

    @property
    def binds(self) -> bool:
        """Whether there is something that the agent must not do."""
        return self._metered and self._terms is not None and self._terms.binds

    # ------------------------------------------------------------------ what is heard

    def hear(self, event: dict[str, Any], now: float) -> None:
        """Take what the agent has said: what it cost may be written down soon."""
        if event.get("type") == "assistant":
            self._talked = True
            if self._spend and self.binds:
                self._spend.heard(event, now)
                if self.over(now):
                    self.expect(now)
        self._talk_until = now + LATE
        if self.binds:
            self.wakes_at = min(self.wakes_at, now + SOON)

    def lost_sight(self, why: str) -> None:
        """Something that it spends can never be known."""
        self._lost = why

    # ------------------------------------------------------------------ what follows

    def due(self, now: float) -> str:
        """Look, when it is time; return why the agent must stop, "" while it may go on."""
        if self.wakes_at > now:
            return ""
        self._count(now)
        return self.over(now)

    def expect(self, now: float) -> None:
        """Something was spent: `due` is to look now."""
        if self.binds:
            self.wakes_at = min(self.wakes_at, now)

    def finish(self, now: float) -> None:
        """The agent has ended, or one below it: count what is left to be counted. What follows, `due` says at once."""
        if self._terms is not None:
            self._count(now)
            while self._spend and self._spend.behind:
                self._count(now)
            self.expect(now)

    def _count(self, now: float) -> None:
        spend = self._spend
        if spend is None:
            self.wakes_at = NEVER
            return
        self._why_blind = self._trouble(spend, spend.count(self._session()), now)
        self._blind_since = min(self._blind_since, now) if self._why_blind else NEVER
        pause = SOON if now < self._talk_until else BEAT
        self.wakes_at = now if spend.behind else now + pause if self.binds else NEVER

    def _trouble(self, spend: RunSpend, hidden: str, now: float) -> str:
        """Return why it is not known what the agent spends, "" when it is. `hidden`: a file that cannot be read."""
        if hidden or self._lost:
            return self._lost or f"{hidden} cannot be read"
        if self._talked and not spend.found:
            return "its session has no transcript"
        missing = spend.missing(now - BLIND)
        return f"{missing} of its messages do not stand in its transcript" if missing else ""

    @property
    def subagents(self) -> int | None:
        """How many subagents of the agent are at work; None: not known, as of an agent that nothing binds."""
        return self._spend.subagents if self._spend and self.binds and not self._why_blind else None

    def fields(self, *, last: bool = False) -> dict[str, int | None]:
        """Return what the status is to say. What was spent is said for each grant that it took, and the `last` time."""
        if self._terms is None:
            return {}
        at_work = 0 if last else self.subagents
        news = self._terms.number, self._spend is None or not self._spend.behind
        if news == self._told and not last:
            return {"subagents": at_work}
        self._told = news
        spent = {"run_spent": self._spent, "run_tokens": self._tokens}
        return {"grant": self._terms.number, **spent, "subagents": at_work}

    @property
    def _spent(self) -> int:
        return self._spend.spent if self._spend else 0

    @property
    def _tokens(self) -> int:
        return self._spend.tokens if self._spend else 0

    def over(self, now: float) -> str:
        """Return in words why nothing more may be spent; "" while something may."""
        terms = self._terms
        if terms is None or not self.binds:
            return ""
        return self._used_up(terms) or self._too_late(terms, now)

    def _used_up(self, terms: RunCeilings) -> str:
        spent, tokens = self._spent, self._tokens
        if terms.billed is not None and self._billing != "plan" and spent >= terms.billed:
            return f"budget: {_of(spent, terms.billed, '$')}"
        if terms.covered is not None and self._billing != "api" and spent >= terms.covered:
            return f"budget: {_of(spent, terms.covered, '≈$')} on its plan"
        if terms.tokens is not None and tokens >= terms.tokens:
            return f"budget: {tokens:,} of {terms.tokens:,} tokens used"
        for name, most in terms.windows.items():
            if self.windows and (used := self.windows.used(name, round(time.time() * 1000))) >= most:
                return f"budget: {used:.0f} % of its plan's {_window(name)} used, of {most} % that it may use"
        return ""

    def _too_late(self, terms: RunCeilings, now: float) -> str:
        if self._since_boot() >= self._ends_at + GRACE:
            return f"budget: its allowance ended at {_hour(terms.until)} and nobody renewed it"
        if now >= self._blind_since + BLIND:
            return f"budget: what it spends cannot be metered: {self._why_blind}"
        return ""


def _read_sheet(mark: str) -> Sheet:
    from hashlib import sha256  # only where there is money to count

    try:
        data = read_regular(os.path.join(_STATE_FOLDER, prices_file(mark)), _SHEET_LIMIT)
        if sha256(data).hexdigest()[: len(mark)] != mark:
            raise ValueError("other prices than those of this mark")
        return sheet_from_json(json.loads(data))
    except (OSError, ValueError, RecursionError):
        raise BadGrant(f"what it spends cannot be metered: the prices {ascii(mark)[:40]} cannot be read") from None


def _window(name: str) -> str:
    words = limit_name(name)
    return name.replace("_", " ") if words == "limit" else words


def _of(spent: int, ceiling: int, sign: str) -> str:
    """Return how much of how much (micro-dollars); a ceiling of 0 is one that was taken back, or never was one."""
    if not (spent or ceiling):
        return "less is left of it than a start may need"
    of = f" of {_dollars(ceiling, sign)}" if ceiling else ", and no more may be"
    return f"{_dollars(spent, sign)}{of} spent"


def _dollars(micro: int, sign: str) -> str:
    """Write micro-dollars, below a cent to the hundredth of one."""
    return f"{sign}{micro / 1_000_000:,.{4 if 0 < micro < 10_000 else 2}f}"


def _hour(at: int) -> str:
    return time.strftime("%H:%M UTC", time.gmtime(at / 1000))
