"""The half at home: the engine that owns the fleet, its links to hosts, its ledger, its config and its socket.

    attaching/      how a front end comes to an engine, and to an agent's terminal: here, elsewhere, started if need be
    front_ends/     the engine's two sockets, and what each front end may see and do
    money/          what is spent and what may still be: usage booked, budgets kept, grants given, advice
    limits/         what plans and the API still let through
    hosts/          the machines that agents run on: reached, boarded, listened to, asked and told
    conversation/   what a front end and the engine say to each other, and who takes part
    books/          what is kept for good: the ledger, its tables of usage and grants, and what is read out of them
    sheets/         prices, plans and machines: out of data files, with the user's own on top
    configuration/  the room's settings: what each is, what stands in the files, and what is written into them

Here: engine (the one owner; decides and reduces) and engine_main (its process) · client (all that screen and verbs
import of this floor) · roster, moves, bookkeeper, notify: what the engine does beside · rounds, errands: how work is
done again, and meanwhile · home, lock, whole_file: where the room lives. Rooms look down only.
"""
