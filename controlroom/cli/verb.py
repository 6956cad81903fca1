"""What a verb of the command line is made of."""

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from controlroom.cli.entry_points import EntryPoints

Arguments = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace, EntryPoints], int]


class Verb(NamedTuple):
    """One verb of the command line."""

    name: str
    """One or two words: `spawn`, `host add`."""
    group: str
    usage: str
    """Its arguments, as people write them."""
    says: str
    """What it does, in a sentence."""
    more: str
    """What else one should know; may be empty."""
    examples: tuple[str, ...]
    runs: str
    """`module:function` below `controlroom.cli`; imported when it is run."""
    arguments: Arguments

    def load(self) -> Run:
        """Import what runs it."""
        module, _, function = self.runs.partition(":")
        run: Run = getattr(import_module(f"controlroom.cli.{module}"), function)
        return run
