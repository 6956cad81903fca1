"""What is seen here, again and again: agents, processes, the machine, files that grow."""
