"""What stands where agents would stand when there is none to show."""

from controlroom.domain.model import Fleet
from controlroom.domain.words import size
from controlroom.tui.look import ink
from controlroom.tui.look.ink import Line
from controlroom.tui.picture import Engine, Picture
from controlroom.tui.room import Room

_SHOWN = 3
"""Machines that are described."""


def no_agents(room: Room, picture: Picture, wanted: str, cells: int) -> list[Line]:
    """Say what to do next. `wanted`: the filter; `cells`: the width there is."""
    fleet, palette, keys = picture.fleet, room.palette, room.keys.shown
    quiet, key = palette.quiet, palette.key
    add = ((keys("hosts"), key), (" then ", quiet), (keys("host_add"), key))
    if picture.engine is not Engine.HERE and not picture.known:
        words = picture.reason or "starting the engine…"
        return [(), *(ink.line((f"  {part}", quiet)) for part in ink.wrap(words, cells))]
    if wanted:
        return [(), ink.line(("  no agent has that.  ", quiet), (keys("filter"), key), (" changes the filter", quiet))]
    if picture.read_only:
        return [(), ink.line((f"  No {'agents' if fleet.hosts else 'hosts'} yet.", palette.strong))]
    if not fleet.hosts:
        return [
            (),
            ink.line(("  No hosts yet.", palette.strong)),
            ink.line(("  Press ", quiet), *add, (" to add one,", quiet)),
            ink.line(("  or: controlroom host add user@address", quiet)),
        ]
    return [
        (),
        ink.line(("  No agents yet.", palette.strong)),
        *(ink.line((ink.cut(f"  {words}", cells), quiet)) for words in _machines(fleet)),
        (),
        ink.line(("  Press ", quiet), (keys("spawn"), key), (" to start one: write its task,", quiet)),
        ink.line(("  then Enter. ", quiet), (keys("help"), key), (" explains every key.", quiet)),
        ink.line(("  ", quiet), *add, (" adds another machine;", quiet)),
        ink.line(("  in a shell: controlroom init", quiet)),
        (),
        ink.line(("  tmux sessions and Claudes that you", quiet)),
        ink.line(("  started elsewhere show up by themselves.", quiet)),
    ]


def _machines(fleet: Fleet) -> list[str]:
    """Say what the first hosts are, as far as they have been met."""
    met = [(host.name, host.facts) for host in fleet.hosts.values() if host.facts]
    return [
        f"{name}: {facts.cores} cores, {size(facts.memory_total)}, {facts.tmux_words}" for name, facts in met[:_SHOWN]
    ]
