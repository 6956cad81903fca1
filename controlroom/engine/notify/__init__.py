"""Who is told what, while nobody looks."""
