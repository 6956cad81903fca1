"""The screen: a Textual app over what a client of the engine holds. It keeps no truth of its own.

run: the way in and out, the terminal restored whatever happens · app: the link to the engine, what every screen sees ·
deeds: what keys do · source: what the screen needs of a client · picture: one moment of it all · logbook, follow: the
logs being read · theme and ink: colours from files, how a line is drawn · widgets/ · screens/
"""
