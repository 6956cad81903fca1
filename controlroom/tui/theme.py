"""Colours and glyphs: a theme file becomes a Textual theme and a palette of ready styles.

The format is explained in `themes/dusk.toml`. Nothing is drawn dim: mosh drops it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import tomllib
from rich.color import Color
from rich.style import Style
from textual.theme import Theme

from controlroom.domain.model import LinkState, State
from controlroom.domain.views import ASCII_GLYPHS, GLYPHS

DEFAULT = "dusk"

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_COLOURS = ("background", "panel", "chosen", "rule", "text", "strong", "quiet", "accent", "bar")
_ALARMS = ("note", "warn", "danger")
_LOG = ("say", "tool", "result", "think", "input")


class ThemeError(Exception):
    """A theme file is not as it should be; the text names file, key and what was expected."""


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


@dataclass(frozen=True)
class Glyphs:
    """The signs of the screen; a plain set for fonts that lack the others."""

    states: Mapping[State, str]
    links: Mapping[LinkState, str]
    cursor: str
    rule: str
    upright: str
    back: str
    marked: str
    marked_cursor: str
    """The cursor on a marked row."""
    plain: bool = False

    @property
    def asking(self) -> str:
        """The sign of whatever asks for a person."""
        return self.states[State.WAITING]

    def drawn(self, text: str) -> str:
        """Give `text` in this set, sign for sign: what fonts may lack becomes ASCII where it is the plain one."""
        return text.translate(_PLAINER) if self.plain else text


_PLAINER = str.maketrans(
    {
        **dict.fromkeys("█▉▊▋▇▆", "#"),
        **dict.fromkeys("▌▍▎▅▄", "+"),
        **dict.fromkeys("▃▂▁", "_"),
        **dict.fromkeys("·…•", "."),
        **dict.fromkeys("–─—↑↓", "-"),
        **dict.fromkeys("│▏", "|"),
        **dict.fromkeys("‹⌫←", "<"),
        **dict.fromkeys("░", ":"),
        **dict.fromkeys("┃", "]"),
        **dict.fromkeys("›»▸→", ">"),
        **dict.fromkeys("“”", '"'),
        **dict.fromkeys("▲", "!"),
        **dict.fromkeys("●⏺", "*"),
        **dict.fromkeys("✕", "x"),
        **dict.fromkeys("✓", "+"),
        **dict.fromkeys("○", "o"),
        **dict.fromkeys("◆", "+"),
        **dict.fromkeys("≈", "~"),
    }
)

RICH_GLYPHS = Glyphs(
    GLYPHS,
    {
        LinkState.UP: " ",
        LinkState.CONNECTING: "◌",
        LinkState.ASKING: "▲",
        LinkState.LOST: "?",
        LinkState.REFUSED: "✕",
    },
    "▌",
    "─",
    "│",
    "‹",
    "◆",
    "◈",
)
PLAIN_GLYPHS = Glyphs(
    ASCII_GLYPHS,
    {
        LinkState.UP: " ",
        LinkState.CONNECTING: ".",
        LinkState.ASKING: "!",
        LinkState.LOST: "?",
        LinkState.REFUSED: "x",
    },
    ">",
    "-",
    "|",
    "<",
    "+",
    "#",
    plain=True,
)


@dataclass(frozen=True)
class Palette:
    """Ready styles, all on the theme's own background. Styles for states and kinds of lines never stand alone."""

    text: Style
    strong: Style
    quiet: Style
    rule: Style
    accent: Style
    bar: Style
    """The filled part of a bar, and what was before."""
    key: Style
    note: Style
    warn: Style
    danger: Style
    page: Style
    """The background of the page; lies under every line."""
    panel: Style
    chosen: Style
    found: Style
    """What a filter found."""
    states: Mapping[State, Style]
    links: Mapping[LinkState, Style]
    kinds: Mapping[str, Style]
    terminal: tuple[str, ...]
    glyphs: Glyphs = field(default=RICH_GLYPHS)


def folder() -> Path:
    """Find the themes that came with the program: beside the package in a wheel, beside its folder in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "themes"
    return inside if inside.is_dir() else package.parent / "themes"


def names(*folders: Path) -> list[str]:
    """Name the themes there are, in the program's own folder and in `folders`."""
    return sorted({path.stem for place in (folder(), *folders) for path in place.glob("*.toml")})


def find(name: str, *folders: Path) -> ThemeFile:
    """Read the theme `name` from `folders` or from the program's own. Raises `ThemeError`."""
    for place in (*folders, folder()):
        path = place / f"{name}.toml"
        if re.fullmatch(r"[\w-]{1,40}", name) and path.is_file():
            return read(path)
    raise ThemeError(f"there is no theme {ascii(name)[:60]}; there are {', '.join(names(*folders))}")


def read(path: Path) -> ThemeFile:
    """Read one theme file. Raises `ThemeError`."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ThemeError(f"{path}: cannot be read as a theme: {error}") from None
    return ThemeFile(
        path.stem,
        str(table.get("title", path.stem)),
        table.get("dark") is not False,
        _table(path, table, "colours", _COLOURS),
        _table(path, table, "alarms", _ALARMS),
        _table(path, table, "log", _LOG),
        _sixteen(path, table),
    )


def _table(path: Path, whole: Mapping[str, Any], name: str, wanted: tuple[str, ...]) -> dict[str, str]:
    part = whole.get(name)
    if not isinstance(part, dict):
        raise ThemeError(f"{path}: the table [{name}] is missing")
    return {key: _colour(path, f"{name}.{key}", part.get(key)) for key in wanted}


def _sixteen(path: Path, whole: Mapping[str, Any]) -> tuple[str, ...]:
    part = whole.get("terminal")
    colours = part.get("colours") if isinstance(part, dict) else None
    if not isinstance(colours, list) or len(colours) != 16:
        raise ThemeError(f"{path}: terminal.colours must be a list of 16 colours")
    return tuple(_colour(path, f"terminal.colours[{index}]", colour) for index, colour in enumerate(colours))


def _colour(path: Path, key: str, value: object) -> str:
    if isinstance(value, str) and _HEX.fullmatch(value):
        return value
    raise ThemeError(f'{path}: {key} must be a colour like "#7fb4e6", not {ascii(value)[:40]}')


def textual_theme(file: ThemeFile) -> Theme:
    """Give the Textual theme for the few ready-made widgets (text fields) and for the style sheet."""
    colours, alarms = file.colours, file.alarms
    return Theme(
        name=file.name,
        primary=colours["accent"],
        accent=colours["accent"],
        secondary=colours["quiet"],
        warning=alarms["warn"],
        error=alarms["danger"],
        success=colours["accent"],
        foreground=colours["text"],
        background=colours["background"],
        surface=colours["panel"],
        panel=colours["panel"],
        dark=file.dark,
        variables={
            "rule": colours["rule"],
            "chosen": colours["chosen"],
            "quiet": colours["quiet"],
            "input-cursor-background": colours["text"],
            "input-cursor-foreground": colours["background"],
            "input-selection-background": colours["chosen"],
        },
    )


def palette(file: ThemeFile, glyphs: Glyphs = RICH_GLYPHS) -> Palette:
    """Make the styles of a theme."""
    plain = {name: Style(color=colour) for name, colour in {**file.colours, **file.alarms}.items()}
    bold = {name: Style(color=colour, bold=True) for name, colour in {**file.colours, **file.alarms}.items()}
    page = Style(color=file.colours["text"], bgcolor=file.colours["background"])
    return Palette(
        text=plain["text"],
        strong=bold["strong"],
        quiet=plain["quiet"],
        rule=plain["rule"],
        accent=plain["accent"],
        bar=plain["bar"],
        key=bold["accent"],
        note=plain["note"],
        warn=bold["warn"],
        danger=bold["danger"],
        page=page,
        panel=Style(color=file.colours["text"], bgcolor=file.colours["panel"]),
        chosen=Style(bgcolor=file.colours["chosen"]),
        found=Style(color=file.colours["background"], bgcolor=file.alarms["warn"]),
        states=_state_styles(plain, bold),
        links=_link_styles(plain, bold),
        kinds=_kind_styles(file, plain, bold),
        terminal=file.terminal,
        glyphs=glyphs,
    )


def _state_styles(plain: Mapping[str, Style], bold: Mapping[str, Style]) -> dict[State, Style]:
    return {
        State.WAITING: bold["warn"],
        State.FAILED: bold["danger"],
        State.LIMITED: plain["note"],
        State.LOST: plain["note"],
        State.UNKNOWN: plain["note"],
        State.WORKING: plain["accent"],
        State.STARTING: plain["accent"],
        State.IDLE: plain["quiet"],
        State.DONE: plain["quiet"],
        State.PAUSED: plain["quiet"],
    }


def _link_styles(plain: Mapping[str, Style], bold: Mapping[str, Style]) -> dict[LinkState, Style]:
    return {
        LinkState.UP: plain["quiet"],
        LinkState.CONNECTING: plain["accent"],
        LinkState.ASKING: bold["warn"],
        LinkState.LOST: bold["danger"],
        LinkState.REFUSED: bold["danger"],
    }


def _kind_styles(file: ThemeFile, plain: Mapping[str, Style], bold: Mapping[str, Style]) -> dict[str, Style]:
    """One style for each of `domain.loglines.KINDS`."""
    said = {name: Style(color=colour) for name, colour in file.log.items()}
    return {
        "out": plain["text"],
        "err": plain["warn"],
        "say": said["say"],
        "tool": said["tool"],
        "result": said["result"],
        "think": said["think"],
        "input": said["input"],
        "error": plain["danger"],
        "ask": bold["warn"],
        "note": plain["quiet"],
        "done": plain["accent"],
    }


@lru_cache(maxsize=4096)
def run_style(
    terminal: tuple[str, ...], fg: str, bg: str, bold: bool, italic: bool, underline: bool, reverse: bool
) -> Style:
    """Make a run's own colours: the first sixteen are the theme's, so that they can be read on it."""
    return Style(
        color=_run_colour(terminal, fg),
        bgcolor=_run_colour(terminal, bg),
        bold=bold or None,
        italic=italic or None,
        underline=underline or None,
        reverse=reverse or None,
    )


def _run_colour(terminal: tuple[str, ...], wanted: str) -> str | None:
    if not wanted.isdigit():
        return wanted or None
    return terminal[int(wanted)] if int(wanted) < 16 else Color.from_ansi(int(wanted)).get_truecolor().hex
