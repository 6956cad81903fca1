"""Why an agent's state is what it is: what decided it, what every source says, how old that is, and what to do next.

Pure: (Fleet, Agent, now) -> Explanation; `lines` and `record` are the same for people and for scripts.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from controlroom.domain.adopted_care import care_words
from controlroom.domain.adoption import Adoption
from controlroom.domain.alarms import payer_doubt, payer_words
from controlroom.domain.checks import check_lines
from controlroom.domain.claims import claim_words, claimed_words
from controlroom.domain.display.advice import Step, steps
from controlroom.domain.display.tasks import restart_words, task_of
from controlroom.domain.display.views import Line
from controlroom.domain.keys.actions import BY_NAME
from controlroom.domain.keys.keymap import Keymap
from controlroom.domain.model import Agent, Evidence, Fleet, Host, LinkState, State
from controlroom.domain.money import ladder
from controlroom.domain.money.budget import amount
from controlroom.domain.orders import STARTS
from controlroom.domain.overlap import edited_words, overlap_words
from controlroom.domain.queue.restarts import key_of
from controlroom.domain.went_on import went_on
from controlroom.domain.words import age, ago, since
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import AgentKind, Cause

_SIGNALS = {
    1: ("SIGHUP", "its terminal or tmux session was closed"),
    2: ("SIGINT", "somebody interrupted it"),
    3: ("SIGQUIT", "somebody made it quit"),
    4: ("SIGILL", "it ran an instruction that this processor does not have"),
    6: ("SIGABRT", "it aborted itself"),
    8: ("SIGFPE", "it made an impossible calculation, like a division by zero"),
    9: ("SIGKILL", "it was killed outright, by a person or by the kernel when memory ran out"),
    11: ("SIGSEGV", "it crashed"),
    13: ("SIGPIPE", "nobody read its output any more"),
    14: ("SIGALRM", "its own timer ran out"),
    15: ("SIGTERM", "somebody asked it to end"),
    24: ("SIGXCPU", "it used up its share of CPU time (ulimit -t)"),
    25: ("SIGXFSZ", "it wrote a file that was too large (ulimit -f)"),
}

_CODES = {
    126: "its program is there but cannot be run: see its mode and its first line",
    127: "its program was not found: see PATH in the login shell of the host, or give the whole path",
}


def exit_words(kind: AgentKind, code: int | None, signal: int | None) -> str:
    """How an agent's process ended and what that means; empty when it is not known."""
    if signal is not None:
        name, meaning = _SIGNALS.get(signal, (f"signal {signal}", ""))
        return f"ended by {name}" + (f": {meaning}" if meaning else "")
    if code is None:
        return ""
    if code == 0:
        return "exit 0: it ended by itself, and reports success"
    if code in _CODES:
        return f"exit {code}: {_CODES[code]}"
    if code > 128 and code - 128 in _SIGNALS:
        name, meaning = _SIGNALS[code - 128]
        return f"exit {code}: something in it was ended by {name}; {meaning}"
    if kind == AgentKind.COMMAND:
        return f"exit {code}: it reports an error: see the end of its log"
    return f"exit {code}: Claude gave up: see the end of its log"


ABOUT_WORK = ("checks", "stream", "session file", "transcript", "runner", "screen")
"""Sources that know what an agent does, the best first; the others know only whether it lives."""

_SOURCES = {
    "checks": "the checks of its work",
    "stream": "Claude's own events",
    "session file": "Claude's session file",
    "transcript": "Claude's transcript",
    "runner": "the runner around it",
    "screen": "what stands on its screen",
    "process": "the processes of its host",
    "tmux": "tmux",
}
_SEVERAL = ("checks", "stream", "process")


@dataclass(frozen=True)
class SourceView:
    """What one source says of an agent."""

    source: str
    state: str
    value: str
    at: int
    """When it was seen so first, UTC milliseconds of our clock."""
    agrees: bool
    decides: bool
    """Whether the state that is shown is this source's."""


@dataclass(frozen=True)
class Explanation:
    """Why an agent's state is what it is."""

    agent: str
    epoch: int
    state: State
    since: int
    """UTC milliseconds; for a lost agent when its host was last heard."""
    detail: str
    decided: str
    """What decided the state, in a sentence."""
    views: tuple[SourceView, ...]
    disagrees: tuple[str, ...]
    """What contradicts the state, and what that means, a sentence each."""
    host: str
    """How its host stands, and how old that makes all of this, in a sentence."""
    stale: bool
    """Whether the host cannot be asked now."""
    notes: tuple[tuple[str, str], ...]
    """More that is known, a sentence each: `task restarts order asks until ended line budget use` …."""
    steps: tuple[Step, ...]


def explain(fleet: Fleet, agent: Agent, now: int) -> Explanation:
    """Explain an agent's state as the fleet knows it at `now` (UTC milliseconds)."""
    host = fleet.hosts.get(agent.host)
    state = fleet.state_of(agent)
    decider = None if state is State.LOST else _decider(agent)
    return Explanation(
        agent.id,
        agent.epoch,
        state,
        host.seen if state is State.LOST and host else agent.since,
        agent.detail,
        _decided(agent, state, decider),
        tuple(SourceView(e.source, e.state, e.value, e.at, e.agrees, e is decider) for e in agent.evidence),
        tuple(_disagreements(agent)),
        _host_words(agent.host, host, now),
        host is None or host.link is not LinkState.UP,
        (*_carried_out(fleet, agent, now), *_notes(agent, now), *_doubts(fleet, agent, now)),
        steps(fleet, agent, now),
    )


# --------------------------------------------------------------------------- what decided it


def _decider(agent: Agent) -> Evidence | None:
    """Find the source whose word the state is: the best that agrees and knows what the agent does."""
    order = ("runner", *ABOUT_WORK) if agent.has_ended else ABOUT_WORK
    agreeing = {piece.source: piece for piece in reversed(agent.evidence) if piece.state == agent.state}
    return next((agreeing[source] for source in order if source in agreeing), None)


def _decided(agent: Agent, state: State, decider: Evidence | None) -> str:
    if state is State.LOST:
        before = f"it was {agent.state}" + (f" ({agent.detail})" if agent.detail else "")
        return f"Control Room itself: {agent.host} cannot be asked. When last heard, {before}."
    if agent.pending and agent.pending.verb in STARTS and agent.state is State.STARTING:
        return "the order: it was given, and its host has not shown the agent yet."
    if decider is not None:
        return f"{source_words(decider.source)}: {decider.value or decider.state}"
    if agent.state is State.UNKNOWN and agent.cause is Cause.UNSEEN:
        return "the ledger: this agent should exist, but its host has not been heard since the engine was started."
    if agent.adopted:
        where = f" ({agent.place})" if agent.place else ""
        if agent.has_ended:
            return f"{agent.host}, which saw it end; it was not started here{where}, so nothing here says how."
        return f"nobody: it was not started here{where}, and nothing there says what it does."
    if agent.detail and agent.state in (State.FAILED, State.UNKNOWN, State.DONE):
        return f"the node on {agent.host}, which looked for it: {agent.detail}"
    return f"the node on {agent.host}; no source of its own says so."


def source_words(source: str) -> str:
    """What a source is."""
    return _SOURCES.get(source, source)


def _disagreements(agent: Agent) -> Iterator[str]:
    for claim in agent.claims:
        yield f"{agent.host} says {claim_words(claim)}: what was ordered counts; its record there is not to be trusted"
    for piece in agent.evidence:
        if piece.agrees:
            continue
        say = "say" if piece.source in _SEVERAL else "says"
        view = f"{source_words(piece.source)} {say} {piece.state}" + (f" ({piece.value})" if piece.value else "")
        yield f"{view}: {_meaning(agent, piece)}"


def _meaning(agent: Agent, piece: Evidence) -> str:
    """What a disagreement means and what becomes of it."""
    dead = piece.state in (State.FAILED, State.DONE)
    if piece.source == "process" and dead and agent.lives:
        return "its host looks again each second, and marks it failed when its runner stays away"
    if piece.source == "process":
        return "something of it still runs; kill ends that too"
    if piece.source == "tmux" and dead:
        return "it works on without its session, but nobody can look at its terminal"
    if piece.source == "session file":
        return "Claude writes that file some time after its events; if it stays so, look at the log"
    if piece.source == "stream" and agent.has_ended:
        return "that was its last event; how its process ended counts for more"
    return "the better source is shown"


# --------------------------------------------------------------------------- how old it is


def _host_words(name: str, host: Host | None, now: int) -> str:
    if host is None:
        return f"{name} is not in this room."
    if host.link is LinkState.UP:
        clock = host.facts.clock_offset if host.facts else 0
        off = f"; its clock is {clock / 1000:+.0f} s from ours, times here are ours" if abs(clock) > 2000 else ""
        return f"{name} is up, heard {ago(now - host.seen)}{off}."
    last_heard = (
        f"last heard {ago(now - host.seen)}: all of this is as old" if host.seen else "not heard yet by this engine"
    )
    reason = f" ({host.reason})" if host.reason else ""
    return f"{name} is {host.link} {since(now - host.since)}{reason}; {last_heard}."


# --------------------------------------------------------------------------- what else is known


def _carried_out(fleet: Fleet, agent: Agent, now: int) -> Iterator[tuple[str, str]]:
    if task := task_of(fleet, agent):
        yield "task", f"{task.id}, which is {task.state}, attempt {len(task.attempts)}: {task.title}"
    if agent.trouble and not agent.has_ended:
        yield "trouble", agent.trouble
    if agent.adoption is not None and not agent.has_ended:
        yield "limits", care_words(fleet, agent)
    yield from _taken(fleet, agent)
    if (other := went_on(fleet, agent)) is not None:
        yield "moved", f"its session goes on as {other.id}, which is {fleet.state_of(other)}"
    if words := restart_words(fleet, key_of(fleet, agent), now):
        yield "restarts", words


def _notes(agent: Agent, now: int) -> Iterator[tuple[str, str]]:
    yield from _taken_over(agent.adoption, agent, now)
    if claimed := claimed_words(agent):
        yield "claimed", f"this room did not order it; {agent.host} says: {claimed}"
    if agent.lead:
        yield "lead", f"lead {agent.lead} began it, and what it costs counts for that lead's ceiling"
    if agent.pending:
        who = f" by {agent.pending.who}" if agent.pending.who else ""
        yield "order", f"{agent.pending.verb} ordered{who} {ago(now - agent.pending.at)}, not answered yet"
    if agent.question:
        yield "asks", f"{agent.question.title}, {ago(now - agent.question.asked)}"
        yield from (("always", f"for this session also allows: {each}") for each in agent.question.always)
    if agent.forged:
        orders = "an order" if agent.forged == 1 else f"{agent.forged} orders"
        yield "forged", f"{orders} came to its runner that this room did not sign, and did nothing"
    if agent.limited_until:
        left = agent.limited_until - now
        ahead = f"ends in {age(left)}" if left >= 60_000 else "ends within a minute"
        yield "until", f"the limit {ahead}" if left > 0 else f"the limit ended {ago(-left)}, by our clock"
    if agent.has_ended and (words := _ended_words(agent)):
        yield "ended", f"{words}, {ago(now - (agent.ended or agent.since))}"
    yield from _edits(agent)
    if agent.subagents:
        yield "below", f"{agent.subagents} subagent{'s' * (agent.subagents > 1)} of it at work"
    yield from _of_its_work(agent, now)
    yield from _payer(agent)
    if agent.last_line:
        yield "line", f"{agent.last_line} ({ago(now - agent.last_line_at)})"


def _taken_over(adoption: Adoption | None, agent: Agent, now: int) -> Iterator[tuple[str, str]]:
    if adoption is None:
        return
    yield "adopted", f"taken over as {adoption.name} by {adoption.who}, {ago(now - adoption.at)}; {adoption.can_do}"
    if adoption.when_ended and not agent.has_ended:
        profile = f", with profile {adoption.profile}" if adoption.profile else ""
        yield "then", f"once it has ended by itself, its session goes on under a runner{profile}"


def _edits(agent: Agent) -> Iterator[tuple[str, str]]:
    for overlap in agent.edited.overlaps if agent.edited else ():
        yield "overlap", overlap_words(overlap)
    if words := edited_words(agent.edited):
        yield "edited", words


def _of_its_work(agent: Agent, now: int) -> Iterator[tuple[str, str]]:
    """What is known of what it did: how much it was denied, and how its checks stand."""
    if agent.denied:
        yield "denied", f"{agent.denied} of its requests were denied"
    if agent.checks:
        yield from (("checks", line) for line in check_lines(agent.checks, now))
    if agent.nothing_changed:
        yield "changed", "it has changed no file, and answered nothing"


def _taken(fleet: Fleet, agent: Agent) -> Iterator[tuple[str, str]]:
    """What was taken for it: which of several credentials, and which model, now and in its next run."""
    work = agent.ordered
    if work is not None and work.credential:
        how = "one of those that its profile names (controlroom audit says why)"
        if work.chosen_credential:
            how = "which was chosen for it: its later runs take it, too"
        yield "login", f"credential {work.credential}, {how}"
    if work is not None:
        meant = ladder.meant_model(fleet, agent)
        model, why = ladder.cheaper(fleet, meant, agent.host, agent.name, work.profile, agent.billing)
        if why and work.model == model:
            yield "model", why
    if work is not None and work.chosen and work.chosen != work.model:
        yield "model", f"its next run begins with {work.chosen}, which was chosen for it"


def _ended_words(agent: Agent) -> str:
    if ladder.is_paused(agent):
        return "its runner ended it to pause it"
    if agent.adopted and agent.exit_code is None and agent.exit_signal is None:
        return "its exit code is known only to what started it"
    return exit_words(agent.kind, agent.exit_code, agent.exit_signal)


def _doubts(fleet: Fleet, agent: Agent, now: int) -> Iterator[tuple[str, str]]:
    waits = ladder.pausing(fleet, agent)
    for budget in ladder.binding(fleet, agent) if waits else ():
        spent, line = amount(budget.spent, budget.unit), amount(budget.stop, budget.unit)
        resets = f"it resets in {age(budget.ends - now)}; " if budget.ends > now else ""
        ends = f"; {resets}to raise it: controlroom budget set {budget.name} --limit …" if budget in waits else ""
        yield "budget", f"{budget.name} ({budget.scope}): {spent} is gone, its stop line is {line}{ends}"
    if alarm := fleet.alarms.get(f"doubt {agent.id}", fleet.alarms.get(f"doubt {agent.host}")):
        yield "use", alarm.text


def _payer(agent: Agent) -> Iterator[tuple[str, str]]:
    if billed := payer_words(agent):
        yield "key", f"it {billed}"
    if doubt := payer_doubt(agent):
        yield "pays", f"not known: {doubt}"
    elif agent.session and not agent.billing:
        yield "pays", "not known: nothing on its host says for certain who does, so both kinds of budgets bind it"


# --------------------------------------------------------------------------- for people, for scripts


def for_watchers(told: Explanation) -> Explanation:
    """The same with only those steps that somebody may take who only looks."""
    steps = tuple(step for step in told.steps if not step.action or BY_NAME[step.action].looks)
    return replace(told, steps=steps or (Step("An operator can act on it; you may look."),))


def lines(told: Explanation, now: int, clock: Callable[[int], str], keys: Keymap | None = None) -> list[Line]:
    """Write an explanation for people. `clock` gives a time of day from UTC milliseconds, as the reader counts it.

    `keys`: name these keys of the screen where there are some, instead of commands.
    """
    heard = "heard" if told.state is State.LOST else "since"
    when = f", {heard} {clock(told.since)} ({ago(now - told.since)})" if told.since else ""
    detail = f": {told.detail}" if told.detail and told.state is not State.LOST else ""
    drawn = [Line("state", f"{told.state}{detail}{when}", "strong"), Line("by", told.decided)]
    drawn.append(Line("host", told.host, "warn" if told.stale else "plain"))
    drawn += [
        Line(label, words, "warn" if label in ("asks", "order", "claimed", "overlap") else "plain")
        for label, words in told.notes
    ]
    for index, view in enumerate(told.views):
        drawn.append(Line("seen" if index == 0 else "", _view_words(view, now), "plain" if view.agrees else "warn"))
    if not told.views:
        drawn.append(Line("seen", "no source says anything about this run"))
    drawn += [Line("but" if index == 0 else "", words, "warn") for index, words in enumerate(told.disagrees)]
    drawn += [Line("do" if index == 0 else "", _step_words(step, keys), "do") for index, step in enumerate(told.steps)]
    return drawn


def _view_words(view: SourceView, now: int) -> str:
    verdict = "decides" if view.decides else "agrees" if view.agrees else f"disagrees, says {view.state}"
    value = f": {view.value}" if view.value else ""
    return f"{view.source}{value}, {ago(now - view.at)}; {verdict}"


def _step_words(step: Step, keys: Keymap | None) -> str:
    key = step.key(keys) if keys else ""
    way = f"key {key}" if key else step.command
    return f"{step.words}  [{way}]" if way else step.words
