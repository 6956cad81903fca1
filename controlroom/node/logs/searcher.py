"""Searches for home: a text in a thread, an expression in a process of its own, neither for long."""

import asyncio
import os
import signal
import sys
import time
from dataclasses import replace

from controlroom.node.logs import segments
from controlroom.node.logs.search import Query, QueryProblem, Searching
from controlroom.runner.folder import agent_folder
from controlroom.text.names import agent_name_problem
from controlroom.wire.inquiries import Found, Search
from controlroom.wire.lines import PeerError
from controlroom.wire.messages import pack, read_from_node

EFFORT = 3
"""Whole seconds of CPU that a piece with an expression may take; a good one is over in a tenth of that."""

PATIENCE = 10.0
"""Seconds that any piece may take: nothing but a busy disk or host takes so long."""

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "search_process.py")


async def search(state: str, wanted: Search) -> Found:
    """Do one piece of a search in the logs below `state`. Never raises but for a mistake of ours."""
    folder = agent_folder(state, wanted.name, wanted.epoch)
    if agent_name_problem(wanted.name) or not segments.numbers(folder):
        reason = f"no log of run {wanted.epoch} of {ascii(wanted.name)[:60]} is on this host"
        return Found(wanted.id, done=True, reason=reason)
    try:
        query = Query(wanted.text, regex=False, exact=wanted.exact)
    except QueryProblem as problem:
        return Found(wanted.id, done=True, reason=str(problem))
    if wanted.regex:
        return await _in_process(folder, wanted)
    work = asyncio.to_thread(Searching(folder, wanted, query, time.monotonic).run)
    try:
        return await asyncio.wait_for(work, PATIENCE)
    except asyncio.TimeoutError:
        return Found(wanted.id, reason=f"the log could not be read within {PATIENCE:g} s: is the disk very busy?")


async def _in_process(folder: str, wanted: Search) -> Found:
    pipe = asyncio.subprocess.PIPE
    words = (sys.executable, "-I", "-S", _PROGRAM, folder, str(EFFORT))
    process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL)
    try:
        output, _ = await asyncio.wait_for(process.communicate(pack(wanted)), PATIENCE)
    except asyncio.TimeoutError:
        return Found(wanted.id, reason=f"the log was not searched within {PATIENCE:g} s: is the host very busy?")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == -signal.SIGXCPU:
        return Found(wanted.id, reason="this expression takes too long on a line of this log: try a simpler one")
    try:
        answer = read_from_node(output.strip())
    except PeerError:
        return Found(wanted.id, reason="the search with this expression broke off: try a simpler one")
    return replace(answer, id=wanted.id) if isinstance(answer, Found) else Found(wanted.id, reason="no answer")
