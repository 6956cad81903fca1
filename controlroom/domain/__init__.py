"""What is true and what may be done. Pure: no IO, no asyncio, no clock, no randomness.

model (frozen values) · events and reduce: the only way a fleet changes · intents and decide: what somebody wants, and
yes or no with a reason · patch: what a reader lacks · actions (the one table) · views (rows for screen and JSON) ·
explain: why a state, with advice and endings · checkup: what a host has of all that agents need
"""
