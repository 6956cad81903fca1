"""Rules that would answer a question: from the call itself alone to all that begins like it."""

import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from controlroom.domain.permissions import programs, shell
from controlroom.domain.permissions.calls import BASH, EDITORS, READERS, Call
from controlroom.domain.permissions.claude_rules import name_of
from controlroom.domain.permissions.inputs import in_words, leaves, literal
from controlroom.domain.permissions.judge import RuleSet
from controlroom.domain.permissions.rules import Rule, RuleVerdict, problem_of
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Proposal:
    """Rules that together answer a call."""

    rules: tuple[Rule, ...]

    @property
    def words(self) -> str:
        """What they allow, in a line."""
        return "; ".join(rule.what for rule in self.rules)


def proposals(call: Call, verdict: RuleVerdict, rules: RuleSet, now: int) -> list[Proposal]:
    """Return rules that would say this of a call, narrow ones first; none, where no rule can.

    Those that allow are tried: what is proposed answers the call, with the rules that there are and the floor.
    """
    made: list[Proposal] = []
    for whats in _ways(call, verdict):
        taken = set(rules.named)
        more: list[Rule] = []
        for tool, pattern in whats:
            name = name_of(f"{'' if verdict is RuleVerdict.ALLOW else f'{verdict}-'}{pattern or tool}", taken)
            taken.add(name)
            more.append(Rule(name, verdict, tool, pattern))
        if not more or any(map(problem_of, more)):
            continue
        proposal = Proposal(tuple(more))
        together = replace(rules, rules=(*rules.rules, *more))
        if together.judge(call, now, {}).verdict is verdict and proposal not in made:
            made.append(proposal)
    return made


What = tuple[str, str]


def _ways(call: Call, verdict: RuleVerdict) -> Iterator[Sequence[What]]:
    if call.tool == BASH:
        yield from _commands(call, verdict)
        return
    if call.path and (call.tool in EDITORS or call.tool in READERS):
        tool = "Edit" if call.tool in EDITORS else "Read"
        inside = call.path.removeprefix(f"{call.folder.rstrip('/')}/") if call.folder else call.path
        folder, _, name = inside.rpartition("/")
        yield [(tool, inside)]
        if "." in name:
            yield [(tool, f"{folder}/*.{name.rpartition('.')[2]}" if folder else f"*.{name.rpartition('.')[2]}")]
        if folder:
            yield [(tool, f"{folder}/**")]
        yield [(tool, "")]
    elif call.tool == "WebFetch":
        host = call.about.partition("://")[2].partition("/")[0]
        yield [(call.tool, host)]
    else:
        for pattern in dict.fromkeys(_fields(call)):
            yield [(call.tool, pattern)]
        yield [(call.tool, "")]


_SHORT, _MOST_FIELDS = 60, 8
"""Characters of a value, and fields, that a rule is proposed about at most."""


def _fields(call: Call) -> Iterator[str]:
    """The input of another tool as it is, then with what is like a name in it and any text beside, then any of it."""
    values = leaves(call.given)
    if not values or len(values) > _MOST_FIELDS or any(len(inner) > 1 for inner in values.values()):
        return
    said = [(".".join(path), literal(in_words(value))) for path, (value,) in values.items()]
    short = [(name, len(value) <= _SHORT and value.isprintable()) for name, value in said]
    if all(is_short for _, is_short in short):
        yield " ".join(_field(name, value) for name, value in said)
    names = [is_short and " " not in value for (_, is_short), (_, value) in zip(short, said, strict=True)]
    if any(names):
        yield " ".join(_field(name, value if kept else "*") for kept, (name, value) in zip(names, said, strict=True))
    yield " ".join(_field(name, "*") for name, _ in said)


def _field(name: str, value: str) -> str:
    """A word of a pattern, quoted where a shell would need that."""
    word = f"{name}={value}"
    return word if not set(word) & set(" \t\n'\"\\") else shlex.quote(word)


def _commands(call: Call, verdict: RuleVerdict) -> Iterator[Sequence[What]]:
    """The commands of a script word for word, then what begins with their first two words, then with the first."""
    script = shell.parsed(call.command)
    lines = [list(programs.unwrapped([word.value for word in command.words])) for command in script.commands]
    commands = [words for words in lines if words and not (verdict is RuleVerdict.ALLOW and words[0] == "cd")]
    writes = [redirect.target.value for command in script.commands for redirect in command.redirects if redirect.writes]
    files = [("Write", path) for path in dict.fromkeys(writes) if not path.startswith("/dev/")]
    files = files if verdict is RuleVerdict.ALLOW else []
    for count in (None, 2, 1):
        patterns = dict.fromkeys(_pattern(words, count) for words in commands)
        yield [*((BASH, pattern) for pattern in patterns), *files]


def _pattern(words: Sequence[str], count: int | None) -> str:
    if count == 1 and programs.program_of(words[0]) in programs.SEVERAL:
        count = 2  # of these the first word says nothing
    begin = [_quoted(word) for word in words[:count]]
    if count is None or len(words) < count:
        return " ".join(begin)
    if count == 2 and words[1].startswith("-"):
        return " ".join([*begin[:1], "*"])
    return " ".join([*begin, "*"])


def _quoted(word: str) -> str:
    """A word as a pattern that stands for itself."""
    return shlex.quote("".join(f"[{sign}]" if sign in "*?[" else sign for sign in word))


def answered(rules: RuleSet, calls: Collection[Call], now: int) -> list[Call]:
    """Return the calls that some rules alone would allow or deny."""
    return [call for call in calls if rules.judge(call, now, {}).verdict in (RuleVerdict.ALLOW, RuleVerdict.DENY)]
