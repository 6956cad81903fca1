"""The other half of the table of keys: those that move what is seen and change nothing. Screens say what each does.

Digits choose rows, panes and answers; they stand nowhere else.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Motion:
    """A way to move on one screen."""

    name: str
    where: str
    """The screen: overview, agent, hosts, costs, timeline."""
    keys: tuple[str, ...]
    """As Textual names them, the one that is shown first. Arrows and their like always do what they do here."""
    help: str
    """A sentence, for the help screen."""


MOTIONS: tuple[Motion, ...] = (
    Motion("down", "overview", ("j", "down"), "Next agent."),
    Motion("up", "overview", ("k", "up"), "Agent before."),
    Motion("first", "overview", ("<", "home"), "First agent."),
    Motion("last", "overview", (">", "end"), "Last agent."),
    Motion("page_down", "overview", (".", "pagedown"), "More of the question or log in the pane."),
    Motion("page_up", "overview", (",", "b", "pageup"), "Earlier lines of the log in the pane."),
    Motion("down", "agent", ("j", "down"), "A line down."),
    Motion("up", "agent", ("k", "up"), "A line up."),
    Motion("page_down", "agent", ("space", "pagedown"), "More of a long question; else a page down."),
    Motion("page_up", "agent", ("b", "pageup"), "A page up, as a tap near the top does; near the bottom: down."),
    Motion("first", "agent", ("o", "home"), "The first line of this run; again: of the run before."),
    Motion("last", "agent", ("l", "end"), "The end: follow what comes."),
    Motion("wrap", "agent", ("w",), "Break long lines, or cut them."),
    Motion("right", "agent", (">", "right"), "Where lines are cut: to the right."),
    Motion("left", "agent", ("<", "left"), "Where lines are cut: to the left."),
    Motion("down", "timeline", ("j", "down"), "A line on; after the last one: follow."),
    Motion("up", "timeline", ("k", "up"), "A line back."),
    Motion("page_down", "timeline", ("space", "pagedown"), "A page on."),
    Motion("page_up", "timeline", ("u", "pageup"), "A page back."),
    Motion("first", "timeline", ("<", "home"), "The oldest line that is held."),
    Motion("last", "timeline", ("l", ">", "end"), "The end: follow what comes."),
    Motion("down", "hosts", ("j", "down"), "Next host."),
    Motion("up", "hosts", ("k", "up"), "Host before."),
    Motion("page_down", "hosts", ("space", "pagedown"), "More of a long question, or of what is known of a host."),
    Motion("down", "costs", ("j", "down"), "Next row, or line."),
    Motion("up", "costs", ("k", "up"), "Row or line before."),
    Motion("page_down", "costs", ("space", ".", "pagedown"), "A page on."),
    Motion("page_up", "costs", (",", "pageup"), "A page back."),
    Motion("by_agent", "costs", ("a",), "What each agent has spent."),
    Motion("by_profile", "costs", ("p",), "What agents of each profile have spent."),
    Motion("by_host", "costs", ("h",), "What was spent on each host."),
    Motion("by_model", "costs", ("m",), "What each model has cost."),
    Motion("by_hour", "costs", ("u",), "What was spent in each hour."),
    Motion("by_day", "costs", ("d",), "What was spent on each day."),
)
