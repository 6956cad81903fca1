"""Reads a TOML file into checked tables: one sentence about the first thing that is wrong."""

import json
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from controlroom.domain.words import nearest
from controlroom.engine.config.toml_file import ConfigProblem, parsed
from controlroom.text.sanitize import redact


class Table(BaseModel):
    """A TOML table: no key but those it names, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


F = TypeVar("F", bound=Table)


def read(path: Path, kind: type[F]) -> F:
    """Read a TOML file of ours as `kind`; a missing one is an empty one. Raises `ConfigProblem` with one sentence."""
    return _checked(str(path), kind, parsed(path))


def _checked(where: str, kind: type[F], values: dict[str, Any]) -> F:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        wrong = error.errors(include_url=False)
        first, *more = sorted(wrong, key=lambda details: details["type"] != "extra_forbidden")  # a typo explains others
        others = len({details["loc"][:3] for details in more} - {first["loc"][:3]})
        also = f" ({others} more after this one)" if others else ""
        raise ConfigProblem(redact(f"{where}: {sentence(first, kind)}{also}")) from None


def sentence(error: ErrorDetails, root: type[Table]) -> str:
    """Say in a sentence what is wrong with a value of a table `root`, beginning with its key."""
    place = [str(part) for part in error["loc"]]
    if "credential" in place[:3]:
        place = place[:3]
        return f'{".".join(place)}: expected "plan", {{ file = "…" }} or {{ command = ["…", "…"] }}'
    if place[0] == "api" and place[1:2] in (["admin_key"], ["key"]):
        return f'{".".join(place[:2])}: expected {{ file = "…" }} or {{ command = ["…", "…"] }}'
    key = ".".join(place)
    if error["type"] == "extra_forbidden":
        settings = list(_table(root, place[:-1]).model_fields)
        return f"{key} is not a setting{nearest(place[-1], settings) or ': there are ' + ', '.join(settings)}"
    if error["type"] == "missing":
        return f"{key} is missing: {_description(root, place)}"
    if error["type"] == "value_error":
        return f"{key}: {error['msg'].removeprefix('Value error, ')}"
    return f"{key}: found {_found(place, error['input'])}, expected {_expected(error)}"


_EXPECTED = {
    "string_type": 'text in quotes, like "this"',
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": 'a list, like ["this", "that"]',
    "dict_type": "a table",
    "model_type": "a table",
    "finite_number": "a number",
    "string_too_short": "text",
    "too_short": "at least one word",
}


def _expected(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "literal_error" | "enum":
            return str(context["expected"])
        case "greater_than_equal":
            return f"{context['ge']:g} or more"
        case "less_than_equal":
            return f"{context['le']:g} or less"
        case "string_too_long":
            return f"at most {context['max_length']} characters"
        case kind:
            return _EXPECTED.get(kind) or error["msg"][:1].lower() + error["msg"][1:]


def _found(place: list[str], value: object) -> str:
    """Show what stands there; only its type where that may be a secret, as in an environment, or have one in it."""
    if not _SECRET.isdisjoint(place):
        return {str: "text", int: "a number", float: "a number", bool: "true or false", list: "a list"}.get(
            type(value), "something else"
        )
    return json.dumps(value, ensure_ascii=True, default=str)[:60]


_SECRET = frozenset({"env", "url", "command"})
"""Settings that may hold a secret."""


def _table(root: type[Table], place: list[str]) -> type[Table]:
    """Find the table that the key path `place` names; own names and places in a list are a step each."""
    kind: Any = root
    for part in place:
        if isinstance(kind, type) and issubclass(kind, Table):
            field = kind.model_fields.get(part)
            kind = field.annotation if field else root
            if type(None) in get_args(kind):
                kind = get_args(kind)[0]
        else:
            kind = (root, *get_args(kind))[-1]
    return kind if isinstance(kind, type) and issubclass(kind, Table) else root


def _description(root: type[Table], place: list[str]) -> str:
    field = _table(root, place[:-1]).model_fields.get(place[-1])
    return (field.description if field else "") or "it is needed"
