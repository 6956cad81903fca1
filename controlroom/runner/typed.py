"""Typing into an interactive Claude through the tmux server around us: messages, and answers on its pages of questions.

A text is typed only when Claude listens, and done only when it shows as submitted. It is always pasted: it goes to tmux
on stdin and to the program between the marks of a bracketed paste, so nothing in it is a key. Answers go key by key,
each by what the screen shows.
"""

import contextlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from controlroom.runner.agent_process import printed
from controlroom.runner.claude.dialogs import (
    DialogStep,
    Page,
    approves_plan,
    dialog_title,
    edits_from_now_on,
    read,
    step,
)
from controlroom.runner.claude.interactive import Interactive, prompt, squeezed
from controlroom.runner.claude.questions import PLAN, Question
from controlroom.runner.claude.result import refusal
from controlroom.runner.outcome import Refused, Unfit
from controlroom.text.json_fields import tables, text
from controlroom.text.lazy_pattern import pattern
from controlroom.text.states import ItemAnswer, Verdict

_DEADLINE = 5.0
"""Seconds a tmux command may take."""
_SCREEN = 256 * 1024
_MOST_ROWS = 400
# A paste ends at ESC [ 201 ~, and other controls are keys: none of them may come out of a text.
_CONTROLS = pattern("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Keys:
    """One pane. `program` is the path of tmux, `environ` what tmux gave to its first process."""

    def __init__(self, program: str, environ: Mapping[str, str]) -> None:
        """Raise `Unfit` when there is no pane around us."""
        socket, pane = environ.get("TMUX", "").rsplit(",", 2)[0], environ.get("TMUX_PANE", "")
        if not program or not socket or not re.fullmatch("%[0-9]+", pane):
            raise Unfit("kind interactive needs a tmux pane of its own, and there is none around it")
        self._tmux = [program, "-N", "-S", socket]
        self._pane = pane

    def submit(self, text: str) -> None:
        """Paste a text and press Enter. Raises `Refused` when tmux does not do it."""
        self._paste(text, ";", *self._key("Enter"))

    def clear(self, rows: int) -> None:
        """Remove what stands where text is typed, at most so many rows of it. Raises `Refused`."""
        presses = min(2 * rows, _MOST_ROWS)
        self._run(*self._awake(), ";", "send-keys", "-N", str(presses), "-t", self._pane, "C-u")

    def paste(self, text: str) -> None:
        """Paste a text. Raises `Refused` when tmux does not do it."""
        self._paste(text)

    def _paste(self, text: str, *then: str) -> None:
        buffer = f"typed-{os.getpid()}"
        paste = ("paste-buffer", "-p", "-r", "-d", "-b", buffer, "-t", self._pane)
        self._run(
            *("load-buffer", "-b", buffer, "-", ";", *self._awake(), ";", *paste, *then),
            given=plain(text).encode("utf-8", "replace"),
        )

    def press(self, key: str) -> None:
        """Press one key by its tmux name. Raises `Refused` when tmux does not do it."""
        self._run(*self._awake(), ";", *self._key(key))

    def screen(self) -> list[str]:
        """Return the lines on the pane, without colours. Raises `Refused`."""
        screen = self._run("capture-pane", "-p", "-t", self._pane)
        return [line.rstrip() for line in screen.decode("utf-8", "replace").split("\n")]

    def _awake(self) -> tuple[str, ...]:
        """Leave the mode in which somebody scrolls back: keys would go there."""
        return "copy-mode", "-q", "-t", self._pane

    def _key(self, name: str) -> tuple[str, ...]:
        return "send-keys", "-t", self._pane, name

    def _run(self, *command: str, given: bytes = b"") -> bytes:
        try:
            output = printed([*self._tmux, *command], {}, "/", seconds=_DEADLINE, limit=_SCREEN, given=given)
        except Unfit as error:
            raise Refused(f"its terminal cannot be reached: {error}") from None
        if output.status:
            reason = output.err.decode("utf-8", "replace").strip()[:200]
            raise Refused(f"its terminal cannot be reached: {reason or 'tmux failed'}")
        if output.status is None:
            raise Refused(f"its terminal cannot be reached: tmux has not answered for {_DEADLINE:g} seconds")
        return output.out


def plain(text: str) -> str:
    """Return a text as it may be pasted: line ends as newlines, other controls but tabs as visible signs."""
    return _CONTROLS.sub(_visible, text.replace("\r\n", "\n").replace("\r", "\n"))


def _visible(match: "re.Match[str]") -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"


PATIENCE = 4.0
"""Seconds after which Enter is pressed once more, and again as many after which it is not taken."""
_SECONDS_PER_BYTE = 1 / 50_000
_HOOK_PATIENCE = 15.0
"""Seconds until an answer that was given to a hook counts as lost: on a busy host Claude takes its time, and no key is
in the balance."""
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
        """Whether it has been typed, and nothing has shown yet."""
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
            raise Refused(another_dialog(keys.screen()))
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


class Decided:
    """An answer that a hook was given: `done` hears "" when Claude asks that no more, else that nothing came of it."""

    def __init__(self, now: float, taken: Callable[[], bool], done: Callable[[str], None]) -> None:
        self._until, self._taken, self._done = now + _HOOK_PATIENCE, taken, done
        self.over = False

    def due(self, now: float) -> None:
        """See what became of it."""
        if self._taken():
            self.drop("")
        elif now >= self._until:
            self.drop("its hook was given the answer, but nothing came of it: attach and look")

    def drop(self, reason: str) -> None:
        """It is over."""
        self.over = True
        self._done(reason)


def another_dialog(screen: list[str]) -> str:
    """Why no key answers: the screen does not show what was asked. What it shows stands there in its own words."""
    title = dialog_title(screen)
    says = f" ({title})" if title else ""
    return f"its screen shows another dialog{says}; nothing was pressed: attach to answer it"


_NO_PLAN = "its screen does not show the plan that was asked about: attach to answer it"
_NO_EDITS = (
    "its dialog offers no yes that lets it edit files and nothing more: allow it once (it asks again before it edits), "
    "or attach"
)


def dialog_key(kind: str, verdict: Verdict, screen: list[str]) -> str:
    """Return the key that answers a plan or a permission prompt. Raises `Refused` for what no key says for certain."""
    if kind == PLAN and not approves_plan(screen):
        raise Refused(_NO_PLAN)
    if verdict is Verdict.DENY:
        return "Escape"
    if verdict is not Verdict.ALWAYS:
        return approves_plan(screen) if kind == PLAN else "1"
    key = approves_plan(screen, edits=True) if kind == PLAN else edits_from_now_on(screen)
    if not key:
        raise Refused(_NO_EDITS)
    return key


def as_text(words: str, *, commands: bool = False) -> str:
    """Return words so that Claude takes them for text: at their beginning `!` is the shell, `/` a command of Claude's.

    `commands`: those of Claude's are meant. Claude Code 2.1.330, observed: a space before `/` and a newline before `!`
    are kept, and make them plain text.
    """
    if words.startswith("!"):
        return f"\n{words}"
    return f" {words}" if words.startswith("/") and not commands else words


_ALL_PAGES = 25.0
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
        answers: Sequence[ItemAnswer],
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
        self._answers = [ItemAnswer(answer.choices, " ".join(answer.words.split())) for answer in answers]
        if not certain() or read(keys.screen(), self._asks) is None:
            raise Refused(NOT_SHOWN)
        self._keys, self._taken, self._certain, self._done = keys, taken, certain, done
        self._until, self._again = now + _ALL_PAGES, 0.0
        self._before: tuple[Page, DialogStep] | None = None
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

    def _next(self, page: Page) -> DialogStep | None:
        """From the first page on; once more, when somebody else has answered some of it otherwise."""
        if not self._begun and page.number:
            return DialogStep("Left")
        self._begun = True
        wanted = step(page, self._asks, self._answers)
        if wanted is None and page.number == len(self._asks) and not self._anew:
            self._begun, self._anew = False, True
            return DialogStep("Left")
        return wanted

    def _press(self, wanted: DialogStep, now: float) -> None:
        self._presses += 1
        if self._presses > _PRESSES:
            self.drop(_NOTHING_CAME)
            return
        self._again = now + _LOST
        if wanted.words:
            self._keys.paste(wanted.words)
        else:
            self._keys.press(wanted.key)
