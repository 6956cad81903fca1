"""Packing on the host that an agent leaves: what would be carried is told before it ends, and packed once it has."""

import os
from collections.abc import Mapping, Sequence

from controlroom.node.agent_folders import Entry
from controlroom.node.carrying import sessions, snapshot, staging
from controlroom.node.git.work import workplace, worktree_of
from controlroom.node.spawn import Refusal
from controlroom.runner.git import GitFailed, located, opened
from controlroom.runner.worktree.record import Worktree
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.wire.carrying import Folder, FolderLooked, LookAtFolder, Manifest, Pack, Part, SessionFile


class Leaving(NamedTuple):
    """An agent that leaves, and where it works."""

    entry: Entry
    folder: str
    common: str
    made: Worktree | None
    has_setup: bool
    """A command of its profile makes what git does not bring along."""


def leaving(state: str, entry: Entry, environ: Mapping[str, str], *, has_setup: bool) -> Leaving:
    """Find out where an agent works. Raises nothing."""
    place = workplace(state, entry, environ["HOME"])
    return Leaving(entry, place.folder, place.common, worktree_of(state, entry)[1], has_setup)


def look(asked: LookAtFolder, agent: Leaving, environ: Mapping[str, str]) -> FolderLooked:
    """Tell what would be carried of an agent that may be at work. Raises `Refusal`, `GitFailed` and `OSError`."""
    size = 0
    if asked.session:
        size = sessions.size_of(sessions.transcript_of(agent.entry, asked.session, environ, agent.folder))
    if not asked.folder:
        return FolderLooked(asked.id, session_bytes=size)
    if problem := _no_repository(agent):
        raise Refusal(problem)
    with opened(agent.folder, environ, agent.common) as tree:
        snapshot.check(tree, has_setup=agent.has_setup)
        folder = snapshot.look(tree, agent.made, agent.folder, asked.have)
        path = agent.made.checkout if agent.made else tree.place.top
    return FolderLooked(asked.id, folder, path, size)


def pack(asked: Pack, agent: Leaving, folder: str, environ: Mapping[str, str]) -> Manifest:
    """Pack an agent that has ended into the folder of its move. Raises `Refusal`, `GitFailed` and `OSError`."""
    parts: list[Part] = []
    files: tuple[SessionFile, ...] = ()
    carried = None
    if asked.session:
        transcript = sessions.transcript_of(agent.entry, asked.session, environ, agent.folder)
        files = sessions.pack(transcript, os.path.join(folder, staging.SESSION), asked.most)
        parts.append(staging.part_of(folder, staging.SESSION))
    if asked.folder:
        carried = _pack_folder(agent, folder, environ, asked.have, asked.most)
        parts += [staging.part_of(folder, name) for name in (staging.COMMITS, staging.WORK)]
    if (size := sum(part.size for part in parts)) > asked.most:
        raise Refusal(too_large(size, asked.most))
    return Manifest(tuple(parts), asked.session, files, carried)


def _pack_folder(agent: Leaving, folder: str, environ: Mapping[str, str], have: Sequence[str], most: int) -> Folder:
    with opened(agent.folder, environ, agent.common) as tree:
        snapshot.check(tree, has_setup=agent.has_setup)
        looked = snapshot.look(tree, agent.made, agent.folder, have)
        if looked.bytes > most:
            raise Refusal(too_large(looked.bytes, most))
        staging.remove(os.path.join(folder, snapshot.SCRATCH))
        files, _ = snapshot.included_files(tree)
        with snapshot.scratch(tree, folder) as ours:
            index = snapshot.take_index(tree, ours)
            work = snapshot.take_files(ours, files)
            ours.run("update-ref", snapshot.HEAD, looked.head)
            staged = snapshot.keep(ours, snapshot.INDEX, index, looked.head)
            snapshot.keep(ours, snapshot.FILES, work, staged)
            known = snapshot.known_commits(tree, have)
            snapshot.bundle(ours, os.path.join(folder, staging.COMMITS), [snapshot.INDEX], known)
            snapshot.bundle(ours, os.path.join(folder, staging.WORK), [snapshot.FILES], [staged])
        staging.remove(os.path.join(folder, snapshot.SCRATCH))
    return looked._replace(staged=index, work=work)


def too_large(size: int, most: int) -> str:
    """Say that more would have to be carried than may be, and what to do."""
    return (
        f"{size >> 20:,} MiB would have to be carried, more than {most >> 20:,} (moves.most_mb): push the branch and "
        "fetch it there first, or raise that"
    )


def _no_repository(agent: Leaving) -> str:
    """Say why a folder cannot be carried at all; "": it lies in a git repository."""
    try:
        located(agent.folder)
    except GitFailed as error:
        without = "--leave-folder (on the screen: leave folder)"
        return f"{error}, and its files would stay behind. To move it without them: {without}"
    return ""
