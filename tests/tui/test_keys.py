"""Every key does what the table says, with what was shown, and says why when it cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.intents import AnswerQuestion, ForgetAgent, KillAgent
from controlroom.domain.keys.actions import ACTIONS
from controlroom.domain.keys.groups import GROUPS, OTHER_WORDS
from controlroom.domain.keys.keymap import DEFAULT
from controlroom.domain.model import Fleet, LinkState, State
from controlroom.text.states import Verdict
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.screens.dialogs import ConfirmSheet, ReportSheet
from controlroom.tui.screens.forms import SpawnForm
from controlroom.tui.screens.help import HelpScreen
from controlroom.tui.screens.hosts import HostsScreen
from controlroom.tui.screens.overview import Overview
from controlroom.tui.screens.palette import Finds, PaletteScreen
from tests.tui import scenes
from tests.tui.room import room

PHONE, WIDE = (45, 20), (200, 50)
SIZES = pytest.mark.parametrize("size", [PHONE, WIDE], ids=lambda size: "x".join(map(str, size)))


@SIZES
async def test_enter_opens_the_chosen_agent_and_q_and_backspace_go_back(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        assert here.screen(Overview).table.chosen == "vm1/docs-1"
        await here.press("j", "enter")
        assert here.screen(AgentScreen).agent_id == "vm2/infra"
        await here.press("q")
        here.screen(Overview)
        await here.press("enter", "backspace")
        here.screen(Overview)


async def test_q_on_the_first_screen_leaves() -> None:
    async with room(scenes.farm()) as here:
        await here.press("q")
        assert here.app._exit


async def test_capitals_are_the_same_keys() -> None:
    async with room(scenes.farm(), size=PHONE) as here:
        await here.press("J", "enter")
        assert here.screen(AgentScreen).agent_id == "vm2/infra"
        await here.press("Q")
        here.screen(Overview)


@SIZES
async def test_next_goes_from_question_to_question_and_one_letter_answers(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("n")
        assert here.screen(AgentScreen).agent_id == "vm2/infra"  # asked first
        await here.press("n")
        assert here.screen(AgentScreen).agent_id == "vm1/docs-1"
        assert "git push origin docs/update" in here.text()
        await here.press("y")
        assert here.engine.asked == [AnswerQuestion("vm1/docs-1", "q-1", Verdict.ALLOW)]
        await here.until(lambda: here.engine.fleet.agents["vm1/docs-1"].question is None)
        await here.until(lambda: "asks for permission" not in here.text())
        await here.press("n", "d")
        assert here.engine.asked[1:] == [AnswerQuestion("vm2/infra", "q-2", Verdict.DENY)]
        await here.press("n")
        assert here.said() == "nothing needs you now"


async def test_nothing_is_called_calm_while_a_host_is_not_heard() -> None:
    calm = scenes.agent("docs-1", "vm1", State.WORKING, 2)
    fleet = replace(scenes.farm(), agents={calm.id: calm})
    away = replace(fleet.hosts["vm1"], link=LinkState.LOST)
    up = {name: replace(host, link=LinkState.UP, question=None) for name, host in fleet.hosts.items()}
    async with room(replace(fleet, hosts={**up, "vm1": away}), size=WIDE) as here:
        await here.press("n")
        assert here.said() == "nothing is asked, as far as is known: vm1 is away"


async def test_a_question_beside_the_table_is_answered_there() -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        await here.press("a")
        assert here.engine.asked == [AnswerQuestion("vm1/docs-1", "q-1", Verdict.ALWAYS)]


async def test_where_the_question_is_not_on_show_its_key_opens_it_first() -> None:
    async with room(scenes.farm(), size=PHONE) as here:
        await here.press("y")
        assert here.engine.asked == []
        assert here.screen(AgentScreen).agent_id == "vm1/docs-1"
        await here.press("y")
        assert here.engine.asked == [AnswerQuestion("vm1/docs-1", "q-1", Verdict.ALLOW)]


async def test_a_long_question_must_have_been_on_show_to_its_end() -> None:
    text = "\n".join(f"line {number} of a script" for number in range(80)) + "\nrm -rf /"
    asking = scenes.agent("docs-1", "vm1", State.WAITING, 2, question=scenes.permission("run: a script", text))
    fleet = replace(scenes.farm(), agents={asking.id: asking})
    async with room(fleet, size=PHONE) as here:
        await here.press("enter", "y")
        assert here.engine.asked == []
        assert "read all of it first" in here.said()
        for _ in range(20):
            await here.press("space")
        await here.press("y")
        assert [type(intent) for intent in here.engine.asked] == [AnswerQuestion]


async def test_a_held_key_answers_one_question_only() -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        await here.press("y")
        for _ in range(10):
            here.clock.pass_(0.03)
            await here.pilot.press("y")
            await here.pilot.pause()
        assert here.engine.asked == [AnswerQuestion("vm1/docs-1", "q-1", Verdict.ALLOW)]


async def test_a_question_that_comes_under_the_finger_is_not_answered() -> None:
    calm = scenes.agent("docs-1", "vm1", State.WORKING, 2)
    fleet = replace(scenes.farm(), agents={calm.id: calm})
    async with room(fleet, size=WIDE) as here:
        await here.press("j")
        here.clock.pass_(5)
        here.engine.put(replace(calm, state=State.WAITING, question=scenes.permission("run: rm -r /")))
        await here.until(lambda: here.screen(Overview).pane.question.shown_at is not None)
        await here.pilot.press("y")
        assert here.engine.asked == []
        assert "just appeared" in here.said()
        await here.press("y")
        assert len(here.engine.asked) == 1


async def test_an_answer_to_a_question_that_has_changed_is_refused_with_the_reason() -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        asking = here.engine.fleet.agents["vm1/docs-1"]
        other = replace(asking, question=scenes.permission("run: rm -r /", id_="q-9"))
        here.engine.before_deciding = lambda: here.engine.put(other)
        await here.press("y")
        assert here.engine.asked == [AnswerQuestion("vm1/docs-1", "q-1", Verdict.ALLOW)]
        await here.until(lambda: "asks something else now" in here.said())


# --------------------------------------------------------------------------- ending, reassigning, saying


@SIZES
async def test_kill_names_its_target_and_waits_for_y(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("x")
        assert here.screen(ConfirmSheet).title_words == "Kill docs-1 on vm1?"
        assert "Kill docs-1 on vm1?" in here.text()
        await here.press("x", "enter", "j", "space")
        here.screen(ConfirmSheet)
        assert here.engine.asked == []
        await here.press("y")
        assert here.engine.asked == [KillAgent("vm1/docs-1", 1)]


@pytest.mark.parametrize("key", ["q", "n", "backspace", "escape"])
async def test_kill_is_left_with_a_plain_key(key: str) -> None:
    async with room(scenes.farm()) as here:
        await here.press("x", key)
        here.screen(Overview)
        assert here.engine.asked == []


async def test_kill_means_the_run_that_was_shown() -> None:
    async with room(scenes.farm()) as here:
        await here.press("j", "j", "j", "j", "j", "j", "x")
        target = here.screen(ConfirmSheet).intent
        assert target == KillAgent("vm2/api-3", 1)
        known = here.engine.fleet.agents["vm2/api-3"]
        here.engine.put(replace(known, epoch=2))
        await here.until(lambda: here.app.context.fleet.agents["vm2/api-3"].epoch == 2)
        await here.press("y")
        assert here.engine.asked == [KillAgent("vm2/api-3", 1)]
        await here.until(lambda: "restarted meanwhile" in here.said())
        assert here.engine.effects == []


async def test_typing_ahead_does_not_kill() -> None:
    """`xy` in one burst: the question was never on show."""
    async with room(scenes.farm()) as here:
        from textual.events import Key

        here.app.screen.post_message(Key("x", "x"))
        await here.until(lambda: isinstance(here.app.screen, ConfirmSheet))
        sheet = here.screen(ConfirmSheet)
        await here.until(lambda: sheet.painted)
        sheet.painted = False
        sheet.on_key(Key("y", "y"))
        assert here.engine.asked == []
        here.screen(ConfirmSheet)


async def test_the_cursor_stays_with_its_agent_when_rows_move() -> None:
    async with room(scenes.farm()) as here:
        table = here.screen(Overview).table
        table.choose("vm2/api-3")
        for name in ("vm1/web-2", "vm1/lint-all"):
            asking = here.engine.fleet.agents[name]
            here.engine.put(replace(asking, state=State.WAITING, question=scenes.permission("run: ls")))
        await here.until(lambda: table.agents[0].name == "docs-1" and table.agents[3].name == "web-2")
        assert table.chosen == "vm2/api-3"
        await here.press("x")
        assert here.screen(ConfirmSheet).intent == KillAgent("vm2/api-3", 1)


async def test_forget_asks_and_is_for_ended_agents_only() -> None:
    async with room(scenes.farm()) as here:
        await here.press("f")
        assert here.said() == "docs-1 has not ended: kill it first"
        here.screen(Overview).table.choose("vm2/old-7")
        here.app.context.forget_after = 0.01
        await here.press("f", "y")
        await here.until(lambda: here.engine.asked == [ForgetAgent("vm2/old-7", 1)])


# --------------------------------------------------------------------------- finding


@SIZES
async def test_filter_narrows_the_table_and_backspace_clears_it(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("/")
        await here.write("vm2 working")
        table = here.screen(Overview).table
        assert [row.name for row in table.agents] == ["api-3", "doc"]
        await here.press("enter")
        assert [row.name for row in table.agents] == ["api-3", "doc"]
        await here.press("enter")
        assert here.screen(AgentScreen).agent_id == "vm2/api-3"
        await here.press("q", "q")
        assert len(here.screen(Overview).table.rows) == 12


async def test_letters_typed_into_the_filter_are_not_keys() -> None:
    async with room(scenes.farm()) as here:
        await here.press("/")
        await here.write("xysq")
        assert here.engine.asked == []
        here.screen(Overview)
        assert "no agent matches" in here.text()
        await here.press("backspace", "backspace", "backspace", "backspace", "backspace")
        assert len(here.screen(Overview).table.rows) == 12


@SIZES
async def test_the_palette_finds_actions_agents_and_hosts(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press(":")
        here.screen(PaletteScreen)
        await here.write("web-2")
        await here.press("enter")
        assert here.screen(AgentScreen).agent_id == "vm1/web-2"
        await here.press(":")
        await here.write("vm2.example")
        await here.press("enter")
        assert here.screen(HostsScreen).table.chosen == "vm2"
        await here.press("q", "q", ":")
        await here.write("start an agent")
        await here.press("enter")
        here.screen(SpawnForm)


async def test_the_palette_holds_every_action_of_the_screen_greyed_with_its_reason() -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        await here.press(":")
        names = {find.name for find in here.screen(PaletteScreen).query_one(Finds).rows}
        here_done = {action.name for action in DEFAULT.on_screen("overview")} - {"palette"}
        assert names >= {f"action {name}" for name in here_done}
        assert names >= {f"agent {agent}" for agent in here.engine.fleet.agents}
        assert names >= {f"host {host}" for host in here.engine.fleet.hosts}
        await here.write("remove an ended")
        assert "docs-1 has not ended" in here.text()


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("stop", "kill"),
        ("quit", "back"),
        ("pause", "pause"),
        ("copy", "attach"),
        ("budget", "costs"),
        ("approve", "allow"),
        ("rasgn", "reassign"),
        ("wb2", "web-2"),
        ("restart", "retry"),
        ("ssh", "attach"),
        ("raise", "costs"),
    ],
)
async def test_the_palette_knows_other_words_and_finds_by_letters(typed: str, title: str) -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        await here.press(":")
        await here.write(typed)
        finds = here.screen(PaletteScreen).query_one(Finds).rows
        assert title in [find.title for find in finds][:5]
        await here.write("qqqq")
        assert "nothing matches" in here.text()


def test_every_action_stands_in_one_group_of_the_help() -> None:
    grouped = [name for names in GROUPS.values() for name in names.split()]
    assert sorted(grouped) == sorted(action.name for action in ACTIONS)
    assert set(OTHER_WORDS) <= set(grouped)


@SIZES
async def test_help_is_in_groups_and_is_searched(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("?", "/")
        await here.write("forget")
        await here.press("enter")
        shown = " ".join(here.text().split())
        assert "Remove an ended agent" in shown
        assert "Start an agent" not in shown
        assert "/forget" in shown
        await here.press("escape")
        here.screen(HelpScreen)
        assert [line for line in here.text().splitlines() if line.strip() == "look"]
        await here.press("/")
        await here.write("no such thing")
        assert "nothing matches" in here.text()
        await here.press("escape", "q")
        assert not isinstance(here.app.screen, HelpScreen)


@pytest.mark.parametrize(("keys", "where"), [([], "overview"), (["enter"], "agent"), (["h"], "hosts")])
async def test_help_explains_the_screen_one_is_on(keys: list[str], where: str) -> None:
    async with room(scenes.farm(), size=(120, 80)) as here:
        await here.press(*keys, "?")
        here.screen(HelpScreen)
        shown = " ".join(here.text().split())
        for action in DEFAULT.on_screen(where):
            assert action.help in shown
        await here.press("?")
        assert not isinstance(here.app.screen, HelpScreen)


def test_every_action_of_the_table_can_be_done() -> None:
    from controlroom.tui.actions.actions import ACTS

    assert set(ACTS) == {action.name for action in ACTIONS}


async def test_the_pane_follows_the_cursor() -> None:
    fleet = scenes.farm()
    async with room(fleet, scenes.logs(fleet), size=WIDE) as here:
        pane = here.screen(Overview).pane
        await here.press("j", "j")
        assert pane.agent is not None
        assert pane.agent.id == "vm1/seed-9"
        here.screen(Overview).table.choose("vm1/lint-all")
        await here.until(lambda: "unused import" in here.text())


async def test_digits_choose_rows() -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        await here.press("7")
        assert here.screen(Overview).table.chosen == "vm2/api-3"


# --------------------------------------------------------------------------- taps


async def test_rows_and_footer_can_be_tapped() -> None:
    async with room(scenes.farm(), size=PHONE) as here:
        table = here.screen(Overview).table
        await here.pilot.click(table, offset=(5, 6))
        await here.pilot.pause()
        assert here.screen(AgentScreen).agent_id == "vm2/api-3"
        await here.press("q")
        footer = here.text().splitlines()[-1]
        await here.pilot.click("#keys", offset=(footer.index("spawn"), 0))
        await here.pilot.pause()
        here.screen(SpawnForm)


async def test_a_tap_answers() -> None:
    async with room(scenes.farm(), size=PHONE) as here:
        await here.press("enter")
        panel = here.screen(AgentScreen).pane.question
        line = here.text().splitlines()[panel.region.bottom - 1]
        here.clock.pass_(2)
        await here.pilot.click(panel, offset=(line.index("deny"), panel.size.height - 1))
        await here.pilot.pause()
        assert here.engine.asked == [AnswerQuestion("vm1/docs-1", "q-1", Verdict.DENY)]


async def test_a_tap_on_a_wide_screen_chooses_and_the_second_opens() -> None:
    async with room(scenes.farm(), size=WIDE) as here:
        table = here.screen(Overview).table
        await here.pilot.click(table, offset=(5, 4))
        await here.pilot.pause()
        assert here.screen(Overview).table.chosen == "vm1/test-4"
        await here.pilot.click(table, offset=(5, 4))
        await here.pilot.pause()
        assert here.screen(AgentScreen).agent_id == "vm1/test-4"


# --------------------------------------------------------------------------- why not


async def test_what_cannot_be_done_says_why() -> None:
    async with room(scenes.farm()) as here:
        here.screen(Overview).table.choose("vm1/seed-9")
        await here.press("x")
        assert here.said() == "seed-9 has ended: exit 1: not logged in"
        await here.press("y")
        assert here.said() == "seed-9 asks nothing now"


async def test_without_hosts_the_screen_teaches() -> None:
    async with room(Fleet(), size=PHONE) as here:
        assert "No hosts yet" in here.text()
        await here.press("s")
        assert here.said() == "add a host first"


async def test_without_agents_the_screen_teaches() -> None:
    async with room(replace(scenes.farm(), agents={}), size=PHONE) as here:
        assert "No agents yet" in here.text()
        assert "Press s to start one" in here.text()


@SIZES
async def test_e_explains_the_chosen_agent(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        here.screen(Overview).table.choose("vm1/seed-9")
        await here.press("e")
        assert here.screen(ReportSheet).heading == "why vm1/seed-9 failed"
        shown = here.text()
        assert "exit 1" in shown
        for _ in range(3):
            await here.press("space")
        assert "[key r]" in " ".join(here.text().split())
        await here.press("q", "enter", "e")
        assert here.screen(ReportSheet).heading == "why vm1/seed-9 failed"
        await here.press("q")
        here.screen(AgentScreen)


async def test_no_motion_hides_an_action() -> None:
    async with room(scenes.farm()) as here:
        for keys in ([], ["enter"], ["q", "h"]):
            await here.press(*keys)
            screen = here.screen(RoomScreen)
            taken = {key for motion in screen.motions() for key in motion.keys.split()}
            assert not taken & {action.key for action in screen.actions()}, screen
