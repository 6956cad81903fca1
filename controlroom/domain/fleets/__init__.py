"""Fleets from files: what a file says, what was applied of it, and what applying it would change."""
