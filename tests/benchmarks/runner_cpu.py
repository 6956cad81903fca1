"""What a runner costs at 2 lines a second, beside a bare Python tee: `python -m tests.benchmarks.runner_cpu [SECONDS]`.

Linux only. Both get the same lines at the same time and write them to a file and a terminal; the tee does nothing else.
First plain lines, then events as a headless Claude writes them, of which the runner keeps state and money.
"""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from controlroom.wire.spec import AgentSpec
from tests.benchmarks.runner_size import sizes
from tests.benchmarks.table import print_table
from tests.lab.agent_under_test import Agent
from tests.lab.waiting import wait_for

PLAIN = "compiling module number 17 of 4711: 3 warnings, no errors so far in this"
USAGE = {"input_tokens": 3, "cache_creation_input_tokens": 12_227, "cache_read_input_tokens": 0, "output_tokens": 20}
SAYS = {"type": "text", "text": "I look at the next module, and then at the tests that belong to it."}
EVENT = json.dumps({
    "type": "assistant", "session_id": "e295a16a-9c1e-4b0e-9d0a-2f6f1c1d2e3f", "parent_tool_use_id": None,
    "message": {"id": "msg_01", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "content": [SAYS],
                "stop_reason": None, "usage": USAGE},
})  # fmt: skip
KINDS = {"command": ("o", PLAIN), "headless": ("a", EVENT)}
TEE = """
import os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while data := os.read(0, 65536):
    os.write(file, data)
    os.write(1, data)
"""
MOST = 3.0


def cpu_ms(pid: int) -> float:
    """Milliseconds that the one thread of a process has been on a processor."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def terminal(stack: ExitStack) -> int:
    """A terminal that somebody reads."""
    ours, theirs = pty.openpty()
    threading.Thread(target=_drain, args=(ours,), daemon=True).start()
    stack.callback(os.close, theirs)
    return theirs


def _drain(end: int) -> None:
    try:
        while os.read(end, 65_536):
            pass
    except OSError:
        pass


def measure(seconds: float, folder: Path, kind: str) -> None:
    """Let both run side by side, and look twice."""
    stream, line = KINDS[kind]
    writes = f"while :; do echo {shlex.quote(line)}; sleep 0.5; done"
    with ExitStack() as stack:
        source = subprocess.Popen(["sh", "-c", writes], stdout=subprocess.PIPE, start_new_session=True)
        argv = [sys.executable, "-I", "-S", "-c", TEE, str(folder / "tee.log")]
        tee = subprocess.Popen(argv, stdin=source.stdout, stdout=terminal(stack))
        agent = Agent(folder / "agent", AgentSpec(kind=kind, command=("sh", "-c", writes)))
        agent.start(stdout=terminal(stack))
        for process in (source, tee):
            stack.callback(process.wait, 20)
            stack.callback(process.kill)
        stack.callback(agent.close)
        stack.callback(agent.ask, do="end")
        wait_for(lambda: len(agent.lines(stream)) >= 4 and (folder / "tee.log").stat().st_size > 400, 60)
        pids = (tee.pid, agent.process.pid)
        before, lines = [cpu_ms(pid) for pid in pids], len(agent.lines(stream))
        time.sleep(seconds)
        bare, runner = (cpu_ms(pid) - used for pid, used in zip(pids, before, strict=True))
        lines = len(agent.lines(stream)) - lines
        rss = sizes(agent.process.pid)[0] / 1024
    print_table(
        f"{kind}: {lines} lines in {seconds:g} s",
        [
            ("bare tee", f"{bare / lines:.3f} ms a line", ""),
            ("runner", f"{runner / lines:.3f} ms a line", ""),
            ("runner to tee", f"{runner / bare:.1f}", f"≤ {MOST:g}"),
            ("RSS of the runner", f"{rss:.1f} MB", "≤ 18 MB"),
        ],
    )


if __name__ == "__main__":
    for each in KINDS:
        with tempfile.TemporaryDirectory(prefix="cr-") as directory:
            measure(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0, Path(directory), each)
