"""What plans and the API let through, reckoned."""
