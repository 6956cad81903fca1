"""What the queue does with tasks: which starts next, why others wait, how attempts end, what operators change."""
