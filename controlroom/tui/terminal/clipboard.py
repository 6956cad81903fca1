"""The terminal's clipboard: the escape sequence OSC 52, and inside tmux what tmux does instead.

tmux (3.3a, observed) drops the sequence of a program in it unless `set-clipboard` is `on`; by default it is `external`,
and only what tmux itself is given (`load-buffer -w`) goes on to the terminal. mosh passes the sequence on from 1.4 on.
"""

import asyncio
import contextlib
from collections.abc import Mapping

_SECONDS = 3.0
SELECT = "if it does not arrive, the terminal forbids it: hold Shift and select"
_FORBIDS = {
    "Apple_Terminal": "Terminal.app takes no copies: hold Fn and select",
}


def forbidden(environ: Mapping[str, str]) -> str:
    """Why nothing can be copied to this terminal, and what can be done instead; "": it may be."""
    if environ.get("STY") and not environ.get("TMUX"):
        return "GNU screen passes no copies on: hold Shift and select"
    return _FORBIDS.get(environ.get("TERM_PROGRAM", ""), "")


async def through_tmux(text: str) -> str:
    """Have the tmux around us keep a text and send it on to its terminal. Return what is to be said of that."""
    allowed = await _tmux(("show-options", "-sv", "set-clipboard"))
    if await _tmux(("load-buffer", "-w", "-"), text.encode("utf-8", "replace")) is None:
        return "tmux did not take it: hold Shift and select"
    if allowed is not None and allowed.strip() == b"off":
        return "into tmux alone (prefix ] pastes it): its set-clipboard is off"
    return f"through tmux (prefix ] pastes it, too); {SELECT}"


async def _tmux(words: tuple[str, ...], given: bytes = b"") -> bytes | None:
    """What a tmux command prints; None: it failed."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            "tmux", *words, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return None
    try:
        printed, _ = await asyncio.wait_for(process.communicate(given), _SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return None
    return None if process.returncode else printed
