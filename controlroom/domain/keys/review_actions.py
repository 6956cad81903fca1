"""The actions on an agent's work: a part of the table of actions."""

from controlroom.domain.keys.action import Action

REVIEW_ACTIONS: tuple[Action, ...] = (
    Action(
        "review",
        "+",
        "review",
        "What the agent has changed: committed, uncommitted, and files that git does not know; with comments for it.",
        "overview agent",
        "agent",
        verb="diff AGENT",
        footer=10,
    ),
    Action(
        "review_open",
        "enter",
        "open",
        "Read the diff of the chosen file; in a diff, comment on the line under the cursor.",
        "review",
        "agent",
        footer=1,
    ),
    Action(
        "comment",
        "c",
        "comment",
        "Say something of the line under the cursor, or of the file; it is kept until it is sent.",
        "review",
        "agent",
        changes=True,
        footer=2,
    ),
    Action(
        "comments_send",
        "s",
        "send",
        "Send the comments to the agent as one message that quotes file and line; shows it first.",
        "review",
        "agent",
        changes=True,
        verb="send AGENT TEXT",
        footer=3,
    ),
    Action("file_next", ".", "next file", "Go to the next file.", "review", "agent", footer=4),
    Action("file_before", ",", "file before", "Go to the file before.", "review", "agent", footer=5),
    Action(
        "review_reload",
        "r",
        "reload",
        "Compare anew: the agent may have gone on.",
        "review",
        "agent",
        footer=6,
    ),
)
