"""The commands of a script one by one: where each may run, and which others it runs by its words."""

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

from controlroom.domain.permissions import programs, shell
from controlroom.domain.permissions.floor import WRITERS
from controlroom.domain.permissions.paths import inside, resolved

_FOLDERS = 8
"""Folders that a command may run in after so many `cd`, at most."""


class Step:
    """One command of a script, with the folders that it may run in."""

    def __init__(self, command: shell.Command, folders: tuple[str, ...]) -> None:
        self.command, self.folders = command, folders

    @cached_property
    def spread(self) -> Sequence[Sequence[str]]:
        """Its words, and those of commands that it runs by its words, as far as that can be seen."""
        return list(_spread([word.value for word in self.command.words], 0))

    @cached_property
    def size(self) -> int:
        """How much of it is to be looked at: its different words, from each folder."""
        return len({word for words in self.spread for word in words}) * len(self.folders)

    def paths(self, *, writes: bool) -> Collection[str]:
        """Words that may be files it reads, or writes."""
        return dict.fromkeys(self._paths(writes=writes))

    def _paths(self, *, writes: bool) -> Iterator[str]:
        for redirect in self.command.redirects:
            if redirect.writes or not writes:
                yield redirect.target.value
        for words in self.spread:
            if not writes or programs.program_of(words[0]) in WRITERS:
                for word in words[1:]:
                    yield word.split("=", 1)[-1] if word.startswith("-") else word

    def is_harmless_cd(self, home: str) -> bool:
        """Whether it goes to a folder in the agent's, and does nothing else."""
        place = _cd(self.command)
        return place is not None and all(inside(resolved(place, folder), home) for folder in self.folders)


def steps_of(script: shell.Script, home: str) -> Iterator[Step]:
    """The commands of a script in their order, each with the folders that it may run in; `home`: where it begins."""
    folders = {home: None}
    for command in script.commands:
        yield Step(command, tuple(folders))
        place = _cd(command)
        if place is not None and len(folders) < _FOLDERS:
            folders |= dict.fromkeys(resolved(place, folder) for folder in folders)
        elif _goes([word.value for word in command.words]):
            folders |= {"": None}  # anywhere


def _goes(words: Sequence[str]) -> bool:
    """Whether a command goes to another folder: `time` is a word of the shell, so what it measures does."""
    return bool(words) and programs.unwrapped(words)[0] in ("cd", "pushd", "popd", "chdir")


def _cd(command: shell.Command) -> str | None:
    """Where a plain `cd` leads; None: it is another command, or where it leads is not known."""
    words = command.words
    if len(words) != 2 or words[0].value != "cd" or words[1].glob or not words[1].known:
        return None
    return None if words[1].value.startswith("-") or not words[1].value else words[1].value


_SHELLS = frozenset({"bash", "sh", "zsh", "dash", "ksh", "fish", "ash", "su", "eval", "ssh", "watch", "script"})


def _spread(words: Sequence[str], depth: int) -> Iterator[Sequence[str]]:
    """A command's words, and behind programs that run others all that may be the command of those."""
    if not words:
        return
    yield words
    if depth > 2 or not programs.runs_others(words[0]):
        return
    program = programs.program_of(words[0])
    for at in range(1, min(len(words), 24)):
        if program != "git" and not words[at].startswith("-"):
            yield words[at:]
        if program in _SHELLS or programs.program_of(words[at]) in _SHELLS or " " in words[at]:
            for command in shell.parsed(words[at]).commands:
                yield from _spread([word.value for word in command.words], depth + 1)
