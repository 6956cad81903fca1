"""Rules about what tools of MCP servers, and others that are not known here, are given: what they let through."""

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.permissions.calls import Call, given_of
from controlroom.domain.permissions.inputs import input_pattern, leaves
from controlroom.domain.permissions.judge import Judgement, RuleSet
from controlroom.domain.permissions.rules import Rule, RuleVerdict, problem_of, read_what

ALLOW, DENY, ASK = RuleVerdict.ALLOW, RuleVerdict.DENY, RuleVerdict.ASK
HERE = "/srv/app"


def rule(what: str, verdict: RuleVerdict = ALLOW, name: str = "r") -> Rule:
    made = Rule(name, verdict, *read_what(what))
    assert problem_of(made) == ""
    return made


def judged(tool: str, given: dict[str, Any], *rules: Rule) -> Judgement:
    return RuleSet(rules).judge(Call(tool, given, "vm1", "docs-1", "docs", HERE), 0, {})


def asked(what: str, given: dict[str, Any]) -> RuleVerdict | None:
    """What becomes of a call with this input by one rule that allows."""
    return judged("mcp__x__y", given, rule(f"mcp__x__y: {what}" if what else "mcp__x__y")).verdict


ALLOWED: list[tuple[str, dict[str, Any]]] = [
    ("repo=docs", {"repo": "docs"}),
    ("repo=docs-* title=*", {"repo": "docs-1", "title": "any\ntext ../ at all"}),
    ("repo=docs title=*", {"repo": "docs"}),
    ("repo=docs *", {"repo": "docs", "more": {"x": [1]}}),
    ("'title=a b' n=4 draft=true x=null", {"title": "a b", "n": 4, "draft": True, "x": None}),
    ("paths=docs/**", {"paths": ["docs/a", "docs/b/c"]}),
    ("at.path=docs/* at.line=*", {"at": {"path": "docs/a", "line": 4}}),
    ("at=*", {"at": {"path": [{"x": 1}, []]}}),
    ("at.x=*", {"at": [{"x": 1}, {"x": 2}]}),
    ("name=a[*]b", {"name": "a*b"}),
    ("url=https://docs.python.org/**", {"url": "https://docs.python.org/3/x"}),
    ("url=https://*.python.org/**", {"url": "https://docs.python.org/3/x"}),
    ("", {"what": "ever"}),
    ("*", {}),
]


@pytest.mark.parametrize(("what", "given_"), ALLOWED)
def test_what_a_rule_names_is_allowed(what: str, given_: dict[str, Any]) -> None:
    assert asked(what, given_) is ALLOW


LEFT: list[tuple[str, dict[str, Any]]] = [
    ("repo=docs", {}),
    ("repo=docs", {"repo": "docs", "force": True}),
    ("repo=docs", {"repo": ["docs", "prod"]}),
    ("repo=docs", {"repo": {"docs": "docs"}}),
    ("repo=docs", {"repo": ["docs", {"x": "docs"}]}),
    ("repo=docs", {"repo": "Docs"}),
    ("repo=docs", {"REPO": "docs"}),
    ("repo=docs", {"repo": "docs", "at": {"repo": "docs"}}),
    ("repo=docs-*", {"repo": "docs-1/../prod"}),
    ("repo=docs/**", {"repo": "docs/../prod"}),
    ("repo=docs/**", {"repo": "docs/%2e%2e/prod"}),
    ("repo=docs/**", {"repo": "docs/%252e%252e/prod"}),
    ("repo=docs/**", {"repo": "docs/..\\prod"}),
    ("repo=docs-*", {"repo": "docs-1\nprod"}),
    ("repo=docs-*", {"repo": "docs-\u202eprod"}),
    ("repo=docs-*", {"repo": "docs-1/x"}),
    ("repo=docs-*", {"repo": []}),
    ("n=4", {"n": 40}),
    ("name=a[*]b", {"name": "axb"}),
    ("at.path=docs/*", {"at.path": "docs/a"}),
    ("at=docs", {"at": {"docs": "docs"}}),
    ("url=https://*.python.org/**", {"url": "https://evil.com?x=.python.org/"}),
    ("url=https://*.python.org/**", {"url": "https://evil.com#.python.org/"}),
    ("url=https://*.python.org/**", {"url": "https://a@evil.com:443.python.org/"}),
    ("url=https://docs.python.org/**", {"url": "https://docs.python.org/https://evil.com"}),
    ("x=*", {"x": 1, "": 2}),
    ("x=*", {"x": [0] * 501}),
]


@pytest.mark.parametrize(("what", "given_"), LEFT)
def test_what_a_rule_does_not_name_is_left_to_a_person(what: str, given_: dict[str, Any]) -> None:
    assert asked(what, given_) is None


def test_why_a_rule_does_not_hold_is_said() -> None:
    judgement = judged("mcp__x__y", {"repo": "docs", "force": True}, rule("mcp__x__y: repo=docs"))
    assert judgement.why.endswith("(r: its input has 'force', which the rule does not name)")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("mcp__x__y: docs", "'docs' is no field=pattern"), ("mcp__x__y: a=1 a=2", "names a twice"),
        ("mcp__x__y: a='", "no closing quotation"), ("mcp__*: a=1", "tools that nobody has thought of"),
        ("mcp__a__b__*", "tools that nobody has thought of"), ("MCP__x__y", "mcp__SERVER__TOOL"),
        ("mcp_x_y", "mcp__SERVER__TOOL"), ("mcp__", "mcp__SERVER__TOOL"), ("Web*: a=1", "nobody has thought of"),
    ],
)  # fmt: skip
def test_what_no_rule_can_be_about_is_turned_down_as_it_is_made(what: str, words: str) -> None:
    assert words in problem_of(Rule("r", ALLOW, *read_what(what)))


def test_a_server_by_its_name_is_all_that_it_has_and_nothing_of_another_one() -> None:
    assert read_what("mcp__github") == ("mcp__github__*", "")
    for verdict in RuleVerdict:
        assert judged("mcp__github__get_issue", {}, rule("mcp__github", verdict)).verdict is verdict
    assert judged("mcp__github__get_issue", {}, rule("mcp__git")).verdict is None
    assert judged("mcp__github__beta__get", {}, rule("mcp__github")).verdict is None
    assert judged("mcp__github__beta__get", {}, rule("mcp__github", DENY)).verdict is DENY
    assert judged("mcp__github__delete", {}, rule("mcp__github__delet?", DENY), rule("mcp__github")).verdict is DENY


DENIED: list[tuple[str, dict[str, Any]]] = [
    ("repo=prod", {"repo": "prod"}),
    ("repo=prod", {"Repo": "PROD", "more": 1}),
    ("repo=prod", {"all": [{"repo": "docs"}, {"repo": {"name": "prod"}}]}),
    ("repo=prod", {"repo": "p%72od "}),
    ("repo=prod", {"repo": "\uff50rod"}),
    ("repo=acme/*", {"repo": "acme/a/b\nc"}),
    ("path=secrets/**", {"path": "./secrets/x"}),
    ("path=secrets/**", {"path": "/srv/app/src/../secrets"}),
    ("files=secrets/**", {"files": {"secrets/key": "x"}}),
    ("force=*", {"force": False}),
    ("repo=prod force=true", {"repo": "prod", "force": True, "x": 1}),
    ("repo=prod", {"repo": [0] * 501}),
]


@pytest.mark.parametrize(("what", "given_"), DENIED)
def test_what_a_rule_denies_is_read_widely(what: str, given_: dict[str, Any]) -> None:
    rules = rule("mcp__x", name="all"), rule(f"mcp__x__y: {what}", DENY, "no")
    assert judged("mcp__x__y", given_, *rules).verdict is DENY


def test_a_denial_needs_all_its_fields() -> None:
    rules = rule("mcp__x", name="all"), rule("mcp__x__y: repo=prod force=true", DENY, "no")
    assert judged("mcp__x__y", {"repo": "prod", "force": False}, *rules).verdict is ALLOW
    assert judged("mcp__x__y", {"force": True}, *rules).verdict is ALLOW


TO_RUN: list[dict[str, Any]] = [
    {"command": "git push origin main"},
    {"shellCommand": "ls && git push --all"},
    {"command": "git", "args": ["push", "origin", "main"]},
    {"argv": ["git", "push", "origin", "HEAD:main"]},
    {"jobs": [{"script": "cd /tmp\nrm -rf /etc"}]},
    {"cmd": "sudo rm -rf ~/other"},
    {"cmd": "cat /home/ann/.netrc; ls"},
    {"cmd": "controlroom halt"},
    {"cmd": "gh auth token"},
    {"cmd": "echo x > .git/hooks/pre-commit"},
    {"cmd": "bash -c 'git push origin main'"},
    {"cmd": "ls " * 1400},
    {"cmd": " ".join(map(str, range(900)))},
    {"path": ".git/hooks/pre-commit", "content": "x"},
    {"files": {".claude/settings.json": "x"}},
]


@pytest.mark.parametrize("given_", TO_RUN)
def test_the_floor_holds_for_what_other_tools_are_given_to_run_and_to_write(given_: dict[str, Any]) -> None:
    assert judged("mcp__sh__run", given_, rule("mcp__sh")).verdict is ASK
    exact = Rule("r", ALLOW, "mcp__sh__run", "*")
    assert judged("mcp__sh__run", given_, exact).verdict is ASK


def test_what_is_only_spoken_of_is_not_taken_for_a_command() -> None:
    for text in ("git push to main fails", "rm -rf / is bad", "see .git/config and .env"):
        assert judged("mcp__github__create_issue", {"title": text, "body": text}, rule("mcp__github")).verdict is ALLOW
    assert judged("mcp__sh__run", {"command": "git push origin docs-1"}, rule("mcp__sh")).verdict is ALLOW


def test_a_rule_that_keeps_files_has_a_person_asked_where_another_tool_is_given_one() -> None:
    keep = rule("Read: secrets/**", DENY, "keep")
    said = judged("mcp__fs__read", {"paths": ["a", "secrets/key"]}, rule("mcp__fs"), keep)
    assert (said.verdict, said.rules) == (ASK, ("keep",))
    assert judged("mcp__fs__read", {"paths": ["a", "b"]}, rule("mcp__fs"), keep).verdict is ALLOW


def test_what_is_tried_is_written_in_words_or_as_json() -> None:
    assert given_of("mcp__x__y", "repo=docs 'at.title=a b'") == {"repo": "docs", "at": {"title": "a b"}}
    assert given_of("mcp__x__y", '{"n": 4}') == {"n": 4}
    assert given_of("mcp__x__y", "") == {}
    for wrong in ("docs", "a=1 a=2", "a=1 a.b=2", "'", "{"):
        assert given_of("mcp__x__y", wrong) is None


# ---------------------------------------------------------------------- never more than it names

NAMES = ["repo", "path", "at", "force", "x"]
TEXTS = ["docs", "docs-1", "docs/a", "docs/../b", "prod", "", "4", "a\nb", "secrets/key", "~/.ssh/id_rsa", "\u202e"]

values = st.recursive(
    st.sampled_from(TEXTS) | st.integers(0, 5) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
    max_leaves=5,
)
inputs = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)
globs = st.sampled_from(["docs", "docs-*", "docs/**", "*", "**", "?", "4", "true", "pro*"])
fields = st.dictionaries(st.sampled_from([*NAMES, "at.path", "x.repo"]), globs, max_size=4)
tools = st.sampled_from(["mcp__x__y", "mcp__x__y__z", "mcp__xx__y", "Task"])
ruled_tools = st.sampled_from(["mcp__x__y", "mcp__x", "mcp__xx", "mcp__x__y__z", "Task"])


@given(tools, inputs, ruled_tools, fields, st.booleans())
def test_never_is_more_allowed_than_a_rule_names(
    tool: str, given_: dict[str, Any], ruled: str, named: dict[str, str], open_end: bool
) -> None:
    words = [f"{name}={glob}" for name, glob in named.items()] + ["*"] * open_end
    allows = rule(f"{ruled}: {' '.join(words)}" if words else ruled)
    if judged(tool, given_, allows).verdict is not ALLOW:
        return
    assert tool == ruled or re.fullmatch(rf"{ruled}__[a-z]+", tool)
    ended = [(path, value) for path, inner in (leaves(given_) or {}).items() for value in inner]
    for path, value in ended:
        own = [named[".".join(path[:end])] for end in range(1, len(path) + 1) if ".".join(path[:end]) in named]
        assert own or open_end or not words
        assert all(glob == "*" or (fnmatchcase(_plain(value), glob) and ".." not in _plain(value)) for glob in own[-1:])
    assert not any(isinstance(value, str) and ".ssh" in value for _, value in ended)
    if words and not open_end:
        assert judged(tool, {**given_, "new": "x"}, allows).verdict is None


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else {True: "true", False: "false", None: "null"}.get(value, str(value))


@given(st.text("=*[]'\\ .abx", max_size=30))
def test_whatever_is_written_for_a_pattern_is_read_or_turned_down(text: str) -> None:
    try:
        read = input_pattern(text)
    except ValueError:
        return
    assert all(path and all(path) for path, _ in read.fields)
