"""The queue at work: what operators do to it, what it starts, and the halt of the room."""
