"""What is under way in a room, for whoever stops its engine: the next engine goes on with all of it."""

from collections.abc import Iterator, Sequence

from controlroom.domain.display.views import order_words
from controlroom.domain.fleet_files import Member, TaskStep
from controlroom.domain.imports import percent_read
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.queue.drains import progress
from controlroom.domain.tasks import TaskState
from controlroom.domain.words import named_some

NEXT = "the next engine goes on with what is under way (any verb starts one):"
"""Stands before what is under way."""


def under_way(fleet: Fleet) -> list[str]:
    """Say what is under way, a line each; nothing where nothing is."""
    pending = sorted((agent for agent in fleet.agents.values() if agent.pending), key=lambda agent: agent.id)
    return [*_moves(pending), *_hosts(fleet), *_fleets(fleet), *_queue(fleet)]


def _moves(pending: Sequence[Agent]) -> Iterator[str]:
    """Moves, and the other orders that hosts have not answered; where somebody moves to is no order of its own."""
    moves = {agent.id: agent.pending.op for agent in pending if agent.pending and agent.pending.verb == "move"}
    if moves:
        yield f"on the way to another host: {named_some(list(moves))}"
    halves = set(moves.values())
    alone = [agent for agent in pending if agent.pending and agent.pending.op not in halves]
    if alone:
        yield f"ordered: {named_some([f'{agent.id} ({order_words(agent)})' for agent in alone])}"


def _hosts(fleet: Fleet) -> Iterator[str]:
    for name, host in sorted(fleet.hosts.items()):
        if host.drain is not None and host.drain.move and not host.drain.emptied:
            stands = ", stands still" if host.drain.stopped else ""
            far = progress(fleet, host)
            failed = f", {far.failed} failed" if far and far.failed else ""
            yield f"{name} is being emptied" + (f": {far.moved} of {far.total} moved" if far else "") + failed + stands
        if host.imported is not None and host.imported.is_open:
            yield f"old transcripts of {name} are being counted: {percent_read(host.imported)} read"


def _fleets(fleet: Fleet) -> Iterator[str]:
    for name, applied in sorted(fleet.fleets.items()):
        members = [member for member in fleet.members.values() if member.fleet == name]
        steps = sum(task.step is not TaskStep.NONE for task in applied.tasks.values())
        counts = (
            (sum(_starts(member) for member in members), "to start"),
            (sum(bool(member.ends) for member in members), "to end"),
            (sum(bool(member.goes_to) for member in members), "to move"),
            (steps, "task to change" if steps == 1 else "tasks to change"),
        )
        if words := ", ".join(f"{count} {what}" for count, what in counts if count):
            yield f"fleet {name} is being applied: {words}"


def _starts(member: Member) -> bool:
    return member.wanted > member.begun or (member.begun > 0 and member.is_owned and not member.arrived)


def _queue(fleet: Fleet) -> Iterator[str]:
    waiting = sum(task.state is TaskState.WAITING for task in fleet.tasks.values())
    if waiting and fleet.queue.hold is None and fleet.queue.halt is None:
        yield f"{waiting} task{'s wait' if waiting > 1 else ' waits'} in the queue: nothing starts without an engine"
