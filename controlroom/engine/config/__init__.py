"""The room's settings, and the files they stand in."""
