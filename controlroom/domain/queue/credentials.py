"""Which credential new work takes, where its profile names several, and what holds one: pure.

The one with the most left goes first: of budgets, of its plan's windows, of the API's buckets. One that is held is
passed over. A session stays with the credential that it began with, and goes on with another one only if that finds it:
its Claude must keep its sessions in the same folder.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from functools import cached_property

from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.model import Credential, Fleet, Profile
from controlroom.domain.money import ladder
from controlroom.domain.preconditions import Refusal, unfit
from controlroom.domain.queue.backoff import PLAN, Backoffs, using
from controlroom.domain.waits import CredentialWait, Wait, WaitReason
from controlroom.text.states import AgentKind, Payer

LOOK_AGAIN = 15_000
"""Milliseconds until a figure that nobody reports the change of is looked at again."""

STEP = 10
"""Per cent by which one must have more left than another that its profile names first."""


class Credentials:
    """What can be said of a fleet's credentials at one moment."""

    def __init__(self, fleet: Fleet, now: int) -> None:
        self._fleet, self._now = fleet, now
        self.backoffs = Backoffs(fleet, now)

    def ranked(self, profile: Profile, model: str, session: str | None = None) -> list[Credential]:
        """The credentials of a profile, the one to take first. `session`: the one of the session that goes on."""
        ranked = sorted(profile.credentials, key=lambda one: -self._rank(profile, one, model))
        if session is None:
            return ranked
        before = next((one for one in ranked if one.name == session), None)
        folder = before.folder if before else ""
        there = [one for one in ranked if one.folder == folder and (before or session in ("", PLAN))]
        return sorted(there, key=lambda one: one.name != session)

    def _rank(self, profile: Profile, credential: Credential, model: str) -> int:
        left = self.left(profile, credential, model)
        return 100 if left is None else left // STEP * STEP

    def left(self, profile: Profile, credential: Credential, model: str) -> int | None:
        """Per cent that is left of what binds a credential most; None: nothing has been heard of it."""
        with_it = using(profile, credential.name)
        figures = ladder.left(self._fleet, profile.name, credential.billing)
        figures += [
            max(0.0, 100 - percent)
            for gauge in self._gauges(with_it, credential.name, model)
            if (percent := gauge.used_percent) is not None and not 0 < gauge.resets <= self._now
        ]
        return int(min(figures)) if figures else None

    def take(self, profile: Profile, model: str, host: str, session: str | None = None) -> Credential | None:
        """The credential that a start by hand takes on a host, of those that it is fit for, where it is for any.

        Where all are held the first; None: none finds its session.
        """
        ranked = self.ranked(profile, model, session)
        fit = [one for one in ranked if not self._is_unfit(host, profile, one)] or ranked
        free = (one for one in fit if not self._is_held(profile, one, model))
        return next(free, fit[0] if fit else None)

    def _is_unfit(self, host: str, profile: Profile, credential: Credential) -> bool:
        with_it = using(profile, credential.name)
        lacks = unfit(self._fleet, host, profile.kind, profile.command, with_it)
        return bool(lacks) or self.backoffs.login_until(host, credential.key) > 0

    def _is_held(self, profile: Profile, credential: Credential, model: str) -> bool:
        budget = ladder.refusal(self._fleet, "", "", profile.name, credential.billing)
        return bool(budget) or self.held(using(profile, credential.name), credential.name, model) is not None

    def words(self, profile: Profile, name: str, model: str) -> str:
        """What is written down of a choice: which was taken, and what each has left."""
        figures = []
        for one in profile.credentials:
            left, held = self.left(profile, one, model), self._is_held(profile, one, model)
            said = "not known" if left is None else f"{left} % left"
            figures.append(f"{one.name} {said}{', held' * held}")
        return f"credential {name} ({'; '.join(figures)})"

    # ----------------------------------------------------------------------- what holds one

    def held(self, profile: Profile, credential: str, model: str) -> Wait | None:
        """Why a profile's credential takes no new work: the API turned it away, or a limit is nearly used up.

        `profile`: as it is with its credential; `credential`: its name, where the profile names several.
        """
        if profile.kind is AgentKind.COMMAND:
            return None
        return self.backoffs.wait(profile.credential, model) or self._limit(profile, credential, model)

    def _limit(self, profile: Profile, credential: str, model: str) -> Wait | None:
        """The limit that is too near its end for new work, where who pays for it is bound by one."""
        full: dict[str, Headroom] = {}
        accounts: set[str] = set()
        for gauge in self._gauges(profile, credential, model):
            accounts.add(gauge.account)
            if self._is_full(gauge):
                full.setdefault(gauge.account, gauge)
        if not accounts or accounts - full.keys():
            return None
        later = (self._now // LOOK_AGAIN + 1) * LOOK_AGAIN
        young = [gauge for gauge in full.values() if not self._is_used_up(gauge)]
        if young:
            first = min(young, key=self._is_young_until)
            most = self._fleet.queue.rules.new_window_percent
            return Wait(WaitReason.NEW_WINDOW, self._is_young_until(first), (first.key,), first.used or 0, most)
        first = min(full.values(), key=lambda gauge: gauge.resets or later)
        until = first.resets if first.resets > self._now else later
        return Wait(WaitReason.LIMIT, until, (first.key,), first.used or 0, first.limit or 0)

    def _gauges(self, profile: Profile, credential: str, model: str) -> Iterator[Headroom]:
        """The limits with a reading that bind a credential."""
        if not self._fleet.headroom:
            return
        named = {name: accounts for name, accounts in self._accounts.items() if name}
        own = {credential} if credential else {"", *self._of_hosts}
        of_others = set[str]().union(*named.values()).difference(*(self._accounts.get(name, ()) for name in own))
        if profile.billing is Payer.UNKNOWN and len(payers := self._payers.get(credential, set())) == 1:
            profile = replace(profile, billing=next(iter(payers)))
        for gauge in self._fleet.headroom.values():
            if gauge.used is not None and gauge.account not in of_others and _binds(gauge, profile, model):
                yield gauge

    @cached_property
    def _payers(self) -> Mapping[str, Set[Payer]]:
        """Who pays for each credential that has a name, as the agents show that use it or did."""
        payers: dict[str, set[Payer]] = {}
        for agent in self._fleet.agents.values():
            if agent.ordered is not None and agent.ordered.credential and agent.billing in (Payer.API, Payer.PLAN):
                payers.setdefault(agent.ordered.credential, set()).add(Payer(agent.billing))
        return payers

    @cached_property
    def _of_hosts(self) -> Set[str]:
        """The names of those that stand for the login which a host has anyway."""
        every = (one for profile in self._fleet.profiles.values() for one in profile.credentials)
        return {one.name for one in every if one.key == PLAN}

    @cached_property
    def _accounts(self) -> Mapping[str, Set[str]]:
        """The accounts that each credential is known to use, by those who used their windows; "": of no such name."""
        known: dict[str, set[str]] = {}
        for gauge in self._fleet.headroom.values():
            for agent in map(self._fleet.agents.get, gauge.shares):
                if agent is not None and agent.ordered is not None:
                    known.setdefault(agent.ordered.credential, set()).add(gauge.account)
        return known

    def _is_full(self, gauge: Headroom) -> bool:
        """Whether nothing new is to start on a limit, or not as long as its window is young."""
        young = self._now < self._is_young_until(gauge)
        return self._is_used_up(gauge) or (young and (gauge.used or 0) >= self._fleet.queue.rules.new_window_percent)

    def _is_young_until(self, gauge: Headroom) -> int:
        """Until when a window is young, a fifth of it; 0: that is not known, or it is no window."""
        known = gauge.kind is LimitKind.WINDOW and gauge.span and gauge.resets > self._now
        return gauge.resets - gauge.span + gauge.span // 5 if known else 0

    def _is_used_up(self, gauge: Headroom) -> bool:
        """Whether nothing new is to start on a limit until there is more of it."""
        if gauge.kind is LimitKind.WINDOW:
            over = 0 < gauge.resets <= self._now
            return not over and (gauge.used or 0) >= self._fleet.queue.rules.window_percent
        ceiling = gauge.limit if gauge.buffer is None else gauge.buffer
        return ceiling is not None and (gauge.used or 0) >= ceiling


def credential_for(
    fleet: Fleet,
    profile: Profile | None,
    model: str,
    host: str,
    now: int,
    wanted: str = "",
    session: str | None = None,
) -> tuple[str, str]:
    """Which of the credentials that a profile names new work takes, and what is written down of that.

    `wanted`: the one that was chosen, or decided on before; `session`: that of the session that goes on.
    """
    if profile is None or not profile.credentials or profile.kind is AgentKind.COMMAND:
        return "", ""
    known = Credentials(fleet, now)
    decided = (one for one in profile.credentials if one.name == wanted)
    taken = next(decided, None) or known.take(profile, model, host, session)
    if taken is None:
        named = ", ".join(one.name for one in profile.credentials)
        whose = f"credential {session}" if session else "its host's own login"
        raise Refusal(
            f"its session is that of {whose}, and none that profile {profile.name} names now ({named}) "
            "finds it: reassign it without --continue"
        )
    return taken.name, known.words(profile, taken.name, model)


def lacks_for(
    fleet: Fleet, host: str, kind: AgentKind, command: tuple[str, ...], profile: Profile | None, wanted: str
) -> str:
    """What a host lacks for every credential that may be taken; "": nothing."""
    if profile is None or not profile.credentials:
        return unfit(fleet, host, kind, command, profile)
    named = [one.name for one in profile.credentials if wanted in ("", one.name)]
    lacks = [unfit(fleet, host, kind, command, using(profile, name)) for name in named]
    return lacks[0] if all(lacks) else ""


def names(fleet: Fleet) -> list[str]:
    """The credentials that profiles name where they name several, sorted."""
    return sorted({one.name for profile in fleet.profiles.values() for one in profile.credentials})


def _binds(gauge: Headroom, profile: Profile, model: str) -> bool:
    """Whether a limit is one of those that an agent of a profile uses up."""
    if gauge.kind is LimitKind.WINDOW:
        return profile.billing is not Payer.API and gauge.model in model.lower()
    if gauge.kind is LimitKind.BUCKET:
        whose = gauge.organisation == profile.organisation
        return whose and profile.billing is not Payer.PLAN and (not model or gauge.model in model)
    return False


def moments_of(wait: Wait) -> tuple[int, ...]:
    """When what keeps a task from starting may end by itself; 0: nobody knows."""
    return wait.until, *(host.until for host in wait.hosts)


def all_held(waits: Mapping[str, Wait]) -> Wait:
    """Why none of several credentials takes a task: what holds each, unless something else keeps one from starting."""
    held = tuple(
        CredentialWait(name, wait.reason, wait.until, wait.about, wait.has, wait.most)
        for name, wait in waits.items()
        if wait.reason in _HOLD
    )
    others = [wait for wait in waits.values() if wait.reason not in _HOLD]
    moments = [moment for wait in waits.values() for moment in moments_of(wait) if moment]
    wait = replace(others[0], credentials=held) if others else Wait(WaitReason.CREDENTIALS, credentials=held)
    return replace(wait, until=min(moments, default=0))


_HOLD = frozenset(
    {
        WaitReason.LOGIN,
        WaitReason.LIMITED,
        WaitReason.OVERLOADED,
        WaitReason.ACCOUNT,
        WaitReason.SPEND_CAP,
        WaitReason.ORGANISATION,
        WaitReason.PACED,
        WaitReason.LIMIT,
        WaitReason.NEW_WINDOW,
        WaitReason.BUDGET,
    }
)
"""What holds a credential."""
