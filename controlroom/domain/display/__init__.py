"""What things look like: rows, words beside gauges, explanations, the same for screen and scripts."""
