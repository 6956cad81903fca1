"""Shell text taken apart, against the shell itself."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlroom.domain.permissions import programs
from controlroom.domain.permissions.shell import LONGEST, parsed


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with programs that write down how they were called, and nothing else."""
    folder = tmp_path_factory.mktemp("stub")
    for name in ("one", "two"):
        (folder / name).write_text(f"#!{shutil.which('bash')}\nprintf '%s\\0' {name} \"$@\" $'\\1' >> calls\n")
        (folder / name).chmod(0o755)
    return folder


def as_bash_calls(text: str, stub: Path, folder: Path) -> list[list[str]]:
    """Run text in bash, and return how it called the programs there are."""
    (folder / "calls").unlink(missing_ok=True)
    bash = shutil.which("bash") or "bash"
    command = [bash, "--norc", "-c", text]
    subprocess.run(command, cwd=folder, env={"PATH": str(stub)}, capture_output=True, timeout=10, check=False)
    calls = (folder / "calls").read_bytes().decode() if (folder / "calls").exists() else ""
    return [call.split("\0") for call in calls.split("\0\1\0") if call]


PIECES = [
    "one", "two", " ", " ", " ", "a", "-b", "c.d", "'", '"', "\\", "\n", ";", "&&", "|", "#", "$", "`",
    "(", ")", "{", "}",
    "~", "=", "!", "<", ">", "2>&1", "\t", "^", "%", "@", ":", ",", "''", '""', "\\\n", "[", "]", "é",
]  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_what_is_understood_means_to_bash_what_was_read_in_it(stub: Path, tmp_path: Path, tail: str) -> None:
    text = f"one {tail}"
    script = parsed(text)
    if script.problem or any(not word.known for command in script.commands for word in command.words):
        return
    words = [[word.value for word in command.words] for command in script.commands if command.words]
    if any(command[0] not in ("one", "two") for command in words) or any(
        word.glob or word.value.startswith("~") or ":~" in word.value or "=~" in word.value
        for command in script.commands
        for word in command.words
    ):
        return
    if any(redirect.writes for command in script.commands for redirect in command.redirects) or "<" in text:
        return
    in_turn = "|" not in text and "!" not in text
    called = as_bash_calls(text, stub, tmp_path)
    if in_turn:
        assert called == words, text
    else:
        assert all(call in words for call in called), text


UNREADABLE = {
    "substitutions": "$(" * 1000,
    "arithmetic": "((" * 1000,
    "here-documents": "<<E\n" * 500,
    "braces": "{" * 2000,
    "commands": "a;" * 2000,
    "pipes": "a|" * 1300,
    "an open quote": '"' * 3999,
    "an open single quote": "a'",
    "a last backslash": "a\\",
    "a zero": "\0",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_whatever_text_is_read_it_is_told_not_to_be_understood(text: str) -> None:
    assert parsed(text).problem


def test_text_that_is_longer_than_what_is_taken_apart_is_not_read() -> None:
    assert parsed("a" * LONGEST).problem == ""
    assert parsed("a" * (LONGEST + 1)).problem


def test_commands_are_found_in_text_that_is_not_understood() -> None:
    text = 'for i in *; do x=$(one "$(two 3)") || one `two 4`; done; f() { one 5; }; cat <<E\n$(two 6)\nE\none "$'
    found = [[word.value for word in command.words] for command in parsed(text).commands]
    for call in (["two", "3"], ["two", "4"], ["one", "5"], ["two", "6"]):
        assert call in found


@pytest.mark.parametrize(
    "words", ["timeout 5 one", "timeout -k 5 -s KILL 1.5m one", "nice one", "nice -n 5 one", "nohup one"]
)
def test_a_wrapper_whose_words_are_all_known_is_taken_off(words: str) -> None:
    assert programs.unwrapped(words.split()) == ["one"]


@pytest.mark.parametrize("words", ["timeout one", "timeout -x 5 one", "timeout 5", "nice -n x one", "time"])
def test_a_wrapper_that_is_not_understood_stays(words: str) -> None:
    assert programs.unwrapped(words.split())[0] in programs.NEVER
