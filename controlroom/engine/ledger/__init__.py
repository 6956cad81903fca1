"""What is kept for good: the ledger, its tables of usage and grants, and what is read out of them."""
