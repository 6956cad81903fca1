"""Completion in shells: a few lines of shell that ask the program itself, and what it answers.

The shell runs `controlroom --complete WORD...` with the words so far, the last one unfinished; the answer is a line for
each word that may stand there. Agents and hosts come from the engine when one runs, which is never started for it.
"""

import argparse
import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit
from controlroom.cli.verb import Verb
from controlroom.client.manual import TOPICS
from controlroom.text.names import is_model

if TYPE_CHECKING:  # no word waits for it
    from controlroom.domain.model import Fleet

DEADLINE = 1.0
"""Seconds that an engine may take to say what there is: somebody is waiting with a finger on the key."""

_BASH = """\
_controlroom() {
    local line cut found=() words=()
    read -ra words <<< "${COMP_LINE:0:COMP_POINT}"
    [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && words+=("")
    cut=${words[${#words[@]} - 1]}
    cut=${cut%"${cut##*[:=]}"}
    [[ $COMP_WORDBREAKS == *:* ]] || cut=
    while IFS= read -r line; do found+=("${line#"$cut"}"); done < <(
        controlroom --complete "${words[@]:1}" 2>/dev/null)
    [[ ${found[0]} == *[:=] ]] && compopt -o nospace 2>/dev/null
    COMPREPLY=("${found[@]}")
}
complete -o bashdefault -o default -o nosort -F _controlroom controlroom
"""
_ZSH = """\
#compdef controlroom
_controlroom() {
    local -a found
    found=("${(@f)$(controlroom --complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -z "${found[*]}" ]]; then
        _files
    elif [[ "${found[1]}" == *[:=] ]]; then
        compadd -Q -S '' -- "${found[@]}"
    else
        compadd -Q -- "${found[@]}"
    fi
}
if [[ "${funcstack[1]}" == _controlroom ]]; then _controlroom "$@"; else compdef _controlroom controlroom; fi
"""
_FISH = """\
function __controlroom
    set -l words (commandline -opc) (commandline -ct)
    set -l found (controlroom --complete $words[2..-1] 2>/dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c controlroom -f -a '(__controlroom)'
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

Known = Callable[[], dict[str, list[str]]]
"""What stands for each kind of name: `AGENT`, `HOST`, `PROFILE`, `CREDENTIAL`, `MODEL`, `TASK`, `BUDGET`, `FLEET`."""

_NAMES = {
    "AGENT": ("AGENT",),
    "H": ("HOST",),
    "P": ("PROFILE",),
    "C": ("CREDENTIAL",),
    "M": ("MODEL",),
    "MODEL": ("MODEL",),
    "TASK": ("TASK",),
    "FLEET": ("FLEET",),
    "NUMBER|HOST|AGENT": ("HOST", "AGENT"),
}
"""Which names go for an argument that help calls so."""

_FILTERS = {"host": "HOST", "profile": "PROFILE", "model": "MODEL", "name": "AGENT", "fleet": "FLEET"}
"""Which names go for the value of a term of a filter."""


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
        return _fitting(_values(takes, verb, begun, known), begun)
    if begun.startswith("-"):
        return _fitting((name for action in actions for name in action.option_strings if name[:2] == "--"), begun)
    values = _values(_positional(actions, rest), verb, begun, known)
    return _fitting((value for value in values if value not in rest), begun)


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


def _values(action: argparse.Action | None, verb: Verb, begun: str, known: Known) -> Iterable[str]:
    """What may stand for an argument of a verb."""
    from controlroom.cli.verbs import VERBS

    if action is None:
        return ()
    if action.choices:
        return [str(choice) for choice in action.choices]
    metavar = str(action.metavar)
    if "|" in metavar and action.dest == "verdict":  # checked by the verb: --all moves it
        return metavar.split("|")
    if metavar == "TOPIC":
        return [*TOPICS, *(other.name.split()[0] for other in VERBS)]
    if closed := _closed(action.dest, verb.name):
        return closed
    if metavar == "FILTER" or (metavar in ("AGENT", "TASK") and ":" in begun):
        return _terms(begun, known, of_tasks=verb.group == "tasks")
    kinds: Sequence[str] = _NAMES.get(metavar, ())
    if metavar == "NAME":
        kinds = {"hosts": ("HOST",), "budget set": ("BUDGET",), "budget remove": ("BUDGET",)}.get(
            verb.group if verb.group == "hosts" else verb.name, ()
        )
    if verb.name == "why":
        kinds = ("TASK", "AGENT")
    names = known() if kinds else {}
    return [name for kind in kinds for name in names.get(kind, ())]


def _closed(dest: str, verb: str) -> Sequence[str]:
    """The words of an argument whose values are a closed set that no engine need be asked for."""
    if dest == "kind":
        from controlroom.text.states import KINDS

        return [*KINDS]
    if dest == "state":
        from controlroom.domain.tasks import TaskState

        return [state.value for state in TaskState if state.value]
    if verb == "queue set":
        from controlroom.domain.queue.rules import RULES

        return [f"{name}=" for name in RULES]
    return ()


def _terms(begun: str, known: Known, *, of_tasks: bool) -> Iterable[str]:
    """What a part of a filter can become: first what is compared, then the values of that."""
    from controlroom.domain.display.filters import KINDS, STATES, TASK_KINDS, TASK_STATES

    sign = "-" * begun.startswith("-")
    kind, colon, _ = begun.removeprefix("-").partition(":")
    if not colon:
        return [f"{sign}{kind}:" for kind in (TASK_KINDS if of_tasks else KINDS)]
    if kind == "state":
        values: Iterable[str] = TASK_STATES if of_tasks else STATES
    elif kind == "name" and of_tasks:
        values = known().get("TASK", ())
    else:
        values = known().get(_FILTERS.get(kind, ""), ())
    return [f"{sign}{kind}:{value}" for value in values]


def _fitting(words: Iterable[str], begun: str) -> list[str]:
    return sorted({word for word in words if word.startswith(begun)})


def _known() -> dict[str, list[str]]:
    """Ask the engine that runs, if any; whatever goes wrong, nothing is completed."""
    import controlroom.cli.room
    import controlroom.client.client  # noqa: F401 - to load them is no time of the engine's

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
        return names_in(client.fleet)
    finally:
        await client.close()


def names_in(fleet: "Fleet") -> dict[str, list[str]]:
    """All names, by kind. Shells put them on the command line as they are: what a host claims must be no command."""
    bare = [agent.name for agent in fleet.agents.values() if len(fleet.find(agent.name)) == 1]
    models = [*fleet.limits.cheaper, *(agent.model for agent in fleet.agents.values() if is_model(agent.model))]
    names = {"AGENT": [*bare, *fleet.agents], "HOST": [*fleet.hosts], "PROFILE": [*fleet.profiles], "MODEL": models}
    credentials = {one.name for profile in fleet.profiles.values() for one in profile.credentials}
    return {
        **names,
        "CREDENTIAL": [*credentials],
        "TASK": [*fleet.tasks],
        "BUDGET": [*fleet.budgets],
        "FLEET": [*fleet.fleets],
    }
