"""Answers on their way into the pages on which an interactive Claude asks: key by key, each by what the screen shows.

Read by the runner, which must stay small.
"""

import contextlib
from collections.abc import Callable, Sequence

from controlroom.runner.claude.form import Page, Step, read, step
from controlroom.runner.claude.questions import Answer, Question
from controlroom.runner.keys import Keys
from controlroom.runner.outcome import Refused
from controlroom.text.json_fields import tables

PATIENCE = 25.0
"""Seconds that all pages together may take."""
_LOST = 1.5
"""Seconds after which a key that has changed nothing was lost."""
_PRESSES = 3
"""How often a key is pressed that changes nothing."""
MOST_WORDS = 500
"""Characters of words that fit on their row: Claude shows what is longer as pasted text, which cannot be read back."""

NOT_SHOWN = (
    "its screen does not show the whole of what was asked, or something else: make its terminal larger, or attach and "
    "answer it there"
)
_OTHERWISE = "its screen shows another answer than was to be given, and nothing was sent: attach and answer it there"
_NOTHING_CAME = "keys were pressed, but nothing came of them, and nothing was sent: attach and look"


class Filled:
    """The answers to one question. `done` hears "" when they were taken, else why not. Times are seconds."""

    def __init__(
        self,
        asks: Question,
        answers: Sequence[Answer],
        keys: Keys,
        now: float,
        *,
        taken: Callable[[], bool],
        certain: Callable[[], bool],
        done: Callable[[str], None],
    ) -> None:
        """Look at the screen. `certain`: it is this question that is open there. Raises `Refused`."""
        if any(len(answer.words) > MOST_WORDS for answer in answers):
            raise Refused(
                f"from here an answer in words has at most {MOST_WORDS} characters: attach to give a longer one"
            )
        self._asks = tables(asks.given.get("questions"))
        self._answers = [Answer(answer.choices, " ".join(answer.words.split())) for answer in answers]
        if not certain() or read(keys.screen(), self._asks) is None:
            raise Refused(NOT_SHOWN)
        self._keys, self._taken, self._certain, self._done = keys, taken, certain, done
        self._until, self._again = now + PATIENCE, 0.0
        self._before: tuple[Page, Step] | None = None
        self._presses = 0
        self._begun = self._anew = False
        self.over = False

    def due(self, now: float) -> None:
        """See what became of the last key, and press the next."""
        if self._taken():
            self.drop("")
        elif now >= self._until:
            self.drop(_NOTHING_CAME)
        else:
            with contextlib.suppress(Refused):  # the terminal cannot be reached just now
                self._go_on(now)

    def drop(self, reason: str) -> None:
        """It is over."""
        if not self.over:
            self.over = True
            self._done(reason)

    def _go_on(self, now: float) -> None:
        page = read(self._keys.screen(), self._asks) if self._certain() else None
        if page is None:  # it is being drawn, or Claude goes on: `taken` or time will say
            return
        wanted = self._next(page)
        if wanted is None:
            self.drop(_OTHERWISE)
        elif self._before != (page, wanted):
            self._before, self._presses = (page, wanted), 0
            self._press(wanted, now)
        elif now >= self._again:
            self._press(wanted, now)

    def _next(self, page: Page) -> Step | None:
        """From the first page on; once more, when somebody else has answered some of it otherwise."""
        if not self._begun and page.number:
            return Step("Left")
        self._begun = True
        wanted = step(page, self._asks, self._answers)
        if wanted is None and page.number == len(self._asks) and not self._anew:
            self._begun, self._anew = False, True
            return Step("Left")
        return wanted

    def _press(self, wanted: Step, now: float) -> None:
        self._presses += 1
        if self._presses > _PRESSES:
            self.drop(_NOTHING_CAME)
            return
        self._again = now + _LOST
        if wanted.words:
            self._keys.paste(wanted.words)
        else:
            self._keys.press(wanted.key)
