"""The entry of a shipped node: `python3 -I -S BUNDLE/controlroom/node/serve.py`."""

import gc
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def _from_sources() -> None:
    """Load all of ours anew, and nothing that was compiled before."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "controlroom"]:
        del sys.modules[name]
    sys.dont_write_bytecode, sys.pycache_prefix = True, os.devnull


if __name__ == "__main__":
    gc.disable()  # what is loaded now stays
    try:
        from controlroom.node.main import main
    except (EOFError, ValueError, TypeError):  # a full disk or a power cut has left half of a compiled file
        _from_sources()
        from controlroom.node.main import main
    code = main()
    sys.stderr.flush()
    os._exit(code)  # at once: a thread may hang on a file system that does not answer
