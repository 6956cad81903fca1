"""A lead of a room: its rights, and whoever speaks at its socket."""

from __future__ import annotations

import hashlib
import socket
from dataclasses import replace

from controlroom.domain.leads import VERBS, AddLead, Lead
from controlroom.domain.orders import Result
from controlroom.protocol.messages import VERSION, Hello, Request
from tests.engine.raw_reader import RawReader
from tests.engine.rooms import Room

TOKEN = "t0ken-of-a-test-which-is-long-enough-43-characters"

LEAD = Lead("research", VERBS, ("vm1",), ("docs",), 2, 5_000_000)


async def give(here: Room, lead: Lead = LEAD, token: str = TOKEN) -> Result:
    """Have a person give a lead its rights."""
    return await here.engine.submit(AddLead(lead, hashlib.sha256(token.encode()).hexdigest()), "ann (test)")


async def leading(here: Room, *requests: Request | bytes, token: str = TOKEN, role: str = "lead") -> RawReader:
    """Whoever says hello at the socket for leads, by hand."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(here.home.lead_socket))
    session = RawReader(connection)
    await session.say(replace(Hello(VERSION, role, "eve"), token=token), *requests)
    return session
