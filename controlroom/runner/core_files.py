"""No core file of ours: it would hold the keys and passphrases that go through us.

What is run for others has the limit that we were given ourselves: an agent may leave cores as its user wishes. Where
the kernel hands cores to a program (core_pattern with a pipe, core(5)), no limit holds.
"""

import contextlib
import resource
from collections.abc import Iterator

_GIVEN: "list[tuple[int, int]]" = []


def forbid() -> None:
    """Have a crash of this process leave no core file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    _GIVEN[:] = [(soft, hard)]
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def as_given() -> None:
    """Take back the limit that `forbid` found: in a child that is about to become another program."""
    if _GIVEN:
        resource.setrlimit(resource.RLIMIT_CORE, _GIVEN[0])


@contextlib.contextmanager
def lifted() -> Iterator[None]:
    """Have the limit that `forbid` found for a moment: for what is started meanwhile."""
    as_given()
    try:
        yield
    finally:
        if _GIVEN:
            resource.setrlimit(resource.RLIMIT_CORE, (0, _GIVEN[0][1]))
