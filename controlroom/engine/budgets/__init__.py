"""Usage booked, budgets kept, grants given, advice."""
