"""Overlap: files of one repository that several agents have edited, across working trees and hosts.

What an agent has edited is a claim of its host. Two agents overlap where they claim the same path of the same
repository, unless they share a working tree and one of them has ended (the other one has seen what it did), or are runs
of one piece of work. How many others there are of an agent does not matter: each path leads to those that claim it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from controlroom.domain.gauges import Alarm, AlarmKind
from controlroom.domain.model import Agent, Edited, Fleet, Overlap
from controlroom.text.lazy_dataclass import dataclass

OTHERS = 8
"""Agents that are named beside one."""

_CLAIMANTS = 64
"""Agents that are looked at for one path."""


@dataclass(frozen=True)
class Edits:
    """What an agent has edited of one repository, as its host claims; every text is sanitized."""

    repository: str
    """Names it in the whole fleet: where it came from, or the place on its host where it lies."""
    tree: str
    """Names its working tree in the whole fleet."""
    paths: frozenset[str]
    more: bool = False
    """There may be more files than these."""


_File = tuple[str, str]
"""A repository and a path in it."""


class OverlapIndex:
    """Who claims which file. Agents are named by id."""

    def __init__(self, same_work: Callable[[str, str], bool], ended: Callable[[str], bool]) -> None:
        """`same_work`: whether two are runs of one piece of work; `ended`: whether one has ended."""
        self._same_work, self._ended = same_work, ended
        self._edits: dict[str, tuple[Edits, ...]] = {}
        self._claimants: dict[_File, dict[str, str]] = {}
        """By file: agents, each with the working tree that it edited it in, those first that claimed it first."""

    def __contains__(self, agent: str) -> bool:
        return agent in self._edits

    def put(self, agent: str, edits: Iterable[Edits]) -> set[str]:
        """Take what an agent claims by now; return those of whom it may follow that they overlap otherwise."""
        before, now = dict(_files(self._edits.get(agent, ()))), dict(_files(edits := tuple(edits)))
        concerned = {agent}
        for file, tree in before.items():
            if now.get(file) != tree:
                concerned |= self._drop(file, agent)
        for file, tree in now.items():
            if before.get(file) != tree:
                claimants = self._claimants.setdefault(file, {})
                concerned |= claimants.keys()
                claimants[agent] = tree
        self._edits[agent] = edits
        return concerned

    def drop(self, agent: str) -> set[str]:
        """An agent is there no more; return those of whom it follows that they overlap otherwise."""
        concerned = self.around(agent)
        for file, _ in _files(self._edits.pop(agent, ())):
            self._drop(file, agent)
        return concerned - {agent}

    def around(self, agent: str) -> set[str]:
        """Name an agent, and all that claim one of its files."""
        return {agent}.union(*(self._claimants.get(file, {}) for file, _ in _files(self._edits.get(agent, ()))))

    def agents_on(self, host: str) -> list[str]:
        """Name the agents of a host that claim anything."""
        return [agent for agent in self._edits if agent.startswith(f"{host}/")]

    def edited(self, agent: str) -> Edited | None:
        """What is known of an agent by now; None: nothing."""
        edits = self._edits.get(agent)
        if edits is None:
            return None
        files = sum(len(each.paths) for each in edits)
        return Edited(files, any(each.more for each in edits), tuple(self._overlaps(agent)))

    def _drop(self, file: _File, agent: str) -> set[str]:
        claimants = self._claimants.get(file, {})
        claimants.pop(agent, None)
        if not claimants:
            self._claimants.pop(file, None)
        return {*claimants}

    def _overlaps(self, agent: str) -> Iterator[Overlap]:
        """The agents that overlap with one, some of them, each with the first file by name that both have edited."""
        first: dict[str, _File] = {}
        files: Counter[str] = Counter()
        same: set[str] = set()
        for file, tree in sorted(_files(self._edits[agent])):
            for other, others_tree in islice(self._claimants[file].items(), _CLAIMANTS):
                if other == agent or other in same or self._have_met(agent, tree, other, others_tree):
                    continue
                if other not in first:
                    if self._same_work(agent, other):
                        same.add(other)
                        continue
                    first[other] = file
                files[other] += 1
        for other in list(first)[:OTHERS]:
            yield Overlap(other, *first[other], files[other])

    def _have_met(self, agent: str, tree: str, other: str, others_tree: str) -> bool:
        """Whether the one that came later has seen what the other one had done."""
        return tree == others_tree and (self._ended(agent) or self._ended(other))


def is_same_work(fleet: Fleet, one: str, other: str) -> bool:
    """Whether two agents, by id, are runs of one piece of work: it was moved, or tried again, to another host.

    Attempts at one task have the same name, wherever they are made. Of one that is no longer there nothing is known.
    """
    first, second = fleet.agents.get(one), fleet.agents.get(other)
    if first is None or second is None:
        return True
    alike = first.task and (first.name, first.task) == (second.name, second.task)
    return bool(alike) and (first.has_ended or second.has_ended)


def _files(edits: Iterable[Edits]) -> Iterator[tuple[_File, str]]:
    for each in edits:
        for path in each.paths:
            yield (each.repository, path), each.tree


def overlap_words(overlap: Overlap, *, brief: bool = False) -> str:
    """Say what an agent has edited that another has edited, too. `brief`: for a row."""
    more = f" and {overlap.files - 1} more file{'s' * (overlap.files > 2)}" if overlap.files > 1 else ""
    if brief:
        return f"{overlap.path}{more} also edited by {overlap.other}"
    return f"{overlap.path}{more} of {overlap.repository}, which {overlap.other} has edited, too"


def edited_words(edited: Edited | None) -> str:
    """Say how many files an agent has edited, as far as is known; "" when nothing is."""
    if edited is None or not (edited.files or edited.in_part):
        return ""
    least = "at least " if edited.in_part else ""
    unknown = ": of the others it is not known whether somebody else has edited them" if edited.in_part else ""
    return f"{least}{edited.files} file{'s' * (edited.files != 1)}{unknown}"


def row_words(edited: Edited | None) -> str:
    """What a row says of it: the first overlap; "" for none."""
    if edited is None or not edited.overlaps:
        return ""
    more = len(edited.overlaps) - 1
    return overlap_words(edited.overlaps[0], brief=True) + (f", and {more} more" if more else "")


def overlap_alarm(agent: Agent, agents: Mapping[str, Agent], since: int) -> Alarm | None:
    """The alarm of an agent that overlaps with agents that began before it; None for none. Of two, one has it."""
    edited = agent.edited
    earlier = [
        overlap
        for overlap in (edited.overlaps if edited else ())
        if (other := agents.get(overlap.other)) is not None and _begun(other) < _begun(agent)
    ]
    if not earlier:
        return None
    one, more = earlier[0], len(earlier) - 1
    others = f" and {more} other agent{'s' * (more > 1)}" if more else ""
    files = f" and {one.files - 1} more file{'s' * (one.files > 2)}" if one.files > 1 else ""
    words = f"{one.other}{others} and {agent.id} have edited the same file: {one.path}{files} of {one.repository}"
    words = f"{words}; compare them before both are merged"
    mark = " ".join(sorted(overlap.other for overlap in earlier))
    return Alarm(words, since=since, agent=agent.id, mark=mark, kind=AlarmKind.OVERLAP, subject=one.other)


def _begun(agent: Agent) -> tuple[int, str]:
    return agent.started, agent.id
