"""The engine, as a lead talks to it: by its token, over the socket for leads, connected again when that is lost."""

import asyncio
import os
from pathlib import Path

from controlroom.client.client import Client
from controlroom.client.transport import EngineUnavailable, Here, NoAnswer, NoEngine
from controlroom.domain.intents import Intent
from controlroom.domain.lead_rights import is_own
from controlroom.domain.leads import Lead
from controlroom.domain.model import Agent
from controlroom.protocol.home import HomeProblem, check_private, engine_place, find_home
from controlroom.text.states import Outcome

TOKEN, TOKEN_FILE = "CONTROLROOM_LEAD_TOKEN", "CONTROLROOM_LEAD_TOKEN_FILE"
"""Variables: the token itself, or the file that holds it."""

_LONGEST = 4096

_LOOK = "Look first (status, task_list), and want it again only if it was not done."


class NoToken(Exception):
    """There is no token to speak with; the text says why, and what to do."""


class ToolRefused(Exception):
    """A tool does nothing, or nobody knows whether it did; the text says why, and what to do."""


WAIT = (
    "Your agents go on meanwhile, within what they may spend. You cannot start the engine yourself: wait, then call "
    "this again; if it stays so, tell whoever you work for."
)
"""What a lead is told whose engine is not there."""


def unavailable_words(problem: EngineUnavailable) -> str:
    """Say that a tool did nothing because there was no engine to ask, and what to do."""
    gone = isinstance(problem, NoEngine | NoAnswer)
    return f"Nothing was done: {problem}. {WAIT}" if gone else f"Nothing was done: {problem}"


def read_token(path: str) -> str:
    """Read the token from a file, else as the environment has it; it is taken out of there. Raises `NoToken`."""
    told, named = os.environ.pop(TOKEN, ""), path or os.environ.get(TOKEN_FILE, "")
    if not named:
        if told:
            return told.strip()
        raise NoToken(f"no token: set {TOKEN_FILE} to the file that controlroom lead add has written")
    place = Path(named).expanduser()
    try:
        check_private(place)
        with place.open("rb") as file:
            data = file.read(_LONGEST)
    except HomeProblem as problem:
        raise NoToken(str(problem)) from None
    except OSError as error:
        raise NoToken(f"the token in {place} cannot be read: {error.strerror}") from None
    return data.decode("utf-8", "replace").strip()


class LeadSession:
    """A lead at its engine. All methods raise `EngineUnavailable`, and `ToolRefused` where something is not given."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._client: Client | None = None
        self._turn = asyncio.Lock()

    async def client(self) -> Client:
        """Return the connection, made anew where it was lost."""
        async with self._turn:
            if self._client is not None and self._client.connected:
                return self._client
            await self.close()
            home = find_home(os.environ)
            try:
                place = engine_place(home, os.environ)
            except HomeProblem as problem:
                raise EngineUnavailable(str(problem)) from None
            if place:
                raise EngineUnavailable(f"the engine of this room is on {place}, and a lead works where its engine is")
            way = Here(home, os.environ, leading=True)
            self._client = await Client.connect(start=False, role="lead", way=way, token=self._token)
            return self._client

    async def close(self) -> None:
        """Leave the engine."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def lead(self) -> Lead:
        """Return what this lead may do, as the engine has it now."""
        leads = (await self.client()).fleet.leads
        if not leads:
            raise ToolRefused("this lead may do nothing any more: it was removed, or its time is over")
        return next(iter(leads.values()))

    async def agent(self, name: str) -> Agent:
        """Find one of the lead's own agents by id, or by a name that is the only one."""
        client, lead = await self.client(), await self.lead()
        own = {key: agent for key, agent in client.fleet.agents.items() if is_own(client.fleet, lead.name, key)}
        named = [agent for key, agent in own.items() if name in (key, agent.name)]
        if len(named) != 1:
            which = "several agents are called" if named else "you have no agent"
            raise ToolRefused(f"{which} {ascii(name)[:90]}; yours: {', '.join(sorted(own)) or 'none'}")
        return named[0]

    async def submit(self, intent: Intent, done: str) -> str:
        """Have something done; give what became of it, in words."""
        client = await self.client()
        try:
            result = await client.submit(intent)
        except NoAnswer as problem:
            raise ToolRefused(f"It is not known whether this was done: {problem}. {_LOOK} {WAIT}") from None
        if not result.ok:
            look = f". {_LOOK}" if result.outcome is Outcome.UNKNOWN else ""
            raise ToolRefused(f"{result.outcome}: {result.reason or 'no reason was given'}{look}")
        about = f" ({result.agent})" if result.agent else ""
        return f"{done}{about}{': ' + result.reason if result.reason else ''}"
