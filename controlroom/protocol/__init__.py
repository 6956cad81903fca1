"""What the engine and its front ends say to each other, and what both must know to meet. No socket in it.

messages (frozen dataclasses, JSON lines on the socket) · lines (reads them, and queues log pages within a bound) ·
home (where a room's files and sockets lie, and the lock that keeps it to one engine) · ssh_command (how the system's
ssh is run)
"""
