"""The end of an agent whose runner does not see to it: the runner hangs, or it was killed.

TERM to the tree, wait, KILL, a sweep by environment tag, a look, and only then a word about it. What the run has used
and its runner could not write is written behind what it wrote: what the transcripts hold by then, and an estimate of
the request that was under way, as the runner makes it at the end of a Claude that was killed.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace

from controlroom.metering.usage import Damaged, Message
from controlroom.metering.usage_file import from_line, to_line
from controlroom.node.agent_folders import Entry, is_live, read_order, read_status, write_status
from controlroom.node.runner_client import runner_pid
from controlroom.node.tmux_server import Tmux, TmuxError
from controlroom.runner import process_tree
from controlroom.runner.claude.transcripts import Tail, in_flight, session_files
from controlroom.runner.files import open_regular
from controlroom.runner.folder import CONTROL, USAGE, place, tag
from controlroom.runner.money.usage_meter import noted_sessions
from controlroom.text.states import Cause, State
from controlroom.wire.lines import PeerError
from controlroom.wire.messages import AgentSeen

DEATHS = {
    Cause.REBOOTED: "the host was rebooted",
    Cause.RUNNER_KILLED: "its runner was killed",
    Cause.NEVER_STARTED: "its runner never came up",
}
"""What is written of an agent whose runner did not say how it ended."""

_OURS = (signal.SIGTERM, signal.SIGKILL)

_MOST = 64 * 1024 * 1024
"""Bytes of usage and of transcripts that are read at most."""


def record_last_usage(folder: str) -> None:
    """Write down what is missing in an agent's folder. What cannot be read or written is left out."""
    path = os.path.join(folder, USAGE)
    written = {message.key: message.usage for message in _written(path)}
    latest = {message.key: message for message in _messages(folder)}
    missing = [message for message in latest.values() if written.get(message.key) != message.usage]
    if missing:
        _append(path, b"".join(map(to_line, missing)))


def _messages(folder: str) -> Iterator[Message]:
    """Yield what the transcripts of a run tell, and what was under way."""
    left = _MOST
    for session, config, cwd, run, *_ in dict.fromkeys(noted_sessions(folder)):
        for path in session_files(config, cwd, session):
            tail = Tail(path)
            while left > 0 and (piece := tail.next()):
                left -= piece.size
                yield from (message._replace(run=run) for message in piece.messages)
                tail.taken(piece)
            if last := in_flight(path):
                yield last


def _written(path: str) -> Iterator[Message]:
    try:
        descriptor, size = open_regular(path)
    except OSError:
        return
    with open(descriptor, "rb") as file:
        for line in file.read(min(size, _MOST)).split(b"\n"):
            try:
                record = from_line(line)
            except Damaged:
                continue
            if isinstance(record, Message):
                yield record


def _append(path: str, lines: bytes) -> None:
    """Append whole lines; one that a runner left half-written is ended first."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError:
        return
    try:
        size = os.fstat(descriptor).st_size
        whole = not size or os.pread(descriptor, 1, size - 1) == b"\n"
        os.write(descriptor, lines if whole else b"\n" + lines)
    except OSError:
        pass
    finally:
        os.close(descriptor)


async def find_runner(entry: Entry, tmux: Tmux) -> int:
    """Return the pid of an agent's runner: of who listens on its socket, else of its pane, else of who was started for
    its folder (one that is just coming up, when its tmux server has died); 0 when there is none."""
    pid = runner_pid(entry.folder)
    if pid > 0:
        return pid
    with contextlib.suppress(TmuxError):
        pane = (await tmux.panes() or {}).get(entry.name)
        if pane and pane.epoch == entry.epoch:
            return pane.pid
    return await asyncio.to_thread(process_tree.started_for, entry.folder)


async def living_runner(entry: Entry, tmux: Tmux) -> int:
    """Return the pid of an agent's runner that has not ended, whatever its folder says; 0 when there is none."""
    pid = await find_runner(entry, tmux)
    process = process_tree.snapshot().get(pid) if pid > 0 else None
    return pid if process and process_tree.living(process) else 0


async def what_is_left(entry: Entry, namespace: str) -> str:
    """Name the processes of an agent that are alive, "" when there are none."""
    return process_tree.names(await asyncio.to_thread(process_tree.of_agent, *_marks(entry, namespace), 0))


async def end_by_force(entry: Entry, namespace: str, tmux: Tmux) -> str:
    """End an agent's processes, its runner and its session. Return what could not be ended, "" when nothing is left."""
    runner = await find_runner(entry, tmux)
    left = await asyncio.to_thread(_end, _marks(entry, namespace), runner)
    with contextlib.suppress(TmuxError):
        pane = (await tmux.panes() or {}).get(entry.name)
        if pane and pane.epoch == entry.epoch:
            await tmux.kill_session(entry.name)
    return left


async def record_death(entry: Entry, state: State, detail: str, at: int, cause: Cause = Cause.NONE) -> AgentSeen:
    """Write what the runner of an agent that has ended could not: what it used last, and its status. Raises `OSError`.

    Reads transcripts.
    """
    await asyncio.to_thread(record_last_usage, entry.folder)
    return record_end(entry, state, detail, at, cause)


def record_end(entry: Entry, state: State, detail: str, at: int, cause: Cause = Cause.NONE) -> AgentSeen:
    """Write the status of an agent that has ended and whose runner did not say so. Raises `OSError`.

    The runner's socket, which a killed one leaves behind, goes too.
    """
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(entry.folder, CONTROL))
    try:
        status = read_status(entry)
    except PeerError:
        status = None
    if status is not None and not is_live(status):
        return status
    status = ended(status or from_order(entry), state, detail, at, cause)
    write_status(entry, status)
    return status


def record_killed(entry: Entry, words: str, since: int) -> None:
    """Correct the last word of a runner that only saw its agent die of our signal (`since`: ms). Raises `OSError`."""
    with contextlib.suppress(PeerError):
        status = read_status(entry)
        if (
            status is not None
            and status.state == State.FAILED
            and status.ended >= since
            and status.exit_signal in _OURS
        ):
            write_status(entry, replace(status, state=State.DONE.value, detail=words, cause=Cause.KILLED.value))


def ended(seen: AgentSeen, state: State, detail: str, at: int, cause: Cause = Cause.NONE) -> AgentSeen:
    """Return the status of an agent that has ended without its runner's word."""
    return replace(
        seen,
        state=state.value,
        since=at,
        ended=at,
        detail=detail,
        cause=cause.value,
        pid=0,
        question=None,
        limited_until=0,
        evidence=(),
    )


def from_order(entry: Entry) -> AgentSeen:
    """Return what is known of an agent that has no status: what it was started with."""
    order = read_order(entry)
    spec = order.get("spec")
    texts = {key: value for key, value in spec.items() if isinstance(value, str)} if isinstance(spec, dict) else {}
    started = order.get("started")
    at = started if isinstance(started, int) else 0
    kind = texts.get("kind", "headless")[:40]
    return AgentSeen(
        entry.name,
        entry.epoch,
        kind,
        State.STARTING.value,
        at,
        profile=texts.get("profile", "")[:200],
        model=texts.get("model", "")[:200],
        cwd=texts.get("cwd", "")[:1000],
        started=at,
    )


def _marks(entry: Entry, namespace: str) -> tuple[str, str]:
    """Return what its processes carry in their environment."""
    return tag(namespace, entry.name, entry.epoch), place(entry.folder)


def _end(marks: tuple[str, str], runner: int) -> str:
    itself = process_tree.snapshot().get(runner) if runner else None
    process_tree.end(_finding(marks, runner))
    if itself:
        process_tree.send(itself, signal.SIGKILL)
    rest = _finding(marks, 0)
    left = process_tree.end(lambda: [*rest(), *([itself] if itself and process_tree.living(itself) else [])], 0.5)
    return process_tree.names(left)


def _finding(marks: tuple[str, str], runner: int) -> Callable[[], list[process_tree.Process]]:
    return lambda: process_tree.of_agent(*marks, runner)
