"""The git repositories that agents work in."""
