"""The git worktrees of agents on all hosts: what they take on the disk, what would be lost with them, and their end."""

import asyncio
from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.domain.keys.action import Action
from controlroom.domain.model import LinkState
from controlroom.domain.words import age, named_some, size
from controlroom.domain.worktrees import KeptWorktree, lost_with
from controlroom.tui.context import RunAction
from controlroom.tui.engine_client import Source, unless_lost
from controlroom.tui.screens.base import Motion, RoomScreen
from controlroom.tui.terminal.throttle import NARROW
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.diff import counted
from controlroom.tui.widgets.footer import Item, Keys, StatusMessage
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.lines import ScrollableText
from controlroom.tui.widgets.rows import Rows

_SIZE = 9


class KeptWorktrees(Rows[KeptWorktree]):
    """One worktree a line: where it is, what it takes, and whether something would be lost."""

    nothing = ""
    now = 0

    def name_of(self, row: KeptWorktree) -> str:
        """As the verbs name it."""
        return row.id

    def lends(self, row: KeptWorktree) -> object:
        """Its age follows the clock."""
        return self.now

    def draw(self, row: KeptWorktree, width: int, chosen: bool) -> Line:
        """What would be lost stands in words where there is room for them, and is marked anyhow."""
        palette, lost = self.palette, lost_with(row)
        start = styled.line(
            (palette.glyphs.cursor if chosen else " ", palette.accent),
            ("! " if lost else "  ", palette.warn),
            (styled.left(row.id, min(30, max(12, width - 20))), palette.strong),
            (f"  {short(row)}" if width >= NARROW else "", palette.warn if lost else palette.quiet),
        )
        made = f"{age(self.now - row.made):>5}" if row.made and width >= NARROW else ""
        return styled.spread(start, styled.line((f"{made} {taken(row):>{_SIZE}} ", palette.quiet)), width)

    def empty(self, width: int) -> Sequence[Line]:
        """Why there is none."""
        return [styled.line((f"  {part}", self.palette.quiet)) for part in styled.wrap(self.nothing, max(8, width - 4))]


class WorktreeFacts(ScrollableText):
    """All that is known of the chosen worktree."""

    DEFAULT_CSS = "WorktreeFacts { height: 1fr; }"
    row: KeptWorktree | None = None

    def show(self, row: KeptWorktree | None) -> None:
        """Show this from now on; another one from its top."""
        if (row and row.id) != (self.row and self.row.id):
            self._top = 0
        self.row = row
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The part that fits."""
        return self.part(self._all(self.row, width), height) if self.row else ()

    def _all(self, row: KeptWorktree, width: int) -> list[Line]:
        lost = lost_with(row)
        facts = [
            ("lost with it", lost or "nothing: all of it is elsewhere, too", bool(lost)),
            ("state", state(row), not row.ready),
            ("branch", f"{row.branch}{f', from {row.onto}' if row.onto else ''}", False),
            ("folder", row.path, False),
            ("made from", row.checkout or "not known", False),
            ("origin", row.origin or "none", False),
        ]
        palette, lines = self.palette, []
        for name, words, notice in facts:
            first, *more = styled.wrap(words, max(8, width - 18))
            style = palette.warn if notice else palette.text
            lines.append(styled.line((f"   {name:<14}", palette.quiet), (first, style)))
            lines += [styled.line((" " * 17 + part, style)) for part in more]
        return lines


def taken(row: KeptWorktree) -> str:
    """What it takes on the disk."""
    return f"{'>' * row.bytes_bound}{size(row.bytes)}"


def short(row: KeptWorktree) -> str:
    """What would be lost, in a few words."""
    if row.alive:
        return "its agent works in it"
    if row.uncommitted is None or row.only_here is None:
        return "not known what would be lost"
    parts = [counted(row.uncommitted, "file")] * bool(row.uncommitted)
    parts += [counted(row.only_here, "commit")] * bool(row.only_here)
    return f"{' and '.join(parts)} nowhere else" if parts else "nothing would be lost"


def state(row: KeptWorktree) -> str:
    """Whether somebody works in it."""
    if row.alive:
        return f"{row.agent} works in it"
    return "its agent has ended" if row.ready else "half made"


class WorktreesScreen(RoomScreen):
    """All worktrees on hosts that are connected, and the one under the cursor in full."""

    where = "worktrees"

    def __init__(self, host: str = "") -> None:
        super().__init__()
        self._first = host
        """The host whose worktrees are looked for first."""
        self._found: Sequence[KeptWorktree] = ()
        self._troubles: Sequence[str] = ()
        self._asking = self._known = False

    def compose(self) -> ComposeResult:
        """The list, then the chosen one."""
        yield Gauges(id="gauges")
        with Vertical(id="body"):
            yield Rule("worktrees", id="worktrees-rule")
            yield KeptWorktrees(id="worktrees")
            yield Rule(id="worktree-rule")
            yield WorktreeFacts(id="worktree-facts")
        yield StatusMessage(id="says")
        yield Keys(id="keys")

    @property
    def table(self) -> KeptWorktrees:
        """The worktrees."""
        return self.query_one(KeptWorktrees)

    @property
    def chosen(self) -> KeptWorktree | None:
        """What is under the cursor."""
        return next((row for row in self._found if row.id == self.table.chosen), None)

    # ------------------------------------------------------------------ what is shown

    def see(self, view: ViewState) -> None:
        """Show this from now on; what hosts have said stays until they are asked again."""
        if self.app.screen is self:
            self.context.logs.show({})
            if not self._known:
                self.load()
        table = self.table
        table.now, table.nothing = view.now, self._nothing(view)
        table.show(self._found)
        if self._first and (first := next((row for row in self._found if row.host == self._first), None)):
            table.choose(first.id)
            self._first = ""
        table.styles.height = max(1, min(len(self._found), self.size.height // 2 - 2) or 1)
        bound = ">" * any(row.bytes_bound for row in self._found)
        total = f"{bound}{size(sum(row.bytes for row in self._found))}"
        parts = (counted(len(self._found), "worktree"), total) if self._found else ()
        self.query_one("#worktrees-rule", Rule).show("worktrees", *parts, strong=True)
        self._see_chosen()
        super().see(view)

    def _see_chosen(self) -> None:
        chosen = self.chosen
        self.query_one("#worktree-rule", Rule).show(chosen.id if chosen else "", strong=True)
        self.query_one(WorktreeFacts).show(chosen)

    def _nothing(self, view: ViewState) -> str:
        if self._asking or not self._known:
            return "asking the hosts: all are measured…" if self.context.source else view.reason or "starting…"
        return "; ".join([*self._troubles, "no worktrees"])

    def load(self) -> None:
        """Ask the hosts anew."""
        source = self.context.source
        if source is None or self._asking:
            return
        self._asking = self._known = True
        self.run_worker(unless_lost(self._load(source)), exit_on_error=True)

    async def _load(self, source: Source) -> None:
        hosts = self.view.fleet.hosts.values()
        up = sorted(host.name for host in hosts if host.link is LinkState.UP)
        away = sorted(host.name for host in hosts if host.link is not LinkState.UP)
        try:
            told = await asyncio.gather(*map(source.worktrees, up))
        finally:
            self._asking = False
        self._found = [worktree for answer in told for worktree in answer.worktrees]
        troubles = [f"{host}: {answer.reason}" for host, answer in zip(up, told, strict=True) if answer.reason]
        more = sum(answer.more for answer in told)
        troubles += [f"{counted(more, 'older one')} not listed: drop some, then look again"] * bool(more)
        self._troubles = troubles + [f"not connected, so not looked at: {named_some(away)}"] * bool(away)
        self.see(self.view)
        if self._troubles and self._found:
            self.say("; ".join(self._troubles))

    def on_resize(self) -> None:
        """The size is another one."""
        self.call_after_refresh(self.see, self.view)

    # ------------------------------------------------------------------ doing

    def list_here(self) -> KeptWorktrees:
        """The worktrees."""
        return self.table

    def host_here(self) -> str | None:
        """The host of the chosen one."""
        chosen = self.chosen
        return chosen.host if chosen else None

    def reason_against(self, action: Action) -> str | None:
        """One in which somebody works stays."""
        if action.name == "worktree_drop":
            chosen = self.chosen
            if chosen is None:
                return "there is no worktree here"
            return f"{chosen.agent} works in it: kill it first" if chosen.alive else None
        return super().reason_against(action)

    def items(self) -> list[Item]:
        """A phone has no room for help and halt."""
        passed = ("help", "halt") if self.size.width < NARROW else ()
        return [item for item in super().items() if item.action.name not in passed]

    def motions(self) -> list[Motion]:
        """Keys that move the cursor."""
        facts = self.query_one(WorktreeFacts)
        return [
            self.motion("down", lambda: self.table.move(1)),
            self.motion("up", lambda: self.table.move(-1)),
            self.motion("page_down", lambda: facts.move(facts.page)),
            self.motion("page_up", lambda: facts.move(-facts.page)),
        ]

    @on(Rows.Chosen)
    def _row_chosen(self, event: Rows.Chosen) -> None:
        event.stop()
        self._see_chosen()
        self.show_keys()

    @on(Rows.Tapped)
    def _tapped_row(self, event: Rows.Tapped) -> None:
        """A second tap drops it, after the question."""
        event.stop()
        if event.again:
            self.app.post_message(RunAction("worktree_drop"))
