"""The table of verbs: what each is called, what it does in a sentence, an example, its arguments, and what runs it."""

from collections.abc import Iterator

from controlroom.cli.verbs import hosts, look, money, room, steer
from controlroom.cli.verbs.verb import Verb as Verb

VERBS: tuple[Verb, ...] = (*look.VERBS, *money.VERBS, *steer.VERBS, *hosts.VERBS, *room.VERBS)

GROUPS = {"look": "Look", "steer": "Steer", "hosts": "Hosts", "room": "The room"}


def find(words: list[str]) -> tuple[Verb | None, list[str]]:
    """Find the verb that a command line begins with, and give what follows it."""
    for length in (2, 1):
        name = " ".join(words[:length])
        for verb in VERBS:
            if verb.name == name and len(words) >= length:
                return verb, words[length:]
    return None, words


def below(word: str) -> Iterator[Verb]:
    """Give the verbs of two words that begin with `word`."""
    return (verb for verb in VERBS if verb.name.startswith(word + " "))
