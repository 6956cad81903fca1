"""A scripted Claude that spends: to its runner it is Claude Code on its control channel, to a test it tells the truth.

    python spender.py '{"pace": 0.2, "output": 100, "subagents": 1}'  [what Claude Code would be given]

It sends message after message until it is interrupted, and writes each into its transcript as late as Claude Code
does. `truth` is a file that gets a line with its time for each message that begins and ends, and for an interrupt.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

PLAN: dict[str, Any] = {
    "pace": 0.2,  # seconds that a message takes
    "quick": 10**6,  # messages of each that take that long; those after them take a minute, or until the interrupt
    "output": 100,  # tokens of its output, a cent each in the tests
    "late": 0.2,  # seconds until the transcript has it
    "messages": 10**6,
    "subagents": 0,
    "stubborn": False,  # obeys no interrupt and no TERM
    "lingers": 0.0,  # seconds until it ends when its input is closed
    "transcript": True,
    "tells": 10**6,  # messages that the transcript has
    "hidden": 0.0,  # dollars that stand in no transcript
    "truth": "",
    **json.loads(sys.argv[1]),
}
SESSION = next(word for flag, word in zip(sys.argv, sys.argv[1:], strict=False) if flag in ("--session-id", "--resume"))
CONFIG = Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude")
SLUG = "".join(letter if letter.isalnum() else "-" for letter in os.path.realpath(os.getcwd()))
MAIN = CONFIG / "projects" / SLUG / f"{SESSION}.jsonl"
STOP, STARTED = threading.Event(), threading.Event()
LOCK = threading.Lock()


def say(**event: Any) -> None:
    """Say something on the control channel."""
    with LOCK:
        sys.stdout.write(json.dumps({**event, "session_id": SESSION}) + "\n")
        sys.stdout.flush()


def add(path: Path, text: str) -> None:
    """Add a line to a file, in one go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text + "\n")


def note(what: str) -> None:
    if PLAN["truth"]:
        add(Path(PLAN["truth"]), f"{what} {time.time():.3f}")


def message(name: str, number: int, path: Path) -> None:
    """Send one message."""
    note("begun")
    (STOP.wait if not PLAN["stubborn"] else time.sleep)(PLAN["pace"] if number < PLAN["quick"] else 60)
    note("paid")
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    head = {"id": f"msg_{name}_{number}", "model": "claude-opus-5-5", "content": [{"type": "text", "text": "more"}]}
    ident = f"req_{name}_{number}"
    say(type="assistant", message={**head, "usage": {"input_tokens": 3, "output_tokens": 1}}, request_id=ident)
    whole = {**head, "usage": {"input_tokens": 3, "output_tokens": PLAN["output"]}}
    told = json.dumps({"type": "assistant", "message": whole, "requestId": ident, "timestamp": stamp})
    if PLAN["transcript"] and number < PLAN["tells"]:
        timer = threading.Timer(PLAN["late"], add, (path, told))
        timer.daemon = False  # it is written even when everything else is over
        timer.start()


def work(name: str, path: Path) -> None:
    for number in range(PLAN["messages"]):
        if STOP.is_set() and not PLAN["stubborn"]:
            return
        message(name, number, path)


def turn() -> None:
    """One turn: the main loop and its subagents at once."""
    say(type="system", subtype="init", model="claude-opus-5-5")
    helpers = [f"agent-{os.getpid()}-{number}" for number in range(PLAN["subagents"])]
    files = [(name, MAIN.with_suffix("") / "subagents" / f"{name}.jsonl") for name in helpers]
    threads = [threading.Thread(target=work, args=place) for place in [(f"main-{os.getpid()}", MAIN), *files]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended = {"is_error": True, "terminal_reason": "aborted_streaming"} if STOP.is_set() else {"is_error": False}
    say(type="result", subtype="success", num_turns=1, **ended)


def main() -> None:
    if PLAN["stubborn"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["type"] == "user":
            STOP.clear()
            STARTED.set()
            threading.Thread(target=turn, daemon=True).start()
        elif asked["type"] == "control_request":
            asks = asked["request"]["subtype"]
            if asks == "interrupt":
                note("interrupted")
                STOP.set()
            cost = PLAN["hidden"] if STARTED.is_set() else 0.0
            told = {"session": {"total_cost_usd": cost}} if asks == "get_usage" else {}
            answer = {"subtype": "success", "request_id": asked["request_id"], "response": told}
            say(type="control_response", response=answer)
    time.sleep(600 if PLAN["stubborn"] else PLAN["lingers"])


main()
