"""Rules made of what is there: of a question, and of Claude Code's own settings."""

from typing import Any

import pytest

from controlroom.domain.permissions.calls import Call
from controlroom.domain.permissions.claude_rules import read_settings
from controlroom.domain.permissions.judge import NO_RULES, RuleSet
from controlroom.domain.permissions.proposals import proposals
from controlroom.domain.permissions.rules import RuleVerdict

ALLOW, DENY = RuleVerdict.ALLOW, RuleVerdict.DENY


def proposed(tool: str, verdict: RuleVerdict = ALLOW, rules: RuleSet = NO_RULES, **given: Any) -> list[list[str]]:
    call = Call(tool, given, "vm1", "a", "docs", "/srv/app")
    made = proposals(call, verdict, rules, 0)
    return [[rule.what for rule in each.rules] for each in made]


def test_of_a_command_rules_are_proposed_from_its_words_alone_to_all_that_begins_like_it() -> None:
    assert proposed("Bash", command="npm run test -x") == [["Bash: npm run test -x"], ["Bash: npm run *"]]
    assert proposed("Bash", command="ls -la src") == [["Bash: ls -la src"], ["Bash: ls *"]]
    assert proposed("Bash", command="git commit -m 'a b*'")[0] == ["Bash: git commit -m 'a b[*]'"]
    assert proposed("Bash", command="git push origin x") == [["Bash: git push origin x"], ["Bash: git push *"]]


def test_a_line_of_several_commands_gets_a_rule_for_each_and_one_for_the_file_it_writes() -> None:
    [exact, *_] = proposed("Bash", command="timeout 5 make test | head -5 > log/test")
    assert exact == ["Bash: make test", "Bash: head -5", "Write: log/test"]


@pytest.mark.parametrize("command", ["ls $(x)", "sudo ls", "git push origin main", "x=1 ls", "cat /etc/passwd *"])
def test_nothing_is_proposed_that_would_not_answer_the_call(command: str) -> None:
    assert proposed("Bash", command=command) == []


def test_of_a_file_rules_are_proposed_for_it_for_its_kind_and_for_its_folder() -> None:
    assert proposed("Edit", file_path="/srv/app/docs/a.md", old_string="a", new_string="b") == [
        ["Edit: docs/a.md"], ["Edit: docs/*.md"], ["Edit: docs/**"], ["Edit"],
    ]  # fmt: skip
    assert proposed("Write", file_path="/srv/app/.git/config", content="x") == []
    assert proposed("WebFetch", url="https://docs.python.org/3/", prompt="x") == [["WebFetch: docs.python.org"]]


def test_of_other_tools_rules_are_proposed_for_the_input_then_for_what_is_a_name_in_it_then_for_its_fields() -> None:
    assert proposed("mcp__x__y", repo="a/b*", title="Docs 'n more", at={"line": 4}) == [
        ["mcp__x__y: repo=a/b[*] 'title=Docs '\"'\"'n more' at.line=4"],
        ["mcp__x__y: repo=a/b[*] title=* at.line=4"],
        ["mcp__x__y: repo=* title=* at.line=*"],
        ["mcp__x__y"],
    ]
    assert proposed("mcp__x__y", text="line\nline") == [["mcp__x__y: text=*"], ["mcp__x__y"]]
    assert proposed("mcp__x__y", ALLOW, NO_RULES, **{"a.b": "x"}) == [["mcp__x__y"]]
    assert proposed("mcp__x__y") == [["mcp__x__y"]]
    assert proposed("mcp__x__run", command="git push origin main") == []
    assert proposed("mcp__x__y", DENY, repo="prod") == [["mcp__x__y: repo=prod"], ["mcp__x__y: repo=*"], ["mcp__x__y"]]


def test_denials_are_proposed_likewise() -> None:
    assert proposed("Bash", DENY, command="npm publish --tag x")[0] == ["Bash: npm publish --tag x"]
    assert ["Bash: npm publish *"] in proposed("Bash", DENY, command="npm publish --tag x")


SETTINGS = {
    "permissions": {
        "allow": [
            "Bash(npm run test:*)", "Bash(git log *)", "Bash(make)", "Bash", "Bash(sudo:*)", "Read", "Read(~/notes/**)",
            "Edit(/docs/**)", "Edit(//srv/data/**)", "WebFetch(domain:docs.python.org)", "mcp__github", "mcp__x__y",
            "Task(Explore)", "Skill(x)", "((", 5, "WebSearch",
        ],
        "deny": ["Bash(git push:*)", "Read(./.env)", "Read(~/.ssh/**)", "WebFetch"],
        "ask": ["Bash(npm publish)"],
    },
    "other": 1,
}  # fmt: skip


def test_claudes_own_rules_are_read_and_what_cannot_be_said_here_is_named_with_its_reason() -> None:
    read = list(read_settings(SETTINGS, ["make"]))
    assert [f"{each.rule.name}: {each.rule.verdict} {each.rule.what}" for each in read if each.rule] == [
        "npm-run-test: allow Bash: npm run test *",
        "git-log: allow Bash: git log *",
        "make-2: allow Bash: make",
        "read: allow Read",
        "docs: allow Edit: docs/**",
        "srv-data: allow Edit: /srv/data/**",
        "docs-python-org: allow WebFetch: docs.python.org",
        "mcp-github: allow mcp__github__*",
        "mcp-x-y: allow mcp__x__y",
        "websearch: allow WebSearch",
        "deny-git-push: deny Bash: git push *",
        "deny-env: deny Read: **/.env",
        "deny-ssh: deny Read: **/.ssh/**",
        "deny-webfetch: deny WebFetch",
        "ask-npm-publish: ask Bash: npm publish",
    ]
    left = {each.source: each.why for each in read if each.rule is None}
    assert set(left) == {
        "allow: Bash", "allow: Bash(sudo:*)", "allow: Read(~/notes/**)", "allow: Task(Explore)", "allow: Skill(x)",
        "allow: ((",
    }  # fmt: skip
    assert all(left.values())


@pytest.mark.parametrize("settings", [{}, {"permissions": 1}, {"permissions": {"allow": "Bash"}}, {"permissions": []}])
def test_settings_without_rules_have_none(settings: dict[str, Any]) -> None:
    assert list(read_settings(settings, [])) == []
