"""The room's signature under what it orders: a runner carries out nothing that does not have it."""

import secrets
from collections.abc import Callable
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controlroom.wire.grants import Grant
from controlroom.wire.messages import Spawn, Tell, ToNode
from controlroom.wire.signing import grant_bytes, order_bytes


class Signer:
    """Signs for one room."""

    def __init__(self, seed: str, nonce: Callable[[], str] = lambda: secrets.token_hex(12)) -> None:
        """`seed`: 32 bytes in hexadecimal digits, the room's secret; `nonce` gives a text that it never gave before."""
        self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
        self._nonce = nonce
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def signed(self, message: ToNode) -> ToNode:
        """Give a message with all the signatures that it must have; most need none."""
        if isinstance(message, Tell):
            fresh = replace(message, nonce=self._nonce())
            return replace(fresh, signature=self._sign(order_bytes(fresh.name, fresh.epoch, fresh.request)))
        if isinstance(message, Grant):
            return self._granted(message)
        if isinstance(message, Spawn):
            grant = self._granted(message.grant) if message.grant is not None else None
            return replace(message, key=self.public, grant=grant)
        return message

    def _granted(self, grant: Grant) -> Grant:
        given = grant.allowance
        ceilings = given.billed, given.covered, given.tokens, given.windows
        data = grant_bytes(grant.name, grant.epoch, grant.number, ceilings, grant.lasts, grant.prices)
        return replace(grant, key=self.public, signature=self._sign(data))

    def _sign(self, data: bytes) -> str:
        return self._key.sign(data).hex()
