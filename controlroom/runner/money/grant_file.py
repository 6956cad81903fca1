"""grant.json: what one run may spend, as its runner goes by it. Written by the node, in one step.

`RunCeilings` hold what `wire.grants.Grant` says, which the runner cannot afford to import.
"""

import json
from typing import Any

from controlroom.runner.files import read_regular
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.wire.signing import grant_bytes

FORMAT = 1
_LIMIT = 64 * 1024
_MOST = 2**53
_MOST_WINDOWS, _NAME, _SIGNATURE = 32, 100, 128


class BadGrant(ValueError):
    """A grant.json that nobody can go by; the words say what is wrong with it."""


class UnsignedGrant(BadGrant):
    """A grant.json that is not the room's."""


class RunCeilings(NamedTuple):
    """The ceilings of one run (None: there is none) and how long they hold. Money is micro-dollars."""

    number: int
    billed: int | None = None
    covered: int | None = None
    tokens: int | None = None
    windows: dict[str, int] = {}  # noqa: RUF012
    """Per cent of windows of the plan, by name."""
    until: int = 0
    """When it ends, by the host's clock at its arrival, UTC milliseconds; 0: never."""
    lasts: int = 0
    """Milliseconds that it lasted when it arrived."""
    prices: str = ""
    """The mark of the price sheet."""
    signature: str = ""
    """The room's, in hexadecimal digits (`wire.signing.grant_bytes`), for runners that know no `bound`."""
    bound: str = ""
    """The room's, with the owner of the run."""

    def is_signed(self, key: str, name: str, epoch: int, owner: str) -> bool:
        """Return whether a room (its public `key`) gave just this to a run; the end by the host's clock is the node's.

        `owner`: the run's room and host; "": an older room ordered it, which signed for any host.
        """
        from controlroom.runner.signed import is_signed

        data = grant_bytes(name, epoch, self.number, self.ceilings, self.lasts, self.prices, owner)
        return is_signed(key, data, self.bound if owner else self.signature)

    @property
    def binds(self) -> bool:
        """Whether there is anything that it forbids."""
        return self.money or self.tokens is not None or bool(self.windows) or bool(self.until)

    @property
    def ceilings(self) -> tuple[int | None, int | None, int | None, dict[str, int]]:
        """What it allows."""
        return self.billed, self.covered, self.tokens, self.windows

    @property
    def money(self) -> bool:
        """Whether a ceiling is money, which needs prices."""
        return self.billed is not None or self.covered is not None


def to_bytes(terms: RunCeilings) -> bytes:
    """Write the file."""
    return json.dumps({"format": FORMAT, **terms._asdict()}).encode() + b"\n"


def read(path: str) -> RunCeilings | None:
    """Read the file, None when there is none. Raises `BadGrant`."""
    try:
        return of_value(json.loads(read_regular(path, _LIMIT)))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadGrant(f"grant.json cannot be read: {error.strerror}") from None
    except BadGrant:
        raise
    except (ValueError, RecursionError):
        raise BadGrant("grant.json is no JSON") from None


def of_value(value: Any) -> RunCeilings:
    """Take what the file holds. Raises `BadGrant`."""
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise BadGrant(f"grant.json does not have the format {FORMAT}, which this runner reads")
    windows, prices = value.get("windows"), value.get("prices")
    if not isinstance(windows, dict) or len(windows) > _MOST_WINDOWS or any(len(name) > _NAME for name in windows):
        raise BadGrant("grant.json: windows does not fit")
    if not isinstance(prices, str) or len(prices) > _NAME:
        raise BadGrant("grant.json: prices does not fit")
    return RunCeilings(
        _whole(value, "number"),
        _ceiling(value, "billed"),
        _ceiling(value, "covered"),
        _ceiling(value, "tokens"),
        {name: _whole(windows, name) for name in windows},
        _whole(value, "until"),
        _whole(value, "lasts"),
        prices,
        _signature(value, "signature"),
        _signature(value, "bound"),
    )


def _signature(value: dict[str, Any], name: str) -> str:
    signature = value.get(name, "")
    if not isinstance(signature, str) or len(signature) > _SIGNATURE:
        raise BadGrant(f"grant.json: {name} does not fit")
    return signature


def _ceiling(value: dict[str, Any], name: str) -> int | None:
    return None if value.get(name) is None else _whole(value, name)


def _whole(value: dict[str, Any], name: str) -> int:
    number = value.get(name)
    if type(number) is not int or not 0 <= number <= _MOST:
        raise BadGrant(f"grant.json: {name} is {ascii(number)[:40]}")
    return number
