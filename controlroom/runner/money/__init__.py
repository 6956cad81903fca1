"""The money of one run: metered for home, and held to its grant."""
