"""Agents' logs: written, read, followed, searched."""
