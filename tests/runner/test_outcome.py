"""How an end is read and told."""

import os
import signal
from pathlib import Path

import pytest

from controlroom.runner.outcome import Exit, from_status, oom_kills, signal_name


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (Exit(0), "exit 0"),
        (Exit(1, starved=True), "exit 1"),
        (Exit(signal=signal.SIGTERM, starved=True), "killed by SIGTERM"),
        (Exit(signal=signal.SIGKILL), "killed by SIGKILL"),
        (Exit(signal=signal.SIGKILL, starved=True), "probably out of memory"),
        (Exit(137, starved=True), "exit 137, probably out of memory"),
        (Exit(137), "exit 137"),
        (Exit(signal=40), "killed by signal 40"),
    ],
)
def test_words(ended: Exit, words: str) -> None:
    assert ended.words() == words


@pytest.mark.parametrize(("script", "ended"), [("exit 5", Exit(5)), ("kill -9 $$", Exit(signal=9))])
def test_what_waitpid_gives_is_read(script: str, ended: Exit) -> None:
    pid = os.spawnvp(os.P_NOWAIT, "sh", ["sh", "-c", script])
    assert from_status(os.waitpid(pid, 0)[1]) == ended


def test_kills_for_want_of_memory_are_counted_from_the_kernels_file(tmp_path: Path) -> None:
    (tmp_path / "vmstat").write_text("nr_free_pages 3\noom_kill_other 9\noom_kill 12\nlast 1\n")
    assert oom_kills(str(tmp_path / "vmstat")) == 12
    (tmp_path / "vmstat").write_text("oom_kill many\n")
    assert oom_kills(str(tmp_path / "vmstat")) is None
    assert oom_kills(str(tmp_path / "gone")) is None


def test_signals_without_a_name_have_their_number() -> None:
    assert (signal_name(15), signal_name(40)) == ("SIGTERM", "signal 40")
