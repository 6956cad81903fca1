"""One process that writes for many agents: `python -m tests.benchmarks.feeder FOLDER RATE`, until it is ended.

Each FIFO in the folder is what one agent reads (`cat FIFO`) and so says. Each gets RATE lines a second, evenly spread;
a line carries the UTC milliseconds at which it was written, between two @.
"""

import os
import sys
import time
from itertools import count
from pathlib import Path


def main(folder: Path, rate: float) -> None:
    """Write lines for ever."""
    ends = [os.open(path, os.O_WRONLY) for path in sorted(folder.iterdir())]
    due = time.monotonic()
    for number in count():
        for end in ends:
            due += 1 / (rate * len(ends))
            time.sleep(max(0.0, due - time.monotonic()))
            os.write(end, b"line %d @%d@\n" % (number, time.time() * 1000))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
