"""The one place that prints: data to stdout, messages to stderr, both sanitized first, colours only for a terminal."""

import os
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, TextIO

    from controlroom.domain.display.diff import DiffLine
    from controlroom.domain.display.loglines import LogLine


_SIGNS = {"tool": "> ", "result": "  ", "error": "! ", "ask": "? ", "note": "- ", "input": "< ", "think": "~ "}
"""What stands before a line of an agent's speech; what it says and what programs print stand as they are."""

_TONES = {"error": "31", "err": "31", "ask": "1;33", "tool": "36", "note": "90", "input": "35", "think": "90"}


def open_closed_streams() -> None:
    """Point every standard stream that is closed (`0<&-`) at nothing: what is opened next would get its number."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))  # the lowest free number: this one


def is_terminal(stream: "TextIO") -> bool:
    """Whether a stream is a terminal that a person looks at."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def person_is_there() -> bool:
    """Whether somebody can be asked: stdin and stderr are terminals."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def coloured(stream: "TextIO") -> bool:
    """Whether colours belong there: a terminal, no NO_COLOR (no-color.org), not a dumb one."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int | None:
    """The columns of the terminal on stdout, or None when it is none."""
    if not is_terminal(sys.stdout):
        return None
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except OSError:
        return None


def own(text: str) -> None:
    """Write text of our own (help, version) to stdout."""
    _write(sys.stdout, text)


def data(text: str) -> None:
    """Write lines of data to stdout."""
    from controlroom.text.sanitize import shown

    _write(sys.stdout, shown(text) + "\n")


def talk(text: str) -> None:
    """Tell the person something, on stderr."""
    from controlroom.text.sanitize import shown

    _write(sys.stderr, shown(text) + "\n")


def json_answer(verb: str, thing: "Any") -> None:
    """Write the answer of a verb to stdout as JSON, readable and complete whatever the encoding of stdout.

    What no terminal is to get (controls, direction marks) stands in it as escapes of JSON.
    """
    import json
    import re

    from controlroom.cli.records import answer

    def escaped(sign: re.Match[str]) -> str:
        return sign[0] if sign[0].isprintable() else json.dumps(sign[0])[1:-1]

    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    text = json.dumps(answer(verb, thing), indent=2, ensure_ascii=ascii_only)
    _write(sys.stdout, re.sub(r"[^\x20-\x7e\n]", escaped, text) + "\n")


def raw(body: bytes) -> None:
    """Write bytes to stdout as they are."""
    sys.stdout.flush()
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


def log_lines(lines: "Iterable[LogLine]") -> None:
    """Write lines of a log to stdout. They are sanitized; a terminal gets their colours, made anew."""
    draw = _coloured_line if coloured(sys.stdout) else _plain_line
    text = "".join(draw(line) + "\n" for line in lines)
    if text:
        _write(sys.stdout, text)


def diff_heading(text: str) -> None:
    """Write the line above a file's diff; a terminal shows it in bold."""
    from controlroom.text.sanitize import sanitize

    line = sanitize(text)
    _write(sys.stdout, (_painted(line, "1") if coloured(sys.stdout) else line) + "\n")


def diff_lines(lines: "Iterable[DiffLine]") -> None:
    """Write lines of a diff to stdout, each behind its sign. They are sanitized; a terminal gets them in colours."""
    from controlroom.domain.display.diff import SIGNS
    from controlroom.text.changes import LineKind

    tones = {LineKind.ADDED: "32", LineKind.REMOVED: "31", LineKind.HUNK: "36", LineKind.NOTE: "90"}
    colours = coloured(sys.stdout)
    drawn = []
    for line in lines:
        more = f" … {line.left_out} bytes more" if line.left_out else ""
        sign = "" if line.kind is LineKind.HUNK else SIGNS.get(line.kind, " ")
        drawn.append(_painted(f"{sign}{line.text}{more}", tones.get(line.kind, "") if colours else "") + "\n")
    _write(sys.stdout, "".join(drawn))


def table(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> None:
    """Write rows in columns that line up; columns in `right` stand right. A terminal's width cuts the last column."""
    for line in lined_up(rows, right, width()):
        data(line)


def paragraph(text: str) -> None:
    """Write text to stdout, broken between words where a terminal ends."""
    for line in wrapped(text, width()):
        data(line)


def note(text: str) -> None:
    """Tell the person something that belongs to the data above, on stderr, as one of several."""
    hanging("- ", text)


def hanging(first: str, text: str) -> None:
    """Tell the person something that begins with `first`, on stderr; what goes on stands under where it began."""
    for line in wrapped(text, width(), first=first, then=" " * len(first)):
        talk(line)


def noted_table(head: Sequence[str], rows: Sequence[tuple[Sequence[str], str]], right: frozenset[int]) -> None:
    """Write rows with a note each: in a last column where a terminal has room for it, else below its row."""
    room = width()
    whole = lined_up([(*head, ""), *((*row, note) for row, note in rows)], right, None)
    if room is None or max(map(cells, whole)) <= room:
        data("\n".join(whole))
        return
    lines = lined_up([head, *(row for row, _ in rows)], right, room)
    data(lines[0])
    for line, (_, note) in zip(lines[1:], rows, strict=True):
        data(line)
        for more in wrapped(note, room, first="    ", then="    ") if note else ():
            data(more)


def ask(question: str, hint: str = "[y/N]", wanted: Sequence[str] = ("y", "yes")) -> bool:
    """Ask the person on the terminal; only the wanted answers (without anything said, y or yes) are a yes."""
    from controlroom.text.sanitize import shown

    _write(sys.stderr, f"{shown(question)} {hint} ")
    answer = _interruptible(sys.stdin.readline)
    if not answer:
        _write(sys.stderr, "\n")
    return answer.strip().lower() in wanted


def line(question: str) -> str:
    """Have the person on the terminal write a line; "" when they only press Enter, or have gone."""
    from controlroom.text.sanitize import shown

    _write(sys.stderr, f"{shown(question)} ")
    reply = _interruptible(sys.stdin.readline)
    if not reply:
        _write(sys.stderr, "\n")
    return reply.strip()


def secret(question: str) -> str:
    """Have something typed unseen on the terminal; without one, read the first line of stdin. "": nothing was said."""
    from getpass import getpass

    from controlroom.text.sanitize import shown

    if not is_terminal(sys.stdin):
        return sys.stdin.readline().rstrip("\r\n")
    try:
        return _interruptible(lambda: getpass(f"{shown(question)} "))
    except EOFError:
        return ""


def _interruptible(read: Callable[[], str]) -> str:
    """Read from a person; Ctrl-C works at once, for which an event loop's own handler would wait."""
    import signal

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return read()
    finally:
        signal.signal(signal.SIGINT, handler)


def close_quietly() -> None:
    """Let go of stdout after its reader went away, so that the interpreter does not complain at its end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _write(stream: "TextIO", text: str) -> None:
    """Write what the stream's encoding can hold; the rest becomes question marks, never an error."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def _plain_line(line: "LogLine") -> str:
    return _SIGNS.get(line.kind, "") + line.text


def _coloured_line(line: "LogLine") -> str:
    tone = _TONES.get(line.kind, "")
    body = "".join(_painted(span.text, _sgr(span.style) or tone) for span in line.spans)
    return _painted(_SIGNS.get(line.kind, ""), tone) + body


def _painted(text: str, codes: str) -> str:
    return f"\x1b[{codes}m{text}\x1b[0m" if codes and text else text


def _sgr(style: "Any") -> str:
    """The SGR codes of a span's style (`text.sanitize.Style`)."""
    flags = ((style.bold, "1"), (style.italic, "3"), (style.underline, "4"), (style.reverse, "7"))
    codes = [code for on, code in flags if on]
    codes += [f"{base};{_colour(value)}" for base, value in ((38, style.fg), (48, style.bg)) if value]
    return ";".join(codes)


def _colour(value: str) -> str:
    if value.startswith("#"):
        return "2;" + ";".join(str(int(value[at : at + 2], 16)) for at in (1, 3, 5))
    return f"5;{value}"


_GAP = "  "


def cells(text: str) -> int:
    """Count the terminal cells that sanitized text takes."""
    if text.isascii():
        return len(text)
    return sum(_cell(character) for character in text)


def cut(text: str, room: int) -> str:
    """Cut text to `room` cells, marked with an ellipsis when something is lost."""
    if cells(text) <= room:
        return text
    kept, used = "", 1
    for character in text:
        used += _cell(character)
        if used > room:
            break
        kept += character
    return kept + "…" if room > 0 else ""


def wrapped(text: str, room: int | None, first: str = "", then: str = "") -> list[str]:
    """Break text between words into lines of `room` characters, None for no bound; `first` and `then` begin them."""
    if room is None:
        return [first + text]
    return textwrap.wrap(text, max(20, room), initial_indent=first, subsequent_indent=then, break_on_hyphens=False)


def lined_up(rows: Sequence[Sequence[str]], right: frozenset[int], room: int | None) -> list[str]:
    """The lines of a table. `right`: columns that stand right; `room`: cells of a line, None for no bound."""
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    return [_line(row, widths, right, room) for row in rows]


def _line(row: Sequence[str], widths: Sequence[int], right: frozenset[int], room: int | None) -> str:
    parts = [_padded(text, widths[at], at in right) for at, text in enumerate(row)]
    line = _GAP.join(parts).rstrip()
    return line if room is None else cut(line, room)


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - cells(text))
    return space + text if right else text + space


def _cell(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
