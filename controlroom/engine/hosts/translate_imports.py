"""Translates what a host says of its transcripts from before: our times, bounded names, and only what was asked for."""

from collections.abc import Iterable, Iterator

from controlroom.engine.hosts.translate import HostContext, short
from controlroom.engine.hosts.translate_usage import read_records
from controlroom.metering.usage import Message
from controlroom.text.lazy_dataclass import dataclass
from controlroom.wire.imports import TranscriptFound, TranscriptPart, TranscriptPlace, TranscriptsRead

_FOLDER = 400
_MARK = 12
_LONGEST_PATH, _LARGEST = 1000, 2**50
EARLIEST = 1_672_531_200_000
"""2023, UTC ms: what is dated to before there was any Claude Code has no date."""


@dataclass(frozen=True)
class PartRead:
    """Messages between two places of a transcript, at times of ours."""

    path: str
    end: int
    mark: str
    messages: tuple[Message, ...]
    folder: str
    billing: str
    damaged: int
    done: bool


def read_found(found: Iterable[TranscriptFound]) -> Iterator[TranscriptFound]:
    """Yield the transcripts that can be; their paths mean something on their host alone."""
    for each in found:
        if 0 < len(each.path) <= _LONGEST_PATH and 0 < each.size < _LARGEST:
            yield each


def read_parts(read: TranscriptsRead, asked: Iterable[TranscriptPlace], setting: HostContext) -> Iterator[PartRead]:
    """Yield the parts of what was asked for, in that order, until one is another."""
    for part, place in zip(read.parts, asked, strict=False):
        if part.path != place.path or not 0 <= part.end < _LARGEST:
            return
        billing = part.billing if part.billing in ("api", "plan") else ""
        messages, damaged = _messages(part, setting)
        mark, folder = short(part.mark, _MARK), short(part.folder, _FOLDER)
        yield PartRead(part.path, part.end, mark, messages, folder, billing, damaged + max(0, part.damaged), part.done)


def _messages(part: TranscriptPart, setting: HostContext) -> tuple[tuple[Message, ...], int]:
    """Return the messages of a part, and how many lines cannot be counted. None of them is from the future."""
    written = setting.time(part.at) or setting.now
    messages, _, _, damaged = read_records(part.data, setting)
    return tuple(_dated(message, written, setting.now) for message in messages), damaged


def _dated(message: Message, written: int, now: int) -> Message:
    fits = EARLIEST <= message.at < now
    return message._replace(at=message.at if fits else max(EARLIEST, written), run="")
