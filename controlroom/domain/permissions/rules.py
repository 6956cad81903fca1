"""A rule: what it is about, and whether it covers a call, a command or a file.

A rule that allows covers what it names and nothing else; one that denies or asks is read more widely (more words behind
or between, other letters of a path, commands in commands), for there a mistake costs a question at most.
"""

import re
import shlex
from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase, translate
from functools import lru_cache
from posixpath import normpath
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import unquote

from controlroom.domain.permissions import programs
from controlroom.domain.permissions.calls import BASH, EDITORS, FIELDS, READERS, Call
from controlroom.domain.permissions.inputs import Path, input_pattern, is_like
from controlroom.domain.permissions.paths import inside, is_below, outside, paths_in, resolved
from controlroom.domain.permissions.paths import pattern as path_pattern
from controlroom.domain.permissions.shell import Word
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import agent_name_problem
from controlroom.text.states import StrEnum


class RuleVerdict(StrEnum):
    """What a rule says: yes, no, or that a person is to be asked."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"


@dataclass(frozen=True)
class Rule:
    """One rule of a room. Empty texts: it holds for all."""

    name: str
    verdict: RuleVerdict
    tool: str
    """As Claude names it; `Edit` stands for all that edit files, `Read` for all that read them, `mcp__NAME__*` for all
    tools of a server."""
    pattern: str = ""
    """Of its input: words of a command, a path, a place on the web, fields of another tool."""
    folder: str = ""
    """Pattern of the folder that the agent works in."""
    profile: str = ""
    host: str = ""
    agent: str = ""
    expires: int = 0
    """From when on it says nothing: UTC milliseconds; 0: it stays."""
    uses: int = 0
    """How many calls it answers; 0: any number."""

    @property
    def what(self) -> str:
        """What it is about, as one writes it: `Bash: git status *`."""
        return f"{self.tool}: {self.pattern}" if self.pattern else self.tool

    @property
    def where(self) -> str:
        """For whom it holds, in words; "": for all."""
        names = ("folder", "profile", "host", "agent")
        return ", ".join(f"{name} {getattr(self, name)}" for name in names if getattr(self, name))

    def is_over(self, now: int, used: int) -> bool:
        """Whether it says nothing any more at a time, having answered so many calls."""
        return 0 < self.expires <= now or 0 < self.uses <= used

    def is_for(self, call: Call) -> bool:
        """Whether a call is of an agent that it holds for."""
        pairs = ((self.host, call.host), (self.profile, call.profile), (self.agent, call.agent))
        return all(not glob or fnmatchcase(name, glob) for glob, name in pairs) and (
            not self.folder or is_below(call.folder, self.folder, "") or is_below(call.ordered, self.folder, "~")
        )


def read_what(what: str) -> tuple[str, str]:
    """Read `TOOL: PATTERN` or `TOOL`; `mcp__SERVER` are all tools of a server."""
    tool, _, pattern = what.strip().partition(":")
    return every_tool(tool.strip()), pattern.strip()


def every_tool(tool: str) -> str:
    """The tools that a name stands for: that of a server of MCP alone for all that it has."""
    return f"{tool}__*" if re.fullmatch(r"mcp__(?:(?!__)[\w-])+", tool) else tool


PATTERNED = frozenset({BASH, "WebFetch", *EDITORS, *READERS})
"""Tools whose patterns are of a kind of their own; those of others are about their fields."""

_SERVER = re.compile(r"mcp__(?:(?!__)[\w-])+__\*")
_MCP = re.compile(r"mcp__[\w*?-]+__[\w*?-]+|mcp__\*")


def problem_of(rule: Rule) -> str:
    """Say what is wrong with a rule in a sentence; "": nothing."""
    if agent_name_problem(rule.name):
        return f"{ascii(rule.name)[:60]} is no name for a rule: a-z, 0-9, - and _, beginning with a letter or digit"
    if not re.fullmatch(r"[A-Za-z][\w*?-]{0,99}", rule.tool):
        return f'{rule.tool[:60]!a} is no tool: write TOOL: PATTERN, as in "Bash: git status *"'
    allows = rule.verdict is RuleVerdict.ALLOW
    if allows and re.search(r"[*?]", rule.tool) and not _SERVER.fullmatch(rule.tool):
        return f"{rule.tool} stands for tools that nobody has thought of: allow each by its name, or mcp__SERVER__*"
    if known := next((tool for tool in FIELDS if tool != rule.tool and tool.casefold() == rule.tool.casefold()), ""):
        return f"{rule.tool} is no tool: it is written {known}"
    if rule.tool.casefold().startswith("mcp_") and not _MCP.fullmatch(rule.tool):
        return f"{rule.tool} is no tool: those of a server of MCP are called mcp__SERVER__TOOL"
    if rule.folder and not rule.folder.startswith(("/", "~", "**")):
        return f"{rule.folder!a} is no folder of a host: begin with /, ~ or **"
    return _pattern_problem(rule, allows=allows)


def _pattern_problem(rule: Rule, *, allows: bool) -> str:
    if rule.pattern and rule.tool not in PATTERNED:
        return _fields_problem(rule)
    if rule.tool != BASH:
        if (
            rule.tool == "WebFetch"
            and rule.pattern
            and not re.fullmatch(r"(?:https?://)?[\w*.-]+(?:/\S*)?", rule.pattern)
        ):
            return f"{rule.pattern!a} is no place on the web: write docs.python.org, *.python.org or https://HOST/PATH*"
        return ""
    if not rule.pattern:
        return "it would allow every command: name one, as in Bash: git status *" if allows else ""
    try:
        wanted = command_pattern(rule.pattern)
    except ValueError as error:
        return f"{rule.pattern!a} cannot be read as words: {str(error).lower()}"
    if _joins(rule.pattern):
        return f"{rule.pattern!a} is more than one command: write a rule for each"
    if not allows:
        return ""
    if not wanted.named:
        return "a rule that allows commands names the program: its first word has no *, ? or ["
    if programs.program_of(wanted.words[0]) in programs.NEVER:
        return f"{wanted.words[0]} runs other commands, or changes what they mean: no rule allows it"
    return ""


def _fields_problem(rule: Rule) -> str:
    if re.search(r"[*?]", rule.tool) and not rule.tool.startswith("mcp__"):
        return (
            f"{rule.tool} stands for tools whose input is of many kinds: a rule is about all of it, without a pattern"
        )
    try:
        input_pattern(rule.pattern)
    except ValueError as error:
        what = "say what stands in its fields, as in owner=acme repo=docs-* title=*"
        return f"{rule.pattern[:100]!a} is no pattern for {rule.tool}: {str(error).lower()}; {what}"
    return ""


def command_problem(pattern: str) -> str:
    """Say what is wrong with a pattern that must name a program; "": nothing."""
    return "" if command_pattern(pattern).words else f"{pattern!a} names no program"


def _joins(pattern: str) -> bool:
    """Whether a sign stands in a pattern, outside of quotes, that joins commands: no word of a command is one."""
    signs = shlex.shlex(pattern, posix=False, punctuation_chars=";&|")
    signs.whitespace_split, signs.commenters = True, ""
    try:
        return any(set(word) <= set(";&|") for word in signs)
    except ValueError:  # quotes within words are not read without escapes
        return False


# ---------------------------------------------------------------------- commands


@dataclass(frozen=True)
class CommandPattern:
    """The words of a rule about commands. `open_end`: any more may follow."""

    words: tuple[str, ...]
    open_end: bool
    named: int
    """How many words from the first on stand there as they are."""

    @property
    def exact(self) -> bool:
        """Whether it is one command, word for word."""
        return not self.open_end and self.named == len(self.words)


@lru_cache(maxsize=8192)
def command_pattern(text: str) -> CommandPattern:
    """Read the words of a pattern, quoted as in a shell. Raises `ValueError`."""
    words = shlex.split(text)
    open_end = bool(words) and words[-1] == "*"
    kept = tuple(words[:-1] if open_end else words)
    named = next((at for at, word in enumerate(kept) if _is_glob(word)), len(kept))
    return CommandPattern(kept, open_end, named)


def _is_glob(word: str) -> bool:
    return "*" in word or "?" in word or "[" in word


@lru_cache(maxsize=8192)
def _regex(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob))


def _is(word: str, glob: str) -> bool:
    return word == glob or (_is_glob(glob) and _regex(glob).match(word) is not None)


def allows_command(rule: Rule, words: Sequence[Word], home: str, folders: Sequence[str]) -> str | None:
    """Return "" when a rule that allows covers a command, in whichever of `folders` it runs, else why it does not.

    `home`: the agent's folder. None: it is about another command.
    """
    wanted = command_pattern(rule.pattern)
    texts = [word.value for word in words]
    count = len(wanted.words)
    if len(texts) < count or (len(texts) > count and not wanted.open_end):
        return None
    if not all(_is(text, glob) for text, glob in zip(texts, wanted.words, strict=False)):
        return None
    if problem := programs.problem(texts, wanted.named, exact=wanted.exact):
        return problem
    for at, word in enumerate(words[wanted.named :], wanted.named):
        if problem := _word_problem(word, wanted.words[at] if at < count else "*", home, folders):
            return problem
    return ""


def _word_problem(word: Word, glob: str, home: str, folders: Sequence[str]) -> str:
    """Say why a word that a `*` stands for is not covered; "": it is."""
    shown = word.value[:60]
    if word.glob and (re.search(r"^[-*?]|[\[\]]|(?:^|/)\.[^/]*[*?]", word.value) is not None):
        return f"{shown} may become any names, also options"
    begin = re.split(r"[*?\[]", glob, maxsplit=1)[0]
    if begin.startswith(("/", "~/")) and len(begin) > 2 and normpath(word.value) == word.value.rstrip("/"):
        return ""  # the rule names the place itself
    leads = [word.value] * _leads(word.value) + list(paths_in(word.value))
    if any(not inside(resolved(path, folder), home) for path in leads for folder in folders):
        return f"{shown} is not in the agent's folder for certain"
    if any(folder != home and not inside(folder, home) for folder in folders):
        return f"{shown} may be outside the agent's folder, after cd"
    return ""


def _leads(word: str) -> bool:
    return word.startswith(("/", "~")) or ".." in word.split("/")


def forbids_command(rule: Rule, words: Sequence[str]) -> bool:
    """Whether a rule that denies or asks is about a command: its words stand there in this order, whatever between."""
    wanted = command_pattern(rule.pattern).words
    if not wanted:
        return True
    if not words or not (_is(words[0], wanted[0]) or _is(programs.program_of(words[0]), wanted[0])):
        return False
    rest = iter(words[1:])
    return all(any(_is(word, glob) or word == glob.removesuffix(":*") for word in rest) for glob in wanted[1:])


# ---------------------------------------------------------------------- files, the web and the rest


def is_about(rule: Rule, tool: str) -> bool:
    """Whether a rule is about a tool."""
    if rule.tool == tool or (rule.tool == "Edit" and tool in EDITORS) or (rule.tool == "Read" and tool in READERS):
        return True
    if "*" not in rule.tool and "?" not in rule.tool:
        return False
    return fnmatchcase(tool, rule.tool) and (
        rule.verdict is not RuleVerdict.ALLOW or "__" not in tool[len(rule.tool) - 1 :]
    )


def forbids_input(rule: Rule, spoken: Callable[[Path], Collection[str]], folder: str) -> bool:
    """Whether a rule that denies or asks is about the input of another tool: in each of its fields, read widely.

    `spoken`: all texts that may be meant by a field.
    """
    return all(
        any(is_like(glob, text) or forbids_path(glob, text, folder) for text in spoken(name))
        for name, glob in input_pattern(rule.pattern).fields
    )


def allows_path(rule: Rule, path: str, folder: str) -> bool:
    """Whether a rule that allows covers a file: without a pattern, those of the agent's folder."""
    return is_below(path, rule.pattern, folder) if rule.pattern else inside(path, folder)


class Place(NamedTuple):
    """A file or folder, as rules that deny or ask look at it: in lower case."""

    whole: str
    below: str
    """Its way from the agent's folder; "": it is not in there."""
    outside: bool


@lru_cache(maxsize=4096)
def place_of(path: str, folder: str) -> Place | None:
    """Where a path leads, a relative one from `folder`; None: it cannot be told."""
    whole = resolved(path, folder)
    if not path or not whole:
        return None
    home = resolved(folder, "").rstrip("/")
    below = whole[len(home) + 1 :] if inside(whole, folder) else ""
    return Place(whole.casefold(), below.casefold(), outside(path, folder))


def forbids_place(pattern: str, place: Place) -> bool:
    """Whether a pattern of a rule that denies or asks is about a file: about what is below it, too."""
    anywhere, below = _wide(pattern)
    if below is None or place.outside:
        return anywhere.fullmatch(place.whole) is not None
    return bool(place.below) and below.fullmatch(place.below) is not None


@lru_cache(maxsize=8192)
def _wide(pattern: str) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    """What a pattern means for whole paths, and for those from the agent's folder; None: there it means the same."""
    glob = f"{pattern.casefold().rstrip('/').removesuffix('/**')}/**"
    if glob.startswith(("/", "~", "**")):
        return path_pattern(glob), None
    glob = glob.removeprefix("./")
    return path_pattern(f"**/{glob}"), path_pattern(glob)


def forbids_path(pattern: str, path: str, folder: str) -> bool:
    """Whether a pattern of a rule that denies or asks is about a file, or is none."""
    place = place_of(path, folder)
    return not pattern or (place is not None and forbids_place(pattern, place))


_URL = re.compile(r"(https?)://([A-Za-z0-9.-]{1,253})(/[^\s\\]*)?", re.IGNORECASE)


def is_place(pattern: str, url: str, *, wide: bool) -> bool:
    """Whether an address is what a pattern says. `wide`: also where the address is not understood whole."""
    match = _URL.fullmatch(url.strip())
    scheme, _, place = pattern.partition("://") if "://" in pattern else ("", "", pattern)
    name, _, path = place.partition("/")
    plain = normalize("NFKC", unquote(url)).casefold()
    if match is None or (not wide and ".." in plain):
        return wide and name.strip("*.").casefold() in plain
    if scheme and scheme.casefold() != match[1].casefold():
        return False
    is_host = fnmatchcase(match[2].casefold().rstrip("."), name.casefold())
    return is_host and (not path or fnmatchcase((match[3] or "/")[1:], path))
