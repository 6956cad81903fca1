"""status.json: the truth about one agent, replaced as a whole.

A reserve file of one block stands beside it: on a full disk it gives way, so that the last words can still be written.
"""

import contextlib
import json
import os
from typing import Any

from controlroom.runner import folder
from controlroom.runner.files import create, read_regular, write_atomic
from controlroom.runner.spec import Order
from controlroom.text.sanitize import redact
from controlroom.text.states import State
from controlroom.wire.records import FORMAT

_NEW, _RESERVE = folder.STATUS + ".new", folder.STATUS + ".reserve"
_RESERVE_BYTES = 16 * 1024
_LIMIT = 1024 * 1024


def first(order: Order, task: str, now: int) -> dict[str, Any]:
    """Return the fields of an agent that is about to be started."""
    spec = order.spec
    return {
        "name": order.name,
        "epoch": order.epoch,
        "kind": spec.kind,
        "state": State.STARTING,
        "since": now,
        "started": order.started or now,
        "profile": spec.profile,
        "model": spec.model,
        "cwd": spec.cwd,
        "task": task[:200].encode("utf-8", "replace").decode(),
        "pid": 0,
    }


def has_run() -> bool:
    """Return whether a runner has already worked on the current folder's agent."""
    try:
        value = json.loads(read_regular(folder.STATUS, _LIMIT))
    except FileNotFoundError:
        return False
    except OSError:
        return True
    except (ValueError, RecursionError):
        return True
    return bool(isinstance(value, dict) and (value.get("pid") or value.get("ended")))


class StatusFile:
    """The fields of `wire.messages.AgentSeen`, and the file in the current folder that holds them."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields: dict[str, Any] = {"format": FORMAT, **fields}
        self.repository = ""
        """The git directory that its worktree belongs to; "": none was made for it."""
        self._written = self.unsaved = False
        self._keep_reserve()

    @property
    def known(self) -> dict[str, Any]:
        """How its work began, as we know it (`worktree.look.Known`): it may change what stands in its folder."""
        base = self.fields.get("worktree", {}).get("base", "")
        return {"started": self.fields["started"], "base": base, "repository": self.repository}

    def save(self, log_bytes: int = 0, **changes: Any) -> bool:
        """Take changes and write the file when one beside `log_bytes` is new.

        False: it could not be written, try again later.
        """
        same, asked = changes.items() <= self.fields.items(), self.fields.get("question")
        self.fields.update(changes, **({"log_bytes": log_bytes} if log_bytes else {}))
        if same and self._written and not self.unsaved:
            return True
        data = redact(json.dumps(self.fields)).encode()
        self.unsaved = not (_replaced(data) or (self._give_way() and _replaced(data)))
        self._written |= not self.unsaved
        if self.fields.get("question") not in (None, asked):
            with contextlib.suppress(OSError):
                os.utime(folder.STATUS)  # the node listens for that: a question waits for no beat
        return not self.unsaved

    @staticmethod
    def _keep_reserve() -> None:
        with contextlib.suppress(OSError), open(create(_RESERVE), "wb") as file:
            file.write(b"\0" * _RESERVE_BYTES)

    @staticmethod
    def _give_way() -> bool:
        with contextlib.suppress(OSError):
            os.unlink(_RESERVE)
            return True
        return False

    @staticmethod
    def finish() -> None:
        """Remove the reserve: the last words are written."""
        with contextlib.suppress(OSError):
            os.unlink(_RESERVE)


def _replaced(data: bytes) -> bool:
    try:
        write_atomic(folder.STATUS, data, _NEW, durable=False)
    except OSError:
        return False
    return True
