"""Our own tmux server."""
