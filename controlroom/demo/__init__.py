"""A throw-away control room whose agents play scenes, on the real node, runner, tmux and files.

scenes (what the agents do, in beats) · player and speech (a scene, played as Claude Code would say it) · agent (the
process that plays one) · cast (who plays what, and who pays) · before (agents that a script has started, and a fleet
file) · repository (what one of them works in) · world (where it happens) · play (the demo from its first to its last
line) · sweep (takes a world down, whatever happened to those who built it)
"""
