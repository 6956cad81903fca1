"""The half that lives on a host: a node that sees and acts, a runner around each agent. Shipped, never installed.

    tending/  what is done for agents here: started, granted money, looked after
    foreign/  agents that others started on this host
    sights/   what is seen here, again and again: agents, processes, the machine, files that grow
    runner/   the process around one agent
    money/    the money of one run: metered for home, and held to its grant
    claude/   what Claude Code writes and says, and what is written back to it
    logs/     agents' logs: written, read, followed, searched
    tmux/     our own tmux server

Here: landing (what runs first on a host), serve, main, serving (the node) and run (the runner's entry) · act, inquire,
outbox: what home wants and gets · place, folder, files, agents, spec, status_file, owner: what lies on a host, whose
it is · ask, ending, outcome, signals, process_tree: runners and processes. Rooms look down only.
"""
