"""Completion in shells: a few lines of shell that ask the program itself, and what it answers.

The shell runs `controlroom --complete WORD...` with the words so far, the last one unfinished; the answer is a line for
each word that may stand there. Agents and hosts come from the engine when one runs, which is never started for it.
"""

import argparse
import asyncio
from collections.abc import Callable, Iterable, Sequence

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit
from controlroom.client.manual import TOPICS

DEADLINE = 1.0
"""Seconds that an engine may take to say what there is: somebody is waiting with a finger on the key."""

_BASH = """\
_controlroom() {
    local line found=()
    while IFS= read -r line; do found+=("$line"); done < <(
        controlroom --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    COMPREPLY=("${found[@]}")
}
complete -o bashdefault -o default -o nosort -F _controlroom controlroom
"""
_ZSH = """\
_controlroom() {
    local -a found
    found=("${(@f)$(controlroom --complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[*]}" ]]; then compadd -Q -- "${found[@]}"; else _files; fi
}
compdef _controlroom controlroom
"""
_FISH = """\
function __controlroom
    set -l words (commandline -opc) (commandline -ct)
    controlroom --complete $words[2..-1] 2>/dev/null
end
complete -c controlroom -a '(__controlroom)'
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

Known = Callable[[], dict[str, list[str]]]
"""What stands for each kind of name: `AGENT`, `HOST`, `PROFILE`, `MODEL`, `TASK`."""

_NAMES = {"AGENT": "AGENT", "H": "HOST", "P": "PROFILE", "M": "MODEL", "MODEL": "MODEL", "TASK": "TASK"}
"""Which names go for an argument that help calls so."""


def completions(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Print a shell's script."""
    output.own(_SCRIPTS[args.shell])
    return Exit.DONE


def answer(words: Sequence[str]) -> int:
    """Print what may stand at the end of the words so far."""
    for word in candidates(list(words) or [""], _known):
        output.data(word)
    return Exit.DONE


def candidates(words: Sequence[str], known: Known) -> list[str]:
    """What the last of `words` can become, sorted; nothing: whatever the shell itself finds, files perhaps."""
    from controlroom.cli.help import parser_of
    from controlroom.cli.verbs import VERBS, find

    *before, begun = words
    verb, rest = find(list(before))
    if verb is None:
        names = (item.name.split() for item in VERBS)
        wanted = (name[len(before)] for name in names if len(name) > len(before) and name[: len(before)] == before)
        return _fitting(wanted, begun)
    if "--" in rest:
        return []
    actions = parser_of(verb)._actions
    takes = next((action for action in actions if rest and rest[-1] in action.option_strings), None)
    if takes is not None and takes.nargs != 0:
        return _fitting(_values(takes, verb.group, known), begun)
    if begun.startswith("-"):
        return _fitting((name for action in actions for name in action.option_strings if name[:2] == "--"), begun)
    return _fitting(_values(_positional(actions, rest), verb.group, known), begun)


def _positional(actions: Sequence[argparse.Action], rest: Sequence[str]) -> argparse.Action | None:
    """Find the argument whose turn it is after the words so far."""
    with_values = {name for action in actions if action.nargs != 0 for name in action.option_strings}
    count = sum(
        not word.startswith("-") and (index == 0 or rest[index - 1] not in with_values)
        for index, word in enumerate(rest)
    )
    places = [action for action in actions if not action.option_strings]
    if places and count >= len(places):
        return places[-1] if places[-1].nargs in ("+", "*") else None
    return places[count] if places else None


def _values(action: argparse.Action | None, group: str, known: Known) -> Iterable[str]:
    from controlroom.cli.verbs import VERBS

    if action is None:
        return ()
    if action.choices:
        return [str(choice) for choice in action.choices]
    if "|" in str(action.metavar) and action.dest == "verdict":  # checked by the verb: --all moves it
        return str(action.metavar).split("|")
    if action.metavar == "TOPIC":
        return [*TOPICS, *(verb.name.split()[0] for verb in VERBS)]
    kind = "HOST" if action.metavar == "NAME" and group == "hosts" else _NAMES.get(str(action.metavar), "")
    return known().get(kind, ()) if kind else ()


def _fitting(words: Iterable[str], begun: str) -> list[str]:
    return sorted({word for word in words if word.startswith(begun)})


def _known() -> dict[str, list[str]]:
    """Ask the engine that runs, if any; whatever goes wrong, nothing is completed."""
    try:
        return asyncio.run(asyncio.wait_for(_ask(), DEADLINE))
    except Exception:
        return {}


async def _ask() -> dict[str, list[str]]:
    from controlroom.cli.room import wait_for
    from controlroom.client.client import Client

    client = await Client.connect(start=False, role="cli")
    try:
        await wait_for(client, lambda fleet: bool(fleet.room), DEADLINE / 2)
        fleet = client.fleet
        bare = [agent.name for agent in fleet.agents.values() if len(fleet.find(agent.name)) == 1]
        models = [*fleet.limits.cheaper, *(agent.model for agent in fleet.agents.values() if agent.model)]
        names = {"AGENT": [*bare, *fleet.agents], "HOST": [*fleet.hosts], "PROFILE": [*fleet.profiles], "MODEL": models}
        return {**names, "TASK": [*fleet.tasks]}
    finally:
        await client.close()
