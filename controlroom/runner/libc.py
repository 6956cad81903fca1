"""Functions of the C library that Python does not have, for whole numbers.

`_ctypes` alone knows enough for them: to load the rest of `ctypes` is a thirteenth of a runner's start.
"""

import os
from collections.abc import Callable


def function(name: str) -> Callable[..., int] | None:
    """Return a function by its name; None: this system's library has none."""
    try:
        import _ctypes

        address = _ctypes.dlsym(_ctypes.dlopen(None, os.RTLD_NOW), name)  # type: ignore[arg-type]
        call: Callable[[int, tuple[int, ...]], int] = _ctypes.call_function
    except (ImportError, AttributeError, OSError, TypeError):
        return None
    return lambda *numbers: call(address, numbers)
