"""Keys as they come from a terminal: which are held down or came too early to be meant, and which are a paste."""

from collections.abc import Awaitable, Callable, Sequence

from textual import events

HELD = 0.3
"""Seconds within which the same key again is taken for one that is held down."""

STARTLE = 0.4
"""Seconds that something must have been on show, unless a key brought it there, before a key may answer it."""


class KeyTiming:
    """Remembers the last keys. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._key = ""
        self._key_at = self._key_before = -1000.0

    def held(self, key: str) -> bool:
        """Take note of a key; says whether it is the same as before, held down: such a key decides nothing."""
        now = self._monotonic()
        held = key == self._key and now - self._key_at < HELD
        self._key, self._key_at, self._key_before = key, now, self._key_at
        return held

    def startled(self, shown_at: float | None) -> bool:
        """Say whether something came under the finger: it appeared by itself, too late for a key to be meant for it."""
        if shown_at is None:
            return True
        by_hand = self._key_before >= shown_at - STARTLE
        return not by_hand and self._monotonic() - shown_at < STARTLE


HOLD = 0.01
"""Seconds without another key after which those held are given on."""

MANY = 8
"""Keys at once that no thumb has pressed…"""

DIFFERENT = 4
"""…if so many of them differ."""

_SIGNS = {"enter": "\n", "ctrl+j": "\n", "tab": "\t"}


class PasteDetector:
    """Tells a paste from keys where a terminal sends no paste markers (many phones, and mosh before 1.4).

    Keys are held until none has come for a moment. More at once than a thumb can press is text that was pasted: it goes
    into a field as a paste, newlines and all, and does nothing where keys are commands. A key held down, and keys that
    a slow link delivers together, stay keys: there are few of them, or few that differ.

    `pressed` gets the keys one by one, `pasted` the text of a paste; `wait` calls back after so many seconds.
    """

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
