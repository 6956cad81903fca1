"""Translates usage and plan windows that a host reports: valid names and places, our times, bounded shares."""

import re
from collections.abc import Iterator

from controlroom.domain.limits.headroom import OVERAGE, Reading, believable
from controlroom.domain.model import Agent
from controlroom.engine.hosts.translate import HostContext, short
from controlroom.engine.ledger.usage_tables import RESERVED
from controlroom.metering.usage import Damaged, Message
from controlroom.metering.usage_file import Refusal, Report, from_line
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import agent_name_problem, is_adopted_name
from controlroom.wire.usage import LimitsSeen, UsagePlace, UsageSeen, WindowSeen

_MARK = re.compile(r"[0-9a-f]{0,12}")
_SESSION = re.compile("[A-Za-z0-9-]{8,64}")
_MODEL = 100


@dataclass(frozen=True)
class UsagePiece:
    """A piece of an agent's usage file: its messages and reports at times of ours, and how far it goes."""

    place: UsagePlace
    end: int
    messages: tuple[Message, ...]
    reports: tuple[Report, ...] = ()
    damaged: int = 0
    """Lines that cannot be counted."""
    session: str = ""
    """Of an agent of others: the session of its Claude."""
    billing: str = ""
    """Who pays for it, as its host says: plan, api, or nothing."""

    lost: bool = False
    """What was not booked of the file may be lost."""
    refusals: tuple[Refusal, ...] = ()
    """Requests that the API refused."""

    def is_of(self, agent: Agent) -> bool:
        """Return whether it was used by what is shown of an agent: the run that it is in now, or the session."""
        return self.session == agent.session if agent.adopted else self.place.epoch == agent.epoch

    def payer(self, agent: Agent | None) -> str:
        """Return who paid when it was used, by what is shown of its agent: plan, api, or "" when it is not known.

        Another run of the same agent may have had another payer.
        """
        return self.billing or (agent.billing if agent and self.is_of(agent) else "")


def read_usage(seen: UsageSeen, setting: HostContext) -> UsagePiece | None:
    """Read what a host has sent; None for what cannot be an agent's."""
    place = seen.place
    ours = agent_name_problem(place.name) is None
    named = ours or (is_adopted_name(place.name) and _SESSION.fullmatch(seen.session))
    fits = named and 0 < place.epoch < 2**31 and _MARK.fullmatch(place.mark)
    if not fits or not 0 <= place.offset < seen.end + seen.lost < 2**53:
        return None
    messages, reports, refusals, damaged = read_records(seen.data, setting)
    billing = seen.billing if seen.billing in ("api", "plan") else ""
    session = "" if ours else seen.session
    return UsagePiece(
        place, seen.end, tuple(messages), tuple(reports), damaged, session, billing, seen.lost, tuple(refusals)
    )


def read_records(data: str, setting: HostContext) -> tuple[list[Message], list[Report], list[Refusal], int]:
    """Read lines of use at times of ours; give, last, how many cannot be counted."""
    messages: list[Message] = []
    reports: list[Report] = []
    refusals: list[Refusal] = []
    lines = [line for line in data.encode("utf-8", "replace").split(b"\n") if line]
    for line in lines:
        try:
            record = from_line(line)
        except Damaged:
            continue
        at = setting.time(record.at) or setting.now
        if isinstance(record, Report):
            reports.append(record._replace(at=at))
        elif isinstance(record, Refusal):
            refusals.append(record._replace(at=at))
        elif not record.id.startswith(RESERVED):
            messages.append(record._replace(at=at, model=short(record.model, _MODEL)))
    return messages, reports, refusals, len(lines) - len(messages) - len(reports) - len(refusals)


MOST_PERCENT = 1000.0
_ACCOUNT, _WORD = 100, 40
_MOST_WINDOWS = 32


@dataclass(frozen=True)
class LoginSeen:
    """Whose login an agent's run uses, and what was read of its windows."""

    agent: str
    """By id."""
    account: str
    plan: str
    readings: tuple[Reading, ...]


def read_limits(seen: LimitsSeen, setting: HostContext) -> LoginSeen | None:
    """Read what a host has sent; None for what cannot be an agent's."""
    if agent_name_problem(seen.name) is not None or not 0 < seen.epoch < 2**31:
        return None
    account = short(seen.account, _ACCOUNT) or f"login on {setting.host}"
    readings = tuple(_readings(account, seen.windows[:_MOST_WINDOWS], setting))
    return LoginSeen(f"{setting.host}/{seen.name}", account, short(seen.plan, _WORD), readings)


def _readings(account: str, windows: tuple[WindowSeen, ...], setting: HostContext) -> Iterator[Reading]:
    for window in windows:
        name, rejected = short(window.name, _WORD), window.status == "rejected"
        percent = window.percent if window.percent is not None and 0 <= window.percent <= MOST_PERCENT else None
        at = setting.time(window.at)
        if name and at and (percent is not None or rejected or name == OVERAGE):
            source, in_use = short(window.source, _WORD), window.status == "in_use"
            reading = Reading(account, name, at, percent, max(0, window.resets), rejected, source, in_use)
            yield believable(reading, setting.now)


Counted = UsagePiece | LoginSeen


def read_counted(seen: UsageSeen | LimitsSeen, setting: HostContext) -> Counted | None:
    """Read what a host has sent; None for what cannot be an agent's."""
    return read_limits(seen, setting) if isinstance(seen, LimitsSeen) else read_usage(seen, setting)
