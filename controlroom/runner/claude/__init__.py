"""What Claude Code writes and says, and what is written back to it."""
