"""The half that lives on a host: it sees and acts there, and serves logs. Shipped, never installed.

    lifecycle/    what is done for agents here: started, granted money, looked after
    adopted/      agents that others started on this host
    observation/  what is seen here, again and again: agents, processes, the machine, files that grow
    logs/         agents' logs: read, followed, searched
    tmux/         our own tmux server

Here: bootstrap (what runs first on a host), serve, main, serving (the node) · orders, inquiries, outbox: what home
wants and gets · host, place, owner, agent_folders: what lies on a host, whose it is · runner_client, ending,
login_shell: runners and their environment. Rooms look down only.
"""
