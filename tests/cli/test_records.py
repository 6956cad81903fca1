"""What `--json` prints: one style in all verbs, as the manual describes it."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from controlroom.cli.record_fields import Field, Kind
from controlroom.cli.records import ANSWERS, VERSION, answer
from controlroom.cli.verbs import VERBS
from controlroom.domain.budgets import Budget, BudgetUnit, Period
from controlroom.domain.money.budget import LADDER
from controlroom.domain.queue.rules import wished
from controlroom.domain.tasks import Queue, TaskState
from tests.domain.worlds import NOON, fleet
from tests.end_to_end.room import Room, here
from tests.lab.world import World

UNITS = {
    Kind.USD: r"(.*_)?usd",
    Kind.BYTES: r"(.*_)?bytes(_per_second)?",
    Kind.SECONDS: r"(.*_)?seconds",
    Kind.PERCENT: r"(.*_)?percent",
    Kind.TIME: r"(.*_)?(at|since|until)",
}
"""How names of fields end that have a unit."""

TYPES: dict[Kind, tuple[type, ...]] = {
    Kind.TEXT: (str,),
    Kind.TEXTS: (list,),
    Kind.FLAG: (bool,),
    Kind.COUNT: (int,),
    Kind.NUMBER: (int, float),
    Kind.TIME: (str,),
    Kind.USD: (str,),
    Kind.BYTES: (int,),
    Kind.SECONDS: (int, float),
    Kind.PERCENT: (int, float),
}

WORDS = {
    "fleet plan": ("/dev/null",),
    "fleet apply": ("/dev/null",),
    "adopt": ("job",),
    "rules test": ("Bash: git status && ls",),
    "explain": ("job",),
    "diff": ("job",),
    "collect": ("job",),
    "task add": ("say hello", "--not-before", "1h"),
    "task show": ("t1",),
    "why": ("t1",),
    "host check": ("local",),
    "pause": ("job",),
    "model": ("job", "haiku"),
    "resume": ("job",),
    "estimate": ("--agents", "1", "--hours", "1", "--requests-per-hour", "1"),
}
"""What a verb takes beside `--json`."""


def walk(fields: tuple[Field, ...]) -> Iterator[Field]:
    for field in fields:
        yield field
        yield from walk(field.fields)


def problems(fields: tuple[Field, ...], told: Any, where: str) -> Iterator[str]:
    """Name what in a record is not as its fields say."""
    if list(told) != [field.name for field in fields]:
        yield f"{where}: {list(told)}"
        return
    for field in fields:
        value: Any = told[field.name]
        here = f"{where}.{field.name}"
        if value is None:
            continue
        if field.kind is Kind.RECORD:
            yield from problems(field.fields, value, here)
        elif field.kind is Kind.RECORDS:
            for each in value:
                yield from problems(field.fields, each, here)
        elif type(value) not in TYPES[field.kind]:
            yield f"{here}: {value!r} is no {field.kind}"
        elif field.kind is Kind.TIME and not datetime.fromisoformat(value).tzinfo:
            yield f"{here}: {value!r} has no zone"
        elif field.kind is Kind.USD and not re.fullmatch(r"\d+\.\d{6}", value):
            yield f"{here}: {value!r} is no decimal text"


def test_every_verb_with_json_is_described_and_no_other() -> None:
    verbs = {answer.partition(" --")[0] for answer in ANSWERS}  # `why --all` is another answer of `why`
    assert sorted(verbs) == sorted(verb.name for verb in VERBS if "--json" in verb.usage)


@pytest.mark.parametrize("verb", ANSWERS)
def test_names_say_their_units(verb: str) -> None:
    for field in walk(ANSWERS[verb]):
        assert re.fullmatch(r"[a-z][a-z0-9_]*", field.name)
        for kind, ending in UNITS.items():
            assert bool(re.fullmatch(ending, field.name)) == (field.kind is kind), f"{field.name}: {field.kind}"


def test_what_verbs_print_is_as_described(home: World) -> None:
    room = Room()
    room.run("budget", "set", "day", "--limit", "8")
    room.run("budget", "set", "week", "--limit", "85", "--unit", "window", "--window", "seven_day")
    room.run("rules", "add", "status", "Bash: git status *")
    subprocess.run(["git", "init", "-q", home.home / "src"], check=True)
    (home.home / "src" / "new.txt").write_text("one\ntwo\n")
    room.run("spawn", "job", "--cwd", "src", "--", "sleep", "600")
    room.wait_for_state("job", "working")
    for verb, fields in ANSWERS.items():
        code, out, errors = here([*verb.split(), *WORDS.get(verb, ()), "--json"])
        assert out, f"{verb}: exit {code}: {errors}"
        told = json.loads(out)
        assert told.pop("version") == VERSION
        assert list(problems(fields, told, verb)) == []
    room.run("kill", "job", "--yes")
    room.run("stop")


def test_an_amount_stands_under_its_unit_and_the_others_are_null() -> None:
    day = Budget(
        "day", "fleet", Period.DAY, BudgetUnit.BILLED, 8_000_000, 7_600_000, NOON, NOON + 1, 1_920_000, rungs=LADDER
    )
    week = Budget("week", "fleet", Period.DAY, BudgetUnit.WINDOW, 85, 85, spent=61, window="seven_day")
    told_day, told_week = answer("budget show", [day, week])["budgets"]
    assert (told_day["spent_usd"], told_day["spent_percent"], told_day["spent_tokens"]) == ("1.920000", None, None)
    assert (told_week["spent_usd"], told_week["spent_percent"]) == (None, 61)
    assert told_day["spent_of_limit_percent"] == 24


def test_rules_of_the_queue_that_were_changed_bear_the_names_that_queue_set_takes() -> None:
    changed = {wished(name, "5")[0]: 5 for name in ("stagger_seconds", "max_agents")}
    shown = answer("queue show", (replace(fleet(), queue=Queue(changed=changed)), Counter[TaskState]()))
    assert shown["changed"] == ["max_agents", "stagger_seconds"]
    assert [wished(name, "")[0] for name in shown["changed"]] == ["max_agents", "stagger"]
