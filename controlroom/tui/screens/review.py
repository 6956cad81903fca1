"""What an agent has changed: its files, the diff of one, comments on lines that it is sent as one message."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer

from controlroom.domain.display.diff import base_words, letter, remarks, shown_path, totals
from controlroom.domain.display.views import Line as Told
from controlroom.domain.keys.action import Action
from controlroom.domain.model import Agent
from controlroom.domain.review import MOST, Comment, comment_on, commented, message, where
from controlroom.text.changes import BaseKind, ChangedFile, Changes
from controlroom.tui.context import Level, RunAction
from controlroom.tui.engine_client import unless_lost
from controlroom.tui.logs.diff_pages import DiffPages
from controlroom.tui.screens.base import Motion, RoomScreen, plain_key
from controlroom.tui.screens.dialogs import Choices, ReadingSheet, ReportText
from controlroom.tui.screens.forms import Form
from controlroom.tui.terminal.throttle import NARROW
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.checks import CheckLines
from controlroom.tui.widgets.diff import ChangedFiles, DiffView, counted
from controlroom.tui.widgets.fields import Field, Prose
from controlroom.tui.widgets.footer import Item, Keys, StatusMessage
from controlroom.tui.widgets.gauges import Gauges
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.rows import Rows

_BROAD = 120
"""Columns from which on the files and a diff stand beside each other."""
_REST = 0.15
"""Seconds for which the cursor rests on a file before that is read."""


class ReviewScreen(RoomScreen):
    """One agent's work."""

    where = "review"

    def __init__(self, agent: str) -> None:
        super().__init__()
        self.agent_id = agent
        self.changes: Changes | None = None
        """What it has changed, as it was when it was asked for."""
        self.reads = False
        """Whether the keys are for the diff, not for the files."""
        self._problem, self._asking = "", False
        self._pages: DiffPages | None = None
        self._resting: Timer | None = None
        self._epoch = 0

    def compose(self) -> ComposeResult:
        """The files, and the diff of one, beside each other or in turn."""
        yield Gauges(id="gauges")
        yield Rule(id="review-rule")
        yield CheckLines(id="review-checks")
        with Vertical(id="review"):
            yield ChangedFiles(id="changed")
            with Vertical(id="file-diff"):
                yield Rule(id="file-rule")
                yield DiffView(id="diff")
        yield StatusMessage(id="says")
        yield Keys(id="keys")

    @property
    def files(self) -> ChangedFiles:
        """The list."""
        return self.query_one(ChangedFiles)

    @property
    def diff(self) -> DiffView:
        """The diff of the chosen file."""
        return self.query_one(DiffView)

    @property
    def agent(self) -> Agent | None:
        """The agent as it is known now."""
        return self.view.fleet.agents.get(self.agent_id)

    @property
    def file(self) -> ChangedFile | None:
        """The file under the cursor."""
        return next((row for row in self.files.rows if self.files.name_of(row) == self.files.chosen), None)

    @property
    def comments(self) -> tuple[Comment, ...]:
        """What was said and not sent yet."""
        return self.context.reviews.of(self.agent) if self.agent else ()

    # ------------------------------------------------------------------ what is shown

    def see(self, view: ViewState) -> None:
        """Show this from now on; what was read stays until it is asked for again."""
        if self.app.screen is self:
            self.context.logs.show({})
            if self.changes is None and not self._problem:
                self.load()
        self._paint()
        super().see(view)

    def _paint(self) -> None:
        beside = self.size.width >= _BROAD and self.changes is not None and bool(self.changes.files)
        self.set_class(beside, "-broad")
        self.query_one("#file-diff").display = self.reads or beside
        self.files.display = not self.reads or beside
        self._paint_heading()
        self.query_one(CheckLines).show(self.agent.checks if self.agent else None, self.view.now)
        comments = self.comments
        self.files.comments = Counter(comment.path for comment in comments)
        self.files.guarded = frozenset(self.agent.checks.guarded if self.agent and self.agent.checks else ())
        self.files.nothing = self._nothing()
        self.files.show(self.changes.files if self.changes else ())
        self.diff.reads = self.reads
        self.diff.comments = {comment.place: comment.text for comment in comments}
        self.diff.show(self._pages)
        self._paint_file()

    def _paint_heading(self) -> None:
        name, changes, narrow = self.agent_id.partition("/")[2], self.changes, self.size.width < _BROAD
        rule = self.query_one("#review-rule", Rule)
        if changes is None:
            rule.show(f"review of {name}", strong=True)
            return
        added, removed = totals(changes.files)
        lines = f"+{added} -{removed}"
        about = [] if narrow else [base_words(changes)]
        about += [counted(changes.commits, "commit")] if changes.commits and not narrow else []
        on_branch = f" · {changes.branch}" if changes.branch and not narrow else ""
        files = counted(len(changes.files) + changes.left_out, "file")
        rule.show(f"review of {name}{on_branch}", *about, files, lines, strong=True)

    def _paint_file(self) -> None:
        rule, file = self.query_one("#file-rule", Rule), self._pages.file if self._pages else None
        if file is None:
            rule.show("")
            return
        pages = self._pages
        place = f"{self.diff.number} of {pages.total}" if pages is not None and pages.total else ""
        said = remarks(file) if self.size.width >= 60 else []
        rule.show(f"{letter(file)} {shown_path(file.path)}", *said, *[place] * bool(place), chosen=self.reads)

    def _nothing(self) -> str:
        """Why no file is on show."""
        if self._problem:
            return self._problem
        if self.changes is None:
            return "comparing…" if self.context.source is not None else self.view.reason or "starting the engine…"
        return f"nothing has changed {base_words(self.changes)}"

    def on_resize(self) -> None:
        """The size is another one."""
        self.call_after_refresh(self.see, self.view)

    # ------------------------------------------------------------------ reading

    def load(self) -> None:
        """Ask what has changed by now."""
        agent, source = self.agent, self.context.source
        if agent is None or source is None or self._asking:
            return
        self._asking, self._problem = True, ""
        self.run_worker(unless_lost(self._load(agent)), exit_on_error=True)

    async def _load(self, agent: Agent) -> None:
        source = self.context.source
        try:
            if source is None:
                return
            told = await source.changes(agent.id, agent.epoch)
        finally:
            self._asking = False
        self._epoch, self.changes, self._problem = agent.epoch, told.changes, told.reason
        if told.changes is None and not told.reason:
            self._problem = "its host says nothing of its work"
        self._pages = None
        self._paint()
        self.show_keys()
        if self.changes is not None and self.changes.left_out:
            self.say(f"{counted(self.changes.left_out, 'file')} more than can be listed")
        if self.has_class("-broad") or self.reads:
            self._read_file()

    def _read_file(self) -> None:
        """Show the diff of the file under the cursor."""
        file = self.file
        if file is None:
            self._pages = None
        elif self._pages is None or self._pages.file != file:
            self._pages = DiffPages(file)
            self._want(self._pages, *self._pages.wanted(0, 0))
        self.diff.show(self._pages)
        self._paint_file()

    def _want(self, pages: DiffPages, *starts: int) -> None:
        for start in starts:
            self.run_worker(unless_lost(self._read(pages, start)), exit_on_error=True)

    async def _read(self, pages: DiffPages, start: int) -> None:
        source = self.context.source
        if source is None:
            pages.failed(start)
            return
        try:
            told = await source.diff(self.agent_id, self._epoch, pages.file, start)
        except BaseException:
            pages.failed(start)
            raise
        if not pages.take(told):
            self.say(f"{shown_path(pages.file.path)} has changed meanwhile")
        if pages is self._pages:
            self.diff.renew()
            self._paint_file()

    # ------------------------------------------------------------------ doing

    def list_here(self) -> ChangedFiles:
        """The files."""
        return self.files

    def agent_here(self) -> str | None:
        """The agent whose work it is."""
        return self.agent_id

    def reason_against(self, action: Action) -> str | None:
        """A comment needs something to be said of, and a message comments."""
        if action.name in ("review_open", "comment", "file_next", "file_before") and self.file is None:
            return "there is no file here" if self.changes or self._problem else "still comparing: wait a moment"
        if action.name in ("accept", "push", "pull_request") and (reason := self._nothing_committed()):
            return reason
        if action.name == "review_checks" and not (self.agent and self.agent.checks):
            return "no checks have run: verify of its profile or task says which"
        if action.name == "comments_send" and not self.comments:
            return f"there is no comment yet: {self.context.keys.shown('comment')} writes one"
        return super().reason_against(action)

    def _nothing_committed(self) -> str:
        changes = self.changes
        if changes is None:
            return self._problem or "still comparing: wait a moment"
        known = changes.base_kind is not BaseKind.HEAD  # else nobody knows how many commits are its own
        return "" if changes.head and (changes.commits or not known) else "it has committed nothing yet"

    def items(self) -> list[Item]:
        """From a diff back leads to the files, and Enter comments; a phone has no room for help and halt."""
        word = "files" if self.reads else "back"
        passed = [*["review_open"] * self.reads, *["help", "halt"] * (self.size.width < NARROW)]
        items = [item for item in super().items() if item.action.name not in passed]
        items = [replace(item, title=word) if item.action.name == "back" else item for item in items]
        count = len(self.comments)
        title = f"send {count}" if count else "send"
        return [replace(item, title=title) if item.action.name == "comments_send" else item for item in items]

    def motions(self) -> list[Motion]:
        """Keys that move among the files, or in a diff."""
        return [
            self.motion("down", lambda: self._move(1)),
            self.motion("up", lambda: self._move(-1)),
            self.motion("page_down", lambda: self._turn(1)),
            self.motion("page_up", lambda: self._turn(-1)),
            self.motion("hunk_next", lambda: self._to_hunk(1)),
            self.motion("hunk_before", lambda: self._to_hunk(-1)),
            self.motion("first", lambda: self._to_end(first=True)),
            self.motion("last", lambda: self._to_end(first=False)),
        ]

    def _move(self, steps: int) -> None:
        if self.reads:
            self.diff.step(steps)
        else:
            self.files.move(steps)

    def _turn(self, pages: int) -> None:
        if self.reads:
            self.diff.page(pages)
        else:
            self.files.move(pages * max(1, self.files.size.height - 2))

    def _to_end(self, *, first: bool) -> None:
        far = len(self.files.rows) + (self._pages.total if self._pages else 0)
        self._move(-far if first else far)

    def _to_hunk(self, step: int) -> None:
        if not self.reads:
            self.open_here()
        elif not self.diff.hunk(step):
            self.say("no more lines that changed in this file" if step > 0 else "this is the first that changed")

    def open_here(self) -> None:
        """Read the diff of the file under the cursor; in a diff, say something of the line."""
        if self.reads:
            self.app.post_message(RunAction("comment"))
            return
        self.reads = True
        self._read_file()
        self.see(self.view)

    def to_file(self, step: int) -> None:
        """Go to the next file, or to the one before."""
        self.files.move(step)
        self._read_file()

    def step_back(self) -> bool:
        """From a diff to the files."""
        was, self.reads = self.reads, False
        if was:
            self.see(self.view)
        return was

    def comment(self) -> None:
        """Write what is to be said of the line under the cursor, or of the file."""
        agent, file = self.agent, self.file
        if agent is None or file is None:
            return
        comment = comment_on(file.path, self.diff.line if self.reads else None, "")
        known = next((one.text for one in self.comments if one.place == comment.place), "")
        if not known and len(self.comments) >= MOST:
            self.say(f"{MOST} comments are enough for one message: send them first", Level.DANGER)
        else:
            self.app.push_screen(CommentForm(comment, known, partial(self._keep, agent)))

    def _keep(self, agent: Agent, comment: Comment) -> None:
        kept = self.context.reviews.keep(agent, commented(self.comments, comment))
        self._paint()
        self.show_keys()
        many = counted(len(self.comments), "comment")
        for_now = "" if kept else " until you leave"
        self.say(f"{many} kept{for_now}; {self.context.keys.shown('comments_send')} sends them")

    def forget_comments(self) -> None:
        """They were sent."""
        if self.agent is not None:
            self.context.reviews.keep(self.agent, ())
        if self.is_attached:
            self._paint()
            self.show_keys()

    def message(self) -> str:
        """The message that the comments become."""
        return message(self.comments, self.changes.base if self.changes else "")

    @on(Rows.Chosen)
    def _chosen(self, event: Rows.Chosen) -> None:
        event.stop()
        self.show_keys()
        if self._resting is not None:
            self._resting.stop()
        if self.has_class("-broad"):
            self._resting = self.set_timer(_REST, self._read_file)

    @on(Rows.Tapped)
    def _row_tapped(self, event: Rows.Tapped) -> None:
        event.stop()
        if event.again or not self.has_class("-broad"):
            self.open_here()

    @on(DiffView.Wanted)
    def _wanted(self, event: DiffView.Wanted) -> None:
        event.stop()
        self._want(event.pages, event.start)

    @on(DiffView.Moved)
    def _moved(self, event: DiffView.Moved) -> None:
        event.stop()
        if not self.reads:
            self.open_here()
        self._paint_file()

    @on(DiffView.Tapped)
    def _line_tapped(self, event: DiffView.Tapped) -> None:
        event.stop()
        self.app.post_message(RunAction("comment"))


class CommentForm(Form):
    """What is said of a line."""

    go = "keep"

    def __init__(self, comment: Comment, known: str, keep: Callable[[Comment], None]) -> None:
        self._comment, self._known, self._then = comment, known, keep
        self.heading = f"comment on {where(comment)}"
        super().__init__()

    def fields(self) -> list[Field]:
        """The words."""
        return [Prose("say", "Enter keeps it, \\ then Enter begins a new line; nothing takes it away")]

    def on_mount(self) -> None:
        """Begin with what was said."""
        if self._known:
            self._fields[-1].fill(self._known)

    def send(self) -> None:
        """Keep it."""
        self.finish()
        self._then(self._comment._replace(text=self.value("say")))


class ReviewSheet(ReadingSheet):
    """The message, before it is sent."""

    WAYS_OUT = ("q", "n", "backspace", "escape")

    def __init__(self, heading: str, text: str, send: Callable[[], None]) -> None:
        super().__init__()
        self._heading, self._text, self._then = heading, text, send
        self._painted = False

    def compose(self) -> ComposeResult:
        """The message, then the keys."""
        with Vertical(classes="sheet"):
            yield Rule(id="heading")
            yield ReportText([Told("", line) for line in self._text.split("\n")], id="text")
            yield Choices([("y", "send"), ("q", "not yet"), ("j k", "down, up")])

    def on_mount(self) -> None:
        """Count keys from the first painting on."""
        self.query_one(Rule).show(self._heading, strong=True)
        self.call_after_refresh(self._now_painted)

    def _now_painted(self) -> None:
        self._painted = True

    def on_key(self, event: events.Key) -> None:
        """`y` sends."""
        if plain_key(event) == "y":
            event.stop()
            self._send()
        else:
            super().on_key(event)

    def on_choices_taken(self, event: Choices.Taken) -> None:
        """A tap is as good as a key."""
        if event.key == "y":
            self._send()
        else:
            super().on_choices_taken(event)

    def _send(self) -> None:
        if self._painted and not self.gone:
            self.dismiss()
            self._then()
