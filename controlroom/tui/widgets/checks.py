"""How the checks of an agent's work stand, in a few lines beside its diff."""

from collections.abc import Sequence

from controlroom.domain.checks import summary_lines
from controlroom.text.checks import Checks, CheckState
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.lines import Lines

_MOST = 2
"""Lines of each sentence: the sheet of the checks has all of it."""


class CheckLines(Lines):
    """What came of the checks, then which guarded files were changed; nothing where none have run."""

    DEFAULT_CSS = "CheckLines { height: 1; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._checks: Checks | None = None
        self._now = 0

    def show(self, checks: Checks | None, now: int) -> None:
        """Show this from now on."""
        self._checks, self._now = checks, now
        lines = self._lines(self.app.size.width)
        self.display = bool(lines)
        self.styles.height = max(1, len(lines))
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """All of them."""
        return self._lines(width)[:height]

    def _lines(self, width: int) -> list[Line]:
        if self._checks is None:
            return []
        palette, passed = self.palette, self._checks.state is CheckState.PASSED
        first = palette.text if passed else palette.warn
        told = summary_lines(self._checks, self._now)
        return [
            styled.line((f" {part}", palette.warn if number else first))
            for number, words in enumerate(told)
            for part in styled.wrap(words, max(8, width - 2))[:_MOST]
        ]
