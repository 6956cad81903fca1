"""Rules that answer what agents ask: what a call wants, which rules are about it, and what they say together."""
