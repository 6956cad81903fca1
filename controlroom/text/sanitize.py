"""The one place where bytes from a host become text that may reach a terminal, and where secrets are taken out.

What leaves here holds no control character, no escape sequence, no bidi or format character, no surrogate and no
private-use code point; runs of combining marks are bounded. Colours (SGR) survive only as `Span` styles, which the
screen makes anew. Linear in its input, never raises, and sanitized text is a fixed point.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern

LIMIT = 20_000
"""Characters kept of one line; the rest is cut and marked with an ellipsis."""

_MAX_MARKS = 4
_TAB = "    "

# A whole control sequence, cut off or complete, is one visible mark. Strings (OSC, DCS, …) are bounded, so that a
# missing terminator cannot swallow a page.
_SGR = r"\x1b\[[0-9;:]{0,64}m"
_SEQUENCE = (
    r"(?:\x1b\[|\x9b)[0-?]{0,256}[ -/]{0,16}[@-~]?"
    r"|(?:\x1b[\]P_^X]|[\x9d\x90\x9f\x9e\x98])[^\x07\x1b\x9c\n]{0,4096}(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]{0,16}[0-~]?"
)
_ESCAPES = pattern(f"(?P<sgr>{_SGR})|{_SEQUENCE}")
_UNSAFE = pattern(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\ue000-\uf8ff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)


class Style(NamedTuple):
    """How a span of a log line is drawn. Colours: "" (default), "0".."255" (palette) or "#rrggbb"."""

    fg: str = ""
    bg: str = ""
    bold: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False


class Span(NamedTuple):
    """A run of sanitized text in one style."""

    text: str
    style: Style


PLAIN = Style()


def sanitize(text: str | bytes, limit: int = LIMIT) -> str:
    """Make one line of anything safe to show: visible marks for controls, no colours, at most `limit` characters."""
    return "".join(span.text for span in spans(text, limit))


def sanitize_lines(text: str | bytes, limit: int = LIMIT) -> list[str]:
    """Split at newlines (CR LF too), then sanitize each line. `limit` holds for each line."""
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return [sanitize(line.removesuffix("\r"), limit) for line in whole.split("\n")]


def spans(text: str | bytes, limit: int = LIMIT) -> list[Span]:
    """Make one line safe and keep its colours as styles. Adjacent runs of one style are joined."""
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    cut = whole[:limit]
    plain = cut.isascii() and cut.isprintable()
    runs = [Span(cut, PLAIN)] * bool(cut) if plain else _joined(_runs(cut))
    if len(whole) > limit:
        runs.append(Span("…", PLAIN))
    return runs


def _runs(text: str) -> Iterator[Span]:
    style, position = PLAIN, 0
    for match in _ESCAPES.finditer(text):
        yield Span(_safe(text[position : match.start()]), style)
        position = match.end()
        if match["sgr"]:
            style = _restyled(style, match["sgr"][2:-1])
        else:
            yield Span("␛", style)
    yield Span(_safe(text[position:]), style)


def _joined(runs: Iterator[Span]) -> list[Span]:
    joined: list[Span] = []
    for run in runs:
        if not run.text:
            continue
        if joined and joined[-1].style == run.style:
            joined[-1] = Span(joined[-1].text + run.text, run.style)
        else:
            joined.append(run)
    return _bounded_marks(joined)


def _safe(text: str) -> str:
    return _UNSAFE.sub(_visible, text.replace("\t", _TAB)) if text else text


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 0x0A:
        return "␤"
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"<U+{code:04X}>"


def _bounded_marks(runs: list[Span]) -> list[Span]:
    """Leave out what is one too many of the marks that pile up on one character, in whatever colours they come."""
    bounded: list[Span] = []
    pile = 0
    for run in runs:
        kept: list[str] = []
        for character in run.text:
            pile = pile + 1 if _piles_up(character) else 0
            if pile <= _MAX_MARKS:
                kept.append(character)
        if kept and bounded and bounded[-1].style == run.style:
            bounded[-1] = Span(bounded[-1].text + "".join(kept), run.style)
        elif kept:
            bounded.append(Span("".join(kept), run.style))
    return bounded


def _piles_up(character: str) -> bool:
    """Whether a character takes no room of its own: marks, vowels and finals of Hangul, tones of emoji."""
    return not character.isascii() and (
        unicodedata.category(character) in ("Mn", "Me", "Mc")
        or "\u1160" <= character <= "\u11ff"
        or "\ud7b0" <= character <= "\ud7ff"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )


def _restyled(style: Style, parameters: str) -> Style:
    codes = [int(part) if part.isdigit() and len(part) < 4 else 0 for part in re.split("[;:]", parameters)]
    index = 0
    while index < len(codes):
        code = codes[index]
        if code in (38, 48):
            colour, used = _extended(codes[index + 1 :])
            style = style._replace(fg=colour) if code == 38 else style._replace(bg=colour)
            index += used
        else:
            style = _switched(style, code)
        index += 1
    return style


_SWITCHES: dict[int, tuple[str, Any]] = {
    1: ("bold", True),
    3: ("italic", True),
    4: ("underline", True),
    7: ("reverse", True),
    22: ("bold", False),
    23: ("italic", False),
    24: ("underline", False),
    27: ("reverse", False),
    39: ("fg", ""),
    49: ("bg", ""),
    **{30 + n: ("fg", str(n)) for n in range(8)},
    **{40 + n: ("bg", str(n)) for n in range(8)},
    **{90 + n: ("fg", str(8 + n)) for n in range(8)},
    **{100 + n: ("bg", str(8 + n)) for n in range(8)},
}


def _switched(style: Style, code: int) -> Style:
    if code == 0:
        return PLAIN
    name, value = _SWITCHES.get(code, ("", None))
    return style._replace(**{name: value}) if name else style


def _extended(rest: list[int]) -> tuple[str, int]:
    if rest[:1] == [5] and len(rest) > 1:
        return str(rest[1] % 256), 2
    if rest[:1] == [2] and len(rest) > 3:
        return "#{:02x}{:02x}{:02x}".format(*(value % 256 for value in rest[1:4])), 4
    return "", len(rest)


_KEY = pattern(r"sk-ant-[A-Za-z0-9_-]{4,}")
_KEY_BYTES = pattern(rb"sk-ant-[A-Za-z0-9_-]{4,}")
HIDDEN = "sk-ant-…"


def redact(text: str) -> str:
    """Replace what looks like an Anthropic key or token (`sk-ant-…`) in `text`."""
    return _KEY.sub(HIDDEN, text) if "sk-ant-" in text else text


def redact_bytes(data: bytes) -> bytes:
    """Replace what looks like an Anthropic key or token in `data`, leaving every other byte as it is."""
    return _KEY_BYTES.sub(HIDDEN.encode(), data) if b"sk-ant-" in data else data


def shown(text: str) -> str:
    """Sanitize text line by line, and take out what looks like an Anthropic key."""
    return "\n".join(sanitize_lines(redact(text)))
