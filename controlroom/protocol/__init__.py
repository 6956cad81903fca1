"""What the engine and its front ends say to each other, and what both must know to meet. No socket in it.

messages, with room_messages and advice_messages (each a frozen dataclass, JSON lines on the wire) · lines · page_queue
(log records that wait, bounded) · home (where a room's files and sockets lie) · lock (one engine a room) · start (how a
starting engine reports) · ssh_command (how the system's ssh is run)
"""
