"""A room that signs, for tests that play home."""

from __future__ import annotations

from itertools import count
from typing import Any

from controlroom.engine.hosts.signer import Signer
from controlroom.wire.grants import Grant
from controlroom.wire.messages import Spawn, Tell
from controlroom.wire.signing import order_bytes, owner_of

ROOM, HOST = "room-1", "vm1"
OWNER = owner_of(ROOM, HOST)
REQUESTS = count(1)


def signer(seed: str = "07" * 32) -> Signer:
    """A room; another seed, another room."""
    numbers = count(1)
    return Signer(seed, ROOM, lambda: f"nonce-{next(numbers)}")


def signed_request(room: Signer, name: str, epoch: int, request: dict[str, Any], owner: str = OWNER) -> dict[str, Any]:
    """What a runner is asked, signed as home does it."""
    fresh = {**request, "nonce": f"request-{next(REQUESTS)}"}
    fresh["bound"] = room.sign(order_bytes(name, epoch, fresh, owner))
    return {**fresh, "signature": room.sign(order_bytes(name, epoch, fresh))}


def told(room: Signer, tell: Tell) -> Tell:
    """A signed order."""
    made = room.signed(HOST, tell)
    assert isinstance(made, Tell)
    return made


def granted(room: Signer, grant: Grant) -> Grant:
    """A signed grant."""
    made = room.signed(HOST, grant)
    assert isinstance(made, Grant)
    return made


def spawned(room: Signer, spawn: Spawn) -> Spawn:
    """An order that names the key of its room."""
    made = room.signed(HOST, spawn)
    assert isinstance(made, Spawn)
    return made
