"""What an agent is told on its stdin, given over as fast as it is read. Read by the runner, which must stay small."""

import selectors
from collections.abc import Callable

from controlroom.runner.agent_process import Inlet


class AgentInput:
    """Waits, in the runner's loop, for the agent to take what it is given."""

    def __init__(self, selector: selectors.BaseSelector, end: int, lost: Callable[[], None]) -> None:
        """`end`: our end of its stdin; `lost` is called when it has closed the other before it took everything."""
        self._selector, self._lost = selector, lost
        self._inlet = Inlet(end)
        self._waits = False

    def write(self, data: bytes) -> None:
        """Give it bytes; nothing happens after `close`."""
        self._inlet.write(data)
        self._pour()

    def close(self) -> None:
        """Close its input once it has taken everything."""
        self._inlet.close()
        self._pour()

    def _pour(self, _mask: int = 0) -> None:
        """Give over what it takes now, and wait for it to take the rest."""
        inlet = self._inlet
        if self._waits:
            self._selector.unregister(inlet.end)
        if not inlet.flush():
            self._lost()
        self._waits = inlet.wants
        if self._waits:
            self._selector.register(inlet.end, selectors.EVENT_WRITE, self._pour)


def speakable(task: str) -> str:
    """Give a task as Claude can be told it: bytes that are no text become signs for that."""
    return task.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
