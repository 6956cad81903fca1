"""Which key does what: the table of actions and motions, with what the config's [keys] says in place of its own.

Every key can be typed with a phone's thumb: a letter, a sign, Space, Enter. Capital and small letters are one key, for
phone keyboards begin with a capital. Backspace and Esc always lead back, digits choose, arrows and their like move.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from controlroom.domain.keys.action import Action
from controlroom.domain.keys.actions import ACTIONS
from controlroom.domain.words import nearest
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Motion:
    """A way to move on one screen."""

    name: str
    where: str
    """The screen: overview, agent, review, hosts, worktrees, host_charts, questions, tasks, costs, timeline."""
    keys: tuple[str, ...]
    """As Textual names them, the one that is shown first. Arrows and their like always do what they do here."""
    help: str
    """A sentence, for the help screen."""


MOTIONS: tuple[Motion, ...] = (
    Motion("down", "overview", ("j", "down"), "Next agent."),
    Motion("up", "overview", ("k", "up"), "Agent before."),
    Motion("first", "overview", ("<", "home"), "First agent."),
    Motion("last", "overview", (">", "end"), "Last agent."),
    Motion("page_down", "overview", (".", "pagedown"), "More of the question or log in the pane."),
    Motion("page_up", "overview", (",", "b", "pageup"), "Earlier lines of the log in the pane."),
    Motion("down", "agent", ("j", "down"), "A line down."),
    Motion("up", "agent", ("k", "up"), "A line up."),
    Motion("page_down", "agent", ("space", "pagedown"), "More of a long question; else a page down."),
    Motion("page_up", "agent", ("b", "pageup"), "A page up, as a tap near the top does; near the bottom: down."),
    Motion("first", "agent", ("o", "home"), "The first line of this run; again: of the run before."),
    Motion("last", "agent", ("l", "end"), "The end: follow what comes."),
    Motion("wrap", "agent", ("w",), "Break long lines, or cut them."),
    Motion("right", "agent", (">", "right"), "Where lines are cut: to the right."),
    Motion("left", "agent", ("<", "left"), "Where lines are cut: to the left."),
    Motion("down", "timeline", ("j", "down"), "A line on; after the last one: follow."),
    Motion("up", "timeline", ("k", "up"), "A line back."),
    Motion("page_down", "timeline", ("space", "pagedown"), "A page on."),
    Motion("page_up", "timeline", ("u", "pageup"), "A page back."),
    Motion("first", "timeline", ("<", "home"), "The oldest line that is held."),
    Motion("last", "timeline", ("l", ">", "end"), "The end: follow what comes."),
    Motion("down", "review", ("j", "down"), "Next file, or line."),
    Motion("up", "review", ("k", "up"), "File or line before."),
    Motion("page_down", "review", ("space", "pagedown"), "A page on."),
    Motion("page_up", "review", ("b", "pageup"), "A page back."),
    Motion("hunk_next", "review", ("n",), "In a diff: to the next lines that changed."),
    Motion("hunk_before", "review", ("h",), "In a diff: to those before."),
    Motion("first", "review", ("<", "home"), "The first file, or line."),
    Motion("last", "review", (">", "end"), "The last file, or line."),
    Motion("down", "hosts", ("j", "down"), "Next host."),
    Motion("up", "hosts", ("k", "up"), "Host before."),
    Motion("page_down", "hosts", ("space", "pagedown"), "More of a long question, or of what is known of a host."),
    Motion("down", "worktrees", ("j", "down"), "Next worktree."),
    Motion("up", "worktrees", ("k", "up"), "Worktree before."),
    Motion("page_down", "worktrees", ("space", "pagedown"), "More of what is known of it."),
    Motion("page_up", "worktrees", ("b", "pageup"), "Back to its beginning."),
    Motion("down", "host_charts", ("j", "down"), "Next host."),
    Motion("up", "host_charts", ("k", "up"), "Host before."),
    Motion("down", "questions", ("j", "down"), "Next question."),
    Motion("up", "questions", ("k", "up"), "Question before."),
    Motion("page_down", "questions", ("space", "pagedown"), "More of a long question."),
    Motion("page_up", "questions", ("b", "pageup"), "Back to its beginning."),
    Motion("down", "tasks", ("j", "down"), "Next task."),
    Motion("up", "tasks", ("k", "up"), "Task before."),
    Motion("first", "tasks", ("<", "home"), "First task."),
    Motion("last", "tasks", (">", "end"), "Last task."),
    Motion("page_down", "tasks", (".", "pagedown"), "More of what is known of a task."),
    Motion("page_up", "tasks", (",", "b", "pageup"), "Back to its beginning."),
    Motion("down", "costs", ("j", "down"), "Next row, or line."),
    Motion("up", "costs", ("k", "up"), "Row or line before."),
    Motion("page_down", "costs", ("space", ".", "pagedown"), "A page on."),
    Motion("page_up", "costs", (",", "pageup"), "A page back."),
    Motion("by_agent", "costs", ("a",), "What each agent has spent."),
    Motion("by_profile", "costs", ("p",), "What agents of each profile have spent."),
    Motion("by_host", "costs", ("h",), "What was spent on each host."),
    Motion("by_model", "costs", ("m",), "What each model has cost."),
    Motion("by_hour", "costs", ("u",), "What was spent in each hour."),
    Motion("by_day", "costs", ("d",), "What was spent on each day."),
)


WORDS = {"enter": "Enter", "space": "Space"}
"""Keys that are shown by a name."""
_BACK = ("backspace", "escape", "esc")
_YES = "y"
"""What says yes to a question before something ends."""
_NEEDED = ("palette", "back", "down", "up")
"""Without a key for these one could not get anywhere, or not back."""


class KeyProblem(ValueError):
    """The keys of the config cannot be used; the text says which, why, and what to write instead."""


@dataclass(frozen=True)
class Keymap:
    """The tables with the keys that hold. Helps are written out, with the keys that they name."""

    actions: tuple[Action, ...]
    motions: tuple[Motion, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Action]:
        """Every action by its name."""
        return {action.name: action for action in self.actions}

    def __getitem__(self, name: str) -> Action:
        """An action by its name."""
        return self.by_name[name]

    def shown(self, name: str) -> str:
        """The key of an action as people read it; one that has none is found in the palette."""
        return shown(self.by_name[name].key) or f"{shown(self.by_name['palette'].key)} {name}"

    def on_screen(self, screen: str, *, watching: bool = False) -> list[Action]:
        """The actions of a screen (`overview`, `agent`, `hosts`) in footer order, those without a place last.

        `watching`: only what a watcher has.
        """
        here = [action for action in self.actions if action.stands_on(screen) and (action.looks or not watching)]
        return sorted(here, key=lambda action: action.footer or 99)

    def motion(self, screen: str, name: str) -> Motion:
        """A motion of a screen."""
        return next(motion for motion in self.motions if (motion.where, motion.name) == (screen, name))


def shown(key: str) -> str:
    """A key as people read it."""
    return WORDS.get(key, key)


def remapped(wanted: Mapping[str, object]) -> Keymap:
    """Make the map with other keys for some actions and motions. Raises `KeyProblem` with the first thing wrong."""
    actions_by_name = {action.name: action for action in ACTIONS}
    moves = {motion.name for motion in MOTIONS}
    keys = {name: _keys(name, value, {*actions_by_name, *moves}) for name, value in wanted.items()}
    for name, given in keys.items():
        if name in actions_by_name and actions_by_name[name].danger:
            _refuse_careless(name, given)
    actions = tuple(_with_keys(action, keys[action.name]) if action.name in keys else action for action in ACTIONS)
    motions = tuple(_moved(motion, keys[motion.name]) if motion.name in keys else motion for motion in MOTIONS)
    for screen in screens():
        _refuse_conflicts(screen, actions, motions, keys)
    names = {action.name: shown(action.key) for action in actions}
    written = tuple(replace(action, help=action.help.format_map(names)) for action in actions)
    return Keymap(written, motions)


def screens() -> list[str]:
    """Name the screens that have keys of their own."""
    places = {place for action in ACTIONS for place in action.where.split()} | {motion.where for motion in MOTIONS}
    return sorted(places - {"anywhere"})


def _keys(name: str, value: object, known: Iterable[str]) -> tuple[str, ...]:
    if name not in known:
        there = nearest(name, known) or "; see controlroom help keys"
        raise KeyProblem(f"keys.{name[:40]} is no action{there}")
    wished = [value] if isinstance(value, str) else value
    if not isinstance(wished, list) or not all(isinstance(key, str) for key in wished):
        raise KeyProblem(f'keys.{name}: found {ascii(value)[:40]}, expected a key like "x", or several: ["x", "+"]')
    keys = tuple(dict.fromkeys(_key(name, key) for key in wished if key))
    if not keys and name in _NEEDED:
        raise KeyProblem(f"keys.{name} is empty, but nothing else does it: give it a key")
    return keys


def _key(name: str, key: str) -> str:
    """Name a key as the tables do. Raises `KeyProblem` for one that not everybody has."""
    plain = "space" if key == " " else key.lower() if len(key) > 1 else key
    about = f"keys.{name}: {ascii(key)[:30]}"
    if plain in WORDS:
        return plain
    if plain in _BACK:
        raise KeyProblem(f"{about} always leads back and can do nothing else")
    if len(key) != 1 or not key.isprintable():
        raise KeyProblem(f'{about} cannot be typed on a phone: expected one letter or sign, "space" or "enter"')
    if key.isdigit():
        raise KeyProblem(f"{about} chooses a row, a pane or an answer: digits can do nothing else")
    if key != key.lower():
        small = ascii(key.lower())
        raise KeyProblem(f"{about} and {small} are one key, for phone keyboards begin with a capital: write {small}")
    return key


def _refuse_careless(name: str, keys: Iterable[str]) -> None:
    if _YES in keys:
        raise KeyProblem(f"keys.{name}: '{_YES}' says yes when it asks first: a key that is held down would do both")
    if "enter" in keys or "space" in keys:
        raise KeyProblem(f"keys.{name}: Enter and Space are pressed too easily for what ends something")


def _with_keys(action: Action, keys: Sequence[str]) -> Action:
    return replace(action, key=keys[0] if keys else "", more_keys=tuple(keys[1:]))


def _moved(motion: Motion, keys: Sequence[str]) -> Motion:
    """The motion with other keys; arrows and their like stay."""
    return replace(motion, keys=(*keys, *(key for key in motion.keys if len(key) > 1 and key not in WORDS)))


def _refuse_conflicts(
    screen: str, actions: Iterable[Action], motions: Iterable[Motion], wanted: Mapping[str, object]
) -> None:
    held: dict[str, str] = {}
    here = [(action.name, action.keys) for action in actions if action.stands_on(screen)]
    here += [(motion.name, motion.keys) for motion in motions if motion.where == screen]
    for name, keys in here:
        for key in keys:
            other = held.setdefault(key, name)
            if other != name:
                mine, theirs = (name, other) if name in wanted else (other, name)
                words = f"{key!a} is {theirs} already ({screen}): give one of them another key"
                raise KeyProblem(f"keys.{mine}: {words}")


DEFAULT = remapped({})
