"""What is spent and what may still be: usage booked, budgets kept, grants given, advice."""
