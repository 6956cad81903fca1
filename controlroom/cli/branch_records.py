"""What `collect` prints with `--json`."""

from collections.abc import Callable
from functools import partial
from typing import Any

from controlroom.cli.record_fields import Field, Get, Kind, field_of
from controlroom.cli.task_records import CHECKS

_text = partial(field_of, Kind.TEXT)
_texts = partial(field_of, Kind.TEXTS)
_time = partial(field_of, Kind.TIME)
_count = partial(field_of, Kind.COUNT)
_flag = partial(field_of, Kind.FLAG)
_usd = partial(field_of, Kind.USD)


def _records(name: str, fields: tuple[Field, ...], get: Get, says: str = "") -> Field:
    return field_of(Kind.RECORDS, name, get, says, fields)


def _work(name: str) -> Callable[[Any], Any]:
    """An attribute of the work, which may not be known."""
    return lambda one: getattr(one.work, name) if one.work else None


COLLECTED = (
    _text("agent", "agent.id"),
    _count("run", "agent.epoch"),
    _text("state", "agent.state"),
    _text("detail", "agent.detail"),
    _text("answer", _work("answer"), "what it said last"),
    _flag("answer_is_cut", _work("answer_cut")),
    _time("answered_at", lambda one: one.work.answered if one.work else 0),
    field_of(Kind.RECORD, "checks", "agent.checks", "what came of the checks of its work; null: none have run", CHECKS),
    _usd("spent_usd", "agent.spent", "by all its runs, at list prices"),
    _time("started_at", "agent.started"),
    _time("ended_at", "agent.ended"),
    _text("repository", _work("clone"), "its folder on the host"),
    _text("origin", _work("origin"), "which repository that was cloned from, without credentials"),
    *(_text(name, _work(name)) for name in ("branch", "head")),
    _text("base", _work("base"), "the commit that its work began at; null: not known, nor what follows of it"),
    _text("base_name", _work("base_name")),
    _records("commits", (_text("id"), _text("subject"), _time("at")), lambda one: one.work.commits if one.work else ()),
    _count("commit_count", _work("commit_count"), "of all, of which `commits` are the newest"),
    _records(
        "files",
        (_text("path"), _count("added"), _count("removed")),
        lambda one: one.work.files if one.work else (),
        "lines of each; null: it is no text",
    ),
    _count("file_count", _work("file_count"), "of all, of which `files` are the first"),
    _count("lines_added", _work("added")),
    _count("lines_removed", _work("removed")),
    _count("uncommitted_files", _work("uncommitted")),
    _count("unpushed_commits", _work("unpushed"), "that are on no branch of a remote, as far as is known there"),
    _count("commits_only_here", _work("only_here"), "that no other branch has"),
    _text("reason", lambda one: one.reason or (one.work.reason if one.work else ""), "why something is not known"),
    _text("merge", lambda one: one.result.outcome if one.result else "", "with --merge-into: done, refused or unknown"),
    _text("merge_reason", lambda one: one.result.reason if one.result else ""),
    _texts("conflicts", lambda one: one.result.conflicts if one.result else (), "files that both sides have changed"),
)
