"""What is held here of agents' logs: read, followed, searched, put in one order."""
