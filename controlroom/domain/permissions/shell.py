"""Takes shell text apart by tree-sitter-bash: the commands in it, and whether all of it was understood.

Understood is what means the same in bash and in zsh, whatever stands in variables and files: words and quoted words,
lists, pipelines, groups and redirections. All else (substitution, variables, assignments, here-documents, braces,
loops, functions, what does not parse) is a `problem`, and the commands found in it are good for turning it down alone.
The grammar is more lenient than a shell in places; where that was seen, the text is not taken for understood.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from controlroom.text.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from tree_sitter import Node

LONGEST = 4_000
"""Characters of shell text that are taken apart at most."""

_DEEPEST, _MOST = 40, 400
"""Levels of nesting, and commands, that are followed at most."""


@dataclass(frozen=True)
class Word:
    """One word of a command, as the shell would pass it on."""

    value: str
    known: bool = True
    """All of it stands there: nothing is put into it as it runs."""
    glob: bool = False
    """It has an unquoted pattern in it, and may become the names of several files."""


@dataclass(frozen=True)
class Redirect:
    """A file that a command's input comes from, or its output goes to."""

    target: Word
    writes: bool


@dataclass(frozen=True)
class Command:
    """One simple command, with what it is redirected to."""

    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...] = ()

    @property
    def line(self) -> str:
        """It in one line, for people."""
        return " ".join(word.value or "''" for word in self.words)


@dataclass(frozen=True)
class Script:
    """Shell text taken apart. `problem`: what in it was not understood, in words; "": it was understood whole."""

    commands: tuple[Command, ...] = ()
    problem: str = ""


def parsed(text: str) -> Script:
    """Take shell text apart. Whatever it is, nothing is raised."""
    if len(text) > LONGEST:
        return Script(problem="it is longer than what is taken apart")
    if strange := next((sign for sign in text if not sign.isprintable() and sign not in "\n\t"), ""):
        return Script(problem=f"it has the character {strange!a} in it")
    joined = _joined(text)
    return _Reader(joined if joined is not None else text, "" if joined is not None else _CONTINUES).read()


_CONTINUES = "it goes on behind a \\ at the end of a line, with quotes or a comment beside"


def _joined(text: str) -> str | None:
    """Take out line ends behind a `\\`, as a shell does first; None: where they count is not certain."""
    if "\\\n" not in text:
        return text
    if "'" in text or "#" in text or "\\\\\n" in text or "`" in text:
        return None
    return text.replace("\\\n", "")


@cache
def _parse() -> "Callable[[bytes], Node]":
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    parser = Parser(Language(tree_sitter_bash.language()))
    return lambda source: parser.parse(source).root_node


_LISTS = {
    "program": ("&&", "||", ";", "&"),
    "list": ("&&", "||", ";", "&"),
    "pipeline": ("|", "|&"),
    "negated_command": ("!",),
    "subshell": ("(", ")", "&&", "||", ";", "&"),
    "compound_statement": ("{", "}", "&&", "||", ";", "&"),
}
"""What may hold commands, and the signs between them."""

_WRITES = frozenset({">", ">>", ">|", "&>", "&>>", ">&", "<>"})
_REDIRECTS = _WRITES | {"<", "<&", ">&-", "<&-"}

_NOT_UNDERSTOOD = {
    "ERROR": "it does not parse as shell text",
    "command_substitution": "the output of a command becomes a part of it",
    "process_substitution": "a command runs in the place of a file",
    "simple_expansion": "a variable is put into it",
    "expansion": "a variable is put into it",
    "arithmetic_expansion": "something is calculated in it",
    "variable_assignment": "a variable is set before a command",
    "variable_assignments": "variables are set",
    "declaration_command": "a variable is declared",
    "heredoc_redirect": "it has a here-document",
    "herestring_redirect": "it has a here-string",
    "ansi_c_string": "it has a string with escapes, $'…'",
    "translated_string": 'it has a translated string, $"…"',
    "brace_expression": "braces make several words of one",
    "function_definition": "it defines a function",
    "for_statement": "it has a loop",
    "c_style_for_statement": "it has a loop",
    "while_statement": "it has a loop",
    "if_statement": "it has a condition",
    "case_statement": "it has a condition",
    "test_command": "it has a test, [ … ] or [[ … ]]",
    "unset_command": "a variable is unset",
}


class _Reader:
    """Reads one text."""

    def __init__(self, text: str, problem: str) -> None:
        self._source = text.encode("utf-8", "surrogatepass")
        self._commands: list[Command] = []
        self._problem = problem

    def read(self) -> Script:
        root = _parse()(self._source)
        if root.has_error:
            self._fail("ERROR")
        if self._source[: root.start_byte].strip() or self._source[root.end_byte :].strip():
            self._fail("ERROR")
        self._walk(root, 0)
        return Script(tuple(self._commands), self._problem)

    def _fail(self, kind: str) -> None:
        self._problem = self._problem or _NOT_UNDERSTOOD.get(kind) or f"it has a {kind.replace('_', ' ')}"

    def _walk(self, node: "Node", depth: int) -> None:
        """Find the commands in a node, whatever it is."""
        if depth > _DEEPEST or len(self._commands) >= _MOST:
            self._problem = self._problem or "it is nested deeper, or longer, than what is taken apart"
            return
        if node.type == "command":
            self._command(node, (), depth)
        elif node.type == "redirected_statement":
            self._redirected(node, depth)
        elif node.type != "comment":
            self._list(node, depth)

    def _list(self, node: "Node", depth: int) -> None:
        signs = _LISTS.get(node.type)
        if signs is None and node.is_named:
            self._fail(node.type)
        known = signs is not None
        if known:
            self._see_gaps(node, node.children)
        previous: Node | None = None
        for child in node.children:
            if child.is_named:
                self._walk(child, depth + 1)
                if known and previous is not None and previous.is_named and not self._is_new_line(previous, child):
                    self._fail("ERROR")
            elif signs is not None and child.type not in signs:
                self._fail("ERROR")
            previous = child

    def _is_new_line(self, one: "Node", other: "Node") -> bool:
        """Whether one of two that follow each other without a sign ends its line."""
        return other.type == "comment" or b"\n" in self._source[one.end_byte : other.start_byte]

    def _see_gaps(self, node: "Node", children: "list[Node]") -> None:
        """See that nothing but white space stands between the parts of a node."""
        at = node.start_byte
        for child in children:
            if self._source[at : child.start_byte].strip(b" \t\n"):
                self._fail("ERROR")
            if child.type == "file_redirect" and at == child.start_byte > node.start_byte:
                beside = self._source[at - 1 : at + 1]
                if not beside[:1].isalpha() or beside[1:] not in b"<>&":
                    self._fail("ERROR")  # where a number before its sign begins is not certain
            at = child.end_byte
        if self._source[at : node.end_byte].strip(b" \t\n"):
            self._fail("ERROR")

    def _redirected(self, node: "Node", depth: int) -> None:
        self._see_gaps(node, node.children)
        redirects = [self._redirect(child) for child in node.children if child.type == "file_redirect"]
        kept = tuple(redirect for redirect in redirects if redirect is not None)
        for child in node.children:
            if child.type == "command":
                self._command(child, kept, depth)
                kept = ()
            elif child.type != "file_redirect":
                self._walk(child, depth + 1)
        if kept:
            self._commands.append(Command((), kept))

    def _command(self, node: "Node", redirects: tuple[Redirect, ...], depth: int) -> None:
        self._see_gaps(node, node.children)
        words: list[Word] = []
        more: list[Redirect] = []
        end = -1
        for child in node.children:
            if child.type == "file_redirect":
                redirect = self._redirect(child)
                more += [redirect] if redirect is not None else []
            elif child.type in _WORDS:
                if child.start_byte == end:  # two that touch are one word to a shell
                    self._fail("ERROR")
                words.append(self._word(child))
                end = child.end_byte
            elif child.is_named:
                words.append(self._unknown(child, child.type))
            else:
                self._fail("ERROR")
            self._inside(child, depth)
        self._commands.append(Command(tuple(words), (*redirects, *more)))

    def _inside(self, node: "Node", depth: int) -> None:
        """Find the commands that run as a part of a word."""
        if node.type in ("word", "raw_string", "number") or depth > _DEEPEST:
            return
        for child in node.children:
            if child.type in ("command", "redirected_statement", "list", "pipeline"):
                self._walk(child, depth + 1)
            else:
                self._inside(child, depth + 1)

    def _redirect(self, node: "Node") -> Redirect | None:
        """Read a redirection; None: it names no file."""
        self._see_gaps(node, node.children)
        parts = [child for child in node.children if child.type != "file_descriptor"]
        if not parts or parts[0].type not in _REDIRECTS or len(parts) > 2:
            self._fail("ERROR")  # a word behind its target is one of the command's
        if not parts or len(parts) < 2:
            return None
        sign, target = parts[0].type, self._word(parts[1])
        if sign in (">&", "<&") and re.fullmatch(r"\d{1,3}|-", target.value):
            return None
        return Redirect(target, sign in _WRITES)

    # ------------------------------------------------------------------ words

    def _word(self, node: "Node") -> Word:
        kind = node.type
        if kind == "command_name":
            return self._word(node.children[0]) if len(node.children) == 1 else self._unknown(node, "ERROR")
        raw = self._source[node.start_byte : node.end_byte].decode("utf-8", "replace")
        if kind in ("word", "number"):
            return self._plain(node, raw)
        if kind == "raw_string" and len(raw) >= 2 and raw[0] == raw[-1] == "'" and "'" not in raw[1:-1]:
            return Word(raw[1:-1])
        if kind == "string":
            return self._quoted(node, raw)
        if kind == "concatenation":
            return self._concatenated(node, raw)
        return self._unknown(node, kind)

    def _unknown(self, node: "Node", kind: str) -> Word:
        self._fail(kind)
        return Word(self._source[node.start_byte : node.end_byte].decode("utf-8", "replace"), known=False)

    def _concatenated(self, node: "Node", raw: str) -> Word:
        parts, at = [], node.start_byte
        for child in node.children:
            if child.start_byte != at:
                return self._unknown(node, "ERROR")
            parts.append(self._word(child))
            at = child.end_byte
        if at != node.end_byte:
            return self._unknown(node, "ERROR")
        if "{" in raw or "}" in raw:
            self._fail("brace_expression")
        whole = "".join(part.value for part in parts)
        return Word(whole, all(part.known for part in parts), any(part.glob for part in parts))

    def _quoted(self, node: "Node", raw: str) -> Word:
        if len(raw) < 2 or raw[0] != '"' or raw[-1] != '"':
            return self._unknown(node, "ERROR")
        inner = _DOUBLE.sub(lambda match: match[1], raw[1:-1])
        free = _ESCAPED.sub("", raw[1:-1])
        if "$" in free or "`" in free or '"' in free or free.endswith("\\"):
            others = (child.type for child in node.children if child.is_named and child.type != "string_content")
            return self._unknown(node, next(others, "expansion"))
        return Word(inner)

    def _plain(self, node: "Node", raw: str) -> Word:
        free = _ESCAPED.sub("", raw)
        if re.search(r"[$`'\"<>|&;()\s]", free) or free.endswith("\\"):
            return self._unknown(node, "ERROR")
        if "{" in free or "}" in free:
            self._fail("brace_expression")
        if raw.startswith("="):  # zsh puts the path of a command there
            return self._unknown(node, "expansion")
        return Word(_ESCAPED.sub(lambda match: match[0][1:], raw), glob=bool(re.search(r"[*?\[\]]", free)))


_WORDS = frozenset({"command_name", "word", "number", "string", "raw_string", "concatenation"})
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_DOUBLE = re.compile(r'\\([$`"\\])')
