"""What the rules of a room say of a call, together: the floor and denials first, then what asks, then what allows."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from itertools import chain

from controlroom.domain.permissions import floor as ground
from controlroom.domain.permissions import programs, shell
from controlroom.domain.permissions.calls import BASH, EDITORS, FIELDS, READERS, Call
from controlroom.domain.permissions.floor import Finding, Floor
from controlroom.domain.permissions.inputs import Leaves, Path, input_pattern, leaves, spoken_of, uncovered
from controlroom.domain.permissions.paths import inside, resolved
from controlroom.domain.permissions.rules import (
    PATTERNED,
    Place,
    Rule,
    RuleVerdict,
    allows_command,
    allows_path,
    command_pattern,
    forbids_command,
    forbids_input,
    forbids_path,
    forbids_place,
    is_about,
    is_place,
    place_of,
)
from controlroom.domain.permissions.steps import Step, steps_of
from controlroom.domain.permissions.suspicions import files_named, look_at_commands, look_at_step
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Part:
    """One part of a call, and what allows it or why nothing does."""

    what: str
    rule: str = ""
    """The rule that allows it; "": none does."""
    why: str = ""


@dataclass(frozen=True)
class Judgement:
    """What the rules say. Without a verdict no rule answers it: it waits for a person."""

    verdict: RuleVerdict | None
    rules: tuple[str, ...] = ()
    """Those that say so, by name; of the floor as `floor pushes`."""
    why: str = ""
    parts: tuple[Part, ...] = ()

    @property
    def by(self) -> str:
        """The rules that say so, in a few words."""
        return ", ".join(self.rules[:3]) + (f" and {len(self.rules) - 3} more" if len(self.rules) > 3 else "")


@dataclass(frozen=True)
class RuleSet:
    """All rules of a room, in the order in which they are asked, and its floor."""

    rules: tuple[Rule, ...] = ()
    floor: Floor = field(default_factory=Floor)

    @cached_property
    def named(self) -> Mapping[str, Rule]:
        """The rules by name."""
        return {rule.name: rule for rule in self.rules}

    @cached_property
    def _by_place(self) -> Mapping[tuple[RuleVerdict, str, str], Sequence[Rule]]:
        """The rules by what they say, their tool and the program that they name: the others are never asked."""
        places: dict[tuple[RuleVerdict, str, str], list[Rule]] = {}
        for rule in self.rules:
            first = command_pattern(rule.pattern).words[:1] if rule.tool == BASH else ()
            program = first[0] if first and not any(sign in first[0] for sign in "*?[") else ""
            tool = "*" if "*" in rule.tool or "?" in rule.tool else rule.tool
            places.setdefault((rule.verdict, tool, program), []).append(rule)
        return places

    def judge(self, call: Call, now: int, used: Mapping[str, int]) -> Judgement:
        """Say what becomes of a call at a time. `used`: how many calls each rule has answered."""
        looked = _Look(self, call, now, used)
        return looked.judgement()

    def that(self, verdict: RuleVerdict, tools: Iterable[str], programs: Iterable[str] = ("",)) -> Iterator[Rule]:
        """Rules that say this of some tools (`*`: those that name several), and of commands of some programs."""
        for tool in tools:
            for program in programs:
                yield from self._by_place.get((verdict, tool, program), ())


NO_RULES = RuleSet()

MOST_WORDS = 1_000
"""Different words of a script that are looked at, at most, each from all folders that it may run in."""

_HARMLESS = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr"})


class _Look:
    """One look at one call."""

    def __init__(self, rules: RuleSet, call: Call, now: int, used: Mapping[str, int]) -> None:
        self._rules, self._call, self._now, self._used = rules, call, now, used
        self._texts: dict[Path, Collection[str]] = {}
        self._script = shell.parsed(call.command) if call.tool == BASH else shell.Script()
        self._steps = list(steps_of(self._script, call.folder))
        while sum(step.size for step in self._steps) > MOST_WORDS:
            self._script = replace(self._script, problem=self._script.problem or "it has more words than are looked at")
            self._steps.pop()

    def judgement(self) -> Judgement:
        """Ask in the order of what beats what."""
        found = list(self._on_the_floor())
        for finding in found:
            if finding.verdict is RuleVerdict.DENY:
                return _of_floor(finding)
        if (denied := self._forbidden(RuleVerdict.DENY)) is not None:
            return denied
        if found:
            return _of_floor(found[0])
        return self._forbidden(RuleVerdict.ASK) or self._suspected() or self._allowed()

    def _holds(self, rules: Iterable[Rule]) -> Iterator[Rule]:
        call, now, used = self._call, self._now, self._used
        for rule in rules:
            if not rule.is_over(now, used.get(rule.name, 0)) and rule.is_for(call):
                yield rule

    # ------------------------------------------------------------------ no, or ask

    def _on_the_floor(self) -> Iterator[Finding]:
        floor, home = self._rules.floor, self._call.folder
        yield from ground.look_at_call(floor, self._call)
        if self._call.tool not in FIELDS:
            yield from look_at_commands(floor, self._call)
        for step in self._steps:
            yield from look_at_step(floor, step, home)

    def _forbidden(self, verdict: RuleVerdict) -> Judgement | None:
        if self._call.tool == BASH:
            first = [words[0] for step in self._steps for words in step.spread]
            names = dict.fromkeys(("", *first, *map(programs.program_of, first)))
            more = self._rules.that(verdict, ("*", *EDITORS, *READERS))
            rules: Iterator[Rule] = chain(self._rules.that(verdict, (BASH,), names), more)
        else:
            rules = self._rules.that(verdict, self._tools(self._call.tool))
        for rule in self._holds(rules):
            if self._is_forbidden(rule):
                return Judgement(verdict, (rule.name,), f"rule {rule.name}: {verdict} {rule.what}")
        return None

    def _suspected(self) -> Judgement | None:
        """Have a person asked where another tool is given a file that may not be touched: what it does is not known."""
        call = self._call
        if call.tool in FIELDS:
            return None
        places = [place for path in files_named(call) if (place := place_of(path, call.folder)) is not None]
        for verdict in (RuleVerdict.DENY, RuleVerdict.ASK):
            for rule in self._holds(self._rules.that(verdict, (*EDITORS, *READERS)) if places else ()):
                if rule.pattern and any(forbids_place(rule.pattern, place) for place in places):
                    why = f"it is given a file, and rule {rule.name} is: {verdict} {rule.what}"
                    return Judgement(RuleVerdict.ASK, (rule.name,), why)
        return None

    def _tools(self, tool: str) -> Iterable[str]:
        """The tools that rules may name to be about this one."""
        groups = ["Edit"] * (tool in EDITORS) + ["Read"] * (tool in READERS)
        return dict.fromkeys((tool, *groups, "*"))

    def _is_forbidden(self, rule: Rule) -> bool:
        call = self._call
        if call.tool != BASH:
            return is_about(rule, call.tool) and self._forbids(rule)
        if is_about(rule, BASH):
            if not rule.pattern:
                return True
            return any(forbids_command(rule, words) for step in self._steps for words in step.spread)
        if rule.tool in EDITORS or rule.tool in READERS:
            places = self._written if rule.tool in EDITORS else self._named
            return bool(places) and (
                not rule.pattern or any(forbids_place(rule.pattern, place) for place in places if place)
            )
        return False

    @cached_property
    def _leaves(self) -> Leaves | None:
        """The values of the input of a tool that is not known here."""
        return leaves(self._call.given)

    def _spoken(self, name: Path) -> Collection[str]:
        """All texts that a rule that denies or asks may mean by a field."""
        if name not in self._texts:
            self._texts[name] = tuple(dict.fromkeys(spoken_of(name, self._leaves or {})))
        return self._texts[name]

    @cached_property
    def _written(self) -> Collection[Place | None]:
        """The files that the commands may write."""
        return self._places(writes=True)

    @cached_property
    def _named(self) -> Collection[Place | None]:
        """The files that the commands may read or write."""
        return self._places(writes=False)

    def _places(self, *, writes: bool) -> Collection[Place | None]:
        steps = self._steps
        return {
            place_of(path, folder) for step in steps for path in step.paths(writes=writes) for folder in step.folders
        }

    def _forbids(self, rule: Rule) -> bool:
        call = self._call
        if not rule.pattern:
            return True
        if call.tool == "WebFetch":
            return is_place(rule.pattern, call.about, wide=True)
        if call.tool not in PATTERNED:
            return self._leaves is None or forbids_input(rule, self._spoken, call.folder)
        return any(forbids_path(rule.pattern, path, call.folder) for path in call.places)

    # ------------------------------------------------------------------ yes

    def _allowed(self) -> Judgement:
        problem = self._call.problem or self._script.problem
        if problem:
            return Judgement(None, why=f"no rule answers it: {problem}")
        if self._call.tool != BASH:
            part = self._allowed_call()
            return _together([part])
        if not self._steps:
            return Judgement(None, why="no rule answers it: it has no command in it")
        return _together([part for step in self._steps for part in self._allowed_step(step)])

    def _allowed_call(self) -> Part:
        call, why = self._call, ""
        for rule in self._holds(self._rules.that(RuleVerdict.ALLOW, self._tools(call.tool))):
            if not is_about(rule, call.tool):
                continue
            problem = ""
            if call.tool == "WebFetch":
                covered = not rule.pattern or is_place(rule.pattern, call.about, wide=False)
            elif call.tool not in PATTERNED:
                problem = uncovered(input_pattern(rule.pattern), self._leaves) if rule.pattern else ""
                covered = not problem
            else:
                covered = all(place and allows_path(rule, place, call.folder) for place in call.places)
            if covered:
                return Part(call.about or call.tool, rule.name)
            why = why or (f"{rule.name}: {problem}" if problem else "")
        return Part(f"{call.tool}: {call.about}" if call.about else call.tool, why=why)

    def _allowed_step(self, step: "Step") -> Iterator[Part]:
        for redirect in step.command.redirects:
            if (part := self._redirected(step, redirect)) is not None:
                yield part
        words = step.command.words
        if words and not step.is_harmless_cd(self._call.folder):
            yield self._allowed_command(step)

    def _allowed_command(self, step: "Step") -> Part:
        inner = programs.unwrapped([word.value for word in step.command.words])
        words = step.command.words[len(step.command.words) - len(inner) :]
        if not all(word.known for word in words) or words[0].glob or not words[0].value:
            return Part(step.command.line, why="a part of it is known only as it runs")
        why = ""
        for rule in self._holds(self._rules.that(RuleVerdict.ALLOW, (BASH,), (words[0].value,))):
            problem = allows_command(rule, words, self._call.folder, step.folders)
            if problem == "":
                return Part(step.command.line, rule.name)
            why = why or problem or ""
        if not why and programs.program_of(words[0].value) in programs.NEVER:
            why = programs.problem([word.value for word in words], 0, exact=False)
        return Part(step.command.line, why=why)

    def _redirected(self, step: "Step", redirect: shell.Redirect) -> Part | None:
        """What allows a redirection; None: it needs no leave."""
        target, home = redirect.target, self._call.folder
        what = f"{'write' if redirect.writes else 'read'} {target.value}"
        if not target.known or target.glob or not target.value:
            return Part(what, why="where it leads is known only as it runs")
        if target.value in _HARMLESS:
            return None
        places = [resolved(target.value, folder) for folder in step.folders]
        if not redirect.writes and all(inside(place, home) for place in places):
            return None
        tool = "Write" if redirect.writes else "Read"
        for rule in self._holds(self._rules.that(RuleVerdict.ALLOW, self._tools(tool))):
            if is_about(rule, tool) and all(place and allows_path(rule, place, home) for place in places):
                return Part(what, rule.name)
        return Part(what, why=f"a redirection {'writes' if redirect.writes else 'reads'} the file: no rule allows that")


def _of_floor(finding: Finding) -> Judgement:
    return Judgement(finding.verdict, (f"floor {finding.part}",), finding.why)


def _together(parts: Sequence[Part]) -> Judgement:
    """Allow what is allowed in each of its parts."""
    if not parts:
        return Judgement(None, why="no rule answers it: it does nothing that a rule is about", parts=())
    open_one = next((part for part in parts if not part.rule), None)
    if open_one is not None:
        why = f"no rule allows: {open_one.what[:200]}" + (f" ({open_one.why})" if open_one.why else "")
        return Judgement(None, why=why, parts=tuple(parts))
    names = tuple(dict.fromkeys(part.rule for part in parts))
    return Judgement(RuleVerdict.ALLOW, names, f"allowed by {', '.join(names)}", tuple(parts))
