"""Budgets and what was spent: pure arithmetic on whole numbers."""
