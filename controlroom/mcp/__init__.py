"""A lead's way in: the verbs that an agent was given, served to it as tools over stdin and stdout (MCP).

serve (the only file that imports the SDK) · tools (the table: name, verb, what it does, what it takes) · handlers (what
each of them does) · session (the engine, spoken to with the token). What may be done the engine decides by that.
"""
