"""The table of agents that `controlroom status` prints."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.cli.status import agent_table
from controlroom.domain.adoption import Adoption
from controlroom.domain.display import views
from controlroom.domain.model import Fleet
from controlroom.text.states import AgentKind
from tests.domain.worlds import NOON, agent


def test_an_agent_that_was_taken_over_is_shown_with_the_name_it_has_here(capsys: pytest.CaptureFixture[str]) -> None:
    theirs = replace(agent("~agent-1"), kind=AgentKind.ADOPTED, mark="b.1.2", ordered=None)
    taken = replace(theirs, name="~agent-2", adoption=Adoption("api-1", "b.1.2"))
    fleet = Fleet(agents={one.id: one for one in (theirs, taken)})
    agent_table(fleet, views.agent_rows(fleet, NOON), NOON)
    printed = capsys.readouterr().out
    assert "vm1/~agent-2 (api-1)" in printed
    assert "vm1/~agent-1 (" not in printed
