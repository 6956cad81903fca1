"""Text for the command line: whatever it holds, no control character and no key of anybody's leaves here."""

from controlroom.text.redact import redact
from controlroom.text.sanitize import sanitize_lines


def shown(text: str) -> str:
    """Make text inert, line by line, and take out what looks like an Anthropic key."""
    return "\n".join(sanitize_lines(redact(text)))
