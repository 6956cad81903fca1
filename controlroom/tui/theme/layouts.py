"""The layout that the screens have, from key to key, and from one time to the next."""

from dataclasses import replace

from controlroom.domain.display.layout import Layout
from controlroom.tui.theme.memory import Memory


class Layouts:
    """Keeps the layout; screens read it here each time they draw."""

    def __init__(self, memory: Memory | None) -> None:
        """Begin with what was remembered; without a memory with what everybody begins with."""
        self._memory = memory
        self.now = memory.layout() if memory else Layout()
        """How things are arranged."""

    def change(self, **changes: object) -> None:
        """Arrange them otherwise from now on, next time too."""
        before, self.now = self.now, replace(self.now, **changes)  # type: ignore[arg-type]
        if self._memory is not None and self.now != before:
            self._memory.remember_layout(self.now)
