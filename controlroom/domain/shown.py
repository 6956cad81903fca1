"""Text for the command line: whatever it holds, no control character and no key of anybody's leaves here."""

from controlroom.meter.inert import inert_lines
from controlroom.meter.redact import redact


def shown(text: str) -> str:
    """Make text inert, line by line, and take out what looks like an Anthropic key."""
    return "\n".join(inert_lines(redact(text)))
