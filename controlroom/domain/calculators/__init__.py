"""What use would cost otherwise, and what a fleet would need."""
