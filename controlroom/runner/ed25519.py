"""Checking Ed25519 signatures (RFC 8032, section 5.1.7) with the standard library alone, for hosts have nothing else.

Only what is public goes in, so nothing here needs to take the same time always. One check takes some milliseconds.
"""

_P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the base point."""
_D = 37095705934669439343138083508754565189542113879843219016388785533085940283555
"""-121665 / 121666. What is written out here takes three milliseconds to work out, and most runners check nothing."""
_ROOT_OF_MINUS_ONE = 19681161376707505956807079304988542015446066515923890162744021073123829784752

_Point = tuple[int, int, int, int]
"""Extended coordinates: x = X/Z, y = Y/Z, T = XY/Z."""


def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` (64 bytes) is that of `message` by the owner of `key` (32 bytes)."""
    from hashlib import sha512  # costs a runner a megabyte: not before something is to be checked

    if len(key) != 32 or len(signature) != 64:
        return False
    owner, first = _point(key), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if owner is None or first is None or scalar >= ORDER:
        return False
    digest = int.from_bytes(sha512(signature[:32] + key + message).digest(), "little") % ORDER
    return _same(_times(scalar, _BASE), _sum(first, _times(digest, owner)))


def _sum(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(factor: int, point: _Point) -> _Point:
    result: _Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            result = _sum(result, point)
        point, factor = _sum(point, point), factor >> 1
    return result


def _same(one: _Point, other: _Point) -> bool:
    return not ((one[0] * other[2] - other[0] * one[2]) % _P or (one[1] * other[2] - other[1] * one[2]) % _P)


def _point(data: bytes) -> "_Point | None":
    """Read 32 bytes as a point; None when they are none."""
    number = int.from_bytes(data, "little")
    y, odd = number & (1 << 255) - 1, number >> 255
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and odd):
        return None
    x = _P - x if x & 1 != odd else x
    return x, y, 1, x * y % _P


_BASE = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
    1,
    46827403850823179245072216630277197565144205554125654976674165829533817101731,
)
"""The base point: y is 4 / 5, and x is even."""
