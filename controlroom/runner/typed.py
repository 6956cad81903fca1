"""A text on its way into an interactive Claude: typed only when it listens, and done only when it shows as submitted.

Read by the runner, which must stay small.
"""

import contextlib
from collections.abc import Callable
from typing import Any

from controlroom.runner.claude.dialog import approves_plan
from controlroom.runner.claude.interactive import Interactive, prompt, squeezed
from controlroom.runner.claude.result import refusal
from controlroom.runner.keys import Keys, plain
from controlroom.runner.outcome import Refused
from controlroom.text.json_fields import text

PATIENCE = 4.0
"""Seconds after which Enter is pressed once more, and again as many after which it is not taken."""
_SECONDS_PER_BYTE = 1 / 50_000
_HOOKS = 2.0
"""Seconds that hooks may take to let a prompt in, before it counts as taken because Claude works on something."""

READY = ("idle", "busy", "shell")
"""Words of a session file with which Claude takes what is typed."""


class Typed:
    """One text. `done` hears "" when it was submitted, else why not. Times are seconds on a clock that never jumps."""

    def __init__(self, words: str, talk: Interactive, keys: Keys, done: Callable[[str], None]) -> None:
        self._words, self._talk, self._keys, self._done = words, talk, keys, done
        self._wanted = squeezed(plain(words))
        self._patience = PATIENCE + len(words) * _SECONDS_PER_BYTE
        self._until = 0.0
        self._calm = self._again = False
        self._worked_since = 0.0
        self.over = False

    @property
    def under_way(self) -> bool:
        """Say whether it has been typed, and nothing has shown yet."""
        return bool(self._until) and not self.over

    def due(self, now: float, in_front: bool) -> None:
        """Type it when Claude listens and has the terminal (`in_front`), and see what became of it."""
        if self.over:
            return
        if not self._until:
            if in_front and self._talk.status in READY:
                self._type(now)
        elif self._calm and self._talk.status in ("busy", "waiting"):
            self._worked_since = self._worked_since or now
            if now >= self._worked_since + _HOOKS:
                self._end("")
        elif now >= self._until:
            self._late(now, in_front)

    def hear(self, event: dict[str, Any]) -> None:
        """Take a line of the transcript: it may show the text as submitted."""
        if self._until and not self.over:
            command = self._words.startswith("/") and event.get("type") in ("user", "system")
            if command or self._wanted in squeezed(prompt(event)):
                self._end("")

    def drop(self, why: str) -> None:
        """Nothing will come of it any more."""
        if not self.over:
            self._end(why)

    def turned_away(self, event: dict[str, Any]) -> None:
        """Take a line of the transcript which says that a hook refused a prompt: also late, when it has looked taken.

        Claude has put it back to where it was typed; what is typed next must not be added to it.
        """
        if self._until and self._wanted in squeezed(text(event.get("content"), 2_000_000)):
            with contextlib.suppress(Refused):
                self._keys.clear(self._words.count("\n") + 1)
            self.drop(f"a hook refused it: {refusal(event)}")

    def _type(self, now: float) -> None:
        self._calm = self._talk.status != "busy"
        try:
            self._keys.submit(self._words)
        except Refused as refused:
            self._end(str(refused))
        else:
            self._until = now + self._patience

    def _late(self, now: float, in_front: bool) -> None:
        """The Enter may have been lost: press it once more, and give up when that helps nothing."""
        if self._again or not in_front or self._talk.status not in READY:
            self._end("it was typed, but Claude has not taken it: attach and look")
            return
        self._again, self._until = True, now + self._patience
        try:
            self._keys.press("Enter")
        except Refused as refused:
            self._end(str(refused))

    def _end(self, reason: str) -> None:
        self.over = True
        self._done(reason)


class Pressed:
    """One key, pressed at once: `done` hears "" when `shown` says that it did its work, else why not.

    A dialog that has just come up may not listen yet (Claude Code 2.1.330, observed): once, while `certain` says that
    nothing has moved since, the key is pressed again.
    """

    def __init__(
        self,
        key: str,
        keys: Keys,
        now: float,
        *,
        shown: Callable[[], bool],
        certain: Callable[[], bool],
        done: Callable[[str], None],
    ) -> None:
        """Press it. Raises `Refused` when it cannot be, or `certain` says no."""
        if not certain():
            raise Refused("its screen does not show what was answered: attach to answer it")
        keys.press(key)
        self._key, self._keys, self._shown, self._certain, self._done = key, keys, shown, certain, done
        self._again, self._until = now + PATIENCE / 3, now + PATIENCE
        self.over = False

    def due(self, now: float) -> None:
        """See what became of it."""
        if self._shown():
            self.drop("")
        elif now >= self._until:
            self.drop("the key was pressed, but nothing came of it: attach and look")
        elif now >= self._again:
            self._again = self._until
            with contextlib.suppress(Refused):
                if self._certain():
                    self._keys.press(self._key)

    def drop(self, reason: str) -> None:
        """It is over."""
        self.over = True
        self._done(reason)


_ALWAYS = "what its dialog would allow for longer is kept in files there: allow it once, or attach to choose that"
_NO_PLAN = "its screen does not show the plan that was asked about: attach to answer it"
_NO_EDITS = (
    "its dialog offers no yes to the plan that lets it edit files and nothing more: approve it (allow; it asks before "
    "it edits), or attach"
)


def plan_key(verdict: object, screen: list[str]) -> str:
    """Give the key that answers a plan on a screen. Raises `Refused` for what no key says for certain."""
    if not approves_plan(screen):
        raise Refused(_NO_PLAN)
    if verdict == "deny":
        return "Escape"
    key = approves_plan(screen, edits=verdict == "always")
    if not key:
        raise Refused(_NO_EDITS)
    return key


def permission_key(verdict: object) -> str:
    """Give the key that answers a permission prompt. Raises `Refused` for what no key says for certain."""
    if verdict not in ("allow", "deny"):
        raise Refused(_ALWAYS)
    return "1" if verdict == "allow" else "Escape"


def as_text(words: str, *, commands: bool = False) -> str:
    """Give words so that Claude takes them for text: at their beginning `!` is the shell, `/` a command of Claude's.

    `commands`: those of Claude's are meant. Claude Code 2.1.330, observed: a space before `/` and a newline before `!`
    are kept, and make them plain text.
    """
    if words.startswith("!"):
        return f"\n{words}"
    return f" {words}" if words.startswith("/") and not commands else words
