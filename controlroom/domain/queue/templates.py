"""Templates of task texts: `{{name}}` stands for a variable. Nothing else is read from them, and nothing is run."""

import re
from collections.abc import Mapping

from controlroom.domain.preconditions import Refusal

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]{0,60})\s*\}\}")


def variables_of(text: str) -> tuple[str, ...]:
    """The variables that a template names, each once, in order."""
    return tuple(dict.fromkeys(_VARIABLE.findall(text)))


def filled(name: str, text: str, values: Mapping[str, str]) -> str:
    """The template `name` with its variables filled; what stands in a value is never read again. Raises `Refusal`."""
    missing = [variable for variable in variables_of(text) if variable not in values]
    if missing:
        there = f"; there are {', '.join(sorted(values)[:12])}" if values else ""
        raise Refusal(f"template {name} needs {', '.join(missing)}{there}")
    return _VARIABLE.sub(lambda match: values[match[1]], text)
