"""`controlroom mcp`: serves the tools of a lead over stdin and stdout, by the official SDK. Nothing else imports it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

from controlroom import __version__
from controlroom.client.transport import EngineUnavailable
from controlroom.mcp.handlers import bounded
from controlroom.mcp.session import LeadSession, ToolRefused, unavailable_words
from controlroom.mcp.tools import BY_NAME, TOOLS, checked

log = logging.getLogger("controlroom.mcp")

_INSTRUCTIONS = (
    "You lead agents of a Control Room: you start them, see how they get on, and end them. Begin with status: it says "
    "what you may do and what is left of your money. What you were not given is refused; do not try to get round it."
)


def run(token: str, said: Callable[[str], None]) -> int:
    """Serve until the agent leaves; give the exit code. `said` is told in a sentence what keeps it from serving."""
    return asyncio.run(_serve(LeadSession(token), said))


async def _serve(session: LeadSession, said: Callable[[str], None]) -> int:
    try:
        await session.client()
    except EngineUnavailable as problem:
        said(str(problem))  # the tools say so as well, and work once there is an engine
    server = Server(
        "controlroom",
        version=__version__,
        instructions=_INSTRUCTIONS,
        on_list_tools=lambda ctx, params: _listed(session),
        on_call_tool=lambda ctx, params: _called(session, ctx, params),
    )
    try:
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
    finally:
        await session.close()
    return 0


async def _listed(session: LeadSession) -> types.ListToolsResult:
    """Name the tools that the lead was given; all of them while that is not known: the engine decides."""
    try:
        lead = await session.lead()
        tools = [tool for tool in TOOLS if lead.may(tool.verb)]
    except (EngineUnavailable, ToolRefused):
        tools = list(TOOLS)
    return types.ListToolsResult(
        tools=[types.Tool(name=tool.name, description=tool.says, input_schema=tool.schema) for tool in tools]
    )


async def _called(
    session: LeadSession, ctx: ServerRequestContext[Any], params: types.CallToolRequestParams
) -> types.CallToolResult:
    tool = BY_NAME.get(params.name)
    try:
        if tool is None:
            raise ToolRefused(f"there is no tool {ascii(params.name)[:60]}")
        return _told(bounded(await tool.run(session, checked(tool, params.arguments or {}))))
    except ToolRefused as no:
        return _told(bounded(str(no)), is_error=True)
    except EngineUnavailable as no:
        return _told(bounded(unavailable_words(no)), is_error=True)
    except Exception:  # our own mistake: the agent is told in a sentence, and goes on
        log.exception("a tool failed")
        return _told("Control Room made a mistake and did not do that; look with status, then try again", is_error=True)


def _told(text: str, *, is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=is_error)
