"""The app on a real terminal (a pane of tmux): what it writes, when it writes nothing, and how it leaves."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tests.benchmarks.drawn import Drawn
from tests.lab.waiting import wait_for
from tests.tui.terminals import Stage, settled, stays_still


@pytest.mark.parametrize("size", [(45, 20), (120, 40), (200, 50)])
def test_an_idle_screen_writes_nothing(stage: Stage, size: tuple[int, int]) -> None:
    terminal = stage(size=size)
    terminal.wait_for_text("docs-1")
    stays_still(terminal)


def test_an_idle_grid_writes_nothing(stage: Stage) -> None:
    terminal = stage(size=(200, 50))
    terminal.wait_for_text("docs-1")
    terminal.keys("g", "a", "0", "Enter")
    terminal.wait_for_text("panes: active", "12 old-8", "The failing link")
    stays_still(terminal)


@pytest.mark.parametrize("size", [(45, 20), (200, 50)])
def test_idle_gauges_and_costs_write_nothing(stage: Stage, size: tuple[int, int]) -> None:
    terminal = stage("watched", size)
    terminal.wait_for_text("docs-1", "runs out 16:40", "2 alarms")
    for key, words in (("", "docs-1"), ("c", "$84.28 billed"), ("l", "$14 granted")):
        terminal.keys(*key)
        terminal.wait_for_text(words)
        stays_still(terminal)


def test_an_open_form_does_not_blink(stage: Stage) -> None:
    terminal = stage()
    terminal.wait_for_text("docs-1")
    terminal.keys("s")
    terminal.wait_for_text("spawn an agent")
    stays_still(terminal)


def test_benchmarks_see_which_agent_is_chosen_also_where_the_rows_move_under_the_cursor(stage: Stage) -> None:
    terminal = stage(size=(120, 16))
    terminal.wait_for_text("docs-1")
    lines, agents = list[int](), list[str]()

    def looked() -> bool:
        """Note where the cursor is by now, and whom a benchmark sees there."""
        drawn, rows = Drawn(), terminal.screen().splitlines()
        drawn.feed(terminal.raw())
        places = [index for index, row in enumerate(rows) if row.startswith("▌")]
        assert len(places) == 1
        assert drawn.chosen() == rows[places[0]].split()[1]
        assert drawn.chosen() not in agents
        lines.append(places[0])
        agents.append(drawn.chosen())
        return True

    for _ in range(12):
        wait_for(looked)
        terminal.keys("j")
    stays = [index for index in range(1, 12) if lines[index] == lines[index - 1]]
    assert any(agents[index] != agents[index - 1] for index in stays)


def test_keys_and_taps_reach_it(stage: Stage) -> None:
    terminal = stage(size=(45, 20))
    terminal.wait_for_text("docs-1")
    terminal.keys("n")
    terminal.wait_for_text("Which region?", "1-2 choose")
    terminal.keys("q")
    screen = terminal.wait_for_text("seed-9")
    row = next(index for index, line in enumerate(screen.splitlines()) if "web-2" in line)
    terminal.tap(10, row)
    terminal.wait_for_text("following")


def test_a_step_of_the_cursor_paints_a_few_rows_only(stage: Stage) -> None:
    terminal = stage(size=(45, 20))
    terminal.wait_for_text("docs-1")
    before = settled(terminal)
    terminal.keys("j")
    after = wait_for(lambda: settled(terminal) > before and settled(terminal), 10)
    assert after - before < before / 8, "bytes, and all that came before it"


def test_a_resize_storm_ends_in_the_right_picture(stage: Stage) -> None:
    terminal = stage(size=(120, 40))
    terminal.wait_for_text("docs-1")
    for step in range(60):
        terminal.resize(40 + (step * 37) % 160, 8 + (step * 11) % 40)
    terminal.resize(45, 20)
    screen = terminal.wait_for_text("docs-1", "? help")
    wait_for(lambda: settled(terminal))
    screen = terminal.screen()
    assert screen.splitlines()[0].startswith(" ▲2 ●4")
    assert "14:32" in screen.splitlines()[0]


@pytest.mark.parametrize(
    "env",
    [{"NO_COLOR": "1"}, {"TEXTUAL_COLOR_SYSTEM": "standard"}, {"TEXTUAL_COLOR_SYSTEM": "256"}, {"TERM": "screen"}],
    ids=["no colour", "16", "256", "TERM=screen"],
)
def test_the_words_stand_there_in_any_colours(stage: Stage, env: dict[str, str]) -> None:
    terminal = stage(env=env)
    screen = terminal.wait_for_text("docs-1", "waiting", "failed", "limited", "y allow once")
    assert any(line.startswith("▌▲ docs-1") for line in screen.splitlines())
    assert b"\x1b[2m" not in terminal.raw()  # nothing is dim: mosh drops it


def test_the_plain_signs(stage: Stage) -> None:
    terminal = stage(env={"CONTROLROOM_GLYPHS": "ascii"})
    screen = terminal.wait_for_text("docs-1", "waiting")
    ours = "\n".join(line for line in screen.splitlines() if "翻訳" not in line)
    assert ours.isascii(), {sign for sign in ours if ord(sign) > 127}


def test_wide_characters_keep_the_columns_of_the_table(stage: Stage) -> None:
    terminal = stage(size=(200, 24))
    terminal.wait_for_text("翻訳")

    def edges() -> set[int]:
        rows = [line for line in terminal.screen().splitlines() if " doc " in line or " web-2 " in line]
        assert len(rows) > 1
        return {cell_len(row.split("▏")[0]) for row in rows}

    wait_for(lambda: len(edges()) == 1)


def test_what_is_typed_ahead_goes_where_it_was_meant(stage: Stage) -> None:
    terminal = stage(size=(120, 40))
    terminal.wait_for_text("docs-1")
    terminal.type("/vm2 wo")  # a few at once, as a phone on a thin link sends them
    terminal.wait_for_text("/ vm2 wo")
    terminal.type("rking")
    terminal.wait_for_text("2 of 12 with “vm2 working”", "/ vm2 working")
    terminal.keys("Enter")
    terminal.wait_for_text("q show all")
    terminal.type("snew ta")
    terminal.wait_for_text("spawn an agent", "new ta")
    terminal.type("sk; x")
    terminal.wait_for_text("spawn an agent", "new task; x")
    terminal.keys("Escape")
    terminal.wait_until_gone("spawn an agent")
    terminal.type(":api-3\r")
    terminal.wait_until_gone("2 of 12")
    terminal.wait_for_text("following")
    terminal.type("q")
    terminal.wait_for_text("2 of 12 with “vm2 working”", "q show all")


def test_a_paste_without_markers_fires_no_keys(stage: Stage) -> None:
    terminal = stage(size=(120, 40))
    terminal.wait_for_text("docs-1")
    terminal.type("x docs-1\ny\nyes, push it all\n")
    terminal.wait_for_text("that looked like a paste (28 characters): nothing was done")
    assert "Kill" not in terminal.screen()
    terminal.type("s")
    terminal.wait_for_text("spawn an agent")
    terminal.type("line one\nline two\n")
    terminal.wait_for_text("line one", "line two", "spawn an agent")


def test_a_kill_typed_ahead_of_its_question_does_nothing(stage: Stage) -> None:
    terminal = stage(size=(120, 40))
    terminal.wait_for_text("docs-1")
    terminal.type("xy")
    terminal.wait_for_text("Kill docs-1 on vm1?")
    settled(terminal)
    assert "Kill docs-1 on vm1?" in terminal.screen()


def test_a_kill_of_many_typed_ahead_of_its_list_does_nothing(stage: Stage) -> None:
    terminal = stage(size=(120, 40))
    terminal.wait_for_text("docs-1")
    terminal.type("*x9\r")
    screen = terminal.wait_for_text("Kill 9 agents", "9 Enter kill 9")
    settled(terminal)
    assert "9▏" not in screen
    assert "Kill 9 agents" in terminal.screen()
    terminal.type("9\r")
    terminal.wait_for_text("9 ended")


def test_exported_sizes_do_not_hold_against_the_real_one(stage: Stage) -> None:
    """Some shells export COLUMNS and LINES, and they stay when the window is made smaller."""
    terminal = stage(size=(80, 24), env={"COLUMNS": "200", "LINES": "60"})
    terminal.wait_for_text("docs-1", "? help")
    assert all(len(row) <= 80 for row in terminal.screen().splitlines())
    terminal.resize(100, 30)
    wait_for(lambda: max(map(len, terminal.screen().splitlines())) > 80, 20, "it to take the new size")
