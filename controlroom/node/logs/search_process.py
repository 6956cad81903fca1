"""Searches with a regular expression, in a process that can be ended: `python3 -I -S …/search_process.py FOLDER S`.

An expression may take for ever on a line, and nothing in an interpreter stops it there: the kernel does, by SIGXCPU
after S seconds of CPU. The search comes on stdin as one line of the wire, its answer leaves on stdout as one.
"""

import os
import resource
import sys
import time

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)))
sys.dont_write_bytecode = True

from controlroom.node.logs.search import Query, QueryProblem, Searching  # noqa: E402 - the path comes first
from controlroom.wire.inquiries import Found, Search  # noqa: E402
from controlroom.wire.messages import pack, read_to_node  # noqa: E402

NICE = 10
"""How much it stands back: agents, and whoever else asks something of this host, come first."""


def main(folder: str, seconds: int) -> int:
    """Answer the search on stdin, with so many seconds of CPU."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICE)
    wanted = read_to_node(sys.stdin.buffer.readline().strip())
    if not isinstance(wanted, Search):
        return 2
    try:
        query = Query(wanted.text, regex=wanted.regex, exact=wanted.exact)
        answer = Searching(folder, wanted, query, time.monotonic).run()
    except QueryProblem as problem:
        answer = Found(wanted.id, reason=str(problem))
    sys.stdout.buffer.write(pack(answer))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
