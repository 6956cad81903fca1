"""A git worktree of its own for an agent, made before it starts. A program beside the runner, which keeps none of it.

prepare (the program) · making (the steps) · setup (the profile's command) · included (files that git ignores) ·
unready (what git alone does not bring along) · ports · record (what is written down about a worktree). And another
program, look: what an agent has changed, and a fresh checkout for its checks.
"""
