"""What stands where agents would stand when there is none to show."""

from controlroom.domain.model import Fleet
from controlroom.domain.words import size
from controlroom.tui.room import Room
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.view_state import Engine, ViewState

_SHOWN = 3
"""Machines that are described."""


def no_agents(room: Room, view: ViewState, wanted: str, cells: int) -> list[Line]:
    """Say what to do next. `wanted`: the filter; `cells`: the width there is."""
    fleet, palette, keys = view.fleet, room.palette, room.keys.shown
    quiet, key = palette.quiet, palette.key
    add = ((keys("hosts"), key), (" then ", quiet), (keys("host_add"), key))
    if view.engine is not Engine.HERE and not view.known:
        words = view.reason or "starting the engine…"
        return [(), *(styled.line((f"  {part}", quiet)) for part in styled.wrap(words, cells))]
    if wanted:
        return [
            (),
            styled.line(("  no agent has that.  ", quiet), (keys("filter"), key), (" changes the filter", quiet)),
        ]
    if view.read_only:
        return [(), styled.line((f"  No {'agents' if fleet.hosts else 'hosts'} yet.", palette.strong))]
    if not fleet.hosts:
        return [
            (),
            styled.line(("  No hosts yet.", palette.strong)),
            styled.line(("  Press ", quiet), *add, (" to add one,", quiet)),
            styled.line(("  or: controlroom host add user@address", quiet)),
        ]
    return [
        (),
        styled.line(("  No agents yet.", palette.strong)),
        *(styled.line((styled.cut(f"  {words}", cells), quiet)) for words in _machines(fleet)),
        (),
        styled.line(("  Press ", quiet), (keys("spawn"), key), (" to start one: write its task,", quiet)),
        styled.line(("  then Enter. ", quiet), (keys("help"), key), (" explains every key.", quiet)),
        styled.line(("  ", quiet), *add, (" adds another machine;", quiet)),
        styled.line(("  in a shell: controlroom init", quiet)),
        (),
        styled.line(("  tmux sessions and Claudes that you", quiet)),
        styled.line(("  started elsewhere show up by themselves.", quiet)),
    ]


def _machines(fleet: Fleet) -> list[str]:
    """Say what the first hosts are, as far as they have been met."""
    met = [(host.name, host.facts) for host in fleet.hosts.values() if host.facts]
    return [
        f"{name}: {facts.cores} cores, {size(facts.memory_total)}, {facts.tmux_words}" for name, facts in met[:_SHOWN]
    ]
