"""What home signs and a runner checks, so that nobody else on its host can order anything: the bytes of each order.

A runner knows the room's public key from its beginning, before its agent exists, and nothing on the host can make a
signature: neither the agent nor the node. Read by the runner, which must stay small.
"""

import json
from collections.abc import Mapping
from typing import Any


def order_bytes(name: str, epoch: int, request: Mapping[str, Any]) -> bytes:
    """Give what is signed of a request to an agent's runner, all of it but the signature."""
    said = {key: value for key, value in request.items() if key != "signature"}
    return json.dumps(["order", name, epoch, said], sort_keys=True).encode()


def grant_bytes(
    name: str,
    epoch: int,
    number: int,
    ceilings: tuple["int | None", "int | None", "int | None", Mapping[str, int]],
    lasts: int,
    prices: str,
) -> bytes:
    """Give what is signed of a grant. `ceilings`: billed, covered, tokens, windows."""
    return json.dumps(["grant", name, epoch, number, *ceilings, lasts, prices], sort_keys=True).encode()
