"""Tells a paste from keys, where a terminal sends no paste markers (many on phones, and mosh before 1.4).

Keys are held until none has come for a moment. More of them at once than a thumb can press are text that was pasted:
into a field it goes as a paste, newlines and all, and where keys are commands it does nothing. A key held down, and
keys that a slow link brings together, stay keys: there are few of them, or few that differ.
"""

from collections.abc import Awaitable, Callable, Sequence

from textual import events

HOLD = 0.01
"""Seconds without another key after which those held are given on."""

MANY = 8
"""Keys at once that no thumb has pressed…"""

DIFFERENT = 4
"""…if so many of them differ."""

_SIGNS = {"enter": "\n", "ctrl+j": "\n", "tab": "\t"}


class PasteDetector:
    """Holds keys. `pressed` gets them one by one, `pasted` the text of a burst; `wait` calls back after seconds."""

    def __init__(
        self,
        pressed: Callable[[events.Key], Awaitable[None]],
        pasted: Callable[[str], Awaitable[None]],
        wait: Callable[[float, Callable[[], Awaitable[None]]], object],
    ) -> None:
        self._pressed, self._pasted, self._wait = pressed, pasted, wait
        self._held: list[events.Key] = []
        self._seen = 0

    def take(self, event: events.Key) -> None:
        """Take a key."""
        self._held.append(event)
        if len(self._held) == 1:
            self._look_again()

    async def give(self) -> None:
        """Give on what is held, at once: something else has happened that comes after it."""
        held, self._held = self._held, []
        if is_paste(held):
            await self._pasted("".join(map(_text, held)))
        else:
            for event in held:
                await self._pressed(event)

    def _look_again(self) -> None:
        self._seen = len(self._held)
        self._wait(HOLD, self._due)

    async def _due(self) -> None:
        if len(self._held) > self._seen:
            self._look_again()
        else:
            await self.give()


def is_paste(keys: Sequence[events.Key]) -> bool:
    """Say whether keys that came together are text that was pasted."""
    signs = [_text(event) for event in keys]
    written = [sign for sign in signs if sign]
    return len(written) >= MANY and len(set(written)) >= DIFFERENT and len(written) == len(signs)


def _text(event: events.Key) -> str:
    """Give what a key writes, "" for one that writes nothing."""
    return _SIGNS.get(event.key) or (event.character if event.is_printable and event.character else "")
