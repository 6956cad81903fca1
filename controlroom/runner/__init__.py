"""The process around one agent, inside its tmux session. Small: it is loaded once an agent.

    money/   the money of one run: metered for home, and held to its grant
    claude/  what Claude Code writes and says, and what is written back to it

Here: run (the entry) and main · agent_run (headless and commands), interactive_run (Claude on the pane) ·
agent_process, agent_input, recorder, log_writer, pane: pipes, log, screen · control_socket, keys, typed, status_line:
how an agent is spoken to · environment, spec, status_file, folder, files, outcome, process_tree, signals, signed,
ed25519, core_files: what it goes by. Rooms look down only.
"""
