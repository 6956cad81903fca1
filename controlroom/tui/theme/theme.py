"""Colours and glyphs: a theme file becomes a Textual theme and a palette of styles, for as many colours as there are.

Nothing is drawn dim: mosh drops it. Without colours what colour says is said by bold and reverse.
"""

from collections.abc import Mapping
from dataclasses import field, fields, replace
from functools import lru_cache
from typing import Any

from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.theme import Theme

from controlroom.domain.display.views import ASCII_GLYPHS, GLYPHS
from controlroom.domain.model import LinkState, State
from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.theme import styled
from controlroom.tui.theme.colours import READABLE, Depth, contrast, of_sixteen, parts
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme_file import ThemeFile


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
        """The same text in this set, sign for sign: what fonts may lack becomes ASCII in the plain one."""
        return text.translate(_PLAINER) if self.plain else text


_PLAINER = str.maketrans(
    {
        **dict.fromkeys("█▇▆━", "#"),
        **dict.fromkeys("▌▅▄╸", "+"),
        **dict.fromkeys("▃▂▁", "_"),
        **dict.fromkeys("·…•", "."),
        **dict.fromkeys("–─—↑↓", "-"),
        **dict.fromkeys("│▏", "|"),
        **dict.fromkeys("‹⌫←", "<"),
        **dict.fromkeys("╍", ":"),
        **dict.fromkeys("›»▸→", ">"),
        **dict.fromkeys("“”", '"'),
        **dict.fromkeys("▲", "!"),
        **dict.fromkeys("●⏺", "*"),
        **dict.fromkeys("✕✗", "x"),
        **dict.fromkeys("‖", "="),
        **dict.fromkeys("✓", "+"),
        **dict.fromkeys("○", "o"),
        **dict.fromkeys("◆", "+"),
        **dict.fromkeys("≈", "="),
        **dict.fromkeys("≤", "<"),
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
    """What is laid under the chosen row, or over it where it has a colour of text of its own, or none at all."""
    found: Style
    """What a filter found."""
    states: Mapping[State, Style]
    links: Mapping[LinkState, Style]
    kinds: Mapping[str, Style]
    terminal: tuple[str, ...]
    glyphs: Glyphs = field(default=RICH_GLYPHS)
    depth: Depth = Depth.MANY

    def selected(self, drawn: Line, width: int) -> Line:
        """A line drawn as the chosen one, padded to a width."""
        drawn = (*drawn, Segment(" " * max(0, width - styled.length(drawn))))
        if self.chosen.color is None and not self.chosen.reverse:
            return styled.over(drawn, self.chosen)
        return tuple(Segment(part.text, (part.style or Style.null()) + self.chosen) for part in drawn)


def textual_theme(file: ThemeFile, depth: Depth = Depth.MANY) -> Theme:
    """The Textual theme for the few ready-made widgets (text fields) and for the style sheet."""
    if depth is Depth.NONE:
        return _colourless(file)
    file = fitted(file, depth)
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
            "input-selection-foreground": colours.get("chosen_text", colours["text"]),
        },
    )


def _colourless(file: ThemeFile) -> Theme:
    """All is drawn in the terminal's own two colours; the cursor of a text field is the reverse of them."""
    own = "ansi_default"
    variables = dict.fromkeys(_OF_ANSI, own) | {"input-cursor-text-style": "reverse"}
    return Theme(
        file.name, own, own, own, own, own, own, own, own, own, own, own, dark=file.dark, variables=variables, ansi=True
    )


_OF_ANSI = (
    "rule", "chosen", "quiet", "ansi-background", "ansi-foreground", "border", "border-blurred",
    "block-cursor-foreground", "block-cursor-background", "input-cursor-background", "input-cursor-foreground",
    "input-selection-background", "input-selection-foreground", "screen-selection-background",
    "screen-selection-foreground",
)  # fmt: skip
"""Variables that a theme without colours has to name: Textual 8.2 makes them for the others."""


def fitted(file: ThemeFile, depth: Depth) -> ThemeFile:
    """A theme for so many colours: where there are sixteen, those that are most like it and can be read."""
    if depth is not Depth.SIXTEEN:
        return file
    ground = "#000000" if file.dark else "#ffffff"

    def fit(colours: Mapping[str, str]) -> dict[str, str]:
        return {name: of_sixteen(colour, [ground]) for name, colour in colours.items()}

    apart: dict[str, str] = {}
    for name in ("accent", "danger", "warn", "note"):
        apart[name] = of_sixteen({**file.colours, **file.alarms}[name], [ground], apart.values())
    grounds = {"background": ground, "panel": ground, "chosen": "#aaaaaa", "chosen_text": "#000000"}
    rule = "#555555" if file.dark else "#aaaaaa"
    colours = {**fit(file.colours), **grounds, "accent": apart.pop("accent"), "rule": rule}
    terminal = tuple(of_sixteen(colour, [ground]) for colour in file.terminal)
    return replace(file, colours=colours, alarms=apart, log=fit(file.log), terminal=terminal)


def palette(file: ThemeFile, glyphs: Glyphs = RICH_GLYPHS, depth: Depth = Depth.MANY) -> Palette:
    """Make the styles of a theme, for so many colours."""
    file = fitted(file, depth)
    colours = {**file.colours, **file.alarms}
    plain = {name: Style(color=colour) for name, colour in colours.items()}
    bold = {name: Style(color=colour, bold=_may_be_bold(file, depth, name)) for name, colour in colours.items()}
    made = Palette(
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
        page=Style(color=colours["text"], bgcolor=colours["background"]),
        panel=Style(color=colours["text"], bgcolor=colours["panel"]),
        chosen=_chosen(file, depth),
        found=Style(color=colours["background"], bgcolor=colours["warn"], bold=False),
        states=_state_styles(plain, bold),
        links=_link_styles(plain, bold),
        kinds=_kind_styles(file, plain, bold),
        terminal=file.terminal,
        glyphs=glyphs,
        depth=depth,
    )
    return made if depth else _without_colour(made)


def _may_be_bold(file: ThemeFile, depth: Depth, name: str) -> bool | None:
    """Many terminals of sixteen colours draw bold as bright, which nobody can read on a light ground."""
    return True if depth is not Depth.SIXTEEN or file.dark or name == "strong" else None


def _chosen(file: ThemeFile, depth: Depth) -> Style:
    text = file.colours.get("chosen_text")
    bold = False if depth is Depth.SIXTEEN else None
    return Style(color=text, bgcolor=file.colours["chosen"], bold=bold if text else None)


def _without_colour(made: Palette) -> Palette:
    """Bold says what matters, reverse what is chosen or was found."""

    def bare(styles: Mapping[Any, Style]) -> dict[Any, Style]:
        return {name: style.without_color for name, style in styles.items()}

    own = {each.name: getattr(made, each.name) for each in fields(made)}
    plain: dict[str, Any] = {name: style.without_color for name, style in own.items() if isinstance(style, Style)}
    plain["chosen"] = Style(reverse=True)
    plain["found"] = Style(reverse=True, underline=True)
    return replace(made, **plain, states=bare(made.states), links=bare(made.links), kinds=bare(made.kinds))


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
    """One style for each of `domain.display.loglines.KINDS`."""
    colours = {name: Style(color=colour) for name, colour in file.log.items()}
    return {
        "out": plain["text"],
        "err": plain["warn"],
        "say": colours["say"],
        "tool": colours["tool"],
        "result": colours["result"],
        "think": colours["think"],
        "input": colours["input"],
        "error": plain["danger"],
        "ask": bold["warn"],
        "note": plain["quiet"],
        "done": plain["accent"],
    }


SpanStyle = tuple[str, str, bool, bool, bool, bool]
"""Colour, ground ("" or a number or `#rrggbb`), bold, italic, underlined, reverse, as in `domain.display.loglines`."""

_STEPS = 12
"""Steps from a colour to white or black."""


def run_style(palette: Palette, wanted: SpanStyle, ground: Style) -> Style:
    """The style of a piece of output that lies on `ground`."""
    page = ground.bgcolor.name if ground.bgcolor else ""
    text = palette.text.color.name if palette.text.color else ""
    return _style(palette.terminal, page, text, palette.depth, wanted)


@lru_cache(maxsize=4096)
def _style(terminal: tuple[str, ...], page: str, text: str, depth: Depth, wanted: SpanStyle) -> Style:
    asked, under, bold, italic, underline, reverse = wanted
    plain = Style(bold=bold or None, italic=italic or None, underline=underline or None, reverse=reverse or None)
    if depth is Depth.NONE or not page:
        return plain
    ground = _ground(_colour(terminal, under), depth) if under else page
    colour = _colour(terminal, asked) or (text if under else "")
    shown = _legible(colour, ground, depth) if colour else None
    return plain + Style(color=shown, bgcolor=ground if under else None)


def _colour(terminal: tuple[str, ...], wanted: str) -> str:
    """A colour as `#rrggbb`, of its number too; "" for none."""
    if not wanted.isdigit():
        return wanted
    return terminal[int(wanted)] if int(wanted) < 16 else Color.from_ansi(int(wanted)).get_truecolor().hex


def _ground(colour: str, depth: Depth) -> str:
    """A ground that stays what it is when it is rounded, so that what can be read on it can be read then too."""
    return of_sixteen(colour, ()) if depth is Depth.SIXTEEN else _rounded(colour)


def _legible(colour: str, ground: str, depth: Depth) -> str:
    """The colour, or the nearest one on its way to white or black that can be read on `ground`."""
    if depth is Depth.SIXTEEN:
        return of_sixteen(colour, [ground])
    end = "#ffffff" if contrast("#ffffff", ground) > contrast("#000000", ground) else "#000000"
    between = (_mixed(colour, end, step / _STEPS) for step in range(_STEPS + 1))
    return next((one for one in between if _can_be_read(one, ground)), end)


def _can_be_read(colour: str, ground: str) -> bool:
    rounded = contrast(_rounded(colour), _rounded(ground))
    return min(contrast(colour, ground), rounded) >= READABLE


@lru_cache(maxsize=4096)
def _rounded(colour: str) -> str:
    """What a terminal of 256 colours makes of it."""
    return Color.parse(colour).downgrade(ColorSystem.EIGHT_BIT).get_truecolor().hex


def _mixed(one: str, other: str, share: float) -> str:
    mixed = (a + (b - a) * share for a, b in zip(parts(one), parts(other), strict=True))
    return "#{:02x}{:02x}{:02x}".format(*(round(255 * part) for part in mixed))
