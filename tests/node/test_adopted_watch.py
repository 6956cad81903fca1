"""Files of the Claudes of others are watched: with inotify and without."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controlroom.node.file_watch import FileWatch, Inotify
from tests.lab.waiting import wait_for_async


@pytest.mark.parametrize("inotify", [True, False])
async def test_a_file_that_is_followed_tells_when_it_changes_and_no_other(tmp_path: Path, *, inotify: bool) -> None:
    one, other = tmp_path / "a" / "1.json", tmp_path / "b" / "2.jsonl"
    for path in (one, other):
        path.parent.mkdir()
        path.write_text("x")
    told: list[set[str]] = []
    watch = FileWatch(lambda: told.append(watch.take()), inotify=inotify)
    try:
        watch.follow({str(one), str(other)})
        (tmp_path / "a" / "new").write_text("y")
        os.replace(tmp_path / "a" / "new", one)
        await wait_for_async(lambda: set().union(*told) == {str(one)})
        with other.open("a") as file:
            file.write("more")
        await wait_for_async(lambda: set().union(*told) == {str(one), str(other)})
        told.clear()
        watch.follow({str(other)})
        one.write_text("z")
        other.write_text("z")
        await wait_for_async(lambda: told)
        assert set().union(*told) == {str(other)}
    finally:
        watch.close()


async def test_a_folder_that_is_not_there_yet_is_watched_when_it_is(tmp_path: Path) -> None:
    path, told = tmp_path / "later" / "1.json", []
    watch = FileWatch(lambda: told.append(watch.take()))
    try:
        watch.follow({str(path)})
        path.parent.mkdir()
        watch.follow({str(path)})
        path.write_text("x")
        await wait_for_async(lambda: told)
    finally:
        watch.close()


class Timers:
    """Counts the timers of the loop that wait, by whose method they call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._waiting: list[tuple[asyncio.TimerHandle, object]] = []
        loop = asyncio.get_running_loop()
        call_later = loop.call_later

        def noting(delay: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
            def ended() -> None:
                self._waiting.remove(entry)
                callback(*args)

            entry = call_later(delay, ended), getattr(callback, "__self__", None)
            self._waiting.append(entry)
            return entry[0]

        monkeypatch.setattr(loop, "call_later", noting)

    def of(self, owner: object) -> int:
        return sum(whose is owner and not handle.cancelled() for handle, whose in self._waiting)


async def test_when_the_kernel_takes_no_more_watches_files_are_looked_at_and_by_one_timer_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path / "a" / "1.json", tmp_path / "b" / "2.jsonl"
    for path in (one, other):
        path.parent.mkdir()
        path.write_text("x")
    told: list[set[str]] = []
    watch, timers = FileWatch(lambda: told.append(watch.take())), Timers(monkeypatch)
    try:
        watch.follow({str(one)})
        one.write_text("y")
        await wait_for_async(lambda: timers.of(watch), poll=0)  # it was heard of, and is about to be read

        def full(_self: Inotify, _folder: str) -> None:
            raise OSError(errno.ENOSPC, "no space left on device")

        monkeypatch.setattr(Inotify, "add", full)
        watch.follow({str(one), str(other)})
        assert timers.of(watch) == 1
        await wait_for_async(lambda: set().union(*told) == {str(one), str(other)})
        told.clear()
        other.write_text("more")
        await wait_for_async(lambda: set().union(*told) == {str(other)})
        assert timers.of(watch) == 1
    finally:
        watch.close()
