"""What two ends say to each other: bytes <-> messages, with no socket in it. Standard library only."""
