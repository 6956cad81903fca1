"""What travels everywhere: the name rule, state words, redaction, inert text, what an agent's events say."""
