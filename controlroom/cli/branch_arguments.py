"""What the verbs about agents' commits take."""

import argparse

from controlroom.cli import arguments as take


def collect(parser: argparse.ArgumentParser) -> None:
    """Take agents, the form of the answer, and the branch that they are merged into."""
    take.agents(parser)
    parser.add_argument("--since", metavar="WHEN", type=take.moment, default=None, help="those that ended since")
    parser.add_argument("--tasks", action="store_true", help="those that did the tasks that are done, in their order")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for scripts, as controlroom help verbs describes it")
    form.add_argument("--markdown", action="store_true", help="for the text of a pull request")
    parser.add_argument("--merge-into", metavar="BRANCH", default="", help="merge them into this branch, in order")
    _merge(parser)


def accept(parser: argparse.ArgumentParser) -> None:
    """Take an agent, and how it is merged into which branch."""
    take.agent(parser)
    parser.add_argument("--into", metavar="BRANCH", required=True, help="the branch, which may be a new one")
    _merge(parser)


def _merge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rebase", action="store_true", help="put the commits on top of the branch")
    parser.add_argument("--push", action="store_true", help="begin with the origin's branch, and push the result")
    parser.add_argument("--give-back", action="store_true", help="have the agent resolve what conflicts")


def push(parser: argparse.ArgumentParser) -> None:
    """Take an agent, and the name of the branch at the origin."""
    take.agent(parser)
    parser.add_argument("--as", dest="branch", metavar="BRANCH", default="", help="what it is called there")


def pull_request(parser: argparse.ArgumentParser) -> None:
    """Take an agent, and what is asked for."""
    take.agent(parser)
    parser.add_argument("--into", metavar="BRANCH", default="", help="default: the origin's default branch")
    parser.add_argument("--title", metavar="TEXT", default="", help="default: what the newest commit says")
    parser.add_argument("--draft", action="store_true", help="as a draft")


def drop(parser: argparse.ArgumentParser) -> None:
    """Take an agent, and what stands for a person's answer."""
    take.agent(parser)
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument("-y", "--yes", action="store_true", help="do not ask; refused where something would be lost")
    answer.add_argument("--typed", metavar="NAME", default="", help="the agent's name: whatever would be lost by it")
