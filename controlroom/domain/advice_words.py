"""What is said of hosts that are too full, too busy, or idle, and the alarm that says it."""

from controlroom.domain.calculators.offers import Machine, price_words
from controlroom.domain.gauges import Alarm, AlarmKind, AlarmLevel
from controlroom.domain.host_advice import Advice, Concern

_OF = {Concern.MEMORY: "RAM", Concern.CPU: "CPU"}


def advice_words(advice: Advice, now: int) -> str:
    """Say what is the matter with a host, for how long, and what can be done."""
    lasts = _span(now - advice.since)
    if advice.concern is Concern.IDLE:
        smaller = f", or take the size below ({_size(advice.size)})" if advice.size else ""
        return (
            f"{advice.host} has been idle for {lasts} (CPU below {advice.line:.0f} %, no agent of this room): have it "
            f"leave the room and switch it off (controlroom host remove {advice.host}){smaller}"
        )
    options = []
    if advice.moves:
        count = len(advice.moves)
        verb = f"controlroom host relieve {advice.host}"
        options.append(f"move {count} agent{'s' * (count != 1)} ({verb})")
    if advice.size:
        options.append(f"take the next size ({_size(advice.size)})")
    if not options:
        options.append("end some of its agents, or add a host: no other one has room for them")
    what = f"above {advice.line:.0f} % {_OF[advice.concern]}"
    return f"{advice.host} has been {what} for {lasts}: {', or '.join(options)}"


def _size(machine: Machine | None) -> str:
    return f"{machine.name}, {price_words(machine.month, machine.currency)}" if machine else ""


def _span(milliseconds: int) -> str:
    minutes = milliseconds // 60_000
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} minutes"
    return f"{hours} hour{'s' * (hours != 1)}" + (f" {rest} minutes" if rest and hours < 3 else "")


def advice_alarm(advice: Advice, now: int) -> Alarm:
    """The alarm about a host; it is no news that it lasts."""
    level = AlarmLevel.NOTICE if advice.concern is Concern.IDLE else AlarmLevel.WARNING
    words = advice_words(advice, now)
    return Alarm(words, level, advice.since, mark=advice.concern.value, kind=AlarmKind.ADVICE, subject=advice.host)
