"""What tasks and the agents that carry them out are called."""

import re
import unicodedata

from controlroom.domain.tasks import Task
from controlroom.text.sanitize import redact, sanitize

_LONGEST = 26
"""Characters of a task's own words in its agent's name."""

_NO_WORDS = re.compile(r"[^a-z0-9]+")


SHOWN, SHOWN_TITLE = 200, 80
"""Characters of a task's text, and of its title, in the fleet."""


def title(text: str) -> str:
    """The first line of a task that says something, safe to show, without the marks of a heading or a list."""
    lines = (line.strip().lstrip("#*->").strip() for line in text.splitlines())
    return _safe(next((line for line in lines if line), ""), SHOWN_TITLE)


def summary(text: str) -> str:
    """The beginning of a task's text on one line, safe to show."""
    return _safe(" ".join(text.split()), SHOWN)


def _safe(line: str, most: int) -> str:
    """The line without keys: neither a part of one that the end cuts off, nor one that signs in between hide."""
    return redact(sanitize(redact(line), most))


def agent_name(task: Task) -> str:
    """The name of the agent that carries a task out: words of the task, and its id, so that no two are alike."""
    plain = unicodedata.normalize("NFKD", task.title.casefold()).encode("ascii", "ignore").decode()
    words = [word for word in _NO_WORDS.split(plain) if word]
    name = ""
    for word in words:
        longer = f"{name}-{word}" if name else word[:_LONGEST]
        if len(longer) > _LONGEST:
            break
        name = longer
    return f"{name}-{task.id}" if name else task.id
