"""The verbs about what agents have committed: their place in the table of verbs."""

from controlroom.cli import branch_arguments as take
from controlroom.cli.verb import Verb

BRANCHES: tuple[Verb, ...] = (
    Verb(
        "collect",
        "work",
        "[AGENT...] [--all] [--since WHEN] [--tasks] [--json | --markdown]\n"
        "       [--merge-into BRANCH [--rebase] [--push] [--give-back]]",
        "Show what agents have done: answer, cost, time, branch, commits, lines.",
        "AGENT is as kill takes it. --since: those that ended since WHEN (90m, 12h, 7d, today, a day); --tasks: those "
        "that did the tasks that are done, in the order of these. --markdown writes it for a pull request. "
        "--merge-into makes one branch of many as accept does, one after the other, and stops at the first that is "
        "not merged.",
        (
            "controlroom collect docs-1",
            "controlroom collect --since today --markdown",
            "controlroom collect --tasks --merge-into docs/update-2.0",
        ),
        "collect:collect",
        take.collect,
    ),
    Verb(
        "accept",
        "work",
        "AGENT --into BRANCH [--rebase] [--push] [--give-back]",
        "Merge what an agent has committed into a branch.",
        "It is merged in a folder of its own on the agent's host, and nothing that came with the repository runs. A "
        "branch that is not there begins where the agent's work began; one that is checked out is left alone. "
        "--rebase puts the commits on top of the branch. --push begins with the origin's branch, and pushes the "
        "result: for agents in several clones. What conflicts is left to you, with the names of the files; with "
        "--give-back the agent is told to resolve it.",
        (
            "controlroom accept docs-1 --into docs/update-2.0",
            "controlroom accept vm1/api-3 --into next --rebase --push",
        ),
        "branches:accept",
        take.accept,
    ),
    Verb(
        "push",
        "work",
        "AGENT [--as BRANCH]",
        "Push an agent's branch to the origin of its repository, never by force.",
        "With the git login of the host's user, over ssh or https. The origin's default branch is pushed to only where "
        "--as names it.",
        ("controlroom push docs-1", "controlroom push docs-1 --as docs/update-2.0"),
        "branches:push",
        take.push,
    ),
    Verb(
        "pull-request",
        "work",
        "AGENT [--into BRANCH] [--title TEXT] [--draft]",
        "Push an agent's branch, and ask for its merge.",
        "With gh on the agent's host, where it is installed and logged in; else nothing is done, and the commands are "
        "shown that do it from where you are logged in. The text is what collect --markdown writes. Prints the "
        "address.",
        ("controlroom pull-request docs-1", "controlroom pull-request docs-1 --into next --draft"),
        "branches:pull_request",
        take.pull_request,
    ),
    Verb(
        "drop",
        "work",
        "AGENT [--yes | --typed NAME]",
        "Remove the worktree and the branch of an agent that has ended.",
        "Of what was made for it alone: a folder of yours stays. Asks first. Where files would be lost that no commit "
        "has, or commits that no other branch has, you type the agent's name; a script says --typed NAME.",
        ("controlroom drop docs-1", "controlroom drop docs-1 --typed docs-1"),
        "branches:drop",
        take.drop,
    ),
)
