"""A file is replaced whole or stays as it was, and nobody else may read it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from controlroom.engine.atomic_file import replace_file


def test_it_is_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("the old one, which was longer and readable by all")
    path.chmod(0o644)
    (tmp_path / ".a.toml.new").write_text("left behind by one that was killed, and longer")
    with open(path) as old:
        replace_file(path, b"new")
        assert old.read().startswith("the old one"), "who reads it reads it to its end"
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_when_that_fails_it_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.toml"
    replace_file(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"new")
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


def test_a_link_beside_it_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("of somebody")
    (tmp_path / ".a.toml.new").symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        replace_file(tmp_path / "a.toml", b"new")
    assert other.read_text() == "of somebody"
