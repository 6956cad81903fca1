"""Makes an agent's worktree: `python3 -I -S …/runner/worktree/prepare.py FOLDER`, in the environment of the agent.

FOLDER is the agent's. What is done is said line by line; what came of it stands in `folder.WORKTREE` there, with the
variables that the agent is to have, or a `problem`. 0: done; 1: it cannot be. A program of its own, so that a runner
stays small, answers while this goes on, and can end it.
"""

import json
import os
import signal
import sys
import time
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))))
sys.dont_write_bytecode = True

from controlroom.runner import folder  # noqa: E402 - the path comes first
from controlroom.runner.files import read_regular, why, write_atomic  # noqa: E402
from controlroom.runner.outcome import Unfit  # noqa: E402
from controlroom.runner.spec import read_order  # noqa: E402
from controlroom.runner.worktree.making import prepared, variables  # noqa: E402
from controlroom.runner.worktree.record import MAKING  # noqa: E402

_SPEC_MOST = 16 * 1024 * 1024


def main(place: str) -> int:
    """Make it, and write down what came of it."""
    os.chdir(place)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))  # what was made so far is taken away again
    try:
        result = _result()
    except Unfit as error:
        result = {"problem": str(error)}
    except Exception as error:  # whatever it is: the runner must have a sentence
        result = {"problem": f"no worktree: {why(error)} ({type(error).__name__})"}
    write_atomic(folder.WORKTREE, json.dumps(result).encode())
    return 1 if "problem" in result else 0


def _result() -> dict[str, Any]:
    order = read_order(read_regular(folder.SPEC, _SPEC_MOST))
    state = os.path.dirname(os.path.dirname(os.getcwd()))
    now = time.time_ns() // 1_000_000
    worktree = prepared(order, state, os.environ, now, _say, _out)
    if worktree is None:
        return {}
    return {"worktree": worktree._asdict(), "cwd": worktree.cwd, "variables": variables(worktree)}


def _say(words: str) -> None:
    _out(f"{MAKING}{words}\n".encode("utf-8", "replace"))


def _out(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
