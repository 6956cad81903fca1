"""Translates wire <-> domain, pure. Nothing a host said gets past here before it is sanitized, bounded and in range.

Text loses every control and looks like no key; names must keep the name rule; numbers out of range are "not known";
times of the host's clock become times of ours. What cannot be kept is left out and said in a notice. Long gaps in a
question are named, so that nothing stands out of sight: a command may hold hundreds of empty lines before what matters.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any, TypeVar

from controlroom.domain import events, intents, model
from controlroom.domain.alarms import GAPS, Gap, gaps_alarm
from controlroom.domain.branch_intents import AcceptOn, BranchEffect, DropOn, PullRequestOn, PushOn
from controlroom.domain.intents import NodeEffect
from controlroom.domain.model import ENDED, LIVE, State
from controlroom.domain.overlap import Edits
from controlroom.domain.questions import QuestionKind, wish
from controlroom.domain.worktrees import DropWorktreeOn, Worktree
from controlroom.text.checks import (
    MOST_COMMANDS,
    MOST_GUARDED,
    MOST_TOLD,
    OUTPUT,
    CheckRun,
    Checks,
    CheckState,
)
from controlroom.text.host_sample import FolderCheck, HostCheck, HostSample
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import ADOPTED, agent_name_problem, is_adopted_name, is_session
from controlroom.text.sanitize import redact, sanitize, sanitize_lines
from controlroom.text.states import AgentKind, Item, Option, Outcome, Payer, has_ended, read_cause
from controlroom.wire import branches
from controlroom.wire import messages as wire
from controlroom.wire.adopted import SignalAdopted
from controlroom.wire.edits import LONGEST_PATH, MOST_PATHS, MOST_REPOSITORIES, EditsSeen, RepositoryEdits
from controlroom.wire.inquiries import Checked
from controlroom.wire.spec import AgentSpec
from controlroom.wire.usage import UsageGaps
from controlroom.wire.worktrees import DropWorktree, WorktreeSeen

_BLANK = r"[^\S\n]|\u2800"
"""Blanks of all kinds; the Braille pattern without a dot looks like one and is none to Unicode."""

WIDE, HIGH = 40, 5
"""Blanks in a row, and line ends in a row, beyond which they are said instead: a phone has 45 columns."""

_RUN = re.compile(f"(?:{_BLANK})+")
_WIDE = re.compile(f"(?:{_BLANK}){{{WIDE},}}")
_HIGH = re.compile(f"\n(?:(?:{_BLANK})*\n){{{HIGH},}}")


def close_gaps(text: str) -> str:
    """Return one line without gaps: blanks in a row become one."""
    return _RUN.sub(" ", text)


def name_gaps(text: str) -> str:
    """Return a text in which wide and high gaps are said."""
    high = _HIGH.sub(lambda gap: f"\n‹{gap[0].count(chr(10)) - 1} empty lines›\n", text)
    return _WIDE.sub(lambda gap: f" ‹{len(gap[0])} blanks› ", high)


LAST_LINE = 300
TASK = 200
QUESTION = 32 * 1024
"""Characters kept at most. Of a question no fewer than an honest runner shows: what is longer is told to be cut."""

_NOTICE, _DETAIL, _PATH, _WORD, _TITLE = 1_000, 300, 400, 100, 120
_LABEL, _SENTENCES = 400, 2_500
_MAX_EVIDENCE, _MAX_GAPS, _MOST_CONFLICTS = 8, 100, 100
_Number = TypeVar("_Number", int, float)
_MAX_BYTES = 2**53
_MAX_PID = 2**22
_MAX_SUBAGENTS = 20_000
_MAX_PERCENT = 100.0 * 4096
_MOST = {"cpu_percent": 100.0, "iowait_percent": 100.0, "load_1m": 1e6, "load_5m": 1e6, "load_15m": 1e6}
_FIGURES = tuple(field.name for field in fields(HostSample) if field.name != "at")
"""The figures of a machine; what `_MOST` does not name is bytes."""
_FAR = 40 * 86_400_000
"""Milliseconds that a limit may lie ahead, a month's and a little; beyond, nothing is known."""

MAX_ADOPTED = 500
"""Agents of one host that others started: what is beyond is not shown."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PANE = re.compile(r"%[0-9]{1,9}")
_MARK = re.compile(r"[0-9a-f]{0,12}\.[0-9]{1,10}\.[0-9]{1,20}")
_QUESTION_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_MOST_ITEMS, _MOST_OPTIONS, _MOST_ALWAYS, _PREVIEW = 6, 9, 12, 3_600
_KINDS = {kind.value: kind for kind in (QuestionKind.PERMISSION, QuestionKind.PLAN, QuestionKind.CHOICES)}
"""What an agent may ask; whatever a host calls a question of its agent, it never wants a key or a secret."""
_ASKS = "AskUserQuestion"
"""The tool of questions with choices, for runners that do not say what kind theirs are."""
_ONLY_ALIVE = frozenset({"process", "tmux"})
"""Sources that know whether an agent lives, not what it does."""


@dataclass(frozen=True)
class HostContext:
    """What a message of a host is read against."""

    host: str
    room: str
    now: int
    """Our clock, UTC ms."""
    ahead: int = 0
    """Milliseconds the host's clock is ahead of ours."""
    as_now: Callable[[int], int] = int
    """Turns what the host's clock showed before it was set into what it would have shown as it stands now."""

    def time(self, at: int) -> int:
        """Turn a time of the host into ours; 0 stays 0, and nothing has happened in the future."""
        return min(max(self.as_now(at) - self.ahead, 1), self.now) if at > 0 else 0

    def end(self, at: int) -> int | None:
        """Turn a time that may lie ahead into ours; None for none, or for one that nobody will see."""
        ours = at - self.ahead
        return ours if at > 0 and 0 < ours < self.now + _FAR else None


def to_events(message: wire.AgentRecord, setting: HostContext) -> list[events.Event]:
    """Translate what a host has seen."""
    match message:
        case wire.AgentsSeen():
            return _observed(message, setting)
        case wire.AdoptedSeen():
            return [
                events.AdoptedObserved(setting.host, tuple(_adopted(message, setting)), setting.now, message.complete)
            ]
        case wire.LastLines():
            return [events.LinesSeen(setting.host, tuple(_lines(message.lines, setting)), setting.now)]
        case wire.Loads():
            return [events.LoadsSeen(setting.host, tuple(_loads(message.agents, setting)), setting.now)]
        case EditsSeen():
            return [events.EditsSeen(setting.host, _edited(message, setting), setting.now)]
        case _:
            return [_of_machine(message, setting)]


def _of_machine(message: wire.HostRecord, setting: HostContext) -> events.Event:
    """Translate what a host has to say of itself."""
    match message:
        case HostSample():
            return events.HostSampled(setting.host, _sample(message, setting))
        case wire.OwnerSeen():
            return events.HostOwned(setting.host, message.room in ("", setting.room), _epoch(message.epoch))
        case wire.TmuxSeen():
            version, problem = short(message.version, _WORD), short(message.problem, _DETAIL)
            return events.TmuxFound(setting.host, version, problem)
        case UsageGaps():
            return events.Alarmed(f"{GAPS}{setting.host}", gaps_alarm(setting.host, _gaps(message, setting)))
        case wire.Notice():
            return events.HostNoticed(setting.host, short(message.text, _NOTICE), setting.now)


def to_met(welcome: wire.Welcome, setting: HostContext) -> events.HostMet:
    """Translate a node's greeting."""
    facts = model.HostFacts(
        hostname=short(welcome.hostname, _WORD),
        user=short(welcome.user, _WORD),
        platform=short(welcome.platform, _WORD),
        python=short(welcome.python, _WORD),
        tmux=short(welcome.tmux, _WORD),
        tmux_problem=short(welcome.tmux_problem, _DETAIL),
        cores=_within(welcome.cores, 4096) or 1,
        memory_total=_within(welcome.memory_total, _MAX_BYTES) or 0,
        machine_id=short(welcome.machine_id, _WORD),
        boot_id=short(welcome.boot_id, _WORD),
        clock_offset=setting.ahead,
        owned=welcome.owner in ("", setting.room),
        owner_epoch=_epoch(welcome.owner_epoch),
        place=short(welcome.place, _WORD),
    )
    return events.HostMet(setting.host, facts, setting.now)


def _epoch(number: int) -> int:
    return _within(number, 2**31) or 0


def to_reply(reply: wire.Reply) -> wire.Reply:
    """Make a host's answer fit to show. That something is on its way is for us to say, not for a host."""
    outcome = Outcome.UNKNOWN if reply.outcome is Outcome.ASKED else reply.outcome
    conflicts = tuple(short(path, _PATH) for path in reply.conflicts[:_MOST_CONFLICTS])
    return replace(reply, outcome=outcome, reason=short(reply.reason, _NOTICE), conflicts=conflicts)


_COUNTS = ("max_sessions", "max_processes", "processes", "inotify_watches")


def to_check(checked: Checked, now: int) -> HostCheck:
    """Make what a host found of itself fit to judge and to show; `now`: our clock when it was heard, UTC ms."""
    parts = {field.name: _bounded(field.name, getattr(checked.host, field.name)) for field in fields(HostCheck)}
    for name in ("billing", "billing_told"):
        parts[name] = parts[name] if parts[name] in ("api", "plan") else ""
    parts["clock_offset"] = checked.clock - now if checked.clock > 0 else 0
    return HostCheck(**parts)


def to_folders(checked: Checked, asked: Sequence[str]) -> dict[str, FolderCheck]:
    """What a host found of the folders that it was asked about, by path: nothing is known of those it leaves out."""
    return {path: FolderCheck(path) for path in asked} | {
        folder.path: folder for folder in checked.folders if folder.path in asked
    }


def _bounded(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return short(value, _NOTICE if name == "environment_problem" else _DETAIL)
    most = 0o777 if name == "state_mode" else 2**31 if name in _COUNTS else _MAX_BYTES
    return value if isinstance(value, bool) else _within(value, most)


def to_node(effect: NodeEffect, op: int, profile: AgentSpec) -> wire.ToNode:
    """Turn an effect into what its host is asked; `profile` holds all that the effect does not say."""
    match effect:
        case intents.SpawnOn():
            return wire.Spawn(op, effect.name, effect.epoch, _spec(effect, profile), effect.task, effect.replaces)
        case intents.KillOn():
            return wire.Kill(op, effect.name, effect.epoch, effect.why)
        case intents.TellOn():
            order = effect.what, effect.text, effect.question, effect.verdict, effect.digest, effect.answers
            return wire.Tell(op, effect.name, effect.epoch, *order, by=effect.by)
        case intents.SignalOn():
            return SignalAdopted(op, effect.name, effect.mark, effect.signal, effect.script, effect.session)
        case intents.ForgetOn():
            return wire.Forget(op, effect.name, effect.epoch)
        case intents.TakeOn():
            return wire.Take(op)
        case DropWorktreeOn():
            return DropWorktree(op, effect.name, effect.key, effect.unsaved)
        case _:
            return _branch_order(effect, op, profile)


def _branch_order(effect: BranchEffect, op: int, profile: AgentSpec) -> branches.BranchOrder:
    work = op, effect.name, effect.epoch
    match effect:
        case AcceptOn():
            spec = profile._replace(checks=effect.checks.over(profile.checks))
            return branches.AcceptWork(*work, effect.into, effect.rebase, effect.push, effect.head, spec)
        case PushOn():
            return branches.PushWork(*work, effect.branch, effect.head)
        case PullRequestOn():
            words = effect.into, effect.title, effect.body
            return branches.RequestPull(*work, *words, effect.draft, effect.head)
        case DropOn():
            return branches.DropBranch(*work, effect.unsaved, effect.head)


def short(text: str, limit: int) -> str:
    """Make one sanitized line of at most `limit` characters, an ellipsis at the end if it was longer."""
    plain = len(text) <= limit and text.isascii() and text.isprintable()  # as most of what comes is
    line = redact(text if plain else sanitize(text, limit))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def long(text: str, limit: int) -> str:
    """Make sanitized text that keeps its lines, at most `limit` characters in all."""
    whole = redact("\n".join(sanitize_lines(text[: limit + 1], limit)))
    return whole if len(whole) <= limit else whole[: limit - 1] + "…"


def _spec(effect: intents.SpawnOn, profile: AgentSpec) -> AgentSpec:
    return profile._replace(
        kind=effect.kind,
        profile=effect.profile or profile.profile,
        model=effect.model or profile.model,
        cwd=effect.cwd or profile.cwd,
        command=effect.command or profile.command,
        resume=effect.resume,
        worktree=effect.worktree,
        max_hours=min(filter(None, (effect.terms.hours, profile.max_hours)), default=0.0),
        max_budget_usd=_least_usd(effect.terms.micro, profile.max_budget_usd),
        checks=effect.terms.checks.over(profile.checks),
    )


def _least_usd(micro: int, profile: str) -> str:
    """The smaller of two ceilings in US dollars; none: empty."""
    if not micro or (profile and Decimal(profile) * 1_000_000 <= micro):
        return profile
    return f"{Decimal(micro) / 1_000_000:.2f}"


def _sample(seen: HostSample, setting: HostContext) -> HostSample:
    figures = {name: _within(getattr(seen, name), _MOST.get(name, _MAX_BYTES)) for name in _FIGURES}
    return replace(seen, at=setting.time(seen.at) or setting.now, **figures)


def _observed(seen: wire.AgentsSeen, setting: HostContext) -> list[events.Event]:
    named = {agent.name: agent for agent in seen.agents if _fits(agent.name, agent.epoch)}
    agents = tuple(_agent(agent, setting) for agent in named.values())
    gone = tuple(name for name in seen.gone if agent_name_problem(name) is None)
    happened: list[events.Event] = [
        events.AgentsObserved(setting.host, agents, setting.now, seen.complete, gone),
    ]
    bad = [agent.name for agent in seen.agents if not _fits(agent.name, agent.epoch)]
    mute = [agent.name for agent in named.values() if agent.question and not _askable(agent.question)]
    if bad:
        text = f"left out {len(bad)} agent(s) whose name or run cannot be: {', '.join(map(ascii, bad[:3]))}"
        happened.append(events.HostNoticed(setting.host, short(text, _DETAIL), setting.now))
    if mute:
        text = f"{', '.join(mute[:3])} asks what cannot be asked here (its id, or too many choices): attach, or kill it"
        happened.append(events.HostNoticed(setting.host, short(text, _DETAIL), setting.now))
    return happened


def _fits(name: str, epoch: int) -> bool:
    return agent_name_problem(name) is None and 0 < epoch < 2**31


def _shows(name: str, epoch: int) -> bool:
    """Return whether an agent that is shown can have this name and epoch, ours or another's."""
    return _fits(name, epoch) or (is_adopted_name(name) and epoch == 0)


def _gaps(seen: UsageGaps, setting: HostContext) -> list[Gap]:
    return [Gap(setting.time(gap.since), gap.why, short(gap.where, _PATH)) for gap in seen.gaps[:_MAX_GAPS]]


def _adopted(seen: wire.AdoptedSeen, setting: HostContext) -> Iterable[model.Agent]:
    """Take what a host says of agents that others started: a signal to their processes is all that can follow."""
    named = {agent.name: agent for agent in seen.agents[:MAX_ADOPTED] if is_adopted_name(agent.name)}
    for agent in named.values():
        pane = agent.pane if _PANE.fullmatch(agent.pane) else ""
        mark, script = (text if _MARK.fullmatch(text) else "" for text in (agent.mark, agent.script))
        shown = _agent(replace(agent, epoch=0, kind=ADOPTED, question=None), setting)
        yield replace(shown, place=short(agent.place, _WORD), pane=pane, mark=mark, script=script, trouble="")


def _agent(seen: wire.AgentSeen, setting: HostContext) -> model.Agent:
    state = _state(seen.state)
    return model.Agent(
        host=setting.host,
        name=seen.name,
        epoch=seen.epoch,
        kind=AgentKind(seen.kind),
        state=state,
        since=setting.time(seen.since) or setting.now,
        detail=short(seen.detail, _DETAIL),
        cause=read_cause(seen.cause, seen.state, seen.detail),
        profile=short(seen.profile, _WORD),
        model=short(seen.model, _WORD),
        cwd=short(seen.cwd, _PATH),
        task=short(seen.task, TASK),
        pid=_within(seen.pid, _MAX_PID) or None,
        session=seen.session if is_session(seen.session) else "",
        started=setting.time(seen.started),
        ended=setting.time(seen.ended),
        exit_code=_within(seen.exit_code, 255),
        exit_signal=_within(seen.exit_signal, 64),
        question=_question(seen.question, setting) if seen.question and _askable(seen.question) else None,
        limited_until=setting.end(seen.limited_until),
        denied=_within(seen.denied, 2**31) or 0,
        billing=Payer(seen.billing),
        stray_key=short(seen.stray_key, _WORD),
        billing_doubt=short(seen.billing_doubt, _DETAIL),
        grant=_within(seen.grant, 2**53) or 0,
        run_spent=_within(seen.run_spent, 2**53) or 0,
        run_tokens=_within(seen.run_tokens, 2**53) or 0,
        subagents=_within(seen.subagents, _MAX_SUBAGENTS),
        forged=_within(seen.forged, 2**31) or 0,
        trouble=short(seen.trouble, _DETAIL),
        checks=_checks(seen, setting),
        nothing_changed=seen.nothing_changed,
        log_bytes=_within(seen.log_bytes, _MAX_BYTES) or 0,
        evidence=tuple(_evidence(item, state, setting) for item in seen.evidence[:_MAX_EVIDENCE]),
        worktree=_worktree(seen.worktree) if seen.worktree else None,
    )


def _worktree(seen: WorktreeSeen) -> Worktree:
    ports = tuple(port for port in seen.ports[:2] if 0 < port < 2**16)
    return Worktree(
        short(seen.path, _PATH),
        short(seen.branch, _WORD),
        seen.base if _COMMIT.fullmatch(seen.base) else "",
        short(seen.onto, _WORD),
        short(seen.origin, _PATH),
        short(seen.checkout, _PATH),
        ports if len(ports) == 2 else (),
    )


def _checks(seen: wire.AgentSeen, setting: HostContext) -> Checks | None:
    """Take what a host says of an agent's checks. Of one that has ended none run any more."""
    said = seen.checks
    if said is None:
        return None
    over = said.state is CheckState.RUNNING and has_ended(seen.state, seen.ended, seen.pid)
    return Checks(
        CheckState.UNFINISHED if over else said.state,
        tuple(_check_run(run) for run in said.runs[:MOST_COMMANDS]),
        short(said.command, _DETAIL),
        _within(said.told, MOST_TOLD) or 0,
        _within(said.attempts, MOST_TOLD) or 0,
        setting.time(said.at),
        name_gaps(long(said.output, OUTPUT)),
        said.clean,
        short(said.commit, _WORD),
        tuple(short(path, _PATH) for path in said.guarded[:MOST_GUARDED]),
        max(0, len(said.guarded) - MOST_GUARDED) + (_within(said.more_guarded, 2**31) or 0),
        short(said.guards_unknown, _DETAIL),
    )


def _check_run(run: CheckRun) -> CheckRun:
    return CheckRun(short(run.command, _DETAIL), short(run.failure, _DETAIL), _within(run.seconds, 10**7) or 0.0)


def _state(word: str) -> State:
    try:
        return State(word)
    except ValueError:
        return State.UNKNOWN


def _askable(question: wire.QuestionSeen) -> bool:
    few = len(question.items) <= _MOST_ITEMS and all(len(item.options) <= _MOST_OPTIONS for item in question.items)
    return _QUESTION_ID.fullmatch(question.id) is not None and few


def _question(seen: wire.QuestionSeen, setting: HostContext) -> model.Question:
    text = name_gaps(long(name_gaps(seen.text), QUESTION))
    first, *others = [close_gaps(line) for line in text.split("\n")]
    kind = _KINDS.get(seen.kind) or (QuestionKind.CHOICES if seen.tool == _ASKS else QuestionKind.PERMISSION)
    tool = short(seen.tool, _WORD)
    titles = {QuestionKind.CHOICES: first or tool, QuestionKind.PLAN: f"plan: {first}"}
    title = titles.get(kind) or wish(tool, first)
    more = 0 if kind is QuestionKind.CHOICES else sum(1 for line in others if line.strip())
    items = tuple(map(_item, seen.items)) if kind is QuestionKind.CHOICES else ()
    return model.Question(
        id=seen.id,
        kind=kind,
        title=_title(title, more),
        text=text,
        asked=setting.time(seen.at) or setting.now,
        items=items,
        digest=seen.digest,
        cut=seen.cut or not _whole(seen, items),
        always=_always(seen.always),
        tool=tool,
        input=seen.input if kind is QuestionKind.PERMISSION and _is_input(seen.input) else "",
    )


def _is_input(text: str) -> bool:
    """Whether a text may be a tool's whole input, as an honest runner tells it."""
    return len(text) <= QUESTION and text.isascii() and text.isprintable()


def _always(words: Sequence[str]) -> tuple[str, ...]:
    """Return what `always` would allow; nothing when a part of that could not be read, so that it is no answer."""
    shown = tuple(short(name_gaps(each), _LABEL) for each in words[: _MOST_ALWAYS + 1])
    whole = all(each and len(sanitize(part, QUESTION)) <= _LABEL for each, part in zip(shown, words, strict=False))
    return shown if whole and len(shown) <= _MOST_ALWAYS else ()


def _title(text: str, more: int) -> str:
    """Return one line of what is asked, and say how much more there is: somebody may answer by it alone."""
    behind = f" (and {more} line{'s' if more > 1 else ''} more)" if more else ""
    return short(text, _TITLE - len(behind)) + behind


def _whole(seen: wire.QuestionSeen, items: tuple[Item, ...]) -> bool:
    """Return whether a question is shown to its last sign, whatever its host says of that."""
    texts = [(seen.tool, _WORD), *(part for item in seen.items for part in _parts(item))]
    if not items:
        texts.append((seen.text, QUESTION))
    return all(len(sanitize(part, QUESTION)) <= most for part, most in texts)


def _parts(seen: Item) -> Iterable[tuple[str, int]]:
    yield from ((seen.question, _SENTENCES), (seen.header, _LABEL))
    for option in seen.options:
        yield from ((option.label, _LABEL), (option.description, _SENTENCES), (option.preview, _PREVIEW))


def _item(seen: Item) -> Item:
    def line(text: str, limit: int) -> str:
        return short(close_gaps(text), limit)

    options = tuple(
        Option(
            line(option.label, _LABEL), line(option.description, _SENTENCES), name_gaps(long(option.preview, _PREVIEW))
        )
        for option in seen.options
    )
    return Item(line(seen.question, _SENTENCES), line(seen.header, _LABEL), options, seen.several, seen.own_words)


def _evidence(seen: wire.EvidenceSeen, state: State, setting: HostContext) -> model.Evidence:
    source = short(seen.source, _WORD)
    return model.Evidence(
        source=source,
        state=short(seen.state, 20),
        value=short(seen.value, _DETAIL),
        at=setting.time(seen.at) or setting.now,
        agrees=_agrees(source, _state(seen.state), state),
    )


def _agrees(source: str, seen: State, state: State) -> bool:
    """A source that knows nothing contradicts nothing; one that knows only life and death is not asked for more."""
    if seen in (State.UNKNOWN, state):
        return True
    return source in _ONLY_ALIVE and any(seen in group and state in group for group in (LIVE, ENDED))


def _lines(lines: Iterable[wire.LastLine], setting: HostContext) -> Iterable[events.LineSeen]:
    for line in lines:
        if _shows(line.name, line.epoch):
            at = setting.time(line.at) or setting.now
            yield events.LineSeen(f"{setting.host}/{line.name}", line.epoch, short(line.text, LAST_LINE), at)


def _loads(loads: Iterable[wire.AgentLoad], setting: HostContext) -> Iterable[events.LoadSeen]:
    for load in loads:
        rss, cpu = _within(load.rss, _MAX_BYTES), _within(load.cpu_percent, _MAX_PERCENT)
        processes = _within(load.processes, _MAX_PID)
        if _shows(load.name, load.epoch) and rss is not None and cpu is not None and processes is not None:
            yield events.LoadSeen(f"{setting.host}/{load.name}", load.epoch, rss, cpu, processes, load.rss_bound)


def _edited(seen: EditsSeen, setting: HostContext) -> dict[str, tuple[Edits, ...] | None]:
    """What agents have edited, by id; None: it could not be looked at."""
    edited: dict[str, tuple[Edits, ...] | None] = {}
    for agent in seen.agents:
        if _shows(agent.name, agent.epoch):
            each = tuple(_edits(one, setting.host) for one in agent.repositories[:MOST_REPOSITORIES])
            edited[f"{setting.host}/{agent.name}"] = each if agent.known else None
    return edited


def _edits(seen: RepositoryEdits, host: str) -> Edits:
    """What was edited of one repository: a path that cannot be shown whole could be taken for another."""
    tree = f"{host}:{short(seen.tree, _PATH)}"
    place = f"{host}:{short(seen.common, _PATH)}" if seen.common else tree
    paths = [_path(path) for path in seen.paths[:MOST_PATHS] if 0 < len(path) <= LONGEST_PATH]
    whole = frozenset(path for path in paths if len(path) <= LONGEST_PATH)
    origin = short(seen.origin, _PATH)
    if origin.startswith("/"):  # a path, which is another place on each host
        origin = f"{host}:{origin}"
    return Edits(origin or place, tree, whole, seen.more or len(whole) < len(seen.paths))


def _path(path: str) -> str:
    """A path that can be shown: what a terminal obeys is written in letters, so that no two become the same."""
    plain = path if path.isprintable() and "\\" not in path else path.encode("unicode_escape").decode()
    return short(plain, 2 * LONGEST_PATH)


def _within(value: _Number | None, most: float) -> _Number | None:
    return value if value is not None and 0 <= value <= most else None
