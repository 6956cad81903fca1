"""How our own tmux server is set up: closed to escapes, and with a way out that a phone's keyboard has.

The lists go onto a command line and into a server's memory; nothing in them comes from outside. A person who attaches
gets few keys, so that no slip of a finger ends, renames or adds anything: ` then q (or a tap on the status line)
leaves, ` twice types one, ` then [ scrolls back; C-b is a prefix, too. Who only looks taps in vain (tmux 3.3a).
"""

from collections.abc import Sequence

WIDTH, HEIGHT = 120, 40
"""Columns and rows of a terminal that nobody is attached to."""

_OVER_PANE = "#{||:#{alternate_on},#{||:#{pane_in_mode},#{mouse_any_flag}}}"
_STATUS = ("Status", "StatusDefault", "StatusLeft", "StatusRight")

# -q: an older tmux lacks some of them, which must not keep the rest from being set.
OPTIONS: Sequence[Sequence[str]] = (
    ("set-option", "-sq", "set-clipboard", "off"),
    ("set-option", "-sq", "default-terminal", "tmux-256color"),
    ("set-option", "-gq", "default-shell", "/bin/sh"),
    ("set-option", "-gq", "update-environment", ""),
    ("set-option", "-gq", "set-titles", "off"),
    ("set-option", "-gq", "allow-rename", "off"),
    ("set-option", "-gq", "automatic-rename", "off"),
    ("set-option", "-gq", "allow-passthrough", "off"),
    ("set-option", "-gq", "bell-action", "none"),
    ("set-option", "-gq", "mouse", "on"),
    ("set-option", "-gq", "history-limit", "2000"),
    ("set-option", "-gq", "remain-on-exit", "off"),
    ("set-option", "-gq", "window-size", "latest"),
    ("set-option", "-gq", "prefix2", "`"),
    ("set-option", "-gq", "status-left", "#{?client_readonly,you only look | leave: ` q,leave: ` q or tap here} | #S "),
    ("set-option", "-gq", "status-left-length", "80"),
    ("set-option", "-gq", "status-right", ""),
    ("set-option", "-gq", "window-status-format", ""),
    ("set-option", "-gq", "window-status-current-format", ""),
    ("set-environment", "-g", "-u", "TMUX_TMPDIR"),
    ("unbind-key", "-q", "-a", "-T", "prefix"),
    ("unbind-key", "-q", "-a", "-T", "root"),
    ("bind-key", "-T", "prefix", "q", "detach-client"),
    ("bind-key", "-T", "prefix", "d", "detach-client"),
    ("bind-key", "-T", "prefix", "`", "send-prefix", "-2"),
    ("bind-key", "-T", "prefix", "C-b", "send-prefix"),
    ("bind-key", "-T", "prefix", "[", "copy-mode"),
    *(("bind-key", "-T", "root", f"MouseDown1{place}", "detach-client") for place in _STATUS),
    ("bind-key", "-T", "root", "MouseDown1Pane", "send-keys", "-M"),
    ("bind-key", "-T", "root", "MouseDrag1Pane", "if-shell", "-F", _OVER_PANE, "send-keys -M", "copy-mode -M"),
    ("bind-key", "-T", "root", "WheelUpPane", "if-shell", "-F", _OVER_PANE, "send-keys -M", "copy-mode -e"),
    ("bind-key", "-T", "root", "WheelDownPane", "send-keys", "-M"),
)

KEEP_SERVER = ("set-option", "-sq", "exit-empty", "off")
"""Before the first session: without one a server would end at once."""


def words(*commands: Sequence[str]) -> list[str]:
    """Put commands into one tmux command line."""
    return [word for command in commands for word in (";", *command)][1:]
