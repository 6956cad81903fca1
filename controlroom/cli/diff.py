"""What an agent has changed: its files, and the diff of each."""

import argparse
from collections.abc import AsyncIterator, Sequence

from controlroom.cli import output
from controlroom.cli.diff_records import Diff
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.room import find_agent, with_room
from controlroom.client.client import Client
from controlroom.domain.display.diff import DiffLine, amount, base_words, letter, remarks, shown_path, totals
from controlroom.domain.model import Agent
from controlroom.domain.words import count, nearest
from controlroom.text.changes import ChangedFile, Changes


def diff(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Print what an agent has changed."""
    return with_room(_diff, args)


async def _diff(client: Client, args: argparse.Namespace) -> int:
    agent = await find_agent(client, args.agent)
    epoch = args.epoch or agent.epoch
    told = await client.changes(agent.id, epoch)
    if told.changes is None:
        raise Stop(Exit.REFUSED, f"{agent.id}: {told.reason or 'its host says nothing of its work'}")
    files = _meant(told.changes.files, args.file)
    if args.json:
        return await _as_json(client, agent, epoch, args, told.changes, files)
    _summary(told.changes, files)
    if args.stat:
        output.table([_row(file) for file in files], frozenset({2, 3}))
        return Exit.DONE
    for file in files:
        output.diff_heading(" ".join([letter(file), shown_path(file.path), *map(_bracketed, remarks(file))]))
        if file.binary:
            output.data("binary: its contents differ, and are no text")
            continue
        async for lines in _lines(client, agent, epoch, file):
            output.diff_lines(lines)
    return Exit.DONE


async def _as_json(
    client: Client, agent: Agent, epoch: int, args: argparse.Namespace, changes: Changes, files: Sequence[ChangedFile]
) -> int:
    diffs: list[tuple[ChangedFile, list[DiffLine] | None]] = []
    for file in files:
        wanted = not (args.stat or file.binary)
        lines = [line async for part in _lines(client, agent, epoch, file) for line in part] if wanted else None
        diffs.append((file, lines))
    output.json_answer("diff", Diff(agent.id, epoch, changes, diffs))
    return Exit.DONE


def _meant(files: Sequence[ChangedFile], path: str) -> Sequence[ChangedFile]:
    """The files that are meant: all, or those of one path. Raises `Stop` when none is."""
    if not path:
        return files
    meant = [file for file in files if path in (file.path, shown_path(file.path))]
    if not meant:
        near = nearest(path, [shown_path(file.path) for file in files])
        raise Stop(Exit.NOT_FOUND, f"{ascii(path)[:90]} is not among the {count(len(files))} files that changed{near}")
    return meant


async def _lines(client: Client, agent: Agent, epoch: int, file: ChangedFile) -> AsyncIterator[Sequence[DiffLine]]:
    """Read the lines of a diff, page by page; what cannot be read is said."""
    start, version = 0, ""
    while True:
        page = await client.diff(agent.id, epoch, file, start)
        if page.reason:
            output.talk(f"{shown_path(file.path)}: {page.reason}")
            return
        if version and page.version != version:
            output.talk(f"{shown_path(file.path)} has changed while it was read: what follows may not fit")
        version = page.version
        yield page.lines
        start = page.start + len(page.lines)
        if not page.lines or start >= page.total:
            break
    if page.endless:
        output.talk(f"{shown_path(file.path)}: the diff is longer than can be read")


def _summary(changes: Changes, files: Sequence[ChangedFile]) -> None:
    added, removed = totals(files)
    branch = f" on {changes.branch}" if changes.branch else ""
    commits = f", {count(changes.commits)} commit{'s' * (changes.commits != 1)}" if changes.commits else ""
    number = len(files) + changes.left_out
    since = base_words(changes)
    output.talk(
        f"{count(number)} file{'s' * (number != 1)}, +{count(added)} -{count(removed)}{branch}{commits}, {since}"
    )
    if changes.left_out:
        output.talk(f"{count(changes.left_out)} of them are too many to be listed")


def _row(file: ChangedFile) -> tuple[str, ...]:
    added, removed = amount(file)
    return letter(file), shown_path(file.path), added, removed, "; ".join(remarks(file))


def _bracketed(words: str) -> str:
    return f"({words})"
