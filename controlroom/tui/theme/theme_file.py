"""Theme files: where they lie, how they are read, and one sentence about the first thing that is wrong in one.

The format is explained in `themes/dusk.toml`.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomllib

import controlroom
from controlroom.domain.words import nearest
from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.theme.colours import READABLE, contrast

DEFAULT = "dusk"
SIXTEEN = "sixteen"
"""The one for terminals with sixteen colours."""
MAX_FILE = 64 * 1024
"""Bytes of a theme file at most."""

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_NAME = re.compile(r"[\w-]{1,40}")
COLOURS = ("background", "panel", "chosen", "rule", "text", "strong", "quiet", "accent", "bar")
CHOSEN_TEXT = "chosen_text"
"""May be there: the one colour of all text in the chosen row, where the others cannot be read on it."""
ALARMS = ("note", "warn", "danger")
LOG = ("say", "tool", "result", "think", "input")
_TABLES: dict[str, tuple[str, ...]] = {"colours": COLOURS, "alarms": ALARMS, "log": LOG, "terminal": ("colours",)}
_KEYS = ("name", "title", "dark", "like", *_TABLES)


class ThemeError(Exception):
    """A theme file is not as it should be; the text names file, key, what stands there and what was expected."""


@dataclass(frozen=True)
class ThemeFile:
    """What one theme file says. Colours are `#rrggbb`."""

    name: str
    title: str
    dark: bool
    colours: Mapping[str, str]
    alarms: Mapping[str, str]
    log: Mapping[str, str]
    terminal: tuple[str, ...]
    """Sixteen colours for programs that ask for colours by number."""


def hard_to_read(file: ThemeFile) -> str:
    """What of a theme people will hardly read, the worst first, in a few words; "" where it can all be read."""
    grounds = ("background", "panel") if CHOSEN_TEXT in file.colours else ("background", "panel", "chosen")
    texts = {name: file.colours[name] for name in ("text", "strong", "quiet", "accent")} | dict(file.alarms)
    pairs = [(name, colour, ground) for name, colour in texts.items() for ground in grounds]
    pairs += [(f"log.{name}", colour, "background") for name, colour in file.log.items()]
    if CHOSEN_TEXT in file.colours:
        pairs.append((CHOSEN_TEXT, file.colours[CHOSEN_TEXT], "chosen"))
    contrasts = sorted(
        (contrast(colour, file.colours[ground]), f"{name} on {ground}") for name, colour, ground in pairs
    )
    weak = [f"{words} ({ratio:.1f})" for ratio, words in contrasts if ratio < READABLE]
    more = f" and {len(weak) - 1} more" if len(weak) > 1 else ""
    return f"hard to read: {weak[0]}{more}" if weak else ""


def folder() -> Path:
    """Find the themes that came with the program: beside the package in a wheel, beside its folder in a checkout."""
    package = Path(controlroom.__file__).resolve().parent
    inside = package / "themes"
    return inside if inside.is_dir() else package.parent / "themes"


def names(*folders: Path) -> list[str]:
    """Name the themes there are, in the program's own folder and in `folders`."""
    return sorted({path.stem for place in (folder(), *folders) for path in place.glob("*.toml")})


def find(name: str, *folders: Path) -> ThemeFile:
    """Read the theme `name` from `folders` or from the program's own. Raises `ThemeError`."""
    for place in (*folders, folder()):
        path = place / f"{name}.toml"
        if _NAME.fullmatch(name) and path.is_file():
            return read(path)
    known = names(*folders)
    raise ThemeError(f"there is no theme {ascii(name)[:60]}{nearest(name, known)}; there are {', '.join(known)}")


def read(path: Path) -> ThemeFile:
    """Read one theme file. Raises `ThemeError`."""
    table = _parsed(path)
    _known(path, "", table, _KEYS)
    base = _base(path, table.get("like"))
    parts = {name: _table(path, table, name, base) for name in ("colours", "alarms", "log")}
    return ThemeFile(
        path.stem,
        _typed(path, "title", table.get("title", path.stem), str, "a text")[:60],
        _typed(path, "dark", table.get("dark", base.dark if base else True), bool, "true or false"),
        parts["colours"],
        parts["alarms"],
        parts["log"],
        _sixteen(path, table, base),
    )


def _parsed(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise ThemeError(f"{path}: {MAX_FILE} bytes are the most that a theme may have")
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise ThemeError(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8") from None
    except OSError as error:
        raise ThemeError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ThemeError(f"{path} is not TOML: {str(error)[:200]}") from None


def _base(path: Path, name: object) -> ThemeFile | None:
    """The theme that one begins from, which is always one of the program's own."""
    if name is None:
        return None
    own = names()
    if name not in own or name == path.stem:
        others = [other for other in own if other != path.stem]
        raise ThemeError(f"{path}: like: found {_shown(name)}, expected one of {', '.join(others)}")
    return read(folder() / f"{name}.toml")


def _table(path: Path, whole: Mapping[str, Any], name: str, base: ThemeFile | None) -> dict[str, str]:
    part = _part(path, whole, name, base)
    colours = {key: _colour(path, f"{name}.{key}", value) for key, value in part.items()}
    inherited: Mapping[str, str] = (
        {"colours": base.colours, "alarms": base.alarms, "log": base.log}[name] if base else {}
    )
    for key in _TABLES[name]:
        if key not in colours and key not in inherited:
            raise ThemeError(f'{path}: {name}.{key} is missing: expected a colour like "#7fb4e6"')
    return {**inherited, **colours}


def _sixteen(path: Path, whole: Mapping[str, Any], base: ThemeFile | None) -> tuple[str, ...]:
    colours = _part(path, whole, "terminal", base).get("colours", list(base.terminal) if base else None)
    if not isinstance(colours, list) or len(colours) != 16:
        found = f"a list of {len(colours)}" if isinstance(colours, list) else _shown(colours)
        raise ThemeError(f"{path}: terminal.colours: found {found}, expected a list of 16 colours")
    return tuple(_colour(path, f"terminal.colours[{index}]", colour) for index, colour in enumerate(colours))


def _part(path: Path, whole: Mapping[str, Any], name: str, base: ThemeFile | None) -> Mapping[str, Any]:
    part = whole.get(name, {} if base else None)
    if part is None:
        raise ThemeError(f'{path}: the table [{name}] is missing; with like = "{DEFAULT}" it is taken from there')
    if not isinstance(part, dict):
        raise ThemeError(f"{path}: {name}: found {_shown(part)}, expected a table [{name}]")
    _known(path, f"{name}.", part, (*_TABLES[name], CHOSEN_TEXT) if name == "colours" else _TABLES[name])
    return part


def _known(path: Path, place: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in table:
        if key not in known:
            there = nearest(key, known) or f": there are {', '.join(known)}"
            raise ThemeError(f"{path}: {place}{key[:40]} is not a setting of a theme{there}")


def _colour(path: Path, key: str, value: object) -> str:
    if isinstance(value, str) and _HEX.fullmatch(value):
        return value.lower()
    raise ThemeError(f'{path}: {key}: found {_shown(value)}, expected a colour like "#7fb4e6"')


def _typed(path: Path, key: str, value: Any, kind: type, expected: str) -> Any:
    if not isinstance(value, kind):
        raise ThemeError(f"{path}: {key}: found {_shown(value)}, expected {expected}")
    return value


def _shown(value: object) -> str:
    return "nothing" if value is None else ascii(value)[:40]
