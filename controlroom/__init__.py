"""Control Room: one screen for a fleet of AI coding agents. This page is the map; arrows point down only.

    tui/       the screen: Textual app, screens, widgets, theme         imports client and what is below it
    cli/       the verbs: data to stdout, messages to stderr            imports client and what is below it
    mcp/       the verbs of a lead, as tools for an agent (MCP)         imports client and what is below it
    demo/      a scripted agent and its scenes, on the real parts       imports node, runner, wire, metering, text
    client/    a front end's end of the socket; an agent's terminal     imports protocol, domain, wire, metering, text
    engine/    the half at home: store, orders, hosts, ledger, budgets  imports protocol, domain, wire, metering, text
    protocol/  what engine and front ends say, and where they meet      imports domain, wire, metering, text
    domain/    what is true and what may be done; pure                  imports metering, text
    node/      the half on a host: observes, acts, serves logs          imports runner, wire, metering, text
    runner/    the process around one agent                             imports wire, metering, text
    wire/      what engine, node and runner say: bytes <-> messages     imports text
    metering/  what agents use, and what that costs                     imports text
    text/      names, states, sanitizing, redaction, event text         imports nothing
    manual/    pages in Markdown, and no code: client/manual.py reads them

`__main__` alone knows every floor. node, runner, wire, metering and text travel to hosts: standard library (node: and
libtmux, psutil) on Python 3.10. Floors have rooms, listed where each floor begins; those look down only, too, and no
two files import each other, directly or through others. A test holds the code to this map.
"""

__version__ = "0.1.0"
