"""The verbs: data goes to stdout, messages go to stderr, and each way to end has one exit code.

run (argv -> exit code) · verbs (the table: name, words, what runs it) · arguments · exits · output (the only place that
prints) · find (names -> agents, hosts) · room (an engine to talk to) · help (verbs and pages) · then one module a group
of verbs. Imports stay light: `--help` loads no asyncio, and a verb loads only what it needs.
"""
