"""Reads and replaces a TOML file, without knowing what stands in it."""

from pathlib import Path
from typing import Any

import tomli_w
import tomllib

from controlroom.engine.atomic_file import replace_file
from controlroom.protocol.home import HomeProblem, check_private

MAX_FILE = 4 * 1024 * 1024
"""Bytes of a config file at most."""


class ConfigProblem(Exception):
    """The config is wrong; the text names file and key, what stands there and what was expected."""


def parsed(path: Path) -> dict[str, Any]:
    """Parse a TOML file; a missing one is an empty one. Raises `ConfigProblem` with one sentence."""
    try:
        check_private(path)
        with open(path, "rb") as file:
            data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise ConfigProblem(f"{path}: {MAX_FILE} bytes are the most that a config may have")
        return tomllib.loads(data.decode())
    except FileNotFoundError:
        return {}
    except HomeProblem as problem:
        raise ConfigProblem(str(problem)) from None
    except OSError as error:
        raise ConfigProblem(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigProblem(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        from controlroom.text.sanitize import redact  # the first frame does not wait for it

        raise ConfigProblem(redact(f"{path} is not TOML: {str(error)[:200]}")) from None


def stamp(path: Path) -> tuple[int, int, int] | None:
    """What is another one when a file has been written; None: there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def write(path: Path, head: str, tables: dict[str, Any]) -> None:
    """Write a TOML file whole, comments first. Raises `ConfigProblem`; the file is then as it was."""
    try:
        replace_file(path, (head + tomli_w.dumps(tables)).encode())
    except OSError as error:
        raise ConfigProblem(f"{path} cannot be written: {error.strerror}") from None
