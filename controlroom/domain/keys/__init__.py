"""What can be done, with which keys, and when."""
