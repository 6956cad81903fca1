"""The one table of what can be done: keys, palette, footer, help, command-line verbs and the README come from here."""

from collections.abc import Callable
from dataclasses import dataclass

from controlroom.domain.model import ENDED, Agent, Fleet, Host, LinkState


@dataclass(frozen=True)
class Action:
    """Something that a person can do."""

    name: str
    key: str
    """The key on the screen: one plain character, or `enter`, `space`, `backspace`."""
    title: str
    """One or two words, for the footer."""
    help: str
    """A sentence, for the help screen and the palette."""
    where: str = "overview agent"
    """The screens it belongs to: overview, agent, hosts, anywhere."""
    needs: str = ""
    """What must be chosen: `agent`, `question`, `host` or nothing."""
    danger: bool = False
    """It ends something: it asks first, and names its target."""
    changes: bool = False
    """It changes the fleet: a watcher has no such action."""
    operators: bool = False
    """Nor this, though it changes nothing: it hands out a terminal, or has a host run programs."""
    verb: str = ""
    """The same on the command line."""
    many: bool = False
    """It can be done to all marked agents at once; what is ended or answered is listed first."""
    footer: int = 0
    """Place in the footer, 1 first; 0: not there."""

    @property
    def looks(self) -> bool:
        """Whether a watcher has it, too."""
        return not (self.changes or self.operators)


ACTIONS: tuple[Action, ...] = (
    Action(
        "open",
        "enter",
        "open",
        "Open the chosen agent: its log, its question, its evidence.",
        "overview",
        "agent",
        footer=4,
        verb="logs AGENT",
    ),
    Action(
        "next", "n", "next ▲", "Go to the next agent or host that needs a person.", "overview agent hosts", footer=1
    ),
    Action(
        "allow",
        "y",
        "allow",
        "Allow what is asked, this once.",
        "overview agent hosts",
        "question",
        changes=True,
        many=True,
        verb="answer AGENT allow",
        footer=2,
    ),
    Action(
        "always",
        "a",
        "always",
        "Allow what is asked, and the like of it from now on.",
        "overview agent",
        "question",
        changes=True,
        many=True,
        verb="answer AGENT always",
        footer=3,
    ),
    Action(
        "deny",
        "d",
        "deny",
        "Turn down what is asked.",
        "overview agent hosts",
        "question",
        changes=True,
        many=True,
        verb="answer AGENT deny",
        footer=3,
    ),
    Action(
        "spawn",
        "s",
        "spawn",
        "Start an agent: a name, a host, a profile, a task.",
        changes=True,
        verb="spawn NAME --task TEXT",
        footer=2,
    ),
    Action(
        "kill",
        "x",
        "kill",
        "End an agent and everything it started; asks first.",
        needs="agent",
        danger=True,
        changes=True,
        many=True,
        verb="kill AGENT",
        footer=6,
    ),
    Action(
        "reassign",
        "r",
        "reassign",
        "Give an agent a new task, or another host; the old run is ended first.",
        needs="agent",
        changes=True,
        many=True,
        verb="reassign AGENT --task TEXT",
        footer=7,
    ),
    Action(
        "message",
        "m",
        "message",
        "Say something to an agent, or answer it in words.",
        needs="agent",
        changes=True,
        many=True,
        verb="send AGENT TEXT",
        footer=5,
    ),
    Action(
        "interrupt",
        "i",
        "interrupt",
        "Stop an agent's turn; it then waits for a message.",
        needs="agent",
        changes=True,
        many=True,
        verb="interrupt AGENT",
        footer=8,
    ),
    Action(
        "attach",
        "t",
        "attach",
        "Hand this terminal to the agent's own; ` then q comes back.",
        needs="agent",
        operators=True,
        verb="attach AGENT",
        footer=9,
    ),
    Action(
        "screen",
        "c",
        "screen",
        "Look at the agent's terminal as it is now.",
        "agent",
        "agent",
        footer=9,
    ),
    Action(
        "forget",
        "f",
        "forget",
        "Remove an ended agent and its logs from its host; asks first.",
        needs="agent",
        danger=True,
        changes=True,
        many=True,
        verb="forget AGENT",
    ),
    Action(
        "explain",
        "e",
        "explain",
        "Why this state: from what evidence, how old, what disagrees, what to do next.",
        needs="agent",
        verb="explain AGENT",
        footer=10,
    ),
    Action(
        "filter",
        "/",
        "filter",
        "Show only what contains a text: name, host, state, model, task, last line.",
        "overview",
        footer=9,
    ),
    Action(
        "search",
        "/",
        "search",
        "Find a text in the whole log, on its host; re: begins a regular expression. Then , and . lead from match to "
        "match.",
        "agent",
        footer=9,
        verb="logs AGENT --grep TEXT",
    ),
    Action("match_older", ",", "older", "Go to the match before, further back in the log.", "agent", footer=1),
    Action("match_newer", ".", "newer", "Go to the match after, nearer to the end.", "agent", footer=1),
    Action(
        "hosts",
        "h",
        "hosts",
        "The hosts: figures, links, questions; add one with a.",
        "overview",
        verb="host list",
        footer=10,
    ),
    Action(
        "alarms",
        "w",
        "alarms",
        "What is wrong beside agents: budgets, limits, stray keys, the ledger; each with what to do (w: warnings).",
        "overview",
    ),
    Action(
        "host_open",
        "enter",
        "open",
        "Give the chosen host all of the screen: every figure, with what was before; again: back to all hosts.",
        "hosts",
        "host",
        footer=1,
    ),
    Action(
        "host_add",
        "a",
        "add host",
        "Add a host: user@address, reached over SSH.",
        "hosts",
        changes=True,
        verb="host add USER@ADDRESS",
        footer=1,
    ),
    Action(
        "host_remove",
        "x",
        "remove",
        "Take a host out of the room; its agents live on. Asks first.",
        "hosts",
        "host",
        danger=True,
        changes=True,
        verb="host remove NAME",
        footer=4,
    ),
    Action(
        "host_check",
        "c",
        "check",
        "See whether a host has all that agents need: programs, login, disk, limits; and what mends it.",
        "hosts",
        "host",
        operators=True,
        verb="host check NAME",
        footer=3,
    ),
    Action(
        "host_take",
        "t",
        "take",
        "Become the owner of a host that another control room owns, which can then only look. Asks first.",
        "hosts",
        "host",
        danger=True,
        changes=True,
        verb="host take NAME",
        footer=5,
    ),
    Action(
        "mark",
        "space",
        "mark",
        "Mark the agent, or take its mark away: what is done next is done to all marked ones.",
        "overview",
        "agent",
        footer=11,
    ),
    Action("mark_all", "*", "mark all", "Mark all agents on show; again: none.", "overview"),
    Action("panes", "g", "panes", "Live panes side by side: of whom, and how many.", "overview", footer=12),
    Action(
        "pin",
        "p",
        "pin",
        "Keep the pane of this agent (of all marked ones) on show, or let it go.",
        "overview",
        "agent",
        footer=13,
    ),
    Action(
        "sort",
        "o",
        "order",
        "Order the agents by need, name, host, state, age, model, RAM or CPU, one after the other.",
        "overview",
        footer=14,
    ),
    Action("group", "u", "group", "Group the agents by host, state or profile, or not.", "overview", footer=15),
    Action(
        "palette", ":", "all", "Find every action, agent and host by typing a part of its name.", "anywhere", footer=20
    ),
    Action("help", "?", "help", "Explain the screen you are on.", "anywhere", footer=21),
    Action(
        "back", "q", "back", "Go back; on the first screen: leave. Agents and engine live on.", "anywhere", footer=22
    ),
)

BY_NAME = {action.name: action for action in ACTIONS}


def on_screen(screen: str, *, watching: bool = False) -> list[Action]:
    """Give the actions of a screen (`overview`, `agent`, `hosts`) in footer order, those without a place last.

    `watching`: only what a watcher has.
    """
    here = [action for action in ACTIONS if screen in action.where.split() or action.where == "anywhere"]
    here = [action for action in here if action.looks or not watching]
    return sorted(here, key=lambda action: action.footer or 99)


def unavailable(action: Action, fleet: Fleet, agent_id: str | None = None, host: str | None = None) -> str | None:
    """Say why an action cannot be done with what is chosen, or None. The engine decides again when it is ordered."""
    if action.needs == "host":
        known = fleet.hosts.get(host or "")
        return "choose a host first" if known is None else _no_take(known) if action.name == "host_take" else None
    if action.needs == "question" and host is not None:
        return None if fleet.hosts[host].question else f"{host} asks nothing now"
    if action.needs not in ("agent", "question"):
        return None if action.name != "spawn" else _no_spawn(fleet)
    agent = fleet.agents.get(agent_id or "")
    if agent is None:
        return "choose an agent first"
    check = _CHECKS.get(action.name)
    if action.changes and agent.adopted:
        return f"{agent.name} was started by somebody else: it is shown, and not touched"
    return check(fleet, agent) if check else None


def _no_spawn(fleet: Fleet) -> str | None:
    if any(host.link is LinkState.UP for host in fleet.hosts.values()):
        return None
    return "no host is connected yet" if fleet.hosts else "add a host first"


def _no_take(host: Host) -> str | None:
    if host.facts is not None and host.facts.owned:
        return f"this room owns {host.name} already"
    return None if host.link is LinkState.UP else f"{host.name} cannot be asked now"


def _asks(fleet: Fleet, agent: Agent) -> str | None:
    return None if agent.question else f"{agent.name} asks nothing now"


def _live(fleet: Fleet, agent: Agent) -> str | None:
    if agent.state in ENDED:
        return f"{agent.name} has ended: {agent.detail or agent.state}"
    return _connected(fleet, agent)


def _hears(fleet: Fleet, agent: Agent) -> str | None:
    return f"{agent.name} runs a command, which takes no messages" if agent.kind == "command" else _live(fleet, agent)


def _stops(fleet: Fleet, agent: Agent) -> str | None:
    command = f"{agent.name} runs a command, which cannot be interrupted: kill it instead"
    return command if agent.kind == "command" else _live(fleet, agent)


def _over(fleet: Fleet, agent: Agent) -> str | None:
    return None if agent.state in ENDED else f"{agent.name} has not ended: kill it first"


def _there(fleet: Fleet, agent: Agent) -> str | None:
    if agent.adopted and not agent.pane:
        return f"{agent.name} is in no tmux session"
    return f"{agent.name} has ended: its terminal is gone" if agent.state in ENDED else None


def _there_and_connected(fleet: Fleet, agent: Agent) -> str | None:
    if fleet.hosts[agent.host].link is not LinkState.UP:
        return f"{agent.host} cannot be asked now"
    return _there(fleet, agent)


def _connected(fleet: Fleet, agent: Agent) -> str | None:
    return None if fleet.reachable(agent) else f"{agent.host} cannot be asked now"


_CHECKS: dict[str, Callable[[Fleet, Agent], str | None]] = {
    "allow": _asks,
    "always": _asks,
    "deny": _asks,
    "kill": _live,
    "reassign": _connected,
    "message": _hears,
    "interrupt": _stops,
    "attach": _there,
    "screen": _there_and_connected,
    "forget": _over,
}
