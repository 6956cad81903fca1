"""No core file of the engine: it would hold the keys and passphrases of all hosts.

What the engine starts has the limits that it was given itself: an agent on this machine may leave cores as its user
wishes. Where the kernel hands cores to a program (core_pattern with a pipe, core(5)), no limit holds.
"""

import resource
import sys

_GIVEN: list[tuple[int, int]] = []


def forbid() -> None:
    """Have a crash of this process leave no core file (Linux; elsewhere there is no way to give the limit back)."""
    if sys.platform == "linux":
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        _GIVEN[:] = [(soft, hard)]
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def as_given(pid: int) -> None:
    """Give a process that was just started the limits that this one had before `forbid`. Raises `OSError`."""
    if sys.platform == "linux" and _GIVEN and pid:
        resource.prlimit(pid, resource.RLIMIT_CORE, _GIVEN[0])
