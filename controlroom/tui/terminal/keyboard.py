"""The keyboard: keys one by one, in order, each for the screen it was meant for; and which of them are a paste."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from textual import events

HELD = 0.3
"""Seconds within which the same key again is taken for one that is held down."""

STARTLE = 0.4
"""Seconds that something must have been on show, unless a key brought it there, before a key may answer it."""


_KEY_FIRST, _KEYS_MOST = 0.06, 0.4
"""Seconds for which the next picture waits after a key, so that what that does is painted first; and after many keys
at most."""


class KeyTiming:
    """Remembers the last keys. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._key = ""
        self._key_at = self._key_before = -1000.0
        self.led_at = -1000.0
        """When the screen went on by itself last."""

    def held(self, key: str) -> bool:
        """Take note of a key; says whether it is the same as before, held down: such a key decides nothing."""
        now = self._monotonic()
        held = key == self._key and now - self._key_at < HELD
        self._key, self._key_at, self._key_before = key, now, self._key_at
        return held

    def lead(self) -> None:
        """Take note that the screen goes on by itself to what comes next: no key pressed before was meant for that."""
        self.led_at = self._monotonic()

    def is_new(self, since: float) -> bool:
        """Whether what has been on show since then came too late for a key to be meant for it."""
        return self._monotonic() - since < STARTLE

    def startled(self, shown_at: float | None) -> bool:
        """Whether something came under the finger: it appeared by itself, too late for a key to be meant for it."""
        if shown_at is None:
            return True
        by_hand = self._key_before >= shown_at - STARTLE > self.led_at
        return not by_hand and self.is_new(shown_at)


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
        """Deliver what is held, at once: something else has happened that comes after it."""
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
    """Whether keys that came together are text that was pasted."""
    signs = [_text(event) for event in keys]
    written = [sign for sign in signs if sign]
    return len(written) >= MANY and len(set(written)) >= DIFFERENT and len(written) == len(signs)


def _text(event: events.Key) -> str:
    """What a key writes, "" for one that writes nothing."""
    return _SIGNS.get(event.key) or (event.character if event.is_printable and event.character else "")


class Keyboard:
    """Delivers keys in the order in which they were pressed.

    Textual queues a key at whatever is on top when it comes, though a key before it may be about to change that.
    `ready` says whether the screen on top takes keys; `deliver` gives it one; `pasted` gets the text of a paste. With
    `wait`, which calls back after a number of seconds, a paste is told from keys; without it every key is a key.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        ready: Callable[[], bool],
        deliver: Callable[[events.Key], Awaitable[None]],
        pasted: Callable[[str], Awaitable[None]],
        wait: Callable[[float, Callable[[], Awaitable[None]]], object] | None = None,
    ) -> None:
        self.timing = KeyTiming(monotonic)
        self.waiting = False
        """Whether the way to another screen is under way: keys are for that one."""
        self._ready, self._deliver = ready, deliver
        self._typed_ahead: list[events.Key] = []
        self._later: object | None = None
        """What a key leads to once the engine has answered: keys are for that one, or for nobody."""
        self._pastes = PasteDetector(self._pressed, pasted, wait) if wait else None
        self._used_at = -1.0
        """When a key was pressed or the screen tapped last, by the loop's time."""

    def used(self) -> None:
        """Note that somebody pressed a key or tapped the screen."""
        self._used_at = asyncio.get_running_loop().time()

    async def quiet(self) -> None:
        """Wait until no key has come for a moment, so that what a key does is painted before the next picture."""
        time = asyncio.get_running_loop().time
        until = time() + _KEYS_MOST
        while (wait := min(until, self._used_at + _KEY_FIRST) - time()) > 0:  # noqa: ASYNC110 - another key may come
            await asyncio.sleep(wait)

    async def take(self, event: events.Key) -> None:
        """Take a key from the terminal."""
        if self._pastes is None:
            await self._pressed(event)
        else:
            self._pastes.take(event)

    async def flush(self) -> None:
        """Deliver keys that are held back: something else has happened that comes after them."""
        if self._pastes is not None:
            await self._pastes.give()

    def lead_later(self) -> object:
        """Keep keys for what a key leads to once the engine has answered; Esc and Backspace leave it. Gives its token.

        Over a slow link those keys would otherwise do something else on the screen that is still on top.
        """
        self._later = token = object()
        return token

    def leads(self, token: object) -> bool:
        """Whether keys are still kept for that: nobody has left it."""
        return self._later is token

    async def led(self, token: object, *, there: bool) -> None:
        """End it: it is `there` and gets the keys that were typed meanwhile; else they do nothing."""
        if self.leads(token):
            self._later = None
            self._typed_ahead = self._typed_ahead if there else []
            await self.go_on()

    async def _pressed(self, event: events.Key) -> None:
        if self._later is not None and event.key in ("escape", "backspace"):
            self._later, self._typed_ahead = None, []
        elif self.waiting or self._later is not None or not self._ready():
            self._typed_ahead.append(event)
        else:
            await self._deliver(event)

    async def screen_made(self) -> None:
        """Deliver what was typed while a screen was made."""
        typed, self._typed_ahead = self._typed_ahead, []
        for event in typed:
            await self._pressed(event)

    async def go_on(self) -> None:
        """End waiting: the screen that keys are for is on top, or is being made."""
        self.waiting = False
        if self._ready():
            await self.screen_made()
