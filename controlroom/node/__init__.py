"""The half that lives on a host: it sees and acts there, and serves logs. Shipped, never installed.

    adopted/      agents that others started on this host
    carrying/     an agent's session and folder, taken along to another host
    git/          the repositories that agents work in, and what they change there
    observation/  what is seen here, again and again: agents, processes, the machine, files that grow
    logs/         agents' logs: read, followed, searched
    imports/      transcripts from before: found, and read for what they say of use
    git/          agents' work in git repositories: looked at, merged, pushed

Here: bootstrap (what runs first on a host), serve, main, serving (the node) · orders, inquiries, outbox: what home
wants and gets · spawn, grants, supervisor, ending: what is done for agents · host, place, owner, agent_folders: what
lies on a host, whose it is · tmux_server, file_watch, runner_client, login_shell: what the node works with. Rooms look
down only.
"""
