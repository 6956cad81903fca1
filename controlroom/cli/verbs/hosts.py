"""Verbs for hosts."""

from controlroom.cli import arguments as take
from controlroom.cli.verbs.verb import Verb

VERBS: tuple[Verb, ...] = (
    Verb(
        "host add",
        "hosts",
        "USER@ADDRESS[:PORT] [--name N] [--fingerprint SHA256:...]",
        "Add a host, reached over SSH.",
        "~/.ssh/config is honoured. An unknown host key is shown and must be accepted, here or with host answer; "
        "with --fingerprint, a key that matches is accepted without a question.",
        ("controlroom host add me@vm1.example.com", "controlroom host add me@10.0.0.5:2222 --name vm2"),
        "hosts:add",
        take.host_add,
    ),
    Verb(
        "host list",
        "hosts",
        "[--json]",
        "Show the hosts and the state of each link.",
        "",
        ("controlroom host list",),
        "hosts:show",
        take.status,
    ),
    Verb(
        "host check",
        "hosts",
        "NAME [--json]",
        "Check that a host has all that agents need, and say what mends it.",
        "Programs, Claude's version and login, disk, memory, clock, limits, and whether agents outlive a logout. "
        "Exits with 0 only when nothing is bad. Of a host that is not connected it says what is known of the link.",
        ("controlroom host check vm1", "controlroom host check vm1 --json | jq '.checks[] | select(.mend)'"),
        "hosts:check",
        take.host_check,
    ),
    Verb(
        "host answer",
        "hosts",
        "NAME (allow|deny|--secret)",
        "Accept or reject a host's key, or enter the secret that it asks for.",
        "Compare the fingerprint first, as with ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on the host. A secret "
        "is typed unseen, or is the first line of stdin; it is kept in the engine's memory and nowhere else.",
        ("controlroom host answer vm1 allow", "controlroom host answer vm1 --secret"),
        "hosts:answer",
        take.host_answer,
    ),
    Verb(
        "host retry",
        "hosts",
        "NAME",
        "Try to reach a host now.",
        "A host that cannot be reached, or refuses us, is tried again by itself, too: within seconds at first, later "
        "within five minutes. Exits as host add does.",
        ("controlroom host retry vm1",),
        "hosts:retry",
        take.host,
    ),
    Verb(
        "host remove",
        "hosts",
        "NAME",
        "Take a host out of the room; its agents live on.",
        "",
        ("controlroom host remove vm1",),
        "hosts:remove",
        take.host,
    ),
    Verb(
        "host take",
        "hosts",
        "NAME",
        "Become the owner of a host that another room owns.",
        "The other room can then only look.",
        ("controlroom host take vm1",),
        "hosts:take",
        take.host,
    ),
)
