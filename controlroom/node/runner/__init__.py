"""The process around one agent."""
