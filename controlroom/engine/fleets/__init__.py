"""Fleets from files: planned, applied, and seen through."""
