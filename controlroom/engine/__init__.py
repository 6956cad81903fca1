"""The half at home: the engine that owns the fleet, its links to hosts, its ledger, its budgets and its sockets.

    frontends/  the engine's two sockets, and what each front end may see and do
    budgets/    what is spent and what may still be: usage booked, budgets kept, grants given, advice
    limits/     what plans and the API still let through
    hosts/      the machines that agents run on: reached, deployed to, listened to, asked and told
    notify/     who is told what, while nobody looks
    ledger/     what is kept for good: orders, agents, audit, usage, grants, and what is read out of them
    catalogs/   prices, plans and machines: out of data files, with the user's own on top
    config/     the room's settings: what each is, what stands in the files, and what is written into them

Here: main (the process) · engine (composes; decides and reduces) · store (the one fleet) · orders (submitted, sent,
concluded) · claims (what was ordered, against what hosts say) · moves, room_editor: what operators change ·
background_tasks, debounce, clock, atomic_file, core_files: how it is done. Rooms look down only.
"""
