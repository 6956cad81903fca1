"""Somebody who is not looking is told, over every way there is; what cannot be sent is a line in the log."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from controlroom.domain.news import GATHER, NewsKind, Wish
from controlroom.engine.config import config
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.engine.notify.notifier import Notifier, Outlet
from controlroom.protocol.home import Home
from controlroom.wire.messages import QuestionSeen
from tests.engine.rooms import Room, room
from tests.engine.scripted import ScriptedHost, seen
from tests.lab.world import World

WISH = Wish(frozenset(NewsKind))


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A web server that keeps what it is told; every path but /no is fine."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append({"path": self.path, **json.loads(body)})
            self.send_response(403 if self.path == "/no" else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


def ask(host: ScriptedHost, name: str, at: int, token: str = "") -> None:
    question = QuestionSeen("q1", "Bash", f"git push {token}", at)
    host.agents[name] = seen(name, state="waiting", question=question)
    host.show()


async def told(here: Room, host: ScriptedHost, ways: dict[str, Outlet], name: str = "a1") -> None:
    """Have an agent ask something, and let the time pass in which news are gathered."""
    host.agents[name] = seen(name)
    host.show()
    await here.until(lambda: f"vm1/{name}" in here.engine.store.fleet.agents)
    notifier = Notifier(here.engine.store, {name: (way, WISH) for name, way in ways.items()}, lambda at: 0)
    notifier.start()
    ask(host, name, here.now, "sk-ant-api03-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    await here.until(lambda: here.agent(f"vm1/{name}").question is not None)
    await notifier.wait_idle()
    here.now += GATHER
    host.agents[f"{name}-too"] = seen(f"{name}-too")
    host.show()
    await here.until(lambda: f"vm1/{name}-too" in here.engine.store.fleet.agents)
    await notifier.wait_idle()
    await notifier.close()


async def test_every_way_gets_it_once_and_without_secrets(
    home: World, hook: tuple[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    address, got = hook
    kept = tmp_path / "kept"
    (tmp_path / "url").write_text(f"http://{address}/token-in-a-file\nrest\n")
    ways = {
        "script": Outlet(command=("sh", "-c", f"cat > {kept}")),
        "hook": Outlet(url=f"http://{address}/hook"),
        "file": Outlet(url_file=str(tmp_path / "url")),
        "apprise": Outlet(url=f"json://{address}/apprise"),
    }
    host = ScriptedHost("vm1")
    async with room(host) as here:
        await told(here, host, ways)
    message = json.loads(kept.read_text())
    assert message["title"] == "vm1/a1 wants to run: git push sk-ant-…"
    assert [item["kind"] for item in message["news"]] == ["question"]
    assert sorted(item["path"] for item in got) == ["/apprise", "/hook", "/token-in-a-file"]
    assert all("sk-ant-api03" not in json.dumps(item) for item in got)
    assert all(item["title"].startswith("vm1/a1 wants to run") for item in got)


async def test_what_cannot_be_sent_is_said_in_the_log_and_harms_nobody(
    home: World, hook: tuple[str, list[dict[str, Any]]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address, _ = hook
    ways = {
        "no": Outlet(url=f"http://{address}/no"),
        "closed": Outlet(url="http://127.0.0.1:9/"),
        "strange": Outlet(url="nonsense"),
        "missing": Outlet(command=("/nonexistent/program",)),
        "sad": Outlet(command=("sh", "-c", "cat > /dev/null; echo 'no paper left' >&2; exit 3")),
        "gone": Outlet(url_file=str(tmp_path / "nothing")),
    }
    host = ScriptedHost("vm1")
    async with room(host) as here:
        with caplog.at_level(logging.WARNING, "controlroom.notify"):
            await told(here, host, ways)
        alarms = here.engine.store.fleet.alarms
    said = sorted(record.getMessage() for record in caplog.records)
    assert len(said) == len(ways), said
    text = "\n".join(said)
    for words in (
        "answered 403",
        "cannot be reached",
        "does not know such an address",
        "No such file",
        "no paper left",
    ):
        assert words in text
    assert alarms.keys() >= {f"notify {name}" for name in ways}
    assert "[notify.closed] of config.toml: the server cannot be reached" in alarms["notify closed"].text
    assert "no paper left" not in alarms["notify sad"].text  # watchers see alarms too


async def test_an_outlet_that_works_again_is_no_longer_an_alarm(home: World, tmp_path: Path) -> None:
    (gate := tmp_path / "gate").touch()
    ways = {"door": Outlet(command=("sh", "-c", f"cat > /dev/null; test ! -e {gate}"))}
    host = ScriptedHost("vm1")
    async with room(host) as here:
        await told(here, host, ways)
        assert "notify door" in here.engine.store.fleet.alarms
        gate.unlink()
        await told(here, host, ways, "a3")
        assert "notify door" not in here.engine.store.fleet.alarms


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('desktop = true\nurl = "https://x"', "say one of"),
        ('desktop = true\nquiet = "22-7"', "22:00-07:00"),
        ('desktop = true\nabout = ["everything"]', "notify.me.about.0"),
        ("desktop = true\npause = -1", "0 or more"),
    ],
)
def test_a_wrong_wish_is_one_sentence(tmp_path: Path, table: str, problem: str) -> None:
    with pytest.raises(ConfigProblem, match=problem):
        _config(tmp_path, f"[notify.me]\n{table}\n")


def test_a_wish_in_the_engines_terms(tmp_path: Path) -> None:
    read = _config(
        tmp_path, '[notify.me]\ndesktop = true\nquiet = "22:30-07:00"\npause = 1.5\n[notify.off]\npause = 3\n'
    )
    assert list(read.outlets) == ["me"]
    way, wish = read.outlets["me"]
    assert way.desktop
    assert (wish.quiet, wish.pause) == ((22 * 60 + 30, 7 * 60), 1500)


def _config(folder: Path, text: str) -> config.Config:
    home = Home(folder, folder, folder)
    home.config.write_text(text)
    return config.load(home)
