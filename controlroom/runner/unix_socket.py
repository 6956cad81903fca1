"""Unix sockets of a runner, as `_socket` has them: to load the rest of `socket` is a twelfth of a runner's start."""

import _socket
import contextlib
import os
import selectors
from collections.abc import Callable

Connection = _socket.socket


class Listener:
    """Listens at a place in the current folder that only its user may connect to, and replaces what was there."""

    def __init__(
        self, place: str, most: int, selector: selectors.BaseSelector, take: Callable[[Connection], None]
    ) -> None:
        """`take` is given each connection, which never blocks; `most`: how many may wait to be taken."""
        self._selector, self._take = selector, take
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place)
        self._socket.bind(place)
        os.chmod(place, 0o600)
        self._socket.listen(most)
        self._socket.setblocking(False)
        selector.register(self._socket, selectors.EVENT_READ, lambda _mask: self._accept())

    def close(self) -> None:
        """Listen no more."""
        self._selector.unregister(self._socket)
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            number, _ = self._socket._accept()  # type: ignore[attr-defined]
            connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, number)
            connection.setblocking(False)
            self._take(connection)
