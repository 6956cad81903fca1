"""A rule made of a question: what it is about, for whom and how long, and which open questions it would answer."""

import asyncio
from collections.abc import Mapping, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input

from controlroom.domain.model import Fleet
from controlroom.domain.open_questions import Asking
from controlroom.domain.permissions.coverage import Covered, Scope, askable, coverage, scopes
from controlroom.domain.permissions.intents import AddRule, KeptRule
from controlroom.domain.permissions.judge import RuleSet
from controlroom.domain.permissions.proposals import Proposal, proposals
from controlroom.domain.permissions.rules import Rule as AnsweringRule
from controlroom.domain.permissions.rules import RuleVerdict, problem_of, read_what
from controlroom.domain.words import named_some
from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.context import SubmitOrder
from controlroom.tui.screens.dialogs import Choices
from controlroom.tui.screens.forms import Form
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.fields import Choice, Field, OneLine
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.sentences import Sentences, Told

_HOUR = 3_600_000
_ENDS: Mapping[str, int] = {"in a day": 24 * _HOUR, "in an hour": _HOUR, "in a week": 7 * 24 * _HOUR, "never": 0}
"""Milliseconds for which a rule holds; 0: it stays."""
_REST = 4
"""Lines of the sheet beside its fields and what the rule would do."""
_LONGEST = 7
"""Digits of a number of uses, and one."""


@dataclass(frozen=True)
class Standing:
    """The rules of the room as they stand, and how many calls each has answered."""

    rules: RuleSet
    used: Mapping[str, int]


def standing(kept: Sequence[KeptRule], rules: RuleSet) -> Standing:
    """The rules with how many calls each has answered."""
    return Standing(rules, {each.rule.name: each.used for each in kept})


class RuleForm(Form):
    """Everything about a rule; what it would do stands below it, and nothing is added before that was on show.

    Where a command has several parts it takes a rule for each: they are proposed, shown and added together.
    """

    go = "add"

    def __init__(self, fleet: Fleet, asked: Asking, standing: Standing, now: int) -> None:
        """`asked`: the question that it is made of, with all who ask alike."""
        self._whom, self._standing, self._now = asked.whom, standing, now
        there = [asker for asker in asked.askers if asker.subject in fleet.agents]
        self._agents = [fleet.agents[asker.subject] for asker in there]
        call = askable(self._agents[0], there[0].question)
        self._why = call if isinstance(call, str) else standing.rules.judge(call, now, standing.used).why
        self._proposals: Mapping[RuleVerdict, Mapping[str, Proposal]] = {
            verdict: {} if isinstance(call, str) else _by_words(proposals(call, verdict, standing.rules, now))
            for verdict in RuleVerdict
        }
        self._scopes = {scope.words: scope for scope in scopes(self._agents[0])}
        self._suggested = ""
        self._wanted = self._told = 0
        """Which state of the fields is wanted, and which one is told of."""
        self._open: Sequence[tuple[str, str]] = ()
        """What was open when that was told of."""
        self._looking = False
        several = len(self._agents) > 1
        who = f"{len(self._agents)} agents ask" if several else f"{self._agents[0].name} asks"
        self.heading = f"a rule for what {who}"
        super().__init__()

    def fields(self) -> list[Field]:
        """What is changed least stands at the top; allow, deny or ask is chosen last."""
        abouts = list(self._proposals[RuleVerdict.ALLOW])
        self._suggested = self._name_for(RuleVerdict.ALLOW, next(iter(abouts), ""))
        return [
            OneLine("name", self._suggested),
            OneLine("uses", "", hint="any number of calls, or a number"),
            Choice("ends", list(_ENDS), next(iter(_ENDS))),
            Choice("for", list(self._scopes), self._narrowest().words),
            OneLine("or about", "", hint="a pattern of your own, like Bash: make *"),
            Choice("about", abouts, next(iter(abouts), "")),
            Choice("rule", list(RuleVerdict), RuleVerdict.ALLOW),
        ]

    def _narrowest(self) -> Scope:
        """The narrowest scope in which all are who ask this."""
        theirs = [set(scopes(agent)) for agent in self._agents]
        return next(scope for scope in self._scopes.values() if all(scope in each for each in theirs))

    def _name_for(self, verdict: RuleVerdict, about: str) -> str:
        proposal = self._proposals[verdict].get(about)
        return proposal.rules[0].name if proposal else ""

    def compose(self) -> ComposeResult:
        """A heading, the fields, what the rule would do, the keys."""
        with Vertical(classes="sheet form"):
            yield Rule(self.heading, id="heading")
            with VerticalScroll(can_focus=False):
                yield from self._fields
            yield Sentences("reach")
            yield Choices([("Enter", self.go), ("⌫", "field above"), ("Esc", "leave")])

    def on_mount(self) -> None:
        """Begin at what it says, and tell what it would do."""
        super().on_mount()
        self._look_again()

    def on_resize(self) -> None:
        """Keep keys and fields on show, and as much of the rest as there is room for."""
        super().on_resize()
        self._look_again()

    def news(self, view: ViewState) -> None:
        """Look again where something else is open by now."""
        if _open(view.fleet) != self._open:
            self._look_again()

    # ------------------------------------------------------------------ the rules

    @property
    def _verdict(self) -> RuleVerdict:
        return RuleVerdict(self.value("rule"))

    def rules(self) -> tuple[AnsweringRule, ...] | str:
        """The rules as the form has them, or what is wrong with them."""
        own, verdict = self.value("or about").strip(), self._verdict
        proposal = self._proposals[verdict].get(self.value("about"))
        if not own and proposal is None:
            return f"no rule can {verdict} it: {self._why}"
        proposed = () if own or proposal is None else proposal.rules
        whats = [(each.tool, each.pattern) for each in proposed] or [read_what(own)]
        uses, scope = self.value("uses").strip() or "0", self._scopes[self.value("for")]
        if not (uses.isascii() and uses.isdecimal() and len(uses) < _LONGEST):
            return "uses are a whole number; without one it answers any number of calls"
        lasts = _ENDS[self.value("ends")]
        where = scope.folder, scope.profile, scope.host, scope.agent
        until = self._now + lasts if lasts else 0
        made = tuple(
            AnsweringRule(name, verdict, tool, pattern, *where, until, int(uses))
            for name, (tool, pattern) in zip(self._names(proposed), whats, strict=True)
        )
        taken = next((rule.name for rule in made if rule.name in self._standing.rules.named), "")
        wrong = f"there is a rule {taken} already: give it another name" if taken else ""
        return wrong or next(filter(None, map(problem_of, made)), "") or made

    def _names(self, proposed: Sequence[AnsweringRule]) -> list[str]:
        """The names that were proposed, unless somebody has written another one."""
        name = self.value("name").strip()
        if proposed and name == self._suggested:
            return [rule.name for rule in proposed]
        return [name, *(f"{name}-{number}" for number in range(2, len(proposed) + 1))]

    def send(self) -> None:
        """Have them written into rules.toml, once what they would do was on show."""
        rules, reach = self.rules(), self.query_one(Sentences)
        if isinstance(rules, str):
            self.complain(rules)
        elif self._told != self._wanted or self.context.keyboard.timing.is_new(reach.painted_at):
            self.complain("look at what it would answer, then press again")
        else:
            self.finish()
            for rule in rules:
                self.app.post_message(SubmitOrder(AddRule(rule), f"rule {rule.name}: {rule.verdict} {rule.what}"))

    def leave(self) -> None:
        """Close; what was chosen is no draft."""
        self.dismiss()

    # ------------------------------------------------------------------ what they would do

    def on_key(self, event: events.Key) -> None:
        """Keys that no field takes turn the pages of what it would do."""
        if event.key in ("pagedown", "pageup"):
            event.stop()
            self.query_one(Sentences).press(event.key)

    @on(Field.Changed)
    def _chosen(self, event: Field.Changed) -> None:
        event.stop()
        name, about = self._fields[0], self._fields[-2]
        if event.field is self._fields[-1] and isinstance(about, Choice):
            about.offer(list(self._proposals[self._verdict]))
        if name.value == self._suggested:
            self._suggested = self._name_for(self._verdict, about.value) or self._suggested
            name.fill(self._suggested)
        self._look_again()

    def on_input_changed(self, event: Input.Changed) -> None:
        """A name, a number or a pattern was typed."""
        event.stop()
        self._look_again()

    def _look_again(self) -> None:
        self._wanted += 1
        if not self._looking and self.made:
            self._looking = True
            self.run_worker(self._look())

    async def _look(self) -> None:
        """Tell what they would do, reckoned beside the screen, until that is of what the fields say now."""
        try:
            while self._told != self._wanted and not self.gone:
                wanted, rules, fleet = self._wanted, self.rules(), self.context.fleet
                self._open = _open(fleet)
                told: list[Told] = [(rules, True)] if isinstance(rules, str) else []
                if not isinstance(rules, str):
                    kept, used = self._standing.rules, self._standing.used
                    covered = await asyncio.to_thread(coverage, fleet, kept, rules, self._now, used)
                    told = in_words(self._sentence(rules), rules[0].verdict, covered, self._whom)
                self._told = wanted
                for reach in self.query(Sentences):  # none, once it is being left
                    reach.say(told, max(2, self.size.height - len(self._fields) - _REST))
        finally:
            self._looking = False

    def _sentence(self, rules: Sequence[AnsweringRule]) -> str:
        """All that they say, also where a field has no room for it."""
        whats = "; ".join(rule.what for rule in rules)
        uses = f", {rules[0].uses} call{'s' * (rules[0].uses != 1)}" if rules[0].uses else ""
        ends = f", ends {self.value('ends')}" if rules[0].expires else ""
        return f"{rules[0].verdict} {whats}, {self.value('for')}{uses}{ends}"


def _by_words(proposed: Sequence[Proposal]) -> Mapping[str, Proposal]:
    return {proposal.words: proposal for proposal in proposed}


def _open(fleet: Fleet) -> list[tuple[str, str]]:
    return [(subject, question.digest or question.id) for subject, question in fleet.questions()]


def in_words(rule: str, verdict: RuleVerdict, covered: Sequence[Covered], whom: Sequence[str]) -> list[Told]:
    """Say what a rule would do: how many it answers, who of those that ask this stays open and why, then all names."""
    answered = [each.subject for each in covered if each.answers]
    asks = verdict is RuleVerdict.ASK
    total = f"{len(covered)} open question{'s' * (len(covered) != 1)}"
    told = [(rule, False)]
    if asks:
        told.append(("it answers nothing: a person is asked, whatever allows it", False))
    else:
        told.append((f"answers {len(answered) or 'none'} of {total}", not answered))
        told += _reasons([each for each in covered if not each.answers and each.subject in whom], notice=True)
    told += [(f"answered: {', '.join(answered)}", False)] * bool(answered)
    rest = [each for each in covered if not each.answers and (asks or each.subject not in whom)]
    return told + _reasons(rest, notice=False)


def _reasons(covered: Sequence[Covered], *, notice: bool) -> list[Told]:
    """Why these are not answered, a sentence for each reason."""
    reasons: dict[str, list[str]] = {}
    for each in covered:
        reasons.setdefault(each.why, []).append(each.subject)
    return [(f"{named_some(names)}: {why}", notice) for why, names in reasons.items()]
