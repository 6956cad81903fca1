"""The files of a Claude session, packed on one host and put into their place on another.

What `--resume` needs is the transcript and the folder beside it: `CONFIG/projects/SLUG/SESSION.jsonl` and
`SESSION/subagents/`, `SESSION/tool-results/` (Claude Code 2.1.332, observed); it is found whatever folder Claude is
started in. Files lie one behind the other in a gzip stream, in the order of the manifest.
"""

import contextlib
import gzip
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from controlroom.node.agent_folders import Entry
from controlroom.node.spawn import Refusal
from controlroom.runner.claude.settings import config_folder
from controlroom.runner.claude.transcripts import find_transcript, slug
from controlroom.runner.files import create, make_private, open_regular
from controlroom.runner.git import displayable
from controlroom.runner.money.usage_meter import noted_sessions
from controlroom.text.lazy_pattern import pattern
from controlroom.text.names import is_session
from controlroom.wire.carrying import MOST_FILES, SessionFile

_BLOCK = 256 * 1024
_LEVEL = 3
"""How hard gzip tries: transcripts shrink to a fifth at the speed of a disk."""

_PART = pattern(r"[A-Za-z0-9_][A-Za-z0-9._ @+-]{0,120}")
_DEPTH = 6
_SLUG_MOST = 200


def transcript_of(entry: Entry, session: str, environ: Mapping[str, str], cwd: str) -> str:
    """Return the path of a session's transcript. Raises `Refusal` where there is none."""
    if not is_session(session):
        raise Refusal(f"{ascii(session)[:60]} cannot be the id of a Claude session")
    places = [(noted.config, noted.cwd) for noted in noted_sessions(entry.folder) if noted.session == session]
    for config, folder in (*reversed(places), (config_folder(environ, cwd), cwd)):
        if path := find_transcript(config, folder, session):
            return path
    raise Refusal(f"the transcript of its session {session} is not there: nothing could go on in it elsewhere")


def size_of(transcript: str) -> int:
    """Return the bytes of a session's files."""
    base = os.path.dirname(transcript)
    return sum(os.stat(os.path.join(base, path), follow_symlinks=False).st_size for path in _paths(transcript))


def pack(transcript: str, target: str, most: int) -> tuple[SessionFile, ...]:
    """Write a session's files into `target`; return what they are. Raises `Refusal` and `OSError`."""
    base, files, total = os.path.dirname(transcript), [], 0
    with gzip.open(open(create(target), "wb"), "wb", compresslevel=_LEVEL) as stream:
        for path in _paths(transcript):
            descriptor, size = open_regular(os.path.join(base, path))
            total += size
            if total > most:
                os.close(descriptor)
                raise Refusal(f"its session has more than {most >> 20:,} MiB, the most that is carried")
            digest, written = hashlib.sha256(), 0
            with open(descriptor, "rb") as file:
                while block := file.read(min(_BLOCK, size - written)):
                    digest.update(block)
                    stream.write(block)
                    written += len(block)
            files.append(SessionFile(path, written, digest.hexdigest()))
    return tuple(files)


def _paths(transcript: str) -> list[str]:
    """Name a session's files below its project's folder: the transcript first, then what lies beside it."""
    base, name = os.path.split(transcript)
    paths = [name, *sorted(_below(base, name.removesuffix(".jsonl"), _DEPTH))]
    if len(paths) > MOST_FILES:
        raise Refusal(f"its session has {len(paths):,} files, more than {MOST_FILES:,}")
    return paths


def _below(base: str, folder: str, depth: int) -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for item in os.scandir(os.path.join(base, folder)):
            path = f"{folder}/{item.name}"
            if not _PART.fullmatch(item.name):
                continue
            if item.is_dir(follow_symlinks=False) and depth:
                yield from _below(base, path, depth - 1)
            elif item.is_file(follow_symlinks=False):
                yield path


# ---------------------------------------------------------------------- its place


def project_folder(config: str, cwd: str, session: str) -> str:
    """Return the folder in which a session's files are to lie: where they are, else that of the agent's folder."""
    there = find_transcript(config, cwd, session)
    return (
        os.path.dirname(there) if there else os.path.join(config, "projects", slug(os.path.realpath(cwd))[:_SLUG_MOST])
    )


def unpack(
    source: str, session: str, files: tuple[SessionFile, ...], project: str, left: Mapping[str, str], mark: int
) -> None:
    """Put a session's files into a project's folder, each whole and proved by its hash, or none of them.

    What lies there already is replaced only by what goes on from it, or by what comes back as it left (`left`: the
    hashes then). Raises `Refusal` and `OSError`.
    """
    for file in files:
        _check_path(file.path, session)
        if file.size < 0:  # a stream is read to its end by that, however much comes out of it
            raise Refusal(f"{file.path} cannot have {file.size} bytes")
    beside: list[tuple[str, str]] = []
    try:
        descriptor, _ = open_regular(source)
        with gzip.open(open(descriptor, "rb"), "rb") as stream:
            for file in files:
                path = os.path.join(project, file.path)
                _private_folder(project, os.path.dirname(file.path))
                new = f"{path}.{mark}.new"
                beside.append((new, path))
                _written(stream, file, new)
        for file, (new, path) in zip(files, beside, strict=True):
            _check_free(path, new, file, left)
        for new, path in beside:
            os.replace(new, path)
    except (EOFError, gzip.BadGzipFile) as error:
        raise Refusal(f"the session did not arrive as it was sent: {error}") from None
    finally:
        for new, _ in beside:
            with contextlib.suppress(OSError):
                os.unlink(new)


def _check_path(path: str, session: str) -> None:
    """See that a file belongs to a session: home passes on what another host has said. Raises `Refusal`."""
    parts = path.split("/")
    own = path == f"{session}.jsonl" or (parts[0] == session and len(parts) > 1)
    if not is_session(session) or not own or len(parts) > _DEPTH + 2 or not all(map(_PART.fullmatch, parts)):
        raise Refusal(f"{displayable(path, 100)} is no file of session {displayable(session, 60)}")


def _private_folder(project: str, inner: str) -> None:
    """Make the folders down to a file; a link among them is not followed. Raises `Refusal`."""
    make_private(project)
    folder = project
    for part in ("", *filter(None, inner.split("/"))):
        folder = os.path.join(folder, part) if part else folder
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            raise Refusal(f"{displayable(folder)} is no folder: its session cannot be put there")


def _written(stream: "gzip.GzipFile | BinaryIO", file: SessionFile, new: str) -> None:
    digest, left = hashlib.sha256(), file.size
    with open(create(new), "wb") as target:
        while left and (block := stream.read(min(_BLOCK, left))):
            digest.update(block)
            target.write(block)
            left -= len(block)
        target.flush()
        os.fsync(target.fileno())
    if left or digest.hexdigest() != file.sha256:
        raise Refusal(f"{file.path} did not arrive as it was sent (SHA-256): move it again")


def _check_free(path: str, new: str, file: SessionFile, left: Mapping[str, str]) -> None:
    """See that a file may come to lie at a path. Raises `Refusal` where something else does."""
    try:
        descriptor, size = open_regular(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Refusal(f"{displayable(path)} is in the way: {error.strerror}") from None
    descriptor_of_new, _ = open_regular(new)
    with open(descriptor, "rb") as there, open(descriptor_of_new, "rb") as coming:
        digest, goes_on = hashlib.sha256(), size <= file.size
        while block := there.read(_BLOCK):
            digest.update(block)
            goes_on = goes_on and coming.read(len(block)) == block
    if not goes_on and digest.hexdigest() != left.get(file.path):
        raise Refusal(f"another session lies at {displayable(path)}, and is not written over: look whose that is")
