"""What a front end that starts an engine and that engine know of each other: descriptors, and words on them."""

REPORT = "CONTROLROOM_REPORT_FD"
"""Names the descriptor in the environment of an engine that was started by a front end."""

STARTING = "CONTROLROOM_STARTING_FD"
"""Names the descriptor that shows that the engine is being started, for as long as it is open."""

READY, TAKEN = "ready", "taken"
