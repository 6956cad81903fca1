"""Whether something is signed by the room of an agent, and was not ordered before."""

from collections.abc import Mapping
from typing import Any

from controlroom.runner import ed25519
from controlroom.runner.outcome import Unsigned
from controlroom.text.json_fields import text
from controlroom.wire.signing import order_bytes

_MOST = 100_000
"""Orders that one run takes: each is remembered, so that none is taken twice."""


def is_signed(key: str, data: bytes, signature: str) -> bool:
    """Return whether a signature is that of the owner of a key, both in hexadecimal digits."""
    try:
        return ed25519.is_signed(bytes.fromhex(key), data, bytes.fromhex(signature))
    except ValueError:
        return False


class Orders:
    """What one run is ordered, each order once."""

    def __init__(self, key: str, name: str, epoch: int, owner: str) -> None:
        """`key`: the room's public key; "": the room is older and signs nothing.

        `owner`: the room and the host; "": the room is older and signs for any host.
        """
        self._key, self._name, self._epoch, self._owner = key, name, epoch, owner
        self._taken: set[str] = set()

    def check(self, request: Mapping[str, Any]) -> None:
        """Check that an order is the room's, by all of its fields. Raises `Unsigned`."""
        if not self._key:
            return
        nonce = text(request.get("nonce"), 64)
        repeated = nonce in self._taken or len(self._taken) >= _MOST
        data = order_bytes(self._name, self._epoch, request, self._owner)
        signature = text(request.get("bound" if self._owner else "signature"), 256)
        if not nonce or repeated or not is_signed(self._key, data, signature):
            raise Unsigned(
                "it takes orders of the room that began it alone, and this is none (or has come before): "
                "kill it, or reassign it"
            )
        self._taken.add(nonce)
