"""The stand-in as a test holds it: a server on a free port, in a thread."""

from __future__ import annotations

import sys
import threading
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.lab.messages_api.defaults import Json
from tests.lab.messages_api.handler import Handler
from tests.lab.messages_api.state import State


class Server(ThreadingHTTPServer):
    """A thread for each connection; none of them keeps the process alive."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Api:
    """A running stand-in. A context manager: leaving it closes the server."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, **config: Any) -> None:
        """Listen on `host` at `port` (0: a free one), with these changes to `defaults.CONFIG`."""
        self.state = State(config)
        self.server = Server((host, port), type("BoundHandler", (Handler,), {"state": self.state}))
        self.port = int(self.server.server_address[1])
        self.url = f"http://{host}:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def configure(self, **changes: Any) -> None:
        """Change the configuration from now on; KeyError for an unknown key."""
        self.state.configure(changes)

    def queue(self, *steps: Json, match: Json | None = None) -> None:
        """Serve these steps first: {"kind": "text" | "tool" | "error" | "midstream" | "drop", ...}."""
        self.state.enqueue(list(steps), match)

    def requests(self, path: str = "/v1/messages", main: bool = False) -> list[Json]:
        """What was asked, oldest first: those with `path` in their path, `main` only those of the main loop."""
        with self.state.lock:
            seen = [entry for entry in self.state.requests if path in entry["path"].replace("/count_tokens", "#")]
        return [entry for entry in seen if not (main and entry.get("aux"))]

    def reset(self) -> None:
        """Forget everything, also the changes to the configuration."""
        self.state.reset()

    def hold(self) -> None:
        """Answer no message until `release`: who asks waits."""
        self.state.open.clear()

    def release(self) -> None:
        """Answer what waits, and what comes."""
        self.state.open.set()

    def close(self) -> None:
        """Stop listening."""
        self.release()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)
