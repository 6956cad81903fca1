"""The part of the app that takes keys: one by one, each where it was meant, and none out of a paste."""

from collections.abc import Callable
from typing import Any, TypeGuard

from textual import events
from textual.screen import Screen

from controlroom.tui.room import Level, Room
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.terminal.keyboard import KeyTiming, PasteDetector


class KeyedApp(Room):
    """An app whose screens take keys in the order in which they were pressed."""

    keys_wait = False

    def keys_begin(self, monotonic: Callable[[], float], hold: bool) -> None:
        """Take keys from now on; `hold`: tell a paste from keys."""
        self.touch = KeyTiming(monotonic)
        self._typed_ahead: list[events.Key] = []
        self._burst = PasteDetector(self._pressed, self._pasted, self.set_timer) if hold else None

    def touched(self) -> None:
        """Somebody is here: they pressed or tapped something."""

    async def on_event(self, event: events.Event) -> None:
        """Give keys to the screens one by one, so that what is typed ahead goes where it was meant.

        Textual queues keys at whatever is on top when they come, though one of them may be about to change that.
        """
        if isinstance(event, (events.Key, events.MouseDown)) and not event.is_forwarded:
            self.touched()
        if isinstance(event, events.Key) and not event.is_forwarded:
            if self._burst is None:
                await self._pressed(event)
            else:
                self._burst.take(event)
            return
        if self._burst is not None and isinstance(event, (events.Paste, events.MouseEvent)):
            await self._burst.give()
        await super().on_event(event)

    async def _pressed(self, event: events.Key) -> None:
        if self.keys_wait or not getattr(self.screen, "made", True):
            self._typed_ahead.append(event)
        elif not (self._listens(self.screen) and not event.key.startswith("ctrl+") and self.screen.take_key(event)):
            await super().on_event(event)

    async def _pasted(self, text: str) -> None:
        """A paste has come as keys: text for a field, and nothing where keys are commands."""
        if self.screen.focused is not None:
            await super().on_event(events.Paste(text))
        else:
            self.say(f"that looked like a paste ({len(text)} characters): nothing was done", Level.DANGER)

    @staticmethod
    def _listens(screen: Screen[Any]) -> TypeGuard[RoomScreen]:
        return isinstance(screen, RoomScreen) and screen.focused is None

    async def screen_made(self) -> None:
        """A screen is ready: it gets what was typed while it was made."""
        typed, self._typed_ahead = self._typed_ahead, []
        for event in typed:
            await self._pressed(event)
