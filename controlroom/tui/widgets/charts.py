"""Charts that fill the room they have: one for each metric of a host, above a common clock."""

from collections.abc import Sequence
from datetime import tzinfo

from rich.style import Style

from controlroom.domain.display.charts import TITLES, Chart, Fill, chart, ticks, value_words
from controlroom.domain.host_history import Metric, Point
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.lines import Lines

_SCALE = 6
"""Cells at the left for the scale."""
_BESIDE = 120
"""Cells from which charts of the network stand beside those of the machine."""
_BETWEEN = 3


class Charts(Lines):
    """Every metric of one host over one span."""

    DEFAULT_CSS = "Charts { height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._points: Sequence[Point] = ()
        self._since = self._until = 0
        self._zone: tzinfo | None = None
        self._instead = ""

    @property
    def points_wanted(self) -> int:
        """How many points of a metric can be shown."""
        return max(1, self._chart_width(self.size.width))

    def show(self, points: Sequence[Point], since: int, until: int, zone: tzinfo | None, instead: str = "") -> None:
        """Show these from now on; `instead`: words where there are no points."""
        self._points, self._since, self._until, self._zone, self._instead = points, since, until, zone, instead
        self.redraw()

    @staticmethod
    def _chart_width(width: int) -> int:
        return (width - _BETWEEN) // 2 - _SCALE if width >= _BESIDE else width - _SCALE - 1

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The charts, under each other or in two columns, as high as there is room."""
        if self._until <= self._since or (self._instead and not self._points):
            return [styled.line((f"  {part}", self.palette.quiet)) for part in styled.wrap(self._instead, width - 4)]
        cells = self._chart_width(width)
        if width < _BESIDE:
            return self._column(tuple(Metric), cells, height)
        shares = tuple(metric for metric in Metric if metric.is_share)
        left = self._column(shares, cells, height)
        right = self._column(tuple(metric for metric in Metric if not metric.is_share), cells, height)
        blank = styled.line((" " * _BETWEEN, None))
        return [(*_padded(one, cells + _SCALE), *blank, *other) for one, other in zip(left, right, strict=True)]

    def _column(self, metrics: Sequence[Metric], cells: int, height: int) -> list[Line]:
        """Charts under each other, and the clock at the foot; exactly `height` lines."""
        shown = metrics[: max(1, (height - 1) // 2)]
        lines: list[Line] = []
        for metric, share in zip(shown, _shares(shown, height - 1), strict=True):
            lines += self._chart(chart(self._points, metric, self._since, self._until, cells), max(1, share - 1))
        return [*lines[: height - 1], self._clock(cells)]

    def _chart(self, drawn: Chart, height: int) -> list[Line]:
        palette = self.palette
        title = styled.line((f"{'':{_SCALE}}{TITLES[drawn.metric]}  ", palette.strong), (drawn.words, palette.quiet))
        lines = [title]
        for number, row in enumerate(drawn.rows(height)):
            scale = value_words(drawn.metric, drawn.top).removesuffix("/s") if number == 0 and height > 1 else ""
            runs = [(f"{scale:>{_SCALE - 1}} ", palette.quiet), *((signs, self._style(fill)) for fill, signs in row)]
            lines.append(styled.line(*runs))
        return lines

    def _style(self, fill: Fill) -> Style | None:
        palette = self.palette
        return {
            Fill.UNKNOWN: palette.quiet,
            Fill.CALM: palette.bar,
            Fill.WARN: palette.warn,
            Fill.DANGER: palette.danger,
            Fill.PEAK: palette.rule,
        }.get(fill)

    def _clock(self, cells: int) -> Line:
        words = " " * cells
        for column, label in ticks(self._since, self._until, cells, self._zone):
            if column + len(label) <= cells:
                words = words[:column] + label + words[column + len(label) :]
        return styled.line((f"{'':{_SCALE}}{words.rstrip()}", self.palette.quiet))


def _shares(metrics: Sequence[Metric], height: int) -> list[int]:
    """Share out lines: two at least for each, and twice as many for the CPU, which moves most."""
    weights = [2 if metric is Metric.CPU else 1 for metric in metrics]
    shares = [max(2, height * weight // sum(weights)) for weight in weights]
    shares[0] += height - sum(shares)
    return shares


def _padded(line: Line, cells: int) -> Line:
    return (*line, *styled.line((" " * max(0, cells - styled.length(line)), None)))
