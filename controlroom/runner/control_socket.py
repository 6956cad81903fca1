"""The runner's control socket: one JSON request and one reply a connection."""

import _socket
import contextlib
import os
import selectors
import struct
import time
from collections.abc import Callable

from controlroom.runner import folder
from controlroom.runner.unix_socket import Connection, Listener
from controlroom.wire.lines import LineSplitter, PeerError, to_line
from controlroom.wire.runner import Received, RunnerReply, UnknownRequest, read_request, reply_fields

_CALLERS = 16
_PEER = struct.Struct("3i")
_REQUEST_SECONDS = 10.0


class Caller:
    """One connection: what it asked, and the way to answer it."""

    def __init__(self, control: "ControlSocket", connection: Connection) -> None:
        self._control = control
        self._lines = LineSplitter()
        self.connection = connection
        self.until = time.monotonic() + _REQUEST_SECONDS
        self.asked = False

    def reply(self, reason: str = "", *, unknown: bool = False) -> None:
        """Say that it was done, or for which `reason` it was not; then hang up."""
        with contextlib.suppress(OSError):
            self.connection.send(to_line(reply_fields(RunnerReply(reason, unknown))))
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection without an answer."""
        self._control.forget(self)

    @property
    def pid(self) -> int:
        """The process that has connected; 0 where the system does not say."""
        with contextlib.suppress(OSError, AttributeError):
            peer = self.connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _PEER.size)
            return int(_PEER.unpack(peer)[0])
        return 0

    def readable(self) -> None:
        """Take what has arrived; hand over the request once it is complete."""
        try:
            data = self.connection.recv(65_536)
            lines = self._lines.feed(data)
            request = read_request(lines[0]) if lines and not self.asked else None
        except BlockingIOError:
            return
        except PeerError as error:
            self.reply(str(error), unknown=isinstance(error, UnknownRequest))
            return
        except OSError:
            self.hang_up()
            return
        if request is not None:
            self.asked = True
            self._control.handle(request, self)
        elif not data and not self.asked:
            self.hang_up()
        elif not data:
            self._control.deaf(self)


class ControlSocket:
    """Listens in the current folder. `handle` gets each request with the caller to reply to, now or later."""

    def __init__(self, selector: selectors.BaseSelector, handle: Callable[[Received, Caller], None]) -> None:
        self.handle = handle
        self._selector = selector
        self._callers: set[Caller] = set()
        self._listener = Listener(folder.CONTROL, _CALLERS, selector, self._take)

    def hang_up_late(self) -> None:
        """Hang up on callers that have not asked anything in time."""
        now = time.monotonic()
        for caller in [caller for caller in self._callers if not caller.asked and caller.until < now]:
            caller.hang_up()

    @property
    def busy(self) -> bool:
        """Whether somebody is connected."""
        return bool(self._callers)

    def close(self) -> None:
        """Stop listening; callers that wait get nothing more."""
        with contextlib.suppress(OSError):
            os.unlink(folder.CONTROL)
        for caller in list(self._callers):
            caller.hang_up()
        self._listener.close()

    def forget(self, caller: Caller) -> None:
        """Close a caller's connection."""
        if caller in self._callers:
            self._callers.discard(caller)
            self.deaf(caller)
            caller.connection.close()

    def deaf(self, caller: Caller) -> None:
        """Read no more from a caller that has said all it will."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(caller.connection)

    def _take(self, connection: Connection) -> None:
        if len(self._callers) >= _CALLERS:
            connection.close()
            return
        caller = Caller(self, connection)
        self._callers.add(caller)
        self._selector.register(connection, selectors.EVENT_READ, lambda _mask: caller.readable())
