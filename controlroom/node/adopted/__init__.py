"""Agents that others started on this host."""
