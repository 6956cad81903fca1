"""How transcripts from before come home: listed page by page, then read from where home has them, answer by answer.

Nothing is kept on a host: home says each time what is to be read and from where, so that a read that breaks off goes
on behind what was booked last. Paths are as the host has them, and mean something there alone.
"""

from controlroom.text.lazy_dataclass import dataclass

MOST_LISTED = 500
"""Transcripts in one page at most."""

MOST_READ = 200
"""Transcripts that one order to read names at most."""

ANSWER_RECORDS, ANSWER_READ = 96 * 1024, 64 * 1024 * 1024
"""Bytes of records, and bytes read for them, that make an answer: a line or a block more at most."""

# --------------------------------------------------------------------------- home -> node


@dataclass(frozen=True)
class ListTranscripts:
    """Which transcripts lie below the settings folders of this user? Answered by `TranscriptsListed`."""

    id: int
    after: str = ""
    """The last path of the page before; "": the first page."""
    since: int = 0
    """Files that were not written to since then (UTC ms) are left out."""
    count: int = MOST_LISTED
    """How many are wanted; 0: only how much there is in all."""


@dataclass(frozen=True)
class TranscriptPlace:
    """From where on a transcript is to be read."""

    path: str
    offset: int = 0
    mark: str = ""
    """What it began with when it was read; one that begins otherwise is read from its beginning."""


@dataclass(frozen=True)
class ReadTranscripts:
    """What was used by these transcripts, one after the other? Answered by `TranscriptsRead`, mostly for a part."""

    id: int
    places: tuple[TranscriptPlace, ...]
    since: int = 0
    """Older messages are left out, UTC ms."""


# --------------------------------------------------------------------------- node -> home


@dataclass(frozen=True)
class TranscriptFound:
    """A transcript, how large it is, and when it was last written to (UTC ms)."""

    path: str
    size: int
    at: int


@dataclass(frozen=True)
class TranscriptsListed:
    """The answer to `ListTranscripts`, sorted by path. `files`, `size`, `first`: of all that there are."""

    id: int
    found: tuple[TranscriptFound, ...] = ()
    files: int = 0
    size: int = 0
    first: int = 0
    """When the oldest was last written to, UTC ms; 0: there is none."""
    reason: str = ""
    """Why there is no answer."""


@dataclass(frozen=True)
class TranscriptPart:
    """What stands in a transcript between two places, as lines of `metering.usage_file`."""

    path: str
    start: int
    end: int
    mark: str = ""
    data: str = ""
    folder: str = ""
    """The working folder that its session began in."""
    billing: str = ""
    """Who pays by what its settings folder says now: `api` or `plan`; "": not known."""
    at: int = 0
    """When the file was last written to, UTC ms."""
    damaged: int = 0
    """Lines that cannot be counted."""
    done: bool = False
    """It was read to its end, or cannot be read."""


@dataclass(frozen=True)
class TranscriptsRead:
    """The answer to `ReadTranscripts`: parts of the first of them, in their order. What is not named was not read."""

    id: int
    parts: tuple[TranscriptPart, ...] = ()
    reason: str = ""
    """Why there is no answer."""
