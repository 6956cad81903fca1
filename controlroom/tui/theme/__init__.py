"""Colours, signs and arrangement, and what of them is remembered."""
