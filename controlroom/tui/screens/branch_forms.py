"""Forms for what is done with an agent's commits: merged, pushed, proposed. Each says first what it will do."""

from collections.abc import Callable

from controlroom.domain.branch_intents import Accept, BranchIntent, PullRequest, PushBranch
from controlroom.domain.model import Agent
from controlroom.text.changes import ChangeKind, Changes
from controlroom.text.names import branch_name_problem
from controlroom.tui.screens.dialogs import AskSheet
from controlroom.tui.screens.forms import Form
from controlroom.tui.widgets.diff import counted
from controlroom.tui.widgets.fields import Choice, Field, OneLine

Order = Callable[[BranchIntent, bool], None]
"""Orders what a form says; True: what conflicts is given back to the agent."""

_MERGE, _REBASE = "merge", "rebase: its commits on top of the branch"
_HERE, _ORIGIN = "as it is on the host", "as the origin has it, and push the result"
_MINE, _BACK = "leave them to me", "give them back to the agent"
_READY, _DRAFT = "ready", "a draft"


class BranchForm(Form):
    """About the commits of one agent, as they were shown."""

    go = "go on"

    def __init__(self, agent: Agent, changes: Changes, order: Order) -> None:
        self.agent, self.changes, self._order = agent, changes, order
        self.heading = self.headed()
        super().__init__()

    def headed(self) -> str:
        """What heads the form."""
        raise NotImplementedError

    def wanted(self) -> BranchIntent | str:
        """What is to be done, or what is missing."""
        raise NotImplementedError

    def told(self) -> tuple[str, str, str]:
        """The question before it is done, what else is to be known, and its verb."""
        raise NotImplementedError

    def gives_back(self) -> bool:
        """Whether conflicts are for the agent."""
        return False

    @property
    def what(self) -> str:
        """What it is about, in words: so many commits of whom, up to which one."""
        name = self.agent.id.partition("/")[2]
        return f"{counted(self.changes.commits, 'commit')} of {name}, up to {self.changes.head[:10]}"

    def loose(self) -> str:
        """What is in no commit, and so stays where it is."""
        files = sum(file.uncommitted or file.kind is ChangeKind.UNTRACKED for file in self.changes.files)
        return f"{counted(files, 'file')} with work in no commit: that stays where it is. " if files else ""

    def unfit(self, name: str) -> str:
        """What is wrong with the branch that a field names; "": nothing."""
        return branch_name_problem(self.value(name).strip()) or ""

    def send(self) -> None:
        """Ask first, with all that will be done."""
        wanted = self.wanted()
        if isinstance(wanted, str):
            self.complain(wanted)
            return

        def do() -> None:
            self.finish()
            self._order(wanted, self.gives_back())

        self.app.push_screen(AskSheet(*self.told(), do))


class AcceptForm(BranchForm):
    """Merge an agent's commits into a branch."""

    def headed(self) -> str:
        """Whose commits."""
        return f"accept {self.what}"

    def fields(self) -> list[Field]:
        """How, from where, what becomes of conflicts; then the branch."""
        return [
            Choice("how", [_MERGE, _REBASE], _MERGE),
            Choice("onto", [_HERE, _ORIGIN], _HERE),
            Choice("conflict", [_MINE, _BACK], _MINE),
            OneLine("into", "", hint="the branch that it is merged into"),
        ]

    def gives_back(self) -> bool:
        """As it was chosen."""
        return self.value("conflict") == _BACK

    def wanted(self) -> BranchIntent | str:
        """Carries the commit that was shown."""
        if problem := self.unfit("into"):
            return problem
        rebase, push = self.value("how") == _REBASE, self.value("onto") == _ORIGIN
        return Accept(self.agent.id, self.agent.epoch, self.value("into").strip(), rebase, push, head=self.changes.head)

    def told(self) -> tuple[str, str, str]:
        """All of it."""
        rebase, push = self.value("how") == _REBASE, self.value("onto") == _ORIGIN
        into = self.value("into").strip()
        title = f"{'Rebase' if rebase else 'Merge'} {self.what}, {'onto' if rebase else 'into'} {into}?"
        then = f"{into} is taken as the origin has it, and the result is pushed there. " if push else ""
        conflicts = "Conflicts go back to the agent." if self.gives_back() else "Conflicts are left to you."
        checks = "Its checks run on the result first, where its profile has some. "
        return title, f"{self.loose()}{checks}{then}{conflicts}", "do it"


class PushForm(BranchForm):
    """Push an agent's branch."""

    def headed(self) -> str:
        """Whose branch."""
        return f"push {self.what}"

    def fields(self) -> list[Field]:
        """What it is called there."""
        return [OneLine("as", "", hint=self.changes.branch or "a name for the branch at the origin")]

    def wanted(self) -> BranchIntent | str:
        """Carries the commit that was shown."""
        name = self.value("as").strip()
        if name and (problem := self.unfit("as")):
            return problem
        if not name and not self.changes.branch:
            return "no branch is checked out: name one"
        return PushBranch(self.agent.id, self.agent.epoch, name, self.changes.head)

    def told(self) -> tuple[str, str, str]:
        """Never by force."""
        name = self.value("as").strip() or self.changes.branch
        return f"Push {self.what}, to the origin as {name}?", f"{self.loose()}Nothing is overwritten there.", "push"


class PullRequestForm(BranchForm):
    """Ask for the merge of an agent's branch."""

    def __init__(self, agent: Agent, changes: Changes, order: Order, title: str, body: str) -> None:
        """`title`, `body`: what they are if nobody says otherwise."""
        self._proposed, self._body = title, body
        super().__init__(agent, changes, order)

    def headed(self) -> str:
        """Whose branch."""
        return f"pull request for {self.what}"

    def fields(self) -> list[Field]:
        """Into what, draft or not, and the title."""
        return [
            OneLine("into", "", hint="the origin's default branch"),
            Choice("state", [_READY, _DRAFT], _READY),
            OneLine("title", self._proposed),
        ]

    def wanted(self) -> BranchIntent | str:
        """Carries the commit that was shown."""
        into = self.value("into").strip()
        if into and (problem := self.unfit("into")):
            return problem
        if not self.value("title").strip():
            return "write a title first"
        about = (into, self.value("title").strip(), self._body, self.value("state") == _DRAFT, self.changes.head)
        return PullRequest(self.agent.id, self.agent.epoch, *about)

    def told(self) -> tuple[str, str, str]:
        """What leaves the host."""
        into = self.value("into").strip() or "the origin's default branch"
        draft = ", as a draft" if self.value("state") == _DRAFT else ""
        title = f"Push {self.what}, and ask for its merge into {into}{draft}?"
        return (
            title,
            f"{self.loose()}Its text is what collect --markdown writes. It needs gh on the host.",
            "ask for it",
        )


class DropForm(Form):
    """Remove what was made for an agent, though something would be lost: its name is typed first."""

    go = "drop"

    def __init__(self, agent: str, lost: str, drop: Callable[[str], None]) -> None:
        """`agent`: its name."""
        self.agent, self._lost, self._then = agent, lost, drop
        self.heading = f"drop the worktree and the branch of {agent}, and lose {lost}"
        super().__init__()

    def fields(self) -> list[Field]:
        """The name, which nothing fills in."""
        return [OneLine("name", "", hint=f"type {self.agent}, and Enter drops it for good")]

    def send(self) -> None:
        """Drop it where the name is right."""
        if self.value("name").strip() != self.agent:
            self.complain(f"type {self.agent} to lose {self._lost}")
            return
        self.finish()
        self._then(self.agent)
