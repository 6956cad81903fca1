"""Control Room: one screen for a fleet of AI coding agents. This page is the map; arrows point down only.

    tui/     the screen: Textual app, screens, widgets, theme        imports domain, fleet.client
    cli/     the verbs: stdout is data, stderr is talk, exit codes   imports domain, fleet.client
    demo/    a scripted agent and its scenes, on the real parts      imports node, wire, meter
    fleet/   the half at home: engine, ssh, ledger, config, socket   imports domain, wire, meter
    node/    the half on a host: observes, acts, runs agents         imports wire, meter
    domain/  what is true and what may be done; pure                 imports meter
    wire/    what two ends say: bytes <-> messages                   imports nothing
    meter/   names, states, redaction, inert text, agent speech      imports nothing

`__main__` alone knows every floor. node, wire and meter travel to hosts: standard library (node: and libtmux,
psutil) on Python 3.10. Floors have rooms, told of where they begin; those look down only, too, and no two files import
each other by whatever way round. A test holds the code to this map.
"""

__version__ = "0.1.0"
