"""How far the transcripts of a host from before Control Room are counted, and what somebody wants done with them. Pure.

What a host's own Claudes used before it joined the room is history: it counts in what was spent at the time, and
takes nothing from any budget.
"""

from controlroom.domain.gauges import Alarm, AlarmLevel
from controlroom.domain.words import ago, count, dollars, size
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import OpenStrEnum


class ImportState(OpenStrEnum):
    """How we stand with a host's old transcripts."""

    OFFERED = "offered"
    """There are some, and nobody has said yet whether they are to count."""
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """It does not go on by itself, for a reason."""
    DECLINED = "declined"
    """They are not to count, and nobody is asked again."""
    UNKNOWN = ""


@dataclass(frozen=True)
class UsageImport:
    """One host's import. Times are UTC milliseconds, sizes bytes."""

    state: ImportState
    at: int = 0
    """Since when it is so."""
    files: int = 0
    size: int = 0
    """Of the transcripts that there are."""
    first: int = 0
    """When the oldest of them was written to last; 0: not known."""
    read: int = 0
    """What is read by now, with what had been before."""
    messages: int = 0
    """What this import has brought that nothing had counted before."""
    micro: int = 0
    """Micro-dollars that these cost, at the list prices of their time."""
    since: int = 0
    """Older messages are left out; 0: none are."""
    reason: str = ""
    """Why it stands still, in a sentence."""

    @property
    def is_open(self) -> bool:
        """Whether it is at work, or waits for its host."""
        return self.state is ImportState.RUNNING


@dataclass(frozen=True)
class ImportUsage:
    """Count what a host's transcripts say was used, each message once for ever; go on where it stopped."""

    name: str
    since: int = 0
    """Leave out older messages, UTC milliseconds."""


@dataclass(frozen=True)
class DeclineImport:
    """Do not count a host's old transcripts, and ask no more; one that is under way stops."""

    name: str


@dataclass(frozen=True)
class FindTranscripts:
    """Look whether there are old transcripts on a host that nobody has been asked about."""

    name: str


ImportIntent = ImportUsage | DeclineImport | FindTranscripts


IMPORT = "import "
"""How what an alarm about an import is about begins; the host follows."""


def import_alarm(host: str, imported: UsageImport) -> Alarm | None:
    """The alarm about a host's old transcripts: the offer to count them, or why that has stopped; None: none."""
    if imported.state is ImportState.OFFERED:
        what = f"{size(imported.size)} of Claude's transcripts on {host} are from before Control Room"
        how = f"to count them: controlroom costs import {host}; if not: controlroom costs import {host} --never"
        return Alarm(f"{what}; {how}", AlarmLevel.NOTICE, imported.at, mark="offered")
    if imported.state is ImportState.STOPPED:
        words = f"the import of {host}'s old transcripts has stopped: {imported.reason}"
        return Alarm(f"{words}; to go on: controlroom costs import {host}", since=imported.at)
    return None


def import_words(imported: UsageImport, now: int) -> str:
    """Say how far an import is, in a few words."""
    what = f"{count(imported.messages)} messages, {dollars(imported.micro)}"
    match imported.state:
        case ImportState.OFFERED:
            return f"{imported.files} transcripts from before, {size(imported.size)}, not counted"
        case ImportState.RUNNING:
            waits = f"; waits: {imported.reason}" if imported.reason else ""
            return f"{percent_read(imported)} of {size(imported.size)} read, {what}{waits}"
        case ImportState.DONE:
            return f"{size(imported.size)} read {ago(now - imported.at)}: {what}"
        case ImportState.STOPPED:
            return f"stopped at {percent_read(imported)}: {imported.reason}"
        case ImportState.DECLINED:
            return "not to be counted"
        case _:
            return "not known to this version"


def percent_read(imported: UsageImport) -> str:
    """How much is read, as `42 %`."""
    return f"{100 * min(imported.read, imported.size) // imported.size if imported.size else 100} %"


def import_progress(imported: UsageImport | None) -> str:
    """How far an import that is under way is, for the row of its host; empty: none is."""
    return f"counts old transcripts: {percent_read(imported)}" if imported is not None and imported.is_open else ""
