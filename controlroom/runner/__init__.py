"""The process around one agent, inside its tmux session. Small, for there is one an agent: no dataclasses, asyncio,
subprocess or pathlib, and hashlib only when something must be hashed.

    money/   the money of one run: metered for home, and held to its grant
    claude/  what Claude Code writes and says, and what is written back to it
    worktree/  a git worktree of its own for an agent: a program that runs before it

Here: run (the entry) and main · agent_run (headless and commands), interactive_run (Claude on the pane) ·
agent_process, recorder, log_writer, pane: pipes, log, screen · control_socket, unix_socket, typed: how to speak to it ·
environment, spec, status_file, folder, files, outcome, process_tree, signed, ed25519, core_files: what it goes by ·
preparation: how a worktree is waited for · checks, looking: what proves an agent's work, loaded where that is wanted ·
git: git on a repository that is not to be trusted, which no runner loads · libc: what Python lacks of the C library.
Rooms look down only.
"""
