"""`pattern`: a regular expression that is compiled when it is used first.

A runner knows more than 30, needs few of them before its agent is up, and each takes 0.1 to 1 ms to compile.
"""

import re

TYPE_CHECKING = False  # as in `typing`, which takes long to load
if TYPE_CHECKING:
    from typing import Any, AnyStr


class _Pattern:
    """Does what a compiled one does: its methods are here from the first use on."""

    def __init__(self, words: "Any", flags: int) -> None:
        self._words, self._flags = words, flags

    def __getattr__(self, name: str) -> "Any":
        compiled = re.compile(self._words, self._flags)
        for method in _METHODS:
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


_METHODS = "match", "fullmatch", "search", "sub", "finditer", "findall", "split"


def pattern(words: "AnyStr", flags: int = 0) -> "re.Pattern[AnyStr]":
    """Return what `re.compile` does, and compile it later. A wrong one is found out then: tests use each."""
    lazy: Any = _Pattern(words, flags)
    return lazy  # type: ignore[no-any-return]
