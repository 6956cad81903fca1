"""`python -m tests.lab.messages_api --port 8099 [--host H] [KEY=JSON ...]`: the stand-in by hand."""

from __future__ import annotations

import argparse
import json
import signal
import sys

from tests.lab.messages_api.server import Api


def main() -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.messages_api", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("config", nargs="*", metavar="KEY=JSON")
    given = parser.parse_args()
    config = {name: json.loads(value) for name, _, value in (pair.partition("=") for pair in given.config)}
    with Api(given.host, given.port, **config) as api:
        print(api.url, flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


if __name__ == "__main__":
    sys.exit(main())
