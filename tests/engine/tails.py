"""A front end that follows logs."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from controlroom.client.client import Client, LogPage
from controlroom.domain.model import LogPlace
from tests.lab.waiting import wait_for_async

AGENT = "vm1/a1"


class Tail:
    """A front end that follows logs, and what it has been given."""

    opened: ClassVar[list[Tail]] = []

    def __init__(self, client: Client) -> None:
        self.opened.append(self)
        self.client = client
        self.pages: list[LogPage] = []
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def of(cls, place: LogPlace | None = None, agent: str = AGENT) -> Tail:
        tail = cls(await Client.connect(start=False))
        await tail.client.follow({agent: place})
        await tail.client.attached()  # what is said first is taken first: now its wish is known
        return tail

    async def _read(self) -> None:
        async for page in self.client.pages():
            self.pages.append(page)

    @property
    def lines(self) -> list[str]:
        return [record.body.decode() for page in self.pages for record in page.records]

    @property
    def skipped(self) -> int:
        return sum(page.skipped for page in self.pages)

    async def until(self, *last: str) -> None:
        await wait_for_async(lambda: self.lines[-len(last) :] == list(last), 5, f"{last} in {self.lines[-5:]}")

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self.client.close()
