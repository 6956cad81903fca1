"""Tasks out of files: issues as JSON, TOML, and lists as people write them; and many tasks shown at once."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from controlroom.cli.exits import Stop
from controlroom.cli.task_files import markdown_items, read_tasks
from controlroom.cli.tasks import all_shown, moment
from controlroom.domain.model import Fleet
from controlroom.domain.tasks import Queue, Source, Task, TaskState, TaskWish, in_order
from controlroom.domain.waits import Wait, WaitReason

COMMON = TaskWish("", priority=2, profile="docs")

ISSUES = """[{"number": 7, "title": "It breaks", "body": "When I click", "url": "https://x/7",
  "labels": [{"name": "bug"}, {"name": "ui"}], "author": {"login": "eve"}, "closed": false}]"""


def test_issues_are_tasks_whose_fields_a_template_can_use() -> None:
    (wish,) = read_tasks(ISSUES, COMMON)
    assert (wish.text, wish.key, wish.priority, wish.source) == (
        "It breaks\n\nWhen I click",
        "https://x/7",
        2,
        Source.FILE,
    )
    assert wish.variables == {
        "number": "7",
        "title": "It breaks",
        "body": "When I click",
        "url": "https://x/7",
        "labels": "bug, ui",
        "author.login": "eve",
        "closed": "false",
    }


def test_json_lines_and_texts_alone() -> None:
    wishes = read_tasks('{"text": "a", "after": "k", "attempts": 5}\n\n{"text": "b", "priority": 9}\n', COMMON)
    assert [(wish.text, wish.after, wish.max_attempts, wish.priority) for wish in wishes] == [
        ("a", ("k",), 5, 2),
        ("b", (), 0, 9),
    ]
    assert [wish.text for wish in read_tasks('["x", "y"]', COMMON)] == ["x", "y"]


def test_toml() -> None:
    (wish,) = read_tasks('[[tasks]]\ntext = "a"\nhost = "vm1"\nafter = ["t1", "b"]\n', COMMON)
    assert (wish.text, wish.host, wish.after) == ("a", "vm1", ("t1", "b"))


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("- a\n- b\n", ["a", "b"]),
        ("Intro\n\n1. a\n2) b\n\nEnd", ["a", "b"]),
        ("- [ ] a\n- [x] done\n* [ ] b", ["a", "b"]),
        ("- a\n  more of it\n\n  and more\n- b", ["a\nmore of it\n\nand more", "b"]),
        ("- a\n  - below it\n- b", ["a\n- below it", "b"]),
        ("```\n- code\n```\n- a", ["a"]),
    ],
)
def test_markdown_lists(text: str, items: list[str]) -> None:
    assert list(markdown_items(text)) == items


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("just words", "there is no task in it"),
        ('{"text": "a"}\nnot json', "line 2 is not JSON"),
        ("[[tasks]]\ntext = ", "that is not TOML"),
        ("[3]", "task 1 is not a record"),
        ('[{"text": "a", "priority": "high"}]', "task 1: priority is not a whole number"),
    ],
)
def test_what_cannot_be_read_is_said_in_words(text: str, says: str) -> None:
    with pytest.raises(Stop, match=says.replace("[", r"\[")):
        read_tasks(text, COMMON)


def test_moments_to_come() -> None:
    noon = 1_795_348_800.0
    assert moment("30m", noon) == 1000 * (1_795_348_800 + 1800)
    assert moment("2026-12-01T08:00+00:00", noon) == 1_796_112_000_000
    assert 0 < moment("18:30", noon) / 1000 - noon <= 86_400
    with pytest.raises(ValueError, match="expected a time like"):
        moment("soon", noon)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a":' * 100_000, "nested too deeply"),
        ("[[tasks]]\nx = " + "[" * 100_000, "nested too deeply"),
        ("[[tasks]]\nx = " + "9" * 5_000, "that is not TOML"),
        ('[{"text": "a", "priority": NaN}]', "task 1: priority is not a whole number"),
        ('[{"text": "a"}, {"text": "b", "host": 3}]', "task 2: host is not a text"),
        ('[{"text": "a", "key": 12}]', "task 1: key is not a text"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(text: str, problem: str) -> None:
    with pytest.raises(Stop, match=problem):
        read_tasks(text, COMMON)


def test_the_reasons_of_many_tasks_are_found_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    sorted_times: list[int] = []

    def noted(tasks: Iterable[Task], queue: Queue, now: int) -> list[Task]:
        sorted_times.append(now)
        return in_order(tasks, queue, now)

    behind = Wait(WaitReason.BEHIND)
    tasks = [Task(number, "one of many", TaskState.WAITING, 1, 1, wait=behind) for number in range(1, 500)]
    fleet = Fleet("room-1", tasks={one.id: one for one in tasks})
    monkeypatch.setattr("controlroom.domain.display.tasks.in_order", noted)
    client: Any = SimpleNamespace(fleet=fleet, now=lambda: 2)
    shown = all_shown(client, tasks)
    assert [each.lines for each in shown[:2]] == [("it is next",), ("1 start first; the first of them: t1",)]
    assert len(sorted_times) == 1


def test_what_is_run_on_hosts_is_not_taken_from_a_file() -> None:
    with pytest.raises(Stop, match="say it with --verify, or in its profile"):
        read_tasks('[{"text": "a", "verify": [["rm", "-rf", "/"]]}]', COMMON)
