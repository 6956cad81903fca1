"""The entry of a shipped node: `python3 -I -S BUNDLE/controlroom/node/serve.py`."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from controlroom.node.main import main

if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # at once: a thread may hang on a file system that does not answer
