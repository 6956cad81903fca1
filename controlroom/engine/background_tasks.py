"""What is being done meanwhile: nobody waits for it, and the end of the room ends it."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("controlroom.engine")


class BackgroundTasks:
    """Some things of one kind that are under way. All methods are called on the event loop."""

    def __init__(self, name: str) -> None:
        """`name` says of what kind they are."""
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Give how many are under way."""
        return len(self._tasks)

    def begin(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Have something done; that it failed is a line in the log."""
        task = asyncio.get_running_loop().create_task(work, name=self._name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def close(self) -> None:
        """End all that are under way."""
        for task in self._tasks:
            task.cancel()

    async def wait_idle(self) -> None:
        """Wait until none is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (mistake := task.exception()) is not None:
            log.error("%s failed", self._name, exc_info=mistake)
