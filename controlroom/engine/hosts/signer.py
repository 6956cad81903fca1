"""Signs what the room orders: a runner carries out nothing without the room's signature."""

import secrets
from collections.abc import Callable
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controlroom.wire.grants import Grant
from controlroom.wire.messages import Spawn, Tell, ToNode
from controlroom.wire.signing import grant_bytes, order_bytes, owner_of


class Signer:
    """Signs for one room."""

    def __init__(self, seed: str, room: str, nonce: Callable[[], str] = lambda: secrets.token_hex(12)) -> None:
        """`seed`: the secret of `room`, 32 bytes in hexadecimal digits; `nonce`: gives a text that it never gave."""
        self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
        self._room, self._nonce = room, nonce
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def signed(self, host: str, message: ToNode) -> ToNode:
        """Return a message to a host with all the signatures that it must have; most need none."""
        owner = owner_of(self._room, host)
        if isinstance(message, Tell):
            fresh = replace(message, nonce=self._nonce(), bound="")
            bound = self.sign(order_bytes(fresh.name, fresh.epoch, fresh.signed_fields, owner))
            fresh = replace(fresh, bound=bound)
            return replace(fresh, signature=self.sign(order_bytes(fresh.name, fresh.epoch, fresh.signed_fields)))
        if isinstance(message, Grant):
            return self._granted(message, owner)
        if isinstance(message, Spawn):
            grant = self._granted(message.grant, owner) if message.grant is not None else None
            return replace(message, key=self.public, owner=owner, grant=grant)
        return message

    def _granted(self, grant: Grant, owner: str) -> Grant:
        allowance = grant.allowance
        ceilings = allowance.billed, allowance.covered, allowance.tokens, allowance.windows
        terms = grant.name, grant.epoch, grant.number, ceilings, grant.lasts, grant.prices
        signatures = self.sign(grant_bytes(*terms)), self.sign(grant_bytes(*terms, owner))
        return replace(grant, key=self.public, owner=owner, signature=signatures[0], bound=signatures[1])

    def sign(self, data: bytes) -> str:
        """The room's signature of some bytes, in hexadecimal digits."""
        return self._key.sign(data).hex()
