"""Agents' work in git repositories of this host: what it has changed."""
