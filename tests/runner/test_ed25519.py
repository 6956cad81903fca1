"""Signatures: those of RFC 8032, section 7.1, and those that a well-known library makes, true and bent."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.runner.ed25519 import ORDER, is_signed

RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
            "4a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032)
def test_the_signatures_of_the_standard_are_good(key: str, message: str, signature: str) -> None:
    data = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
    assert is_signed(*data)
    assert not is_signed(data[0], data[1] + b"x", data[2])


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.data())
def test_what_a_library_signs_is_good_until_a_bit_of_it_is_bent(
    seed: bytes, message: bytes, data: st.DataObject
) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = private.sign(message)
    assert is_signed(key, message, signature)
    at, bit = data.draw(st.integers(0, 63)), 1 << data.draw(st.integers(0, 7))
    assert not is_signed(key, message, signature[:at] + bytes([signature[at] ^ bit]) + signature[at + 1 :])
    assert not is_signed(key, message + b"x", signature)


def test_what_is_no_signature_is_none() -> None:
    key, message, signature = (bytes.fromhex(part) for part in RFC_8032[1])
    more = int.from_bytes(signature[32:], "little") + ORDER
    for bent in (
        b"",
        signature[:63],
        signature + b"x",
        bytes(64),
        b"\xff" * 64,
        signature[:32] + more.to_bytes(32, "little"),
    ):
        assert not is_signed(key, message, bent)
    for other in (b"", key[:31], bytes(32), b"\xff" * 32):
        assert not is_signed(other, message, signature)
