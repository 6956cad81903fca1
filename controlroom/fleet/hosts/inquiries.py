"""Questions to hosts that are on their way: each is answered once, by the host it was put to, or not at all."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from controlroom.wire.inquiries import Finding, Inquiry
from controlroom.wire.messages import Fetch, Fetched

PATIENCE = 20.0
"""Seconds for a host to answer."""

MAX_OPEN = 64
"""Questions that may be under way to one host."""

Asked = Inquiry | Fetch
Answer = Finding | Fetched
A = TypeVar("A", bound=Answer)


class Unanswered(Exception):
    """A host could not be asked, or did not answer; the text is a sentence for people."""


class Inquiries:
    """All questions under way. `send` hands a message to a host's link, or says that it is not up."""

    def __init__(self, send: Callable[[str, Asked], bool]) -> None:
        self._send = send
        self._open: dict[int, tuple[str, asyncio.Future[Answer]]] = {}

    async def ask(self, host: str, asked: Asked, kind: type[A], patience: float | None = None) -> A:
        """Put a question to a host, and wait up to `patience` seconds. Raises `Unanswered`.

        What the host itself has to say against it is in its answer.
        """
        under_way = sum(1 for where, _ in self._open.values() if where == host)
        if under_way >= MAX_OPEN or not self._send(host, asked):
            raise Unanswered(f"{host} cannot be asked now")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._open[asked.id] = host, answer
        seconds = PATIENCE if patience is None else patience
        try:
            async with asyncio.timeout(seconds):  # wait_for of Python 3.11 can lose a cancellation here
                found = await answer
        except TimeoutError:
            raise Unanswered(f"{host} did not answer within {seconds:g} s") from None
        finally:
            del self._open[asked.id]
        if not isinstance(found, kind):
            raise Unanswered(f"{host} answered something else")
        return found

    def answered(self, host: str, found: Answer) -> bool:
        """A host answers; an answer that nobody waits for is dropped. Says whether somebody did."""
        asked, answer = self._open.get(found.id, ("", None))
        if asked != host or answer is None or answer.done():
            return False
        answer.set_result(found)
        return True

    def host_down(self, host: str) -> None:
        """Nothing that was asked of it will be answered."""
        for asked, answer in self._open.values():
            if asked == host and not answer.done():
                answer.set_exception(Unanswered(f"the link to {host} was lost"))
