"""rules.toml: one sentence about what is wrong with it, and verbs that leave what people wrote as it stands."""

from pathlib import Path

import pytest

from controlroom.domain.permissions.floor import Floor
from controlroom.domain.permissions.rules import Rule, RuleVerdict, read_what
from controlroom.engine.config.rules_file import drop_rule, keep_rule, load_rules
from controlroom.engine.config.toml_file import ConfigProblem

WRITTEN = """\
# ours
[rules.status]
allow = "Bash: git status *"   # often
folder = "/srv/**"

# what must not happen
[rules."publish"]
deny = "Bash: npm publish"
expires = 2026-12-24T18:00:00Z
uses = 4

[floor]
scratch = ["/tmp/**"]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(WRITTEN)
    path.chmod(0o600)
    return path


def rule(what: str, name: str = "new", **more: object) -> Rule:
    return Rule(name, RuleVerdict.ALLOW, *read_what(what), **more)  # type: ignore[arg-type]


def test_what_stands_in_the_file_is_what_the_rules_are(path: Path) -> None:
    ruled = load_rules(path)
    assert ruled.rules == (
        Rule("status", RuleVerdict.ALLOW, "Bash", "git status *", folder="/srv/**"),
        Rule("publish", RuleVerdict.DENY, "Bash", "npm publish", expires=1_798_135_200_000, uses=4),
    )
    assert (ruled.floor.scratch, ruled.floor.branches) == (("/tmp/**",), Floor().branches)
    assert f"{path.parent}/*.toml" in ruled.floor.own


def test_without_a_file_there_are_no_rules_on_the_floor_that_is_shipped(tmp_path: Path) -> None:
    ruled = load_rules(tmp_path / "rules.toml")
    assert ruled.rules == ()
    assert ruled.floor.credentials == Floor().credentials


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[rules.a]\nallow = "Bash: env *"', "rules.a: env runs other commands"),
        ('[rules.a]\nallow = "Bash"', "rules.a: it would allow every command"),
        ('[rules.a]\nallow = "ls"\ndeny = "x"', "a rule says one of allow, deny and ask"),
        ("[rules.a]\nhost = 'x'", "a rule says one of allow, deny and ask"),
        ("[rules.a]\nallow = 'WebSearch'\nexpires = 2026-12-24T18:00:00", "expires names its time zone"),
        ("[rules.a]\nallow = 'WebSearch'\nuses = -1", "0 or more"),
        ("[rules.a]\nalow = 'x'", "rules.a.alow is not a setting: did you mean allow?"),
        ("[rules.'A b']\nallow = 'WebSearch'", "is no name for a rule"),
        ("[rules.a]\nallow = 'WebSearch'\nfolder = 'src'", "is no folder of a host"),
        ("[floor]\nbranch = []", "floor.branch is not a setting"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(path: Path, text: str, says: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigProblem) as problem:
        load_rules(path)
    assert says in str(problem.value)
    assert str(path) in str(problem.value)


def test_a_rule_is_added_at_the_end_and_cut_out_again_without_a_trace(path: Path) -> None:
    keep_rule(path, rule("Bash: make *", folder="/srv/**", uses=3, expires=1_798_135_200_000))
    assert path.read_text().startswith(WRITTEN)
    assert load_rules(path).rules[-1] == rule("Bash: make *", folder="/srv/**", uses=3, expires=1_798_135_200_000)
    keep_rule(path, rule("Edit: docs/**"))
    assert load_rules(path).rules[-1] == rule("Edit: docs/**")
    drop_rule(path, "new")
    assert path.read_text().rstrip() == WRITTEN.rstrip()


@pytest.mark.parametrize("name", ["status", "publish"])
def test_a_rule_that_a_person_wrote_is_cut_out_and_his_comments_stay(path: Path, name: str) -> None:
    drop_rule(path, name)
    text = path.read_text()
    assert "# ours" in text
    assert "# what must not happen" in text
    assert name not in [each.name for each in load_rules(path).rules]
    assert len(load_rules(path).rules) == 1


def test_a_file_written_in_another_way_is_written_anew(path: Path) -> None:
    path.write_text('rules = { a = { allow = "WebSearch" }, b = { ask = "Bash: make deploy" } }')
    drop_rule(path, "a")
    keep_rule(path, rule("WebSearch", "c"))
    assert [each.name for each in load_rules(path).rules] == ["b", "c"]


def test_a_rule_that_cannot_be_leaves_the_file_as_it_is(path: Path) -> None:
    with pytest.raises(ConfigProblem):
        keep_rule(path, rule("Bash: sudo *"))
    assert path.read_text() == WRITTEN


@pytest.mark.parametrize("command", ["'x", "*", "gh | x"])
def test_a_command_of_the_floor_that_cannot_be_read_is_a_mistake_in_the_file(path: Path, command: str) -> None:
    path.write_text(f'[floor]\nsecrets = ["{command}"]\n')
    with pytest.raises(ConfigProblem, match=r"floor\.secrets: "):
        load_rules(path)


@pytest.mark.parametrize("when", ["1970-01-01T00:00:00Z", "1026-12-24T18:00:00Z"])
def test_a_rule_that_ended_long_ago_has_ended(path: Path, when: str) -> None:
    path.write_text(f'[rules.a]\nallow = "Bash: ls"\nexpires = {when}\n')
    [old] = load_rules(path).rules
    assert old.is_over(1_900_000_000_000, 0)
