"""The figures as a file for a collector: read by the parser of who made the format, bounded, and free of secrets."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from controlroom.domain.exposition import MOST_NAMES, families
from controlroom.domain.figures import Figures, Hour, figures
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.history import Metric
from controlroom.domain.model import Fleet
from controlroom.domain.money.costs import CostRow
from controlroom.engine.config.config import ConfigProblem, load
from controlroom.engine.metrics_file import exposition
from controlroom.protocol.home import find_home
from controlroom.text.states import Payer
from tests.domain.worlds import NOON, agent, host
from tests.engine.rooms import room
from tests.engine.scripted import ScriptedHost
from tests.lab.world import World

OPENMETRICS, PLAIN = "prometheus_client.openmetrics.parser", "prometheus_client.parser"

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

HOSTILE = ('a"b\\c', "line\nbreak", "\x1b[31mred", 'x"} 1\n# EOF\n', "‮flip", "k" * 5_000)


def known(fleet: Fleet, **more: object) -> Figures:
    return replace(figures(fleet, NOON, Hour(), (), {}, NOON), **more)  # type: ignore[arg-type]


def parsed(text: bytes, parser: str = OPENMETRICS) -> list[Any]:
    """The samples that a parser of `prometheus_client` finds, which is loaded here alone."""
    found = import_module(parser).text_string_to_metric_families(text.decode())
    return [sample for family in found for sample in family.samples]


def read(text: bytes) -> Samples:
    """What stands in a file, by name and labels."""
    samples = parsed(text)
    found = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def test_its_own_parser_reads_all_that_is_known() -> None:
    fleet = Fleet("r", {"vm1": host("vm1")}, {"vm1/a": agent("a")})
    rows = (CostRow("docs", Payer.API, input=70, output=5, micro=1_500_000),)
    known_now = known(fleet, rows=rows, answer_median=4_200, answer_95=31_000, oldest_wait=90_000, waiting=3)
    samples = read(exposition(families(fleet, known_now, {Metric.DONE: 12, Metric.RATE_LIMITED: 3})))
    expected = {
        ("controlroom_tasks", (("state", "waiting"),)): 3,
        ("controlroom_tasks_done_total", ()): 12,
        ("controlroom_api_refused_total", (("status", "429"),)): 3,
        ("controlroom_api_answer_seconds", (("quantile", "0.95"),)): 31,
        ("controlroom_oldest_wait_seconds", ()): 90,
        ("controlroom_agents", (("state", "working"),)): 1,
        ("controlroom_day_tokens", (("kind", "input"), ("profile", "docs"))): 70,
        ("controlroom_day_usd", (("billing", "api"), ("profile", "docs"))): 1.5,
    }
    assert expected.items() <= samples.items()


def test_what_is_not_known_has_no_sample() -> None:
    names = {name for name, _ in read(exposition(families(Fleet("r"), known(Fleet("r")), {})))}
    assert "controlroom_tasks_done_total" in names
    unknown = {"oldest_wait_seconds", "api_answer_seconds", "busy_ratio", "agent_hour_usd", "finished_task_usd"}
    assert not names & {f"controlroom_{name}" for name in unknown}


def test_node_exporter_can_read_it_too() -> None:
    text = exposition(families(Fleet("r"), known(Fleet("r")), {}))
    kinds = {line.split()[3] for line in text.decode().splitlines() if line.startswith("# TYPE")}
    assert kinds <= {"counter", "gauge"}  # its parser refuses the whole file for any other
    assert {sample.timestamp for sample in parsed(text, PLAIN)} == {None}


def test_names_of_others_break_nothing_and_tell_no_secret() -> None:
    secret = "sk-ant-api03-" + "s3cr3t" * 8
    rows = tuple(CostRow(name, Payer.API, input=1, micro=1) for name in (*HOSTILE, secret))
    limits = [Headroom(name, name, LimitKind.WINDOW, 10, 100) for name in HOSTILE]
    fleet = Fleet("r", headroom={one.key: one for one in limits})
    text = exposition(families(fleet, known(fleet, rows=rows), {}))
    samples = read(text)
    assert b"s3cr3t" not in text
    assert b"\x1b" not in text
    assert len([name for name, _ in samples if name == "controlroom_day_usd"]) == len(rows)
    assert max(len(value) for _, labels in samples for _, value in labels) <= 101  # with the sign that it was cut


def test_names_are_bounded_and_the_most_used_stay() -> None:
    rows = tuple(CostRow(f"p{number}", Payer.API, input=1, micro=number) for number in range(10 * MOST_NAMES))
    limits = [Headroom(f"a{number}", "week", LimitKind.WINDOW, number % 100, 100) for number in range(5 * MOST_NAMES)]
    fleet = Fleet("r", headroom={one.key: one for one in limits})
    samples = read(exposition(families(fleet, known(fleet, rows=rows), {})))
    names = [name for name, _ in samples]
    assert names.count("controlroom_day_usd") == names.count("controlroom_limit_used_ratio") == MOST_NAMES
    assert names.count("controlroom_day_tokens") == 5 * MOST_NAMES
    assert ("controlroom_day_usd", (("billing", "api"), ("profile", f"p{10 * MOST_NAMES - 1}"))) in samples


def configured(metrics: str) -> None:
    """Write the config of the room."""
    place = find_home(os.environ)
    place.prepare()
    place.config.write_text(f'local = false\n[hosts.vm1]\naddress = "ann@vm1"\n[metrics]\n{metrics}\n')
    place.config.chmod(0o600)


async def test_an_engine_keeps_the_file_new_and_leaves_no_half_of_one(home: World, tmp_path: Path) -> None:
    file = tmp_path / "controlroom.prom"
    configured(f'file = "{file}"\nmode = "0640"\ninterval_seconds = 5')
    async with room(ScriptedHost()) as here:
        await here.until(lambda: os.path.exists(file))
        written = await asyncio.to_thread(file.read_bytes)
        assert ("controlroom_agents_most", ()) in read(written)
        assert stat.S_IMODE(os.stat(file).st_mode) == 0o640
        assert [name for name in os.listdir(tmp_path) if ".prom" in name] == [file.name]
        assert "metrics" not in here.engine.store.fleet.alarms


async def test_a_file_that_cannot_be_written_is_an_alarm(home: World, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "controlroom.prom"
    configured(f'file = "{file}"')
    async with room(ScriptedHost()) as here:
        await here.until(lambda: "metrics" in here.engine.store.fleet.alarms)
        told = here.engine.store.fleet.alarms["metrics"].text
        assert told == f"the metrics file {file} is not written: No such file or directory"


@pytest.mark.parametrize("file", ["relative.prom", "./x"])
def test_a_path_that_is_not_whole_is_refused(home: World, file: str) -> None:
    configured(f'file = "{file}"')
    with pytest.raises(ConfigProblem, match=r"config\.toml: metrics\.file: .*expected a whole path, from / or ~ on"):
        load(find_home(os.environ))


def test_nothing_is_loaded_where_no_file_is_wished() -> None:
    script = "import sys, controlroom.engine.engine; print([name for name in sys.modules if 'prometheus' in name])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "[]\n"


async def test_where_what_makes_the_text_is_missing_an_alarm_says_what_to_install(
    home: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client.metrics_core", None)
    configured(f'file = "{tmp_path / "controlroom.prom"}"')
    async with room(ScriptedHost()) as here:
        await here.until(lambda: "metrics" in here.engine.store.fleet.alarms)
        told = here.engine.store.fleet.alarms["metrics"].text
        assert told.endswith("is not written: pip install 'controlroom[metrics]'")
        assert "controlroom.prom" not in os.listdir(tmp_path)


async def test_the_alarm_ends_when_the_file_can_be_written_again(home: World, tmp_path: Path) -> None:
    folder = tmp_path / "later"
    configured(f'file = "{folder / "controlroom.prom"}"\ninterval_seconds = 5')
    async with room(ScriptedHost()) as here:
        await here.until(lambda: "metrics" in here.engine.store.fleet.alarms)
        os.mkdir(folder)
        await here.until(lambda: "metrics" not in here.engine.store.fleet.alarms)
        assert os.listdir(folder) == ["controlroom.prom"]
