"""The database: its tables, the views read out of it, and the one writer."""
