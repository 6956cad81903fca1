"""The engine's two sockets, and what each front end may see and do."""
