"""What home asks that changes nothing here: any room may, and each inquiry is answered, with a reason if need be."""

import asyncio
import base64
import os
import secrets
from collections.abc import Awaitable, Callable

from controlroom.node.adopted.agents import AdoptedAgents
from controlroom.node.agent_folders import entry_of, read_order
from controlroom.node.login_shell import LoginEnvironment, alias_of
from controlroom.node.logs.searcher import search
from controlroom.node.observation.checkup import checked
from controlroom.node.place import Place
from controlroom.node.tmux.server import Screen, TmuxError
from controlroom.runner.agent_process import find_program
from controlroom.runner.files import read_regular
from controlroom.runner.folder import TASK
from controlroom.text.names import is_adopted_name, shown_name_problem
from controlroom.wire.codec import decode
from controlroom.wire.inquiries import Check, Finding, Inquiry, ReadSpec, ScreenShown, Search, ShowScreen, SpecRead
from controlroom.wire.lines import MAX_TASK, PeerError
from controlroom.wire.spec import AgentSpec

SCREEN_LIMIT = 256 * 1024
"""Bytes of one screen at most, colours included."""


class Inquirer:
    """Answers for one place."""

    def __init__(
        self, place: Place, login: Callable[[], Awaitable[LoginEnvironment]], foreign: AdoptedAgents | None = None
    ) -> None:
        """`login`: asks for the environment that agents get; `foreign`: who knows the agents that others started."""
        self._place, self._login, self._adopted = place, login, foreign

    async def answer(self, asked: Inquiry) -> Finding:
        """Find out. Never raises but for a mistake of ours."""
        if isinstance(asked, ReadSpec):
            return self._read_spec(asked)
        if isinstance(asked, Search):
            return await search(self._place.state, asked)
        if isinstance(asked, Check):
            login = await self._login()
            alias = await alias_of("claude", os.environ, secrets.token_hex(16)) if _lacks_claude(login) else ""
            return await asyncio.to_thread(checked, asked.id, self._place, login, alias)
        return await self._show_screen(asked)

    def _read_spec(self, asked: ReadSpec) -> SpecRead:
        entry = entry_of(self._place.state, asked.name, asked.epoch)
        if entry is None:
            return SpecRead(asked.id, reason=f"{ascii(asked.name)[:60]} (epoch {asked.epoch}) is not on this host")
        try:
            spec = decode(AgentSpec, read_order(entry).get("spec"))
            task = read_regular(os.path.join(entry.folder, TASK), MAX_TASK)
        except (OSError, PeerError) as error:
            return SpecRead(asked.id, reason=f"what {asked.name} was to do cannot be read: {error}"[:500])
        return SpecRead(asked.id, spec, task.decode("utf-8", "replace"))

    async def _show_screen(self, asked: ShowScreen) -> ScreenShown:
        if problem := shown_name_problem(asked.name):
            return ScreenShown(asked.id, reason=problem)
        try:
            screen = await self._screen(asked.name)
        except TmuxError as error:
            return ScreenShown(asked.id, reason=str(error))
        if screen is None:
            return ScreenShown(asked.id, reason=f"{asked.name} has no terminal now: its tmux session is gone")
        data = "\n".join(screen.lines).encode("utf-8", "surrogateescape")[:SCREEN_LIMIT]
        return ScreenShown(asked.id, base64.b64encode(data).decode(), screen.columns, screen.rows)

    async def _screen(self, name: str) -> Screen | None:
        """Look at a terminal: of an agent of ours, or of one that others started in tmux. Raises `TmuxError`."""
        if not is_adopted_name(name):
            return await self._place.tmux.screen(name)
        spot = self._adopted.find(name) if self._adopted else None
        if self._adopted is None or spot is None or not spot.pane:
            raise TmuxError(
                f"{name} is gone" if spot is None else f"{name} runs outside of tmux: no terminal of it is seen"
            )
        return await self._adopted.tmux.tmux.screen(name, spot.pane)


def _lacks_claude(login: LoginEnvironment) -> bool:
    home, path = os.path.expanduser("~"), login.variables.get("PATH", os.defpath)
    return find_program("claude", path, home, home) is None
