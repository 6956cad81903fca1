"""What an agent asks leave for, as rules see it: the tool, its whole input, and whose call it is."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from controlroom.domain.model import Agent
from controlroom.domain.questions import Question, QuestionKind
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Call:
    """One call of a tool that wants leave."""

    tool: str
    given: Mapping[str, Any] = field(default_factory=dict)
    """The tool's input, all of it."""
    host: str = ""
    agent: str = ""
    """Its name on its host."""
    profile: str = ""
    folder: str = ""
    """Where the agent works, as home knows it; "": it is not known."""
    ordered: str = ""
    """Where it was ordered to work: that may be said from the host user's home, and its worktree lies elsewhere."""

    @property
    def command(self) -> str:
        """The shell text of it; "": it has none."""
        return self._text("command") if self.tool == BASH else ""

    @property
    def path(self) -> str:
        """The one file or folder that it is about; "": there is none, or it is not known."""
        return self._text(_PATHS.get(self.tool, ""))

    @property
    def places(self) -> tuple[str, ...]:
        """All that it reads or writes, as paths: what it does not name is the agent's folder."""
        if self.tool not in _PATHS:
            return ()
        pattern = self._places
        leads = pattern.startswith(("/", "~")) or ".." in pattern.split("/")
        return (self.path or ("" if self.tool in EDITORS or self.tool == "Read" else "."), *[pattern] * leads)

    @property
    def about(self) -> str:
        """What it is about in one line, for people."""
        return self.command or self.path or self._text("url") or self._text("query")

    @property
    def problem(self) -> str:
        """What of its input is not understood; "": all is."""
        known = FIELDS.get(self.tool)
        if known is None:
            return ""
        wrong = next((name for name in self.given if name not in known), "")
        if wrong:
            return f"its input has {wrong[:40]!a}, which is not known here"
        if self.tool == BASH and self.given.get("dangerouslyDisableSandbox", False) is not False:
            return "it is to run outside of its sandbox"
        main = "command" if self.tool == BASH else _PATHS.get(self.tool, "")
        if main and main in self.given and not isinstance(self.given[main], str):
            return f"its {main} is no text"
        if self.path != self.path.strip() or not self.path.isprintable():
            return f"its {main} has white space around it, or signs in it that cannot be seen"
        if self.tool in ("Glob", "Grep") and _BRACED.search(self._places):
            return "its pattern of files may lead elsewhere, by braces"
        return ""

    @property
    def _places(self) -> str:
        """The pattern of files that a search is about."""
        return self._text("pattern" if self.tool == "Glob" else "glob")

    def _text(self, name: str) -> str:
        value = self.given.get(name)
        return value if isinstance(value, str) else ""


_BRACED = re.compile(r"[{,](?:[/~]|\.\.)")

BASH = "Bash"
EDITORS = frozenset({"Edit", "MultiEdit", "Write", "NotebookEdit"})
"""Tools that write into the file they name."""
READERS = frozenset({"Read", "Glob", "Grep", "LS"})
"""Tools that read the file or folder they name."""

_PATHS = {
    "Edit": "file_path",
    "MultiEdit": "file_path",
    "Write": "file_path",
    "NotebookEdit": "notebook_path",
    "Read": "file_path",
    "Glob": "path",
    "Grep": "path",
    "LS": "path",
}

FIELDS: Mapping[str, frozenset[str]] = {
    BASH: frozenset({"command", "description", "timeout", "run_in_background", "dangerouslyDisableSandbox"}),
    "Edit": frozenset({"file_path", "old_string", "new_string", "replace_all"}),
    "MultiEdit": frozenset({"file_path", "edits"}),
    "Write": frozenset({"file_path", "content"}),
    "NotebookEdit": frozenset({"notebook_path", "cell_id", "new_source", "cell_type", "edit_mode"}),
    "Read": frozenset({"file_path", "offset", "limit", "pages"}),
    "Glob": frozenset({"pattern", "path"}),
    "Grep": frozenset(
        {"pattern", "path", "glob", "type", "output_mode", "-A", "-B", "-C", "-n", "-i", "-o", "context"}
        | {"head_limit", "offset", "multiline"}
    ),
    "LS": frozenset({"path", "ignore"}),
    "WebFetch": frozenset({"url", "prompt"}),
    "WebSearch": frozenset({"query", "allowed_domains", "blocked_domains"}),
}
"""The input of tools whose pattern is understood (Claude Code 2.1.332, observed)."""


def call_of(agent: Agent, question: Question) -> Call | str:
    """Return the call that an agent asks leave for, or why no rule can answer it, in words."""
    if question.kind is not QuestionKind.PERMISSION:
        return "it asks for more than leave: a person answers it"
    if question.cut:
        return "it asks more than can be shown"
    if not question.input or not question.tool:
        return "its runner does not tell the whole input of the call: it was read from a screen, or is too long"
    given = read_input(question.input)
    if given is None:
        return "the input of the call cannot be read"
    return Call(question.tool, given, agent.host, agent.name, agent.profile, agent.cwd, ordered_folder(agent))


def ordered_folder(agent: Agent) -> str:
    """Where an agent was ordered to work; "": this room did not order it."""
    return "" if agent.ordered is None else agent.ordered.cwd or "~"


def read_input(text: str) -> dict[str, Any] | None:
    """Read a tool's input from JSON; None: it is none."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) else None


def given_of(tool: str, what: str) -> dict[str, Any] | None:
    """Return the input of a call that is about this: `Bash` a command, `Edit` a file, `WebFetch` an address.

    Of other tools it is JSON, or `FIELD=TEXT` word by word, quoted as in a shell. None: it cannot be read.
    """
    main = {BASH: "command", "WebFetch": "url", "WebSearch": "query", **_PATHS}.get(tool)
    if main is not None:
        return {main: what} if what else {}
    return read_input(what) if what.startswith("{") else _fields(what)


def _fields(what: str) -> dict[str, Any] | None:
    given: dict[str, Any] = {}
    try:
        words = shlex.split(what)
    except ValueError:
        return None
    for word in words:
        name, sign, value = word.partition("=")
        *outer, last = name.split(".")
        place = given
        for part in outer:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                return None
        if not sign or not name or last in place:
            return None
        place[last] = value
    return given
