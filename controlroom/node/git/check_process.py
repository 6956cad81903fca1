"""Runs checks on a merge that is not made yet: `python3 -I -S …/node/git/check_process.py`.

A program of its own, so that whatever a check starts is below it, and ends with it, also when the node is killed: then
its stdin ends. The order comes there as one JSON line, what came of it leaves on stdout as one.
"""

import json
import os
import selectors
import sys
import time
from typing import Any

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)))
sys.dont_write_bytecode = True

from controlroom.runner.agent_process import adopt_orphans  # noqa: E402 - the path comes first
from controlroom.runner.checks import CheckRunner  # noqa: E402
from controlroom.runner.log_writer import LinePart  # noqa: E402
from controlroom.text.checks import CheckOrder  # noqa: E402

_LOOK = 0.1
"""Seconds between two looks whether a check has ended."""


class _NoLog:
    """Takes what is logged of an agent's checks."""

    def note(self, words: str) -> None:
        """Keep nothing."""

    def output(self, pieces: list[LinePart]) -> None:
        """Keep nothing."""


def main() -> int:
    """Run the checks that stdin names; 0: they were run, whatever came of them."""
    adopt_orphans()
    order = json.loads(sys.stdin.buffer.readline())
    sys.stdout.write(json.dumps(run(order, sys.stdin.fileno())) + "\n")
    sys.stdout.flush()
    return 0


def run(order: dict[str, Any], source: int) -> dict[str, Any]:
    """Run the checks of an order to their end, or until whoever wants them is gone (`source` ends)."""
    selector = selectors.DefaultSelector()
    wanted = CheckOrder(tuple(tuple(command) for command in order["commands"]), order["minutes"])
    checks = CheckRunner(wanted, selector, _NoLog(), lambda: time.time_ns() // 1_000_000, lambda: 0, {})
    gone: list[bool] = []
    selector.register(source, selectors.EVENT_READ, lambda _mask: _listen(selector, source, gone))
    checks.begin(order["environ"], order["folder"])
    while checks.busy:
        wait = min(_LOOK, max(0.0, checks.wakes_at() - time.monotonic()))
        for key, mask in selector.select(wait):
            key.data(mask)
        while (ended := _ended())[0]:
            checks.reaped(*ended)
        checks.due(works=bool(gone))
    checks.finish()
    return checks.fields()


def _listen(selector: selectors.BaseSelector, source: int, gone: list[bool]) -> None:
    if not os.read(source, 4096):
        selector.unregister(source)
        gone.append(True)


def _ended() -> tuple[int, int]:
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return 0, 0


if __name__ == "__main__":
    sys.exit(main())
