"""`--home`: which room is meant, and on which machine its engine is."""

from collections.abc import Iterator, MutableMapping

from controlroom.cli.exits import Exit, Stop

ROOM, AT = "CONTROLROOM_HOME", "CONTROLROOM_AT"
"""Variables that name a room's folder, and the machine that its engine is on (`local`: this one)."""

_OPTION = "--home"
_ITSELF = ("init", "bridge", "demo")
_FLAGS = ("--foreground", "--install", "--uninstall")


def take_home(words: list[str], environ: MutableMapping[str, str]) -> list[str]:
    """Take `--home WHERE` out of a command line and put it into the environment; gives the other words.

    It may stand before the verb or among its options, not after `--` and not as the text of a task. Raises `Stop`.
    """
    at = next(_places(words), None)
    if at is None:
        rest = words
    else:
        where, rest = _cut(words, at)
        _settle(where, environ)
    if rest[:1] == ["demo"]:
        environ.pop(AT, None)
    elif place := environ.get(AT, "local").removeprefix("local"):
        _see_that_it_can_be_done_from_afar(rest, place)
    return rest


def _places(words: list[str]) -> Iterator[int]:
    end = words.index("--") if "--" in words else len(words)
    for at, word in enumerate(words[:end]):
        if word.partition("=")[0] == _OPTION and (at == 0 or words[at - 1] != "--task"):
            yield at


def _cut(words: list[str], at: int) -> tuple[str, list[str]]:
    name, given, where = words[at].partition("=")
    if given:
        return where, [*words[:at], *words[at + 1 :]]
    if at + 1 == len(words):
        raise Stop(Exit.USAGE, f"{name} wants a folder, user@address or local")
    return words[at + 1], [*words[:at], *words[at + 2 :]]


def _settle(where: str, environ: MutableMapping[str, str]) -> None:
    from controlroom.cli.arguments import is_address

    if "/" in where or where.startswith(("~", ".")):
        environ[ROOM] = where
        environ.pop(AT, None)
    elif is_address(where):
        environ[AT] = where
    else:
        raise Stop(Exit.USAGE, f"expected --home user@address, a folder or local, not {ascii(where)[:60]}")


def _see_that_it_can_be_done_from_afar(words: list[str], place: str) -> None:
    if words[:1] and (words[0] in _ITSELF or (words[0] == "engine" and set(words) & set(_FLAGS))):
        raise Stop(Exit.USAGE, f"that is done on the machine itself: ssh -t {place} controlroom {' '.join(words)}")
