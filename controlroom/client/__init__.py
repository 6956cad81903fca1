"""A front end's end of the engine's socket, the way to an agent's terminal, and the manual.

client (requests, and their answers as front ends use them) · transport (the way to an engine here, which it starts) ·
remote (to one on another machine, over the user's own ssh) · bridge (the far end of that) · boot_service (has the
machine start the engine) · attach (this terminal on an agent's tmux session) · manual (the pages that help shows)
"""
