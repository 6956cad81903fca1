"""Charts that fill the room they have, beside or under each other, each above its clock."""

from collections.abc import Sequence
from datetime import tzinfo

from rich.style import Style

from controlroom.domain.display.charts import Chart, Fill, ticks
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.lines import Lines

_SCALE = 7
"""Cells at the left for the scale."""
_BESIDE = 120
"""Cells from which charts stand in two columns."""
_BETWEEN = 3


class Charts(Lines):
    """Charts in one or two columns; charts of one column under each other share a clock where they share the time."""

    DEFAULT_CSS = "Charts { height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._columns: Sequence[Sequence[Chart]] = ()
        self._zone: tzinfo | None = None
        self._instead = ""

    @property
    def chart_width(self) -> int:
        """Cells that the columns of one chart have."""
        width = self.size.width
        return max(1, (width - _BETWEEN) // 2 - _SCALE if width >= _BESIDE else width - _SCALE - 1)

    def show(self, left: Sequence[Chart], right: Sequence[Chart], zone: tzinfo | None, instead: str = "") -> None:
        """Show these from now on, made `chart_width` wide; `instead`: words where there are none."""
        columns = (left, right) if self.size.width >= _BESIDE else ((*left, *right),)
        self._columns, self._zone, self._instead = [column for column in columns if column], zone, instead
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The charts, as high as there is room."""
        if not self._columns:
            return [styled.line((f"  {part}", self.palette.quiet)) for part in styled.wrap(self._instead, width - 4)]
        drawn = [self._column(column, height) for column in self._columns]
        if len(drawn) == 1:
            return drawn[0]
        blank = styled.line((" " * _BETWEEN, None))
        cells = self.chart_width + _SCALE
        return [(*_padded(one, cells), *blank, *other) for one, other in zip(*drawn, strict=True)]

    def _column(self, charts: Sequence[Chart], height: int) -> list[Line]:
        """Charts under each other, as many as there is room for; exactly `height` lines."""
        shown = charts[: max(1, height // 3)]
        clocks = [
            number + 1 == len(shown) or (chart.since, chart.until) != (shown[number + 1].since, shown[number + 1].until)
            for number, chart in enumerate(shown)
        ]
        shares = _shares(shown, height - sum(clocks))
        lines: list[Line] = []
        for chart, clock, share in zip(shown, clocks, shares, strict=True):
            lines += self._chart(chart, share - 1)
            if clock:
                lines.append(self._clock(chart))
        return lines

    def _chart(self, chart: Chart, height: int) -> list[Line]:
        palette = self.palette
        lines = [styled.line((f"{'':{_SCALE}}{chart.title}  ", palette.strong), (chart.words, palette.quiet))]
        for number, row in enumerate(chart.rows(max(0, height))):
            scale = styled.right(chart.scale if number == 0 and height > 1 else "", _SCALE - 1)
            lines.append(
                styled.line((f"{scale} ", palette.quiet), *((signs, self._style(fill)) for fill, signs in row))
            )
        return [styled.clip(line, self.chart_width + _SCALE) for line in lines]

    def _style(self, fill: Fill) -> Style | None:
        palette = self.palette
        return {
            Fill.UNKNOWN: palette.quiet,
            Fill.CALM: palette.bar,
            Fill.WARN: palette.warn,
            Fill.DANGER: palette.danger,
            Fill.SHADE: palette.rule,
        }.get(fill)

    def _clock(self, chart: Chart) -> Line:
        cells = len(chart.columns)
        words = " " * cells
        for column, label in ticks(chart.since, chart.until, cells, self._zone):
            if column + len(label) <= cells:
                words = words[:column] + label + words[column + len(label) :]
        return styled.line((f"{'':{_SCALE}}{words.rstrip()}", self.palette.quiet))


def _shares(charts: Sequence[Chart], height: int) -> list[int]:
    """Share out lines: two at least for each, and twice as many for what moves most."""
    weights = [2 if chart.tall else 1 for chart in charts]
    shares = [max(2, height * weight // sum(weights)) for weight in weights]
    shares[0] += height - sum(shares)
    return shares


def _padded(line: Line, cells: int) -> Line:
    return (*line, *styled.line((" " * max(0, cells - styled.length(line)), None)))
