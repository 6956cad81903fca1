"""Permission requests of a Claude on a terminal, as its hook tells them: the tool and its whole input, not a screen.

Whoever asks through the socket gets the answer himself, about just what he asked: one that the agent makes up answers
nothing but itself. Claude does not name the call; which of several requests its dialog is about the screen says.
"""

import contextlib
import json
import os
import selectors
import shlex
import sys
import time
from collections.abc import Callable
from typing import Any

from controlroom.runner.claude import permission_hook
from controlroom.runner.claude.permission_hook import MOST, SOCKET
from controlroom.runner.claude.questions import ASKS, SHOWS_PLAN
from controlroom.runner.unix_socket import Connection, Listener
from controlroom.text.json_fields import table, text
from controlroom.text.states import Verdict

_PENDING = 16
"""Requests at once; of more the person sees the dialogs, and no rule answers them."""
_COMES_UP = 30.0
"""Seconds in which the dialog comes up that a request is for."""
_SECONDS = 24 * 3600
"""For which a request waits: Claude would end the hook after ten minutes."""


def setting(folder: str) -> dict[str, Any]:
    """Return the hook as Claude's settings have it. It never fails: of code that is gone the exit would be a denial."""
    program = os.path.abspath(permission_hook.__file__)
    command = shlex.join((sys.executable or "python3", "-I", "-S", program, folder))
    hook = {"type": "command", "command": f"{command} 2>/dev/null || exit 0", "timeout": _SECONDS}
    return {"PermissionRequest": [{"matcher": "", "hooks": [hook]}]}


class PermissionRequest:
    """One request, and the connection that waits for its answer. `tool`: "" until all of it has arrived.

    What a person is to choose, and plans, are let go: no rule answers them.
    """

    def __init__(self, requests: "PermissionRequests", connection: Connection, number: int) -> None:
        self._requests, self._connection = requests, connection
        self._data, self._at = b"", time.monotonic()
        self.shown = False
        """Whether its dialog has been on the screen."""
        self.id, self.tool = f"hook-{number}", ""
        self.given: dict[str, Any] = {}

    @property
    def is_open(self) -> bool:
        """Whether its hook still waits."""
        return self in self._requests.pending

    @property
    def is_over(self) -> bool:
        """Whether its dialog has been answered, now that none is open; it may be about to come up."""
        return self.shown or time.monotonic() > self._at + _COMES_UP

    def decide(self, verdict: Verdict, words: str) -> bool:
        """Allow it, or deny it with words for Claude; False when its hook is gone."""
        decision = {"behavior": "allow"} if verdict is Verdict.ALLOW else {"behavior": "deny", "message": words}
        said = {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}
        data = json.dumps(said).encode()
        sent = 0
        with contextlib.suppress(OSError):
            sent = self._connection.send(data) if self.is_open else 0
        self.close()
        return sent == len(data)

    def close(self) -> None:
        """Let the hook end; without a decision the person decides."""
        self._requests.forget(self, self._connection)

    def readable(self) -> None:
        """Take what has arrived. After its line it only waits, and is gone when its connection is."""
        try:
            data = self._connection.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._data += data
        if not data or self.tool or len(self._data) > MOST + 1:
            self.close()
        elif self._data.endswith(b"\n"):
            self._read()

    def _read(self) -> None:
        try:
            request = table(json.loads(self._data))
        except (ValueError, RecursionError):
            request = {}
        self._data = b""
        self.given, tool = table(request.get("tool_input")), text(request.get("tool_name"), 200)
        if request.get("hook_event_name") == "PermissionRequest" and tool not in ("", ASKS, SHOWS_PLAN):
            self.tool = tool
            self._requests.wake()
        else:
            self.close()


class PermissionRequests:
    """Those that are open. Listens in the current folder."""

    def __init__(self, selector: selectors.BaseSelector, wake: Callable[[], None]) -> None:
        """`wake` is called whenever all of a request has arrived."""
        self._selector, self.wake, self._number = selector, wake, 0
        self.pending: list[PermissionRequest] = []
        self._listener = Listener(SOCKET, _PENDING, selector, self._take)

    def _take(self, connection: Connection) -> None:
        if len(self.pending) >= _PENDING:
            connection.close()
            return
        self._number += 1
        request = PermissionRequest(self, connection, self._number)
        self.pending.append(request)
        self._selector.register(connection, selectors.EVENT_READ, lambda _mask: request.readable())

    @property
    def told(self) -> list[PermissionRequest]:
        """Those of which all has arrived."""
        return [request for request in self.pending if request.tool]

    def over(self) -> None:
        """No dialog is open: what has been answered by a person waits no longer."""
        for request in [request for request in self.told if request.is_over]:
            request.close()

    def close(self) -> None:
        """Stop listening, and let all go."""
        with contextlib.suppress(OSError):
            os.unlink(SOCKET)
        for request in list(self.pending):
            request.close()
        self._listener.close()

    def deaf(self, connection: Connection) -> None:
        """Read no more from one that has said all."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection)

    def forget(self, request: PermissionRequest, connection: Connection) -> None:
        """Close the connection of one."""
        if request in self.pending:
            self.pending.remove(request)
            self.deaf(connection)
            connection.close()
