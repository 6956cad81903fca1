"""The process that plays a scene: to its runner it is Claude Code on its control channel, or a plain command.

    python -m controlroom.demo.agent SCENE [--seed N] [--pace X] [--beats N]  [what Claude Code would be given]

--pace    multiplies every pause; 1 is as written
--beats   play so many beats without any pause, then stand still (and go on answering): for pictures

A scene of kind `headless` waits for its task on stdin, asks for permission and waits, obeys interrupts, takes messages,
and ends when its stdin does. A scene of kind `command` prints.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Sequence
from random import Random
from typing import IO

from controlroom.demo.player import Ended, Orders, Player, read_orders
from controlroom.demo.scenes import SCENES, Exit, Print
from controlroom.demo.speech import Event, write_down
from controlroom.text.states import AgentKind


def print_scene(orders: Orders, out: IO[str], error: IO[str]) -> int:
    """Play a scene of kind `command`; give its exit code."""
    left = orders.beats
    dice = Random(f"{orders.scene}/{orders.seed}")  # noqa: S311 - a story, not a secret
    for beat in SCENES[orders.scene].play(dice):
        if left is not None:
            left -= 1
            if left < 0:
                signal.pause()
        if isinstance(beat, Exit):
            return beat.code
        if isinstance(beat, Print):
            time.sleep(beat.after * orders.pace if left is None else 0)
            print(beat.text, file=error if beat.error else out, flush=True)
    return 0


def _listen(heard: queue.Queue[Event | None]) -> None:
    for line in sys.stdin.buffer:
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict):
            heard.put(message)
    heard.put(None)


def _write(event: Event) -> None:
    sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _play(orders: Orders, heard: queue.Queue[Event | None]) -> int:
    """Play a session; where a config folder is given, its transcript is written there, as Claude does."""

    def say(event: Event) -> None:
        _write(event)
        if message := player.speech.settled:
            player.speech.settled = None
            if "CLAUDE_CONFIG_DIR" in os.environ:
                write_down(message, player.speech.session, os.environ, os.getcwd(), time.time())

    player = Player(orders, heard, say)
    return player.run()


def main(argv: Sequence[str]) -> int:
    """Play the scene that the command line names."""
    try:
        orders = read_orders(argv)
    except ValueError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    signal.signal(signal.SIGTERM, lambda number, _frame: os._exit(128 + number))
    try:
        if SCENES[orders.scene].kind == AgentKind.COMMAND:
            return print_scene(orders, sys.stdout, sys.stderr)
        heard: queue.Queue[Event | None] = queue.Queue()
        threading.Thread(target=_listen, args=(heard,), daemon=True).start()
        return _play(orders, heard)
    except Ended as end:
        return end.code
    except (BrokenPipeError, KeyboardInterrupt):
        return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # the listening thread sits in a read that nothing ends
