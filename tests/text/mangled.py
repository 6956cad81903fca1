"""Lines as no Claude writes them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def mangled(value: Any, choose: Any) -> Any:
    """A recorded event with parts of it replaced by anything."""
    if choose(st.integers(0, 7)) == 0:
        return choose(JSON)
    if isinstance(value, dict):
        return {key: mangled(item, choose) for key, item in value.items()}
    return [mangled(item, choose) for item in value] if isinstance(value, list) else value
