"""How a front end comes to an engine, and to an agent's terminal: here, elsewhere, started if need be."""
