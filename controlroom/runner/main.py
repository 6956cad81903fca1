"""The process around one agent, inside its tmux session: pipes, log, status, true exit, and the end of the whole tree.

It lives for as long as its agent, and there are hundreds of it: no dataclasses, asyncio, subprocess or pathlib here and
in what is imported, and all that its kind needs is imported at the start, for the files may be replaced while it runs.
"""

import contextlib
import errno
import fcntl
import os
import time
from typing import Any

from controlroom.runner import agent_process, core_files, environment, folder, status_file
from controlroom.runner.agent_run import AgentRun
from controlroom.runner.files import open_regular, read_regular
from controlroom.runner.log_writer import RunLog
from controlroom.runner.outcome import Unfit, Unpaid
from controlroom.runner.pane import NoPane, Pane
from controlroom.runner.spec import read_order
from controlroom.runner.status_file import StatusFile
from controlroom.text.states import AgentKind, Cause, State

_SPEC_MOST = 16 * 1024 * 1024
_TASK_MOST = 4 * 1024 * 1024


def main(place: str) -> int:
    """Run the agent whose folder this is. 0: its end is in status.json; 2: it cannot be run; 3: it runs already."""
    core_files.forbid()
    os.umask(0o077)
    try:
        os.chdir(place)
        lock, _ = open_regular(folder.SPEC)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say("this agent already has a runner")
        return 3
    except OSError as error:
        _say(f"the agent's folder {place} cannot be used: {error.strerror}")
        return 2
    try:
        return _run(os.read(lock, _SPEC_MOST))
    finally:
        os.close(lock)


def _run(data: bytes) -> int:
    login = environment.login_environment()
    task = ""
    try:
        order = read_order(data)
        if status_file.has_run():
            raise Unfit("it has run before, and is not started twice")
        task = read_regular(folder.TASK, _TASK_MOST).decode("utf-8", "surrogateescape")
    except (Unfit, OSError) as error:
        _say(f"cannot start: {error}")
        return 2
    status = StatusFile(status_file.first(order, task, _now()))
    status.save()
    interactive = order.spec.kind == AgentKind.INTERACTIVE
    pane = NoPane() if interactive else Pane()
    try:
        run = _kind_of_run(interactive=interactive)(order, status, RunLog(order.spec.max_log_bytes), pane)
    except OSError as error:
        why = Cause.DISK_FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else Cause.RUNNER_FAILED
        status.save(state=State.FAILED, detail=f"its runner cannot work here: {error}", cause=why, ended=_now())
        return 2
    agent_process.adopt_orphans()
    agent_process.trim_memory()
    _go(run, login, task)
    pane.flush()
    return 0


def _kind_of_run(*, interactive: bool) -> type[AgentRun]:
    """The class of a run; what reads dialogs takes a tenth of a runner's memory, and is for those with a terminal."""
    if not interactive:
        return AgentRun
    from controlroom.runner.interactive_run import InteractiveRun

    return InteractiveRun


def _go(run: AgentRun, login: dict[str, Any], task: str) -> None:
    try:
        run.start(login, task)
        run.run()
    except Unfit as error:
        run.give_up(str(error), cause=error.cause)
    except Unpaid as error:
        run.give_up(str(error), State.PAUSED)
    except Exception as error:  # whatever it is: the agent must not run on unseen, and its state must be known
        run.give_up(f"its runner failed, please report this: {_where(error)}")


def _where(error: Exception) -> str:
    """Name an error and its place in one line."""
    step = error.__traceback__
    while step and step.tb_next:
        step = step.tb_next
    place = f"{os.path.basename(step.tb_frame.f_code.co_filename)}:{step.tb_lineno}" if step else "?"
    return f"{type(error).__name__} at {place}: {str(error)[:200]}"


def _say(words: str) -> None:
    with contextlib.suppress(OSError):
        os.write(1, f"controlroom: {words}\r\n".encode("utf-8", "replace"))


def _now() -> int:
    return time.time_ns() // 1_000_000
