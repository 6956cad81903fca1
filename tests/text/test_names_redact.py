"""The name rule and redaction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.text.names import agent_name_problem, host_name_problem
from controlroom.text.sanitize import HIDDEN, redact, redact_bytes

KEY = "sk-ant-api03-AbC_dEf-123456"


@pytest.mark.parametrize("name", ["a", "docs-1", "0", "a_b", "x" * 41])
def test_plain_names_are_taken(name: str) -> None:
    assert agent_name_problem(name) is None
    assert host_name_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", "-a", "_a", "A", "a b", "a:b", "a;b", "#(touch x)", "a\n", "ä", "x" * 42, "../x", None, 3, "a/b"]
)
def test_other_names_are_refused_with_what_to_do(name: object) -> None:
    problem = agent_name_problem(name)
    assert problem is not None
    assert "use 1 to 41" in problem
    assert problem.isprintable()
    assert host_name_problem(name) is not None


def test_a_dot_is_for_hosts_only() -> None:
    assert host_name_problem("vm1.example") is None
    assert agent_name_problem("docs.1") is not None


@given(st.text(), st.text())
def test_no_key_is_left_in_text(before: str, after: str) -> None:
    shown = redact(f"{before}{KEY} {after}")
    assert KEY not in shown
    assert HIDDEN in shown


@given(st.binary(), st.binary())
def test_no_key_is_left_in_bytes_and_nothing_else_is_touched(before: bytes, after: bytes) -> None:
    key = KEY.encode()
    assert key not in redact_bytes(before + key + b" " + after)
    assert b"sk-ant-" in before or redact_bytes(before) == before
