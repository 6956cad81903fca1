"""What beats what among rules, for any of them: nothing that is added as an allowance takes a denial away."""

from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.permissions.calls import Call
from controlroom.domain.permissions.judge import Judgement, RuleSet
from controlroom.domain.permissions.rules import Rule, RuleVerdict, problem_of

ALLOW, DENY, ASK = RuleVerdict.ALLOW, RuleVerdict.DENY, RuleVerdict.ASK
STRENGTH = {ALLOW: 0, None: 1, ASK: 2, DENY: 3}
"""From what lets most through to what lets nothing through."""

WORDS = ["git", "push", "status", "rm", "make", "test", "origin", "main", "src", "../x", "-f", "*", "env", "ls"]
SIGNS = [" ", " && ", "; ", " | ", " > ", "\n", " $(", ")", " '", "' "]

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
commands = st.lists(st.sampled_from([*WORDS, *SIGNS, " "]), min_size=1, max_size=10).map("".join)
calls = st.one_of(
    (texts | commands).map(lambda text: Call("Bash", {"command": text}, "vm1", "a", "docs", "/srv/app")),
    st.sampled_from(["src/x", "../x", "/etc/x", ".git/config", ".env"]).map(
        lambda path: Call("Write", {"file_path": path, "content": ""}, "vm1", "a", "docs", "/srv/app")
    ),
    st.just(Call("mcp__x__y", {"z": 1}, "vm1", "a", "docs", "/srv/app")),
)
whats = st.one_of(
    texts.map(lambda text: ("Bash", text)),
    st.sampled_from(
        [("Edit", ""), ("Edit", "src/**"), ("Write", "**/x"), ("Read", ""), ("mcp__x__*", ""), ("mcp__x__y", "")]
    ),
)


@st.composite
def rules(draw: st.DrawFn, verdicts: tuple[RuleVerdict, ...] = tuple(RuleVerdict)) -> Rule:
    tool, pattern = draw(whats)
    name = draw(st.sampled_from("abcdefgh"))
    scope = draw(st.sampled_from(["", "docs", "other"]))
    return Rule(name, draw(st.sampled_from(verdicts)), tool, pattern, profile=scope)


rule_lists = st.lists(rules().filter(lambda rule: not problem_of(rule)), max_size=6)


def judged(ruled: list[Rule], call: Call) -> Judgement:
    return RuleSet(tuple(ruled)).judge(call, 0, {})


@given(rule_lists, rules(verdicts=(ALLOW,)).filter(lambda rule: not problem_of(rule)), calls)
def test_to_allow_more_turns_no_denial_and_no_asking_into_something_else(
    ruled: list[Rule], more: Rule, call: Call
) -> None:
    before, after = judged(ruled, call), judged([*ruled, more], call)
    if before.verdict in (DENY, ASK):
        assert after.verdict is before.verdict
    else:
        assert STRENGTH[after.verdict] <= STRENGTH[before.verdict]


@given(rule_lists, rules(verdicts=(DENY, ASK)).filter(lambda rule: not problem_of(rule)), calls)
def test_to_deny_or_to_ask_more_lets_nothing_more_through(ruled: list[Rule], more: Rule, call: Call) -> None:
    assert STRENGTH[judged([*ruled, more], call).verdict] >= STRENGTH[judged(ruled, call).verdict]


@given(rule_lists, st.randoms(), calls)
def test_the_order_of_rules_is_of_no_account(ruled: list[Rule], random: st.randoms, call: Call) -> None:  # type: ignore[valid-type]
    other = list(ruled)
    random.shuffle(other)  # type: ignore[attr-defined]
    assert judged(other, call).verdict is judged(ruled, call).verdict


@given(rule_lists, calls)
def test_what_is_allowed_has_a_rule_that_allows_it_for_each_of_its_parts(ruled: list[Rule], call: Call) -> None:
    said = judged(ruled, call)
    if said.verdict is ALLOW:
        named = {rule.name for rule in ruled if rule.verdict is ALLOW}
        assert said.parts
        assert all(part.rule in named for part in said.parts)
    assert judged([], call).verdict is not ALLOW


@given(st.text(max_size=60), rule_lists)
def test_whatever_stands_in_a_command_a_judgement_is_given(text: str, ruled: list[Rule]) -> None:
    assert judged(ruled, Call("Bash", {"command": text}, folder="/srv/app")).why or judged(ruled, Call("Bash")).why
