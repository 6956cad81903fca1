"""The one table of what can be done, and when: keys, palette, footer, help, verbs and the manual come from here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """Something that a person can do."""

    name: str
    key: str
    """The key on the screen, unless the config names another: one plain character, or `enter`, `space`.

    Empty: it is found in the palette."""
    title: str
    """One or two words, for the footer."""
    help: str
    """A sentence, for the help screen and the palette. `{name}` stands for the key of another action."""
    where: str = "overview agent"
    """The screens it belongs to: overview, agent, questions, hosts, host_charts, costs, money_charts, timeline."""
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
    more_keys: tuple[str, ...] = ()
    """Other keys that do the same."""

    @property
    def looks(self) -> bool:
        """Whether a watcher has it, too."""
        return not (self.changes or self.operators)

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that does it, the one that is shown first."""
        return (self.key, *self.more_keys) if self.key else ()

    def stands_on(self, screen: str) -> bool:
        """Whether it can be done on a screen."""
        return self.where == "anywhere" or screen in self.where.split()


ACTIONS: tuple[Action, ...] = (
    Action(
        "open",
        "enter",
        "open",
        "Open the chosen agent: its log, its question, its evidence.",
        "overview costs timeline questions",
        "agent",
        footer=4,
        verb="logs AGENT",
    ),
    Action(
        "next",
        "n",
        "next ▲",
        "Go to the next agent or host that needs a person.",
        "overview agent hosts costs",
        footer=1,
    ),
    Action(
        "allow",
        "y",
        "allow",
        "Allow what is asked, this once; then the next question is shown.",
        "overview agent hosts questions",
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
        "Allow what is asked, and what is named beside it until the session ends.",
        "overview agent questions",
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
        "Deny what is asked; {undo} takes that back.",
        "overview agent hosts questions",
        "question",
        changes=True,
        many=True,
        verb="answer AGENT deny",
        footer=3,
    ),
    Action(
        "questions",
        "!",
        "questions",
        "All open questions: those that ask alike stand together and are answered at once.",
        "overview agent hosts",
        footer=11,
    ),
    Action(
        "undo",
        "z",
        "undo",
        "Ask an agent that was denied by mistake to ask again; keep an agent that was to be forgotten.",
        "overview agent questions",
        changes=True,
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
        "retry",
        "",
        "retry",
        "Give an agent the same task again, as a new run in its folder; asks first where it still runs.",
        needs="agent",
        changes=True,
        many=True,
        verb="retry AGENT",
    ),
    Action(
        "pause",
        "",
        "pause",
        "End an agent's run and keep its Claude session: its memory is free until it is resumed.",
        needs="agent",
        changes=True,
        many=True,
        verb="pause AGENT",
    ),
    Action(
        "resume",
        "",
        "resume",
        "Let an agent go on where it stopped: a paused or ended one in its session, one that waits by a message.",
        needs="agent",
        changes=True,
        many=True,
        verb="resume AGENT",
    ),
    Action(
        "message",
        "m",
        "message",
        "Say something to an agent, or answer it in words.",
        "overview agent",
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
        "Connect this terminal to the agent's; ` then q comes back.",
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
        "Remove an ended agent and its logs from its host; asks first. For ten seconds {undo} keeps it.",
        needs="agent",
        danger=True,
        changes=True,
        many=True,
        verb="forget AGENT",
    ),
    Action(
        "copy",
        "@",
        "copy",
        "Copy an agent's id, its attach line, the line of its log under the cursor (else the newest), its newest "
        "command, what it asks or its task. Shift-select copies all.",
        "overview agent timeline",
        needs="agent",
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
        "Show only what fits: state:failed, host:vm1, a word of the row; a - in front excludes.",
        "overview",
        footer=9,
    ),
    Action(
        "search",
        "/",
        "search",
        "Find a text in the whole log, on its host; re: begins a regular expression. Then {match_older} and "
        "{match_newer} lead from match to match.",
        "agent",
        footer=9,
        verb="logs AGENT --grep TEXT",
    ),
    Action(
        "timeline",
        "l",
        "log",
        "The logs of many agents in one, by time: the marked ones, else those that spoke last.",
        "overview",
        footer=10,
    ),
    Action(
        "sift",
        "/",
        "filter",
        "Show only what matches: agent:NAME host:NAME level:error, words, or re: and an expression; mark:WORD marks.",
        "timeline",
        footer=5,
    ),
    Action("bookmark", "b", "keep", "Bookmark this line, or remove its bookmark.", "timeline", footer=6),
    Action("bookmark_older", ",", "older", "Go to the bookmark before this one.", "timeline", footer=7),
    Action("bookmark_newer", ".", "newer", "Go to the bookmark after this one.", "timeline", footer=8),
    Action("export", "e", "export", "Write what is on show into a file in your home.", "timeline", footer=9),
    Action("match_older", ",", "older", "Go to the match before, further back in the log.", "agent", footer=1),
    Action("match_newer", ".", "newer", "Go to the match after, nearer to the end.", "agent", footer=1),
    Action(
        "hosts",
        "h",
        "hosts",
        "The hosts: figures, links, questions; add one with {host_add}.",
        "overview",
        verb="host list",
        footer=10,
    ),
    Action(
        "costs",
        "c",
        "costs",
        "What was spent, by agent, profile, host, model, hour and day; budgets and limits in full.",
        "overview",
        verb="costs",
        footer=10,
    ),
    Action(
        "costs_limits",
        "l",
        "limits",
        "Budgets and limits in full: ladders, forecasts, what is granted, where readings are from; again: the costs.",
        "costs",
        verb="limits",
        footer=5,
    ),
    Action(
        "budget",
        "s",
        "budgets",
        "Set, raise, preview, disarm or remove a budget.",
        "costs",
        changes=True,
        verb="budget set NAME --limit L",
    ),
    Action("costs_by", "b", "by", "Group what was spent by the next thing.", "costs", footer=6),
    Action(
        "alarms",
        "w",
        "alarms",
        "What is wrong besides agents: budgets, limits, stray keys, the ledger; each with what to do (w: warnings).",
        "overview costs",
    ),
    Action(
        "host_open",
        "enter",
        "open",
        "Show the chosen host alone: every figure, with its history; again: back to all hosts.",
        "hosts",
        "host",
        footer=1,
    ),
    Action(
        "host_charts",
        "g",
        "graphs",
        "Draw the host over an hour, a day, a week or 30 days: CPU, memory, disk, network.",
        "hosts",
        "host",
        footer=2,
    ),
    Action(
        "money_charts",
        "g",
        "graphs",
        "Draw what was spent and the tokens by hour or day, and the use of plans' windows up to their reset.",
        "costs",
        footer=6,
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
        "Check that a host has all that agents need: programs, login, disk, limits; and how to fix it.",
        "hosts",
        "host",
        operators=True,
        verb="host check NAME",
        footer=3,
    ),
    Action(
        "host_retry",
        "r",
        "retry",
        "Try to reach a host now: one that is lost, or that refused us until something was fixed.",
        "hosts",
        "host",
        changes=True,
        verb="host retry NAME",
        footer=6,
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
        "Mark or unmark the agent: what is done next is done to all marked ones on show.",
        "overview",
        "agent",
        footer=11,
    ),
    Action("mark_all", "*", "mark all", "Mark all agents on show; again: take all marks away.", "overview"),
    Action("panes", "g", "panes", "Live panes side by side: of whom, and how many.", "overview", footer=12),
    Action(
        "pin",
        "p",
        "pin",
        "Pin the pane of this agent (of all marked ones), or unpin it.",
        "overview",
        "agent",
        footer=13,
    ),
    Action(
        "sort",
        "o",
        "order",
        "Sort the agents by need, name, host, state, age, model, RAM or CPU, one after the other.",
        "overview",
        footer=14,
    ),
    Action("group", "u", "group", "Group the agents by host, state or profile, or not.", "overview", footer=15),
    Action("pane_size", "v", "pane size", "Enlarge the live panes; again: hide them; again: as they were.", "overview"),
    Action("fold_hosts", "[", "fold hosts", "Fold the hosts into one line, or open them again.", "overview"),
    Action("fold_limits", "]", "fold limits", "Fold budgets and limits into one line, or open them again.", "overview"),
    Action(
        "palette", ":", "all", "Find every action, agent and host by typing a part of its name.", "anywhere", footer=20
    ),
    Action(
        "theme",
        "",
        "theme",
        "Choose the colours: each theme is shown as you come to it, Enter keeps it.",
        "anywhere",
    ),
    Action(
        "attached",
        "",
        "attached",
        "Show who is attached to the engine: from where, with what rights, since when.",
        "anywhere",
        verb="attached",
    ),
    Action("help", "?", "help", "Explain the screen you are on.", "anywhere", footer=21),
    Action(
        "back", "q", "back", "Go back; on the first screen: leave. Agents and engine live on.", "anywhere", footer=22
    ),
)

GROUPS: dict[str, str] = {
    "look": "open next filter search timeline sift bookmark bookmark_older bookmark_newer export match_older "
    "match_newer screen explain copy hosts host_open host_charts host_check alarms attached palette help back",
    "answer": "allow always deny questions undo",
    "act": "spawn kill pause resume reassign retry message interrupt attach forget mark mark_all host_add host_remove "
    "host_retry host_take",
    "money": "costs costs_limits costs_by money_charts budget",
    "view": "panes pane_size pin sort group fold_hosts fold_limits theme",
}
"""What the actions are for: each stands in one group of the help."""

OTHER_WORDS: dict[str, str] = {
    "allow": "yes approve accept ok permit",
    "always": "yes approve session",
    "deny": "no refuse reject",
    "questions": "answer asked asks permission approve",
    "undo": "revert mistake keep",
    "spawn": "new start run create add launch",
    "kill": "stop end terminate quit cancel abort",
    "interrupt": "stop halt",
    "pause": "stop hold sleep suspend",
    "resume": "continue go on wake",
    "reassign": "move task host",
    "message": "say tell write send prompt answer",
    "attach": "terminal tmux connect enter copy",
    "screen": "terminal copy look",
    "forget": "delete remove clean clear",
    "explain": "why reason state",
    "filter": "search find grep only",
    "search": "find grep",
    "timeline": "logs history joint together",
    "export": "copy save write file",
    "hosts": "machines servers computers",
    "costs": "money spend spent budget tokens dollars usage",
    "costs_limits": "budget pause windows quota",
    "alarms": "warnings problems errors budget pause",
    "attached": "who clients watchers",
    "mark": "select choose",
    "mark_all": "select all",
    "panes": "split live grid tiles logs",
    "pane_size": "hide enlarge resize bigger zoom",
    "sort": "order",
    "theme": "colours colors dark light",
    "help": "keys manual ?",
    "back": "quit exit leave close stop",
    "host_add": "new machine server ssh",
    "host_remove": "delete machine",
}
"""By other words, too, actions are found in the palette."""

BY_NAME = {action.name: action for action in ACTIONS}
