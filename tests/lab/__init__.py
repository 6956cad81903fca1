"""Real hosts, a real terminal and a stand-in for the Messages API, all of them throw-away.

waiting        wait for a condition, never for a time
command        run a command to its end, within a time
processes      whose process is this, and ending what is left of a place
warden         ends and removes what a killed test run left behind
world          a HOME and a CONTROLROOM_HOME of one test's own
terminal       a command on a real screen: a private tmux server
machine        what this machine can give a lab
options        what a lab is made of, and its record on disk
lab            a set of hosts: up, down, what both kinds share
loopback       hosts that are sshds on 127.0.0.1: no rights needed
namespaces     hosts that are namespaces with a network of their own: needs root and /dev/net/tun
host           one host as a test holds it
sshd           keys, account files and configuration of a host's sshd
syscalls       mount, setns and TAP devices
boot           process 1 of a host in a namespace
cable          what a bad network does to a frame
switchboard    the process that carries the frames of all cables
messages_api/  the stand-in for the Messages API
agents         fixtures: an agent in its runner, a node, a user with Claude
agent_under_test  one agent in its runner, as a test holds it
node_client    the other end of a node's channel
claude         the real Claude Code CLI and a HOME as its users have it

`python -m tests.lab up 3` builds a lab by hand; `python -m tests.lab --help` lists what can go wrong in it.
"""
