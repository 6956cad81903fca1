"""What stands on a terminal, gathered from what the screen writes to it: as much as tells which row has the cursor."""

import codecs
import re

from rich.cells import cell_len

_CURSOR = "▌"
_PIECES = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[[0-9;?<>=]*[@-~]|\x1b\][^\x07]*\x07|[\r\n]+|[^\x1b\r\n]+")
_SIGNS = 3
"""Cells before a row's name: the cursor's, the state's, and that of what is only claimed."""
_BEGUN = re.compile(r"\x1b(?:\[[0-9;?<>=]*|\][^\x07]*)?\Z")


class Drawn:
    """A terminal whose program says where each piece of text goes, as Textual does."""

    def __init__(self) -> None:
        self._lines: dict[int, dict[int, str]] = {}
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._at = (1, 1)

    def feed(self, data: bytes) -> None:
        """Draw what was written; an escape sequence may go on in the next piece."""
        text = self._rest + self._decoder.decode(data)
        begun = _BEGUN.search(text)
        self._rest = begun[0] if begun else ""
        for piece in _PIECES.finditer(text, 0, begun.start() if begun else len(text)):
            if piece[1]:
                self._at = int(piece[1]), int(piece[2])
            elif piece[0][0] not in "\x1b\r\n":
                self._put(piece[0])

    def _put(self, text: str) -> None:
        line, column = self._at
        cells = self._lines.setdefault(line, {})
        for sign in text:
            cells[column] = sign
            column += cell_len(sign)
        self._at = line, column

    def text(self) -> str:
        """All that stands there, line by line; what was drawn over is gone."""
        return "\n".join(
            "".join(self._lines[line][column] for column in sorted(self._lines[line])) for line in sorted(self._lines)
        )

    def chosen(self) -> str:
        """Name the row that has the cursor; "" when none has."""
        for cells in self._lines.values():
            if cells.get(1) == _CURSOR:
                words = "".join(cells[column] for column in sorted(cells) if column > _SIGNS).split()
                return words[0] if words else ""
        return ""
