"""A short soak in every run; the long one is `python -m tests.soak`."""

from __future__ import annotations

import pytest

from tests.conftest import MakeHosts
from tests.faults.room import room_of
from tests.faults.soak import Soak, nothing_outlives_the_engine

pytestmark = pytest.mark.usefixtures("home")


async def test_faults_and_orders_at_random_end_in_order(
    ssh_hosts: MakeHosts, seed: int, request: pytest.FixtureRequest
) -> None:
    long = bool(request.config.getoption("long"))
    hosts = ssh_hosts(2)
    async with room_of(hosts) as room:
        soak = Soak(room, 60 if long else 16, seed, print, None)
        await soak.run(120 if long else 12)
        await soak.end_all()
    await nothing_outlives_the_engine(hosts)
