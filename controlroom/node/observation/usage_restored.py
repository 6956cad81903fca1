"""What an agent has used, out of its transcripts: for a usage file that was emptied, cut short or replaced.

Such a file only grows. Where it does not, lines that home has not booked may be lost; the messages among them stand in
the transcripts, and are written back. What stands in no transcript (titles, classifiers) is gone.
"""

import os

from controlroom.metering.usage import Message
from controlroom.metering.usage_file import to_line
from controlroom.node.agent_folders import Entry, read_order, read_status
from controlroom.runner.claude import settings
from controlroom.runner.claude.session_files import Tail, session_files
from controlroom.runner.folder import USAGE
from controlroom.text.json_fields import table
from controlroom.wire.lines import PeerError

MOST = 20_000
"""Messages that are written back at most."""


def restore(entry: Entry) -> int:
    """Write what the transcripts tell back into an agent's usage file; give how many messages these were.

    Home knows each message again, so that none counts twice. Raises `OSError`.
    """
    found: dict[tuple[str, str], Message] = {}
    for path in _transcripts(entry):
        tail = Tail(path)
        while len(found) < MOST and (data := tail.next()):
            found |= {message.key: message for _, message in tail.placed(data) if message}
            tail.taken(data)
    lines = b"".join(map(to_line, found.values()))
    if lines:
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(os.path.join(entry.folder, USAGE), flags)
        try:
            os.write(descriptor, lines)
        finally:
            os.close(descriptor)
    return len(found)


def _transcripts(entry: Entry) -> list[str]:
    try:
        seen = read_status(entry)
    except PeerError:
        return []
    if seen is None or not seen.session:
        return []
    ordered = table(table(read_order(entry).get("spec")).get("env"))
    environ = {name: value for name, value in ordered.items() if isinstance(value, str)}
    config = settings.config_folder(environ, seen.cwd)
    return session_files(config, seen.cwd, seen.session)
