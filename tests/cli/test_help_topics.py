"""`controlroom help`: a page on a pipe and on a terminal, a search, and what is no topic."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from controlroom.__main__ import main
from controlroom.cli.exits import Exit
from controlroom.client import manual
from tests.lab.terminal import Terminal

HELP = (sys.executable, "-m", "controlroom", "help")


def run(*words: str) -> int:
    return main(["help", *words])


@pytest.mark.parametrize("topic", manual.TOPICS)
def test_a_page_on_a_pipe_is_its_markdown(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(topic) == Exit.DONE
    assert capsys.readouterr().out.rstrip() == manual.read(topic).text.rstrip()


def test_help_on_a_verb_is_the_help_of_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("spawn") == Exit.DONE
    assert capsys.readouterr().out.startswith("usage: controlroom spawn NAME")
    assert run("host", "add") == Exit.DONE
    assert capsys.readouterr().out.startswith("usage: controlroom host add")


def test_limits_is_a_page_first(capsys: pytest.CaptureFixture[str]) -> None:
    run("limits")
    assert capsys.readouterr().out.startswith("# Limits\n")


def test_a_search_prints_page_heading_and_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-s", "STOP", "line") == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("money: Budgets hold alone: ") for line in lines)
    assert all("stop line" in line.casefold() for line in lines)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["-s", "xyzzy"], Exit.REFUSED, "no page of the manual contains 'xyzzy'"),
        (["-s", " "], Exit.USAGE, "-s needs a word to search for"),
        (["-s"], Exit.USAGE, "argument -s/--search: expected at least one argument; see controlroom help --help"),
        (["qqqq"], Exit.USAGE, "there is no page or verb 'qqqq'; pages are " + ", ".join(manual.TOPICS)),
        (["budgets"], Exit.USAGE, "there is no page or verb 'budgets': did you mean budget set?; pages are agents, "),
        (["moeny"], Exit.USAGE, "there is no page or verb 'moeny': did you mean money?; pages are agents, "),
        (["spwan"], Exit.USAGE, "there is no page or verb 'spwan': did you mean spawn?; pages are agents, "),
        (["\x1b[2J"], Exit.USAGE, "there is no page or verb '\\x1b[2J'; pages are agents, "),
        (["../keys"], Exit.USAGE, "there is no page or verb '../keys': did you mean keys?; pages are agents, "),
    ],
)
def test_what_cannot_be_shown_is_said(
    words: list[str], code: Exit, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(sentence)


def test_a_long_page_goes_through_less_with_its_headings_bold(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "terminal", [*HELP, "money"], 45, 20, {"TERM": "xterm", "PAGER": "less"})
    try:
        terminal.wait_for_text("Money", "What agents cost")
        assert "\x1b[1mMoney" in terminal.colours()
        terminal.keys("G")
        terminal.wait_for_text("machines.toml")
        terminal.keys("q")
        assert terminal.wait_for_exit() == 0
    finally:
        terminal.close()


@pytest.mark.parametrize("pager", ["cat", "", "no-such-pager --really", "'"])
def test_without_a_pager_that_runs_a_page_is_just_printed(tmp_path: Path, pager: str) -> None:
    terminal = Terminal(tmp_path / "terminal", [*HELP, "states"], 80, 50, {"TERM": "xterm", "PAGER": pager})
    try:
        assert terminal.wait_for_exit() == 0
        assert "a person is asked for something" in terminal.screen()
    finally:
        terminal.close()


def test_a_pager_that_may_not_know_bold_gets_none(tmp_path: Path) -> None:
    pager = f"{sys.executable} -c 'import sys; print(chr(10), ascii(sys.stdin.read(30)))'"
    terminal = Terminal(tmp_path / "terminal", [*HELP, "states"], 80, 50, {"TERM": "xterm", "PAGER": pager})
    try:
        assert terminal.wait_for_exit() == 0
        assert "'States\\n\\nWhat each state" in terminal.screen()
    finally:
        terminal.close()
