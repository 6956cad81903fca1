"""Prices, plans and machines: out of data files, with the user's own on top."""
