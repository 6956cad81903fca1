"""Messages to people who are not looking."""
