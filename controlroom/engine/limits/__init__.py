"""What plans and the API still let through."""
