"""A disk that is full, where its agents' logs are: said while it lasts."""

from controlroom.domain.changes import Draft
from controlroom.domain.gauges import Alarm
from controlroom.domain.model import Host, HostSample
from controlroom.text.disks import DISK_FULL

_ABOUT = "disk of "


def is_full(sample: HostSample | None) -> bool:
    """Say whether so little is left that lines of logs are lost; a disk of which nothing is known is not."""
    return sample is not None and sample.disk_free is not None and sample.disk_free < DISK_FULL


def words(host: Host) -> str:
    """Say it in a few words; "" when it is not so."""
    return "its disk is full: lines of its agents' logs are lost" if is_full(host.sample) else ""


def watched(draft: Draft, host: str, sample: HostSample | None, at: int) -> None:
    """Raise or end the alarm of a host that has just said how much is left. `sample`: None when it is gone."""
    about = f"{_ABOUT}{host}"
    known = draft.alarms.get(about)
    if not is_full(sample):
        if known is not None:
            draft.alarms.drop(about)
    elif known is None:
        text = f"the disk of {host} is full: lines of its agents' logs are lost until there is room: make some there"
        draft.alarms.put(about, Alarm(text, "danger", at))
