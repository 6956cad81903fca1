"""Starts the runner from any folder: `python3 -I -S …/controlroom/runner/run.py FOLDER`, without site and its paths."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.dont_write_bytecode = True

# The largest file first: what compiling it takes is then free for all others, which saves a runner 0.4 MB.
import controlroom.runner.claude.questions  # noqa: E402, F401
from controlroom.runner.main import main  # noqa: E402 - the path comes first

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
