"""Textual's driver of a terminal, gone on with once for each time that it was stopped.

Textual 8.2 takes the terminal back when `suspend` ends and when SIGCONT comes, and Python may run a signal's handler a
moment late: both would happen, and two threads would read the keys, of which one goes on after the screen is closed.
"""

from textual.drivers.linux_driver import LinuxDriver


class OnceDriver(LinuxDriver):
    """A driver that is either in application mode or not."""

    _given_back = False
    """Whether the terminal is somebody else's now."""

    def suspend_application_mode(self) -> None:
        """Give the terminal back."""
        if not self._given_back:
            self._wipe()
            self._given_back = True
            super().suspend_application_mode()

    def stop_application_mode(self) -> None:
        """Give the terminal back for good."""
        if not self._given_back:
            self._wipe()
        super().stop_application_mode()

    def _wipe(self) -> None:
        """Leave an empty screen: mosh has only the one, and tmux 3.3a shows rows of a taller one among the shell's."""
        self.write("\x1b[0m\x1b[H\x1b[2J")

    def resume_application_mode(self) -> None:
        """Take the terminal again, if it was given back."""
        if self._given_back:
            self._given_back = False
            super().resume_application_mode()
