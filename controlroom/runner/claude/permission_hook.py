"""What Claude runs when it opens a permission prompt on a terminal: hands the request to the runner, prints its word.

`python3 -I -S …/permission_hook.py FOLDER`. Claude Code 2.1.332, observed: the dialog stands on the screen meanwhile;
what comes first counts, a person's key or what is printed here. Nothing printed: the person decides. Only the standard
library: it stands alone, and Claude waits for it.
"""

import _socket  # what `socket` is made of: to load the rest takes as long as Python itself, while Claude waits
import os
import sys

SOCKET = "asked.sock"
MOST = 1024 * 1024
"""Bytes of a request at most."""


def main(place: str) -> None:
    """Ask, and print what comes: nothing when the runner is gone, or the prompt was answered otherwise."""
    request = sys.stdin.buffer.read(MOST + 1)
    if len(request) > MOST:
        return
    os.chdir(place)
    runner = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    runner.connect(SOCKET)
    runner.sendall(request.replace(b"\n", b" ") + b"\n")
    while data := runner.recv(65_536):
        os.write(1, data)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except OSError:
        os._exit(0)  # a hook that fails is shown to the person; without a word of ours they decide
