"""One backoff for each credential, shared by all hosts: whom the API turns away waits, and one tries again for all.

What counts are the attempts of tasks. After a failure nothing starts with that credential for a while, longer each
time; then one task probes it, and once that is at work the others follow, twice as many each time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from controlroom.domain.gauges import Alarm, AlarmKind, AlarmLevel
from controlroom.domain.model import Fleet, Profile, State
from controlroom.domain.tasks import KEPT_OUT, Attempt, AttemptEnd, Task
from controlroom.domain.waits import Wait, WaitReason
from controlroom.text.lazy_dataclass import dataclass

LONGEST_PROBE = 900_000
"""Milliseconds after a failure until one task tries again, at most: the pause is doubled each time.

One that has shown nothing for as long keeps nobody else from trying.
"""

LONGEST_CLAIM = 1_800_000
"""Milliseconds for which what one host says of a limit's end keeps others from trying."""

PROVEN = 20_000
"""Milliseconds that an agent works before its credential counts as good."""

RAMP = 8
"""Agents that must be at work after a failure before any number may start at once."""

LIVELY = 600_000
"""Milliseconds for which an agent that waits out a limit keeps new ones from starting."""

REASONS = {
    AttemptEnd.LOGIN: WaitReason.LOGIN,
    AttemptEnd.NO_CREDENTIAL: WaitReason.LOGIN,
    AttemptEnd.LIMITED: WaitReason.LIMITED,
    AttemptEnd.OVERLOADED: WaitReason.OVERLOADED,
    AttemptEnd.ACCOUNT: WaitReason.ACCOUNT,
    AttemptEnd.SPEND_CAP: WaitReason.SPEND_CAP,
    AttemptEnd.ORGANISATION: WaitReason.ORGANISATION,
}
"""Ends by which the API turned an agent away, and what others of its credential then wait for."""

_OF_HOSTS = (AttemptEnd.LOGIN, AttemptEnd.NO_CREDENTIAL)
"""Those that may be one host's own."""

_WITH_IT = frozenset({*REASONS, AttemptEnd.DONE, AttemptEnd.FAILED, AttemptEnd.COST}) - {AttemptEnd.NO_CREDENTIAL}
"""Ends of those that had what they log in with, whatever came of it."""

PLAN = "plan"
"""The credential of profiles that use Claude's own login, which each host has for itself."""

KEY_OF = "the key of "
"""How the name of a key begins that all hosts share; each host has any other credential for itself."""


@dataclass(frozen=True)
class Tried:
    """An attempt, and what it was turned away by, or let in with."""

    attempt: Attempt
    credential: str
    model: str

    @property
    def shared(self) -> bool:
        """Whether it says something of all hosts: what each host has for itself does not, be it a key's file."""
        if self.attempt.end is AttemptEnd.NO_CREDENTIAL:
            return False
        return self.attempt.end is not AttemptEnd.LOGIN or self.credential.startswith(KEY_OF)


class Backoffs:
    """What a fleet's attempts say of its credentials at one moment."""

    def __init__(self, fleet: Fleet, now: int) -> None:
        self._fleet, self._now = fleet, now
        self._waits: dict[tuple[str, str], Wait | None] = {}

    def login_until(self, host: str, credential: str) -> int:
        """When a host's own login that failed is tried again; 0: it is good, or one may try it now."""
        tried = self._on_host.get((credential, host))
        if not tried:
            return 0
        wait = self._wait(tried, [trial for trial in tried if trial.attempt.end in _OF_HOSTS and not trial.shared])
        return wait.until if wait else 0

    def missing(self, credential: str) -> list[str]:
        """The hosts on which a credential cannot be had, as the last attempt there says."""
        missing: dict[str, bool] = {}
        for attempt in (trial.attempt for trial in self.of(credential)):
            if attempt.end is AttemptEnd.NO_CREDENTIAL or attempt.end in _WITH_IT or self.is_good(attempt):
                missing[attempt.host] = attempt.end is AttemptEnd.NO_CREDENTIAL
        return [host for host, lacks in missing.items() if lacks]

    @cached_property
    def _on_host(self) -> dict[tuple[str, str], list[Tried]]:
        """The attempts that are of note, by credential and host; oldest first."""
        by_host: dict[tuple[str, str], list[Tried]] = {}
        for credential, tried in self.turned_away.items():
            for trial in tried:
                by_host.setdefault((credential, trial.attempt.host), []).append(trial)
        return by_host

    def wait(self, credential: str, model: str) -> Wait | None:
        """Why nothing starts with a credential now; None: something may."""
        if (credential, model) not in self._waits:
            self._waits[credential, model] = self._looked(credential, model)
        return self._waits[credential, model]

    def _looked(self, credential: str, model: str) -> Wait | None:
        tried = self.of(credential)
        for end, reason in REASONS.items() if tried else ():
            of_model = end in (AttemptEnd.LIMITED, AttemptEnd.OVERLOADED)
            those = [trial for trial in tried if not of_model or trial.model == model]
            if wait := self._wait(those, [trial for trial in those if trial.attempt.end is end and trial.shared]):
                return Wait(
                    wait.reason if wait.reason is WaitReason.PACED else reason, wait.until, (named(credential),)
                )
        if self._is_limited_now(credential, model):
            return Wait(WaitReason.LIMITED, self._later(), (named(credential),))
        return None

    def of(self, credential: str) -> Sequence[Tried]:
        """The attempts with a credential, oldest first; none where nothing was ever turned away."""
        return self.turned_away.get(credential, ())

    @cached_property
    def turned_away(self) -> dict[str, list[Tried]]:
        """The attempts of each credential of which any was turned away; oldest first."""
        people = [*self._of_people()]
        tasks = [task for task in self._fleet.tasks.values() if task.attempts]
        tries = [attempt for task in tasks for attempt in task.attempts]
        if not any(attempt.end in REASONS for attempt in [*tries, *(trial.attempt for trial in people)]):
            return {}  # as almost always
        by_credential: dict[str, list[Tried]] = {}
        for task in tasks:
            for attempt in task.attempts:
                credential, model = credential_and_model(self._fleet, task, attempt.credential)
                if credential is not None:
                    by_credential.setdefault(credential, []).append(Tried(attempt, credential, model))
        for tried in people:
            by_credential.setdefault(tried.credential, []).append(tried)
        return {
            credential: sorted(tried, key=lambda trial: trial.attempt.at)
            for credential, tried in by_credential.items()
            if any(trial.attempt.end in REASONS for trial in tried)
        }

    def _of_people(self) -> Iterator[Tried]:
        """The runs of agents that no task started and that go on after limits by themselves, as attempts."""
        waking = {name for name, profile in self._fleet.profiles.items() if profile.restarts.after_limit}
        if not waking:
            return
        carried = {(one.id, one.epoch) for task in self._fleet.tasks.values() for one in task.attempts}
        for agent in self._fleet.agents.values():
            work, begun = agent.ordered, agent.started or agent.since
            if work is None or work.profile not in waking or agent.adopted or (agent.id, agent.epoch) in carried:
                continue
            ends = {State.LIMITED: AttemptEnd.LIMITED, State.DONE: AttemptEnd.DONE}
            end = ends.get(agent.state) if agent.has_ended else AttemptEnd.OPEN
            credential = credential_of(self._fleet, work.profile, work.credential)
            if end is not None and credential is not None:
                run = Attempt(
                    agent.host, agent.name, agent.epoch, begun, agent.ended, end, until=agent.limited_until or 0
                )
                yield Tried(run, credential, work.model)

    def _wait(self, tried: Sequence[Tried], failed: Sequence[Tried]) -> Wait | None:
        """How long nothing starts after these failures; its reason is `PACED` once one has got through."""
        if not failed:
            return None
        last = max(trial.attempt.ended for trial in failed)
        since = [trial.attempt for trial in tried if trial.attempt.at >= last]
        proven = sum(map(self.is_good, since))
        under_way = sum(self._is_young(attempt) and not self.is_good(attempt) for attempt in since)
        if proven:
            paced = proven < RAMP and under_way >= 2 * proven
            return Wait(WaitReason.PACED, self._later()) if paced else None
        if under_way:
            return Wait(WaitReason.UNKNOWN, self._later())
        good = max((trial.attempt.at for trial in tried if self.is_good(trial.attempt)), default=0)
        until = self._until([trial.attempt for trial in failed if trial.attempt.ended > good])
        return Wait(WaitReason.UNKNOWN, until) if until > self._now else None

    def _until(self, failed: Sequence[Attempt]) -> int:
        """When one may try again. Attempts that were under way together failed once."""
        rounds, edge = 0, -1
        for attempt in sorted(failed, key=lambda trial: trial.at):
            if attempt.at > edge:
                rounds, edge = rounds + 1, attempt.ended
        last = max(attempt.ended for attempt in failed)
        pause = min(self._fleet.queue.rules.backoff << min(rounds - 1, 10), LONGEST_PROBE)
        claimed = max(attempt.until for attempt in failed)
        return max(last + pause, min(claimed, last + LONGEST_CLAIM))

    def is_good(self, attempt: Attempt) -> bool:
        """Whether an attempt shows that its credential is good."""
        if attempt.end is AttemptEnd.DONE:
            return True
        agent = self._fleet.agents.get(attempt.id)
        if not attempt.is_open or agent is None or agent.epoch != attempt.epoch:
            return False
        return agent.state in (State.WORKING, State.WAITING) and self._now - attempt.at > PROVEN

    def _is_young(self, attempt: Attempt) -> bool:
        """Whether an attempt is under way, and not for so long that it will show nothing: it is paused, or unheard."""
        agent = self._fleet.agents.get(attempt.id)
        paused = attempt.paused or (agent is not None and agent.state is State.PAUSED and agent.epoch == attempt.epoch)
        return attempt.is_open and not paused and self._now - attempt.at < LONGEST_PROBE

    def _is_limited_now(self, credential: str, model: str) -> bool:
        """Whether an agent that is at work with it waits out a limit just now."""
        return (credential, model) in self._limited_now

    @cached_property
    def _limited_now(self) -> set[tuple[str | None, str]]:
        agents = (agent for agent in self._fleet.agents.values() if agent.state is State.LIMITED and agent.lives)
        works = [agent.ordered for agent in agents if agent.ordered and 0 <= self._now - agent.since < LIVELY]
        return {(credential_of(self._fleet, work.profile, work.credential), work.model) for work in works}

    def _later(self) -> int:
        """When it is looked at again: moments that lie apart, as a reason must not change with every look."""
        return (self._now // PROVEN + 1) * PROVEN


def credential_of(fleet: Fleet, profile: str, name: str = "") -> str | None:
    """What names the credential of a profile; `name`: which of several. None: the config names it no more."""
    its = fleet.profiles.get(profile)
    if name:
        every = (one for each in (its, *fleet.profiles.values()) if each for one in each.credentials)
        return next((one.key for one in every if one.name == name), None)
    if its is None:
        return None if profile else ""
    return None if its.credentials else its.credential


def using(profile: Profile, name: str) -> Profile:
    """A profile as it is with one of its credentials; unchanged where it names no such one."""
    chosen = next((each for each in profile.credentials if each.name == name), None)
    if chosen is None:
        return profile
    own = profile.own_login or chosen.own_login
    whose = chosen.organisation
    return replace(profile, credential=chosen.key, billing=chosen.billing, own_login=own, organisation=whose)


def credential_and_model(fleet: Fleet, task: Task, name: str) -> tuple[str | None, str]:
    """The credential and the model of a task; an empty model is Claude's own choice. `name`: which of several."""
    profile = fleet.profiles.get(task.profile)
    return credential_of(fleet, task.profile, name), task.model or (profile.model if profile else "")


def named(credential: str) -> str:
    """A credential in words."""
    return {"": "the hosts' own logins", PLAN: "the plan"}.get(credential, credential)


def alarms(fleet: Fleet, now: int) -> dict[str, Alarm]:
    """The alarms about credentials that let nobody in, one each, by what they are about."""
    backoffs = Backoffs(fleet, now)
    raised: dict[str, Alarm] = {}
    for credential in backoffs.turned_away:
        last = _last_refusal(backoffs, credential)
        if last is not None:
            about = f"account {credential}"
            raised[about] = fleet.alarms.get(about) or _alarm(credential, last, now)
        for host in backoffs.missing(credential):
            about = f"credential {credential} on {host}"
            raised[about] = fleet.alarms.get(about) or _missing_alarm(credential, host, now)
    return raised


def _last_refusal(backoffs: Backoffs, credential: str) -> Attempt | None:
    """The last attempt that was kept out by its account, if none has got in since."""
    tried = backoffs.of(credential)
    refused = [trial.attempt for trial in tried if trial.shared and trial.attempt.end in KEPT_OUT]
    if not refused:
        return None
    last = max(refused, key=lambda attempt: attempt.ended)
    good: Iterable[Tried] = (trial for trial in tried if trial.attempt.at >= last.ended)
    return None if any(backoffs.is_good(trial.attempt) for trial in good) else last


def _missing_alarm(credential: str, host: str, now: int) -> Alarm:
    words = (
        f"{named(credential)} cannot be had on {host}: its file or command there gives none. Work takes another one or "
        "another host; once it is there a task tries it by itself"
    )
    return Alarm(words, AlarmLevel.DANGER, now, kind=AlarmKind.CREDENTIAL, subject=credential)


_LETS_IN = {
    AttemptEnd.SPEND_CAP: "the spend cap of its organisation is reached; raise it in the API's console, or wait",
    AttemptEnd.ORGANISATION: "its organisation is disabled or does not let it in; ask who administers it",
}
"""What such an alarm says of an end, where that is more than that nobody gets in."""


def _alarm(credential: str, last: Attempt, now: int) -> Alarm:
    reason = f" ({last.reason})" if last.reason else ""
    why = _LETS_IN.get(last.end, "the API lets nobody in")
    words = f"{named(credential)}: {why}{reason}: its tasks wait, and one of them tries again by itself"
    return Alarm(words, AlarmLevel.DANGER, now, kind=AlarmKind.CREDENTIAL, subject=credential)
