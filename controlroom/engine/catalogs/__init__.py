"""Prices, plans and machines: data files, with the user's own on top."""
