"""What an operator can do next about an agent, from the state it is in: a sentence, and its key and verb.

Keys and verbs are those of the table of actions, so that what is said here is what works.
"""

from collections.abc import Iterator
from dataclasses import replace

from controlroom.domain.display.views import limit_is_over
from controlroom.domain.keys.actions import BY_NAME
from controlroom.domain.keys.keymap import Keymap
from controlroom.domain.model import Agent, Fleet, Host, LinkState, State
from controlroom.domain.money.ladder import is_paused, pausing
from controlroom.domain.questions import command, wants_words
from controlroom.domain.went_on import went_on
from controlroom.domain.words import since
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import AgentKind, Cause

LONG_START = 60_000
"""Milliseconds after which a start has taken long."""

QUIET = 10 * 60_000
"""Milliseconds without a line after which a working agent is worth a look."""


@dataclass(frozen=True)
class Step:
    """Something that can be done now, as an action of the screen and a command of the shell; either may be empty."""

    words: str
    action: str = ""
    command: str = ""

    def key(self, keys: Keymap) -> str:
        """The key, or keys, that do it on the screen; "" where there are none."""
        action = keys.by_name.get(self.action)
        if action is None:
            return ""
        way = keys.shown(action.name)
        return way if action.where != "hosts" else f"{keys.shown('hosts')} {way}"


_CALM = "Nothing needs you. "
"""How the advice begins where there is none."""


def steps(fleet: Fleet, agent: Agent, now: int) -> tuple[Step, ...]:
    """What can be done about an agent, the likeliest first."""
    state = fleet.state_of(agent)
    host = fleet.hosts.get(agent.host)
    if state is State.LOST or host is None:
        return tuple(_lost(agent, host))
    if agent.adopted:
        return tuple(_adopted(agent))
    if host.facts and not host.facts.owned:
        words = f"Another control room owns {host.name}: this one may only look, until you take it."
        return (_step("host_take", words, host.name),)
    if (other := went_on(fleet, agent)) is not None:
        there = _step("open", f"Its session goes on on {other.host}: look at it there.", other.id)
        return there, _step("forget", "Remove it and its logs from this host.", agent.id)
    own = tuple(_paused(fleet, agent) if state is State.PAUSED else _BY_STATE[state](agent, now))
    first = tuple(_first(agent, host))
    calm = not first
    return (*first, *(step if calm else replace(step, words=step.words.removeprefix(_CALM)) for step in own))


def _first(agent: Agent, host: Host) -> Iterator[Step]:
    """What is to be seen to in whatever state it is."""
    if host.sample is not None and host.sample.disk_is_full and not agent.has_ended:
        words = f"The disk of {host.name} is full, and lines of its log are lost: make room there."
        yield _step("host_check", words, host.name)
    for overlap in agent.edited.overlaps[:1] if agent.edited else ():
        words = f"{overlap.other} has edited {overlap.path}, too: compare the two before both are merged."
        yield _step("review", words, agent.id)


def _step(action: str, words: str, target: str, more: str = "") -> Step:
    """Name an action of the table with the words of its verb made whole; `more`: what follows the target."""
    row = BY_NAME.get(action)
    if row is None:
        return Step(words)
    verb = row.verb.replace("AGENT", target).replace("NAME", target)
    return Step(words, action, f"controlroom {verb}{more}" if verb else "")


def _adopted(agent: Agent) -> Iterator[Step]:
    if agent.has_ended:
        yield Step("It was not started here, and has ended: it is shown for a day.")
        if agent.session and agent.mark:
            yield _step("adopt_restart", "Have its session go on under a runner.", agent.id)
        yield _step("open", "Read the end of what it said.", agent.id)
        yield _step("forget", "Or take it off the list; nothing on its host is touched.", agent.id)
        return
    if agent.state is State.PAUSED:
        yield _stopped(agent)
    if agent.adoption is not None:
        yield Step(f"Nothing needs you. It was taken over as {agent.called}: {agent.adoption.can_do}.")
        yield _step("interrupt", "Stop what it is at.", agent.id)
        yield _step("kill", "Or end it.", agent.id)
        if agent.session:
            yield _step("adopt_restart", "Or have its session go on under a runner.", agent.id)
    else:
        yield Step(
            "Control Room did not start it and does not touch it: it can be looked at. What runs it can end it, in its "
            "own terminal."
        )
    if agent.adoption is None and agent.mark:
        yield _step("adopt", "Or take it over: budgets, halt and kill then act on it, by signals.", agent.id)
    if agent.pane:
        yield _step("attach", "Attach to its terminal.", agent.id)
    else:
        yield Step("It is in no tmux session of its user, so its terminal cannot be reached from here.")


# --------------------------------------------------------------------------- its host is away


def _lost(agent: Agent, host: Host | None) -> Iterator[Step]:
    if host is None:
        yield Step(f"{agent.host} is no longer in this room: add it again to see its agents.")
        return
    if host.link is LinkState.ASKING:
        yield _step("hosts", f"{host.name} asks something before it can be used: answer that.", "")
        return
    if host.link is LinkState.REFUSED:
        yield _step("host_check", f"{host.name} refuses us: see what it says, and fix that.", host.name)
        yield _step("host_retry", "Then try it at once; otherwise it is tried within five minutes.", host.name)
    elif host.link is LinkState.CONNECTING:
        yield Step(f"Wait: {host.name} is connecting, and then says what runs there.")
    else:
        yield Step(f"Wait: {host.name} is retried automatically. The agent needs no link and most likely works on.")
        yield _step("host_check", f"See what is known of the link to {host.name}, and try it by hand.", host.name)
    if agent.adopted:
        return
    yield Step(
        f"It cannot be moved meanwhile: nobody could prove that it has ended on {host.name}, and two would work on one "
        f"task. If the machine is gone for good, switch it off, take it out of the room "
        f"(controlroom host remove {host.name}) and spawn the task elsewhere."
    )


# --------------------------------------------------------------------------- by state


def _starting(agent: Agent, now: int) -> Iterator[Step]:
    if now - agent.since > LONG_START:
        yield _step("open", "It is taking long to start: see its log, and whether its host is overloaded.", agent.id)
        yield _step("kill", "Or end it.", agent.id)
    else:
        yield Step("Wait: its host has a minute to start it, and says so when it cannot.")


def _working(agent: Agent, now: int) -> Iterator[Step]:
    quiet = now - agent.last_line_at
    if agent.last_line_at and quiet > QUIET:
        words = f"It has written nothing {since(quiet)}: see whether it waits for a command that hangs."
        yield _step("open", words, agent.id)
    elif agent.kind == AgentKind.COMMAND:
        yield _step("open", f"{_CALM}Read along.", agent.id)
    if agent.kind != AgentKind.COMMAND:
        yield _step("message", "Say something to it; it reads that between two steps.", agent.id)
        yield _step("interrupt", "Stop its turn; it then waits for a message.", agent.id)
    yield _step("kill", "End it, with everything it started.", agent.id)


def _waiting(agent: Agent, now: int) -> Iterator[Step]:
    if agent.question is None:
        yield _step("attach", "It waits for something on its own terminal: go there and answer.", agent.id)
        return
    if wants_words(agent.question):
        yield Step("Read what it asks, and choose", "open", command(agent.id, agent.question))
        yield _step("deny", "or deny it.", agent.id)
        return
    yield _step("allow", "Read the question, then allow it", agent.id)
    yield _step("deny", "or deny it", agent.id)
    yield _step("message", "or answer in words.", agent.id)


def _limited(agent: Agent, now: int) -> Iterator[Step]:
    over = limit_is_over(agent, now)
    if agent.has_ended or not agent.pid:
        again = "in its session" if agent.session else "with its task"
        words = f"The limit is over: let it go on {again}." if over else f"{_STOPPED} go on {again} when it is over."
        yield _step("reassign", words, agent.id, _ON if agent.session else "")
        yield _step("forget", "Or remove it and its logs from the host.", agent.id)
        return
    if over:
        yield Step("The limit is over: Claude goes on by itself in a moment.")
        yield _step("message", "If it does not, say how to go on.", agent.id)
    else:
        yield Step("Wait: Claude tries again by itself when the limit is over.")
    yield _step("kill", "Or end it, and give its task to another account or model.", agent.id)


def _idle(agent: Agent, now: int) -> Iterator[Step]:
    yield _step("message", "It waits for a message: say how to go on.", agent.id)
    yield _step("reassign", "Or give it another task.", agent.id)


def _done(agent: Agent, now: int) -> Iterator[Step]:
    if agent.denied:
        words = f"{agent.denied} of its requests were denied: see in the log whether the task is done."
        yield _step("open", words, agent.id)
    if agent.session:
        yield _step("reassign", "Give it more to do in the same session.", agent.id, _ON)
    else:
        yield _step("reassign", "Give it another task.", agent.id)
    yield _step("forget", "Remove it and its logs from the host.", agent.id)


def _failed(agent: Agent, now: int) -> Iterator[Step]:
    words = "Its program was not found." if agent.exit_code == _NO_PROGRAM else _CAUSES.get(agent.cause)
    if words:
        yield _step("host_check", f"{words} See what {agent.host} lacks.", agent.host)
    else:
        yield _step("open", "Read the end of its log: it says why.", agent.id)
    if agent.session:
        yield _step("reassign", "Then let it go on in its session.", agent.id, _ON)
    yield _step(
        "retry", "Or give it the same task again." if agent.session else "Then give it its task again.", agent.id
    )
    yield _step("forget", "Or remove it and its logs from the host.", agent.id)


def _unknown(agent: Agent, now: int) -> Iterator[Step]:
    if agent.cause is Cause.UNSEEN:
        yield Step(f"Wait: {agent.host} has not said yet what became of it; it will in a moment.")
        return
    words = "Read its log: it is kept apart from its state."
    yield _step("open", words, agent.id)
    yield _step("host_check", f"See whether the disk of {agent.host} is full or its state folder damaged.", agent.host)
    yield _step("kill", "If nothing helps, end it: that looks for its processes, not for its state.", agent.id)


def _stopped(agent: Agent) -> Step:
    return Step(f"On {agent.host}, as its user: kill -CONT PID lets it go on.")


def _paused(fleet: Fleet, agent: Agent) -> Iterator[Step]:
    if not agent.has_ended:
        yield _stopped(agent)
        yield _step("kill", "Or end it: that works while it is stopped, too.", agent.id)
        return
    if not is_paused(agent):
        yield _step("resume", "Let it go on in its session.", agent.id)
    elif agent.session:
        waits = pausing(fleet, agent)
        which = " and ".join(f"budget {budget.name}" for budget in waits) or "its budget"
        words = f"Wait: it goes on by itself when {which} resets, or is raised or removed."
        more = f"controlroom budget set {waits[0].name} --limit …" if waits else "controlroom budget show"
        yield Step(words, "costs", more)
        yield _step("forget", "Or forget it: then it does not go on.", agent.id)
    else:
        words = "It was paused before it began, and has no session to resume. See when there is money again,"
        yield Step(words, "costs", "controlroom budget show")
        yield _step("retry", "then give it its task again.", agent.id)


_ON = " --continue"
_STOPPED = "It has ended with the limit:"

_NO_PROGRAM = 127
"""The exit code of a shell that did not find the program."""

_CAUSES = {
    Cause.NO_LOGIN: "Claude is not logged in there: run `claude` there once, as the same user.",
    Cause.LOGIN_REFUSED: "The login was refused: log in again with `claude` there, as the same user.",
    Cause.NO_CREDENTIAL: "What it logs in with cannot be had there: put the file there, or mend the command.",
    Cause.OVERLOADED: "The API was overloaded: resume it later, or let its profile name models to fall back to.",
    Cause.ACCOUNT: "Its account has no credit, or may not be used: see to that at the API's console, then resume it.",
    Cause.SPEND_CAP: "What its organisation may spend is spent: raise that in the API's console, then resume it.",
    Cause.ORGANISATION: "Its organisation is disabled or does not let it in: ask who administers it, then resume it.",
    Cause.CHECKS: "What it did has not passed its checks: see what they printed.",
    Cause.COST: "It has cost what it may: raise max_budget_usd, or the cost of its task, and resume it.",
    Cause.OUT_OF_MEMORY: "The machine ran out of memory: run fewer agents there, or move this one.",
    Cause.REBOOTED: "The machine was rebooted, which ended everything on it.",
    Cause.RUNNER_KILLED: "Its runner was killed from outside, and the agent was ended with it.",
    Cause.NEVER_STARTED: "Its runner could not be started.",
    Cause.RUNNER_FAILED: "Its runner could not work there.",
    Cause.DISK_FULL: "The disk is full.",
    Cause.QUIET: "Nothing was heard of it for longer than its profile allows (quiet_minutes).",
    Cause.REPEATING: "The same action failed again and again (same_failures): see its log.",
    Cause.OVER_LIMIT: "It took more than its profile allows (max_memory_mb, max_processes, max_hours).",
}
"""What a cause asks of the host, in words."""

_BY_STATE = {
    State.STARTING: _starting,
    State.WORKING: _working,
    State.WAITING: _waiting,
    State.LIMITED: _limited,
    State.IDLE: _idle,
    State.DONE: _done,
    State.FAILED: _failed,
    State.UNKNOWN: _unknown,
    State.LOST: _unknown,
}
