"""The half at home: the engine that owns the fleet, its links to hosts, its ledger, its budgets and its sockets.

    frontends/  the engine's two sockets, and what each front end may see and do
    budgets/    usage booked, budgets kept, grants given, advice
    limits/     what plans and the API still let through
    fleets/     fleet files: planned, applied, and seen through
    queue/      tasks kept and started, and the halt of the room
    hosts/      the machines that agents run on: links, SSH, deployment, logs, inquiries
    notify/     messages to people who are not looking
    ledger/     the database: orders, agents, audit, usage, grants, and the views read out of it
    catalogs/   prices, plans and machines: data files, with the user's own on top
    config/     the room's settings, and the files they stand in

Here: main (the process) · engine (composes the parts, decides intents) · store (the one fleet) · orders (written down,
sent, concluded) · host_events (what hosts say, and what follows) · claims (what was ordered, against what hosts say) ·
moves · room_editor (hosts and budgets that operators change) · people (who is attached) · background_tasks, clock,
atomic_file, process (its log and core files). Rooms look down only.
"""
