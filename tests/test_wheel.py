"""What is installed: a wheel built by the project's own build backend holds more than code, and works from there."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from controlroom.client.manual import TOPICS
from tests.documents import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_pages_themes_and_the_mark_of_types_are_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"controlroom/manual/{topic}.md" for topic in TOPICS} <= names
    assert {f"controlroom/themes/{path.name}" for path in (ROOT / "themes").glob("*.toml")} <= names
    assert "controlroom/py.typed" in names


def test_help_shows_a_page_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    words = [sys.executable, "-m", "controlroom", "help", "hosts"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("# Hosts\n"), done.stderr
