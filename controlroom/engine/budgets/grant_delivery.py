"""Grants on their way to hosts: prices first, then grants, and what hosts answer. Times: UTC milliseconds."""

import hashlib
import json
from collections import Counter
from dataclasses import replace
from typing import Protocol

from controlroom.domain.money.allotment import Run, Share
from controlroom.engine.budgets.grant_book import GrantBook
from controlroom.engine.ledger.grant_tables import GrantRow
from controlroom.engine.ledger.usage_tables import RunKey
from controlroom.metering.prices import Sheet, sheet_to_json
from controlroom.text.outcome import Outcome
from controlroom.wire.grants import Allowance, Grant, GrantOrder, Prices
from controlroom.wire.messages import Reply

MARGIN = 75_000
"""Milliseconds that a host is told less than what is counted: a runner lets a minute pass, and a grant travels."""

LEAST = 1_000
"""Milliseconds that a grant with an end lasts at least."""

RETRY, SELDOM = 5_000, 300_000
"""Milliseconds until a run that did not take a grant is given another; twice that the next time, up to the second."""

PATIENCE = 30_000
"""Milliseconds for a host to answer."""


class Post(Protocol):
    """What sends."""

    def send(self, host: str, message: GrantOrder) -> bool:
        """Send a host something about grants; False when it cannot be reached."""

    def new_id(self) -> int:
        """Give a number for a request."""


class GrantDelivery:
    """What is under way to hosts."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._prices: Prices | None = None
        self._told: dict[str, str] = {}
        """The mark of the sheet that each host was sent over the link that it has now."""
        self._open: dict[int, tuple[RunKey, int, int]] = {}
        """By request: the run, the number of its grant, and when it was sent."""
        self._owed: Counter[RunKey] = Counter()
        """How many answers hosts owe about each run."""
        self._sent: dict[RunKey, int] = {}
        """When each run was sent something for the last time."""
        self._failed: dict[RunKey, tuple[int, int]] = {}
        """How often in a row a run did not take a grant, and when that was last."""
        self._unanswered: Counter[RunKey] = Counter()
        """How often in a row a host that is there has not answered about a run."""
        self.changed: set[RunKey] = set()
        """Runs of which something else is under way, or was answered, than when this was last looked at."""

    @property
    def priced(self) -> bool:
        """Whether there are prices, without which no grant can be gone by."""
        return self._prices is not None

    @property
    def open(self) -> bool:
        """Whether a host has still to answer."""
        return bool(self._open)

    def price(self, sheet: Sheet) -> None:
        """Have grants go by this sheet from now on."""
        text = json.dumps(sheet_to_json(sheet), sort_keys=True, separators=(",", ":"))
        self._prices = Prices(hashlib.sha256(text.encode()).hexdigest()[:12], text)

    def announce(self, host: str) -> None:
        """Send a host the prices, if it has not got them."""
        prices = self._prices
        if prices is not None and self._told.get(host) != prices.mark and self._post.send(host, prices):
            self._told[host] = prices.mark

    def row(self, number: int, share: Share, now: int) -> GrantRow:
        """Give what is written of a grant."""
        windows = json.dumps(dict(sorted(share.windows.items())))
        lasts = max(LEAST + MARGIN, share.ends - now) if share.ends else 0
        ceilings = share.billed, share.covered, share.tokens
        return GrantRow(number, *share.run.key, share.run.profile, *ceilings, windows, now, lasts)

    def grant(self, row: GrantRow, now: int) -> Grant:
        """Give what a host is told of a grant; what has passed since it was written is taken off."""
        allowance = Allowance(row.billed, row.covered, row.tokens, row.percents)
        lasts = max(LEAST, row.at + row.lasts - now - MARGIN) if row.lasts else 0
        mark = self._prices.mark if self._prices else ""
        self._sent[row.run] = now
        self.changed.add(row.run)
        return Grant(self._post.new_id(), row.agent, row.epoch, row.number, allowance, lasts, mark)

    def send(self, row: GrantRow, now: int) -> None:
        """Send a grant that is written down."""
        self.announce(row.host)
        grant = self.grant(row, now)
        if self._post.send(row.host, grant):
            self._open[grant.id] = row.run, row.number, now
            self._owed[row.run] += 1

    def answered(self, host: str, reply: Reply, now: int) -> tuple[RunKey, int] | None:
        """Take a host's answer; give the run and the number of the grant that it is about."""
        found = self._open.get(reply.id)
        if found is None or found[0][0] != host:
            return None
        del self._open[reply.id]
        self.changed.add(found[0])
        self._owed[found[0]] -= 1
        del self._unanswered[found[0]]
        if reply.outcome is Outcome.DONE:
            self._failed.pop(found[0], None)
        else:
            self._told.pop(host, None)  # the prices may not have been kept
            self._failed[found[0]] = self._failed.get(found[0], (0, 0))[0] + 1, now
        return found[:2]

    def host_down(self, host: str) -> None:
        """Expect no answer of a host any more; the next link begins with the prices."""
        self._told.pop(host, None)
        self._unanswered = Counter({run: times for run, times in self._unanswered.items() if run[0] != host})
        self._expect({number: found for number, found in self._open.items() if found[0][0] != host})
        self.changed |= {run for run in self._sent if run[0] == host}
        self._sent = {run: at for run, at in self._sent.items() if run[0] != host}

    def doubted(self, run: Run, grants: GrantBook, now: int) -> Run:
        """Mark a run whose newest grant may have been lost, and whose host does not owe an answer."""
        if now < self._put_off(run.key):
            return replace(run, asked=False)
        waits = run.asked and grants.waits(run.key) and now >= self._repeated(run.key)
        if not waits or self._owed[run.key] > 0:
            return run
        return replace(run, again=True)

    def changes_at(self, key: RunKey, grants: GrantBook, now: int) -> list[int]:
        """Say when `doubted` will say something else of a run because time passes."""
        waits = self._repeated(key) if grants.waits(key) else now
        return [at for at in (waits, self._put_off(key)) if at > now]

    def _repeated(self, key: RunKey) -> int:
        """Say when a run is sent its newest grant again: ever more seldom if its host never answers about it."""
        wait: int = RETRY * 2 ** min(self._unanswered[key], 10)
        return self._sent.get(key, 0) + min(SELDOM, wait)

    def _put_off(self, key: RunKey) -> int:
        """Say until when a run that did not take a grant is not given another."""
        times, at = self._failed.get(key, (0, 0))
        return at + min(SELDOM, RETRY * 2 ** min(times - 1, 10)) if times else 0

    def fails(self, run: Run) -> bool:
        """Say whether a run has not taken what it was granted, and that twice in a row."""
        return self._failed.get(run.key, (0, 0))[0] > 1

    def tidy(self, now: int) -> None:
        """Wait no longer for hosts that do not answer."""
        first = next(iter(self._open.values()), None)  # they stand in the order in which they were sent
        if first is not None and not 0 <= now - first[2] < PATIENCE:
            kept = {number: found for number, found in self._open.items() if now - found[2] < PATIENCE}
            self._unanswered.update(found[0] for number, found in self._open.items() if number not in kept)
            self._expect(kept)

    def _expect(self, answers: dict[int, tuple[RunKey, int, int]]) -> None:
        """Expect these answers and no others."""
        self.changed |= {found[0] for found in self._open.values()}
        self._open, self._owed = answers, Counter(run for run, _, _ in answers.values())
