"""What the options of `task add` and `task edit` say of checks."""

from __future__ import annotations

import argparse

import pytest

from controlroom.cli.check_options import check_order, edited_order
from controlroom.cli.task_verbs import TASKS
from controlroom.text.checks import AS_PROFILE, CheckOrder


def parsed(verb: str, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    next(one for one in TASKS if one.name == verb).arguments(parser)
    return parser.parse_args(["it", *words])


def test_without_a_word_all_is_as_the_profile_says() -> None:
    assert check_order(parsed("task add")) == AS_PROFILE


def test_commands_are_read_as_a_shell_reads_them() -> None:
    words = ("--verify", "make 'a b'", "--verify", "true", "--verify-minutes", "1.5", "--verify-attempts", "0")
    said = check_order(parsed("task add", *words, "--clean", "--guarded", "tests/"))
    assert said == CheckOrder((("make", "a b"), ("true",)), 1.5, 0, True, ("tests/",))


@pytest.mark.parametrize("words", [("--verify", "'x"), ("--verify-minutes", "-1"), ("--verify-attempts", "21")])
def test_what_cannot_be_is_refused(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("task add", *words)
    assert "expected " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "becomes"),
    [
        ((), None),
        (("--verify-minutes", "3"), CheckOrder((("a",),), 3.0, 1, False, ("b",))),
        (("--verify", ""), CheckOrder((), 2.0, 1, False, ("b",))),
        (("--verify", "c d", "--guarded", ""), CheckOrder((("c", "d"),), 2.0, 1)),
    ],
)
def test_an_edit_changes_what_it_names_alone(words: tuple[str, ...], becomes: CheckOrder | None) -> None:
    before = CheckOrder((("a",),), 2.0, 1, False, ("b",))
    assert edited_order(parsed("task edit", *words), before) == becomes
