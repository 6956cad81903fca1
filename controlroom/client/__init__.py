"""A front end's end of the engine's socket, the way to an agent's terminal, and the manual.

client (what screen and verbs ask) · requests (each one request, its answer one message) · log_pages (records and
screens as front ends get them) · transport (the way to an engine here) · remote (to one on another machine, over the
user's own ssh) · bridge (the other end of that) · launch (starts an engine) · boot_service (has the machine start it) ·
attach (this terminal on an agent's tmux session) · manual (the pages that help shows, which screen and verbs both read)
"""
