"""The program that lists and reads transcripts, kept while home asks for more, and ended soon after."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from controlroom.node.imports.found import settings_folders
from controlroom.wire.imports import ListTranscripts, ReadTranscripts, TranscriptsListed, TranscriptsRead
from controlroom.wire.lines import MAX_FRAME, PeerError
from controlroom.wire.messages import pack, read_from_node

PATIENCE = 100.0
"""Seconds that an answer may take: the program works only when nothing else does."""

IDLE = 20.0
"""Seconds without a question after which the program is ended."""

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "program.py")
_Answer = TypeVar("_Answer", TranscriptsListed, TranscriptsRead)


class TranscriptReader:
    """Answers one question after the other."""

    def __init__(self, environ: Callable[[], Awaitable[Mapping[str, str]]]) -> None:
        """`environ`: asks for the environment that Claude gets here."""
        self._environ, self._home = environ, os.path.expanduser("~")
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._end: asyncio.TimerHandle | None = None

    async def answer(self, asked: ListTranscripts | ReadTranscripts) -> TranscriptsListed | TranscriptsRead:
        """Find out. Never raises but for a mistake of ours."""
        if isinstance(asked, ListTranscripts):
            return await self._ask(asked, TranscriptsListed)
        return await self._ask(asked, TranscriptsRead)

    async def _ask(self, asked: ListTranscripts | ReadTranscripts, kind: type[_Answer]) -> _Answer:
        async with self._turn:
            if self._end is not None:
                self._end.cancel()
            try:
                answer = await asyncio.wait_for(self._asked(asked), PATIENCE)
            except asyncio.TimeoutError:
                self.close()
                return kind(
                    asked.id, reason=f"transcripts could not be read within {PATIENCE:g} s: is the host very busy?"
                )
            except (OSError, PeerError, ValueError) as error:
                self.close()
                return kind(asked.id, reason=f"transcripts could not be read: {error}"[:300])
            except BaseException:  # nobody waits any more: what it says next is no answer to the next question
                self.close()
                raise
            self._end = asyncio.get_running_loop().call_later(IDLE, self.close)
            if isinstance(answer, kind) and answer.id == asked.id:
                return answer
            self.close()
            return kind(asked.id, reason="transcripts could not be read: something else was answered")

    async def _asked(self, asked: ListTranscripts | ReadTranscripts) -> object:
        process = self._process if self._process and self._process.returncode is None else await self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(pack(asked))
        await process.stdin.drain()
        line = await process.stdout.readline()
        if not line:
            raise OSError("the program that reads them has ended")
        return read_from_node(line.rstrip(b"\n"))

    async def _started(self) -> asyncio.subprocess.Process:
        environ = {**await self._environ()}
        home = self._home
        folders = await asyncio.to_thread(settings_folders, environ, home)
        words = (sys.executable or "python3", "-I", "-S", _PROGRAM, *folders)
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            *words, stdin=pipe, stdout=pipe, stderr=nothing, limit=MAX_FRAME, env={**environ, "HOME": home}
        )
        return self._process

    def close(self) -> None:
        """End the program, if it runs."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
