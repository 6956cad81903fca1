"""What is said of drained hosts: how far each is, what stays there, what it waits for, and how to go on."""

from controlroom.domain.display.waits import host_words
from controlroom.domain.model import Fleet, Host
from controlroom.domain.queue.drains import Stay, progress, stays_for
from controlroom.domain.words import named_some


def short_words(fleet: Fleet, host: Host) -> str:
    """How far the drain of a host is, in a few words for its row; empty: it moves nothing."""
    far = progress(fleet, host)
    if host.drain is None or far is None or not far.total:
        return ""
    return f"{far.moved}/{far.total}" + (f", {far.failed} failed" if far.failed else "")


def progress_words(fleet: Fleet, host: Host, now: int) -> str:
    """How far the drain of a host is: `12 of 30 moved, 2 failed, batch 3 (4 on their way)`, and what is in the way."""
    drain, far = host.drain, progress(fleet, host)
    if drain is None or far is None:
        return ""
    batch = f"batch {far.batch}" * bool(far.batch) + f" ({far.leaving} on their way)" * bool(far.leaving)
    counts = [f"{far.moved} of {far.total} moved", f"{far.failed} failed" * bool(far.failed), batch]
    parts = [", ".join(filter(None, counts))] if far.total else []
    parts += [f"to {drain.to}"] * bool(drain.to)
    if drain.stopped:
        parts.append(f"stands still: controlroom host drain {host.name} --continue")
    parts += [_stay_words(why, names) for why, names in far.stays.items()]
    if not drain.leaving and not drain.stopped and drain.waits:
        parts.append(f"waits: {'; '.join(host_words(wait, now) for wait in drain.waits)}")
    elif not drain.leaving and (held := stays_for(fleet, host)):
        parts.append(held)
    return "; ".join(parts)


def _stay_words(why: Stay, names: tuple[str, ...]) -> str:
    return f"{named_some(names)} {'stays' if len(names) == 1 else 'stay'}: {why}"
