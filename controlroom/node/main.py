"""The node: one process on a host, at the far end of one channel. It sees and acts there, and holds no truth.

JSON lines on stdin and stdout, nothing else. It greets at once and learns the rest afterwards; it ends when the channel
does, or when home has been silent for `NODE_PATIENCE` seconds, and leaves nothing of its own behind. No agent notices.
"""

import contextlib
import gc
import os
import re
import select
import sys
import time

from controlroom.node.host import boot_id, find_tmux, welcome
from controlroom.node.owner import Owner, Ownership
from controlroom.runner import core_files
from controlroom.runner.folder import state_folder
from controlroom.text.names import tmux_socket
from controlroom.wire.lines import LineSplitter, PeerError
from controlroom.wire.messages import NODE_PATIENCE, Greet, Notice, pack, read_to_node


def main() -> int:
    """Serve one channel. 0: it was closed; 1: home broke the protocol (what it did stands on stderr)."""
    core_files.forbid()
    source, sink = _channel()
    os.umask(0o077)
    os.chdir("/")
    lines = LineSplitter()
    try:
        greeting, early = _greeting(source, lines, time.monotonic() + NODE_PATIENCE)
        if greeting is None:
            return 0
        return _serve(source, sink, greeting, lines, early)
    except PeerError as error:
        with contextlib.suppress(OSError):
            os.write(sink, pack(Notice(f"the node did not understand its engine: {error}")))
        sys.stderr.write(f"controlroom node: {error}\n")
        return 1
    except (BrokenPipeError, KeyboardInterrupt):
        return 0


def _channel() -> tuple[int, int]:
    """Take stdin and stdout for ourselves; whatever else prints goes to stderr, whatever else reads finds nothing."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return source, sink


def _greeting(source: int, lines: LineSplitter, until: float) -> tuple[Greet | None, list[bytes]]:
    """Wait for `Greet`; give it with the lines that came with it, None when the channel closed or nobody spoke."""
    while (left := until - time.monotonic()) > 0:
        if select.select([source], [], [], left)[0]:
            data = os.read(source, 65536)
            if not data:
                break
            if greetings := lines.feed(data):
                greeting = read_to_node(greetings[0])
                if not isinstance(greeting, Greet):
                    raise PeerError("the first message must be Greet")
                return greeting, greetings[1:]
    return None, []


def _serve(source: int, sink: int, greeting: Greet, lines: LineSplitter, early: list[bytes]) -> int:
    namespace = greeting.namespace
    if not re.fullmatch("[a-z0-9]{0,64}", namespace):
        raise PeerError("a namespace is made of at most 64 of a-z 0-9")
    if not 0 < len(greeting.room) <= 100:
        raise PeerError("a room has an id of 1 to 100 characters")
    state = state_folder(os.environ, namespace)
    tmux = find_tmux()
    try:
        owner = Ownership(state, greeting.room, read_only=greeting.read_only).current()
    except PeerError:
        owner = Owner()
    _write_all(sink, pack(welcome(owner, tmux)))

    from controlroom.node.place import Place  # asyncio takes its time to load: home is greeted first
    from controlroom.node.serving import Channel, serve
    from controlroom.node.tmux_server import Tmux

    gc.enable()  # all is loaded
    place = Place(state, namespace, Tmux(tmux, tmux_socket(namespace), os.environ, find_tmux), boot_id())
    return serve(Channel(source, sink, lines, early), greeting, place)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
