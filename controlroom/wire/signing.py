"""What home signs and a runner checks, so that nobody else on its host can order anything: the bytes of each order.

A runner knows the room's public key from its beginning, before its agent exists, and nothing on the host can make a
signature: neither the agent nor the node. What is signed names the room and the host (`owner`), so that nothing that
was ordered on one host can be shown on another, to an agent of the same name. Runners that began before they knew
that check a signature without it and run on through an upgrade, so home gives both: each checks its own alone.
"""

import json
from collections.abc import Mapping
from typing import Any

_SIGNATURES = ("signature", "bound")


def owner_of(room: str, host: str) -> str:
    """Name whose the agents of a host are: which room's, on which host."""
    return f"{room} {host}"


def order_bytes(name: str, epoch: int, request: Mapping[str, Any], owner: str = "") -> bytes:
    """Return what is signed of a request to an agent's runner, all of it but the signatures.

    Without an `owner`: for an older runner, which takes whatever is not its own signature for a part of the request.
    """
    if not owner:
        signed = {key: value for key, value in request.items() if key != "signature"}
        return json.dumps(["order", name, epoch, signed], sort_keys=True).encode()
    signed = {key: value for key, value in request.items() if key not in _SIGNATURES}
    return json.dumps(["order", owner, name, epoch, signed], sort_keys=True).encode()


def grant_bytes(
    name: str,
    epoch: int,
    number: int,
    ceilings: tuple["int | None", "int | None", "int | None", Mapping[str, int]],
    lasts: int,
    prices: str,
    owner: str = "",
) -> bytes:
    """What is signed of a grant. `ceilings`: billed, covered, tokens, windows; no `owner`: for an older runner."""
    whose = [owner] if owner else []
    return json.dumps(["grant", *whose, name, epoch, number, *ceilings, lasts, prices], sort_keys=True).encode()
