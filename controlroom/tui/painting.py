"""What is written to the terminal when a part of the screen changes: that part, and nothing to the left of it."""

from rich.console import Console
from textual._compositor import ChopsUpdate, Compositor


class Spans(ChopsUpdate):
    """Textual 8.2 cuts what is to be painted at its right end only: on a table that is twice the bytes."""

    def render_segments(self, console: Console) -> str:
        """Give the bytes, as text."""
        written: list[str] = []
        for y, start, end in self.spans:
            for stop, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                left, right = max(x, start), min(stop, end)
                if strip is not None and left < right:
                    written.append(f"\x1b[{y + 1};{left + 1}H{strip.crop(left - x, right - x).render(console)}")
        return "".join(written)


class Painting(Compositor):
    """Textual's compositor, with updates that begin where something changed."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """Give what is to be painted, if anything is."""
        update = super().render_partial_update()
        return Spans(update.chops, update.spans, update.chop_ends) if update is not None else None
