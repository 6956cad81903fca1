"""What two ends say to each other: bytes <-> messages, with no socket in it. Standard library only.

lines, codec (JSON lines, records out of them) · messages, inquiries, usage, grants, spec: home and node · runner: node
and runner · signing · records (an agent's log)
"""
