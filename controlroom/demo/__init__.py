"""A throw-away control room whose agents play scenes, on the real node, runner, tmux and files.

beats (what a scene is made of) · scenes, work and consoles (what the agents do) · speech (how Claude Code would say
it) · agent (the process that plays a scene) · cast (who plays what) · world (where it happens, and that nothing of it
stays) · sweep (takes a world down, whatever happened to those who built it)
"""
