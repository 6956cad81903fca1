"""The verbs about the git worktrees of agents: their place in the table of verbs."""

import argparse

from controlroom.cli.verb import Verb


def _show(parser: argparse.ArgumentParser) -> None:
    """Take hosts, and the form of the answer."""
    parser.add_argument("host", metavar="HOST", nargs="*", default=[], help="only there (default: all)")
    parser.add_argument("--json", action="store_true", help="for scripts, as controlroom help verbs describes it")


def _drop(parser: argparse.ArgumentParser) -> None:
    """Take a worktree, and a yes in advance."""
    parser.add_argument("worktree", metavar="WORKTREE", help="HOST/NAME.RUN, as worktree list has it")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask, where nothing would be lost")
    parser.add_argument("--typed", metavar="NAME", default="", help="its agent's name: lose what no other place has")


WORKTREES: tuple[Verb, ...] = (
    Verb(
        "worktree list",
        "work",
        "[HOST...] [--json]",
        "Show the git worktrees that were made for agents, and what they take on the disk.",
        "Also those of agents that were forgotten. It says what would be lost with each: files that no commit has, "
        "commits that no other branch, remote or tag has.",
        ("controlroom worktree list", "controlroom worktree list vm1 --json | jq '[.worktrees[].disk_bytes] | add'"),
        "worktrees:show",
        _show,
    ),
    Verb(
        "worktree drop",
        "work",
        "WORKTREE [--yes | --typed NAME]",
        "Remove a worktree in which nobody works, and its branch.",
        "WORKTREE is as worktree list has it. Asks first. Where something would be lost, you type the name of the "
        "agent that it was made for; a script says --typed NAME. Files that git ignores go with it.",
        ("controlroom worktree drop vm1/docs-1.1", "controlroom worktree drop vm1/docs-1.1 --typed docs-1"),
        "worktrees:drop",
        _drop,
    ),
)
