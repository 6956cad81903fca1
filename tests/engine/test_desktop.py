"""A desktop notification holds no markup of an agent's, and its words stand in no argument that others can read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from controlroom.engine.notify.send import NotSent, send

HOSTILE = '<a href="http://x">click</a> <img src="/etc/passwd"/> & <b>now</b>'
NEWS = [{"kind": "question", "about": "vm1/a1", "text": HOSTILE, "at": 1}]
MESSAGE = {"title": f"a1 asks: {HOSTILE}", "body": HOSTILE, "news": NEWS, "desktop": True}


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A session bus of its own."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("there is no dbus-daemon")
    argv = ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1"]
    daemon = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert daemon.stdout
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", daemon.stdout.readline().strip())
    yield
    daemon.kill()
    daemon.wait()
    daemon.stdout.close()


@pytest.fixture
def shown(bus: None) -> Iterator[list[Any]]:
    """What the desktop was asked to show, one list of arguments each."""
    jeepney = pytest.importorskip("jeepney")
    message_bus = import_module("jeepney.bus_messages").message_bus
    open_dbus_connection = import_module("jeepney.io.blocking").open_dbus_connection
    got: list[Any] = []
    service = open_dbus_connection(bus="SESSION")
    service.send_and_get_reply(message_bus.RequestName("org.freedesktop.Notifications"), timeout=60)

    def serve() -> None:
        message = service.receive(timeout=60)
        while message.header.message_type != jeepney.MessageType.method_call:
            message = service.receive(timeout=60)
        got.append(message.body)
        service.send(jeepney.new_method_return(message, "u", (1,)))

    thread = threading.Thread(target=serve)
    thread.start()
    yield got
    thread.join(60)
    service.close()


def test_its_words_are_words(shown: list[Any]) -> None:
    send(MESSAGE)
    (asked,) = shown
    assert asked[0] == "Control Room"
    assert not set("<>&") & set(asked[3])
    assert asked[4].startswith("&lt;a href=")
    assert "<" not in asked[4]


def test_a_desktop_that_takes_none_is_a_sentence(bus: None) -> None:
    pytest.importorskip("jeepney")
    with pytest.raises(NotSent, match="is there a notification service"):
        send(MESSAGE)


def test_without_a_library_no_word_of_an_agent_stands_in_an_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{tmp_path}/argv"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules, "jeepney", None)
    send(MESSAGE)
    said = (tmp_path / "argv").read_text()
    assert "vm1/a1: question" in said
    assert "href" not in said
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NotSent, match="notify-send"):
        send(MESSAGE)
