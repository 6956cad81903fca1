"""Agents that others started on this host: sessions on the user's own tmux server, and Claudes wherever they run.

They are looked at and never touched. A Claude in a session is one agent, named after the session; a session without
one is listed as well. What carries an agent's tag, or descends from what does, is some room's agent, and is left out.
"""

import hashlib
import os
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from controlroom.node.adopted.claudes import (
    NAMES,
    RunningClaude,
    Session,
    SessionFile,
    Transcript,
    adopted_name,
    end_of,
    is_claude,
    likely_transcript,
    session_transcript,
)
from controlroom.node.adopted.log_files import LogFiles
from controlroom.node.adopted.tmux import SOCKET, UserPane, UserTmux
from controlroom.node.adopted.tree import is_a_persons, is_shell, line_up, mark_of, script_of
from controlroom.node.agent_folders import signature
from controlroom.node.git.edits import Worker
from controlroom.node.observation import processes
from controlroom.node.observation.agent_records import StateClaim
from controlroom.node.observation.figures import Member
from controlroom.node.observation.processes import (
    LINUX,
    TICKS,
    Process,
    ProcessSnapshot,
    marks_of,
    read_stat,
    stop_words,
)
from controlroom.runner.claude import login
from controlroom.runner.claude.edits import is_path
from controlroom.runner.claude.interactive import DIALOG, GOES_ON
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.names import ADOPTED
from controlroom.text.sanitize import redact
from controlroom.text.states import Cause, State
from controlroom.wire.messages import AgentSeen, EvidenceSeen, LastLine

MOST = 200
"""Agents of others that are told of at most, the oldest first."""

_SETTLED = 2 * TICKS
"""Age at which a Claude without a session file is one: until then it may be one that says its version and ends."""

_LASTING = 5 * TICKS
"""Age at which a program in a session is worth its name: a loop in a shell starts others all the time."""

_UNPLACED = 8 * TICKS
"""Age up to which a Claude under tmux waits for the next look at tmux before it is listed."""

_SELDOM = 5.0
"""Seconds between two looks while there are no agents of others, and between two searches of all projects for one's
transcript."""

_PAUSE, _SULKING = 3.0, 30.0
"""Seconds between two questions to the user's own tmux server; how much longer when it does not answer."""

_BARE = "only its process is seen: it has no session file"
_MOST_ENDED = 100
"""Claudes that have ended whose words can still be read."""

_PAYER_SETTLES = 10.0
"""Seconds after a change of the login in which a request that began before may still be paid as before."""

_STILL = 3
"""Looks in a row without a program after which a shell is taken to wait at its prompt."""

Key = tuple[int, int, bytes]
"""A process that runs one program: pid, start, what it calls itself."""


class AdoptedSources(NamedTuple):
    """Where an agent of others can be looked at. Each may be empty."""

    socket: str
    """Name of its tmux socket (`tmux -L`): the user's own, `default`."""
    pane: str
    """Its pane there, as `%12`: an exact target."""
    transcript: str = ""
    """Path of its Claude's transcript."""
    segment: int = 1
    """Which of its transcripts that is, of those seen since it was met."""
    at: int = 0
    """When something last happened on its pane, UTC ms."""
    plain: bool = False
    """`transcript` is its log file, which holds whatever it has printed."""


@dataclass(eq=False)
class _Agent:
    """One agent of others, from its first look to its last. `key` says which it is for good."""

    key: tuple[object, ...]
    called: str
    """What its session or folder was called when it was first seen: a name stays, though the session is renamed."""
    created: int
    """UTC ms; for the order in which agents of one name are numbered."""
    name: str = ""
    pid: int = 0
    roots: tuple[int, ...] = ()
    pane: UserPane | None = None
    file: SessionFile | None = None
    transcript: Transcript | None = None
    transcripts: int = 0
    session: Session | None = None
    searched: float = float("-inf")
    still: int = 0
    state: State = State.UNKNOWN
    since: int = 0
    detail: str = ""
    cause: Cause = Cause.NONE
    limited_until: int = 0
    ended: int = 0
    process: Process | None = None
    cwd: str = ""
    billing: str = ""
    billing_doubt: str = ""
    stray_key: str = ""
    login_watch: login.LoginWatch | None = None
    payer_due: float = 0.0
    """When a change of the payer counts, on the clock of the looks."""
    told: str | None = None
    """The line that was told last."""
    said: dict[str, tuple[StateClaim, int]] = field(default_factory=dict)
    mark: str = ""
    script: str = ""
    log: str = ""
    """Path of its log file; it is one of its transcripts, the `log_segment`-th."""
    log_segment: int = 0
    log_sought: float = float("-inf")

    def hear(self, source: str, said: StateClaim | None) -> None:
        """Take what a source says; its time stays that of the first time it said so."""
        if said is None:
            self.said.pop(source, None)
        elif source not in self.said or self.said[source][0] != said:
            self.said[source] = said, _now()

    def become(self, state: State, since: int, detail: str = "", until: int = 0) -> None:
        """Be in a state; `since` counts when it is a new one. `until`: when a limit ends, UTC ms."""
        self.detail, self.limited_until = detail, until
        if state is not self.state or not self.since:
            self.state, self.since = state, since

    def running(self) -> RunningClaude | None:
        """Return which session it is at work on; None while there is no transcript of it."""
        if not self.session or not self.session.id or not self.transcript:
            return None
        session, path = self.session.id, self.transcript.path
        run = hashlib.sha256(f"{session} {self.key}".encode()).hexdigest()[:15]
        busy = self.state is not State.IDLE
        running = RunningClaude(self.name, session, run, self.created, path, busy, self.billing)
        return running if session in path else None

    def seen(self) -> AgentSeen:
        """Return what is known of it."""
        said = self.said.items()
        return AgentSeen(
            name=self.name,
            epoch=0,
            kind=ADOPTED,
            state=self.state.value,
            since=self.since,
            detail=self.detail[:300],
            cause=self.cause.value,
            model=self.transcript.model if self.transcript else "",
            cwd=self.cwd[:1000],
            pid=0 if self.ended else self.pid,
            session=self.session.id if self.session else "",
            started=self.created,
            ended=self.ended,
            limited_until=self.limited_until,
            evidence=tuple(
                EvidenceSeen(source, claim.state or self.state.value, claim.value, at) for source, (claim, at) in said
            ),
            place=f"tmux {self.pane.session}"[:200] if self.pane else f"pid {self.pid}",
            pane=self.pane.id if self.pane and not self.ended else "",
            mark=self.mark,
            script=self.script,
            billing=self.billing,
            billing_doubt=self.billing_doubt,
            stray_key=self.stray_key,
        )


class AdoptedAgents:
    """Agents of others, from one look at the processes to the next."""

    def __init__(self, tmux: UserTmux, home: str, boot: str = "", logs: Sequence[str] = ()) -> None:
        """`home`: the user's; a Claude that has another one, though of the same user, is somebody else's affair.

        `boot`: this run of the machine, as marks name it; `logs`: patterns of their log files.
        """
        self._logs = LogFiles(logs, home)
        self.tmux, self._boot = tmux, boot
        self._home = os.path.realpath(home)
        self._agents: dict[tuple[object, ...], _Agent] = {}
        self._ended: dict[str, _Agent] = {}
        """Claudes that have ended, by name: what they have said can still be read."""
        self._untold: list[_Agent] = []
        """Those of them that are yet to be told of."""
        self._files: dict[Key, SessionFile | None] = {}
        """Of every process that may be a Claude of others: where it says what it does; None when it is none."""
        self._tags: dict[tuple[int, int], bool] = {}
        self._looked = self._asked = float("-inf")

    # ------------------------------------------------------------------ what can be asked

    def find(self, name: str) -> AdoptedSources | None:
        """Return where the agent `~name` can be looked at; None when there is none."""
        for agent in (*self._agents.values(), *self._ended.values()):
            if agent.name == name:
                pane, transcript = agent.pane, agent.transcript
                path = transcript.path if transcript else ""
                shown = (agent.log, agent.log_segment) if agent.log else (path, agent.transcripts)
                if pane is None or agent.ended:
                    return AdoptedSources("", "", *shown, plain=bool(agent.log))
                return AdoptedSources(SOCKET, pane.id, *shown, pane.activity * 1000, bool(agent.log))
        return None

    def at_work_on(self, session: str) -> list[int]:
        """Return the processes that were at work on a session when they were looked at last."""
        agents = self._agents.values()
        return [agent.pid for agent in agents if agent.file and agent.session and agent.session.id == session]

    def seen(self) -> tuple[AgentSeen, ...]:
        """Return what is known of each."""
        return tuple(agent.seen() for agent in sorted(self._agents.values(), key=lambda agent: agent.name))

    def ended(self) -> tuple[AgentSeen, ...]:
        """Return what is known of those that have ended since the last call."""
        newest, self._untold = self._untold, []
        return tuple(agent.seen() for agent in newest)

    def files(self) -> set[str]:
        """Return the files that tell of changes: each Claude's session file, and its transcript."""
        claudes = [agent for agent in self._agents.values() if agent.file]
        return {agent.file.path for agent in claudes if agent.file} | {
            *(agent.transcript.path for agent in claudes if agent.transcript),
            *(agent.log for agent in claudes if agent.log),
        }

    def running(self) -> list[RunningClaude]:
        """Return the Claudes that are at work on a session."""
        return [running for agent in self._agents.values() if (running := agent.running())]

    def workers(self) -> list[Worker]:
        """Return the Claudes that may edit files."""
        return [
            Worker(agent.name, 0, agent.cwd, agent.created, calls=frozenset(agent.transcript.edited))
            for agent in self._agents.values()
            if agent.transcript and agent.cwd.startswith("/") and is_path(agent.cwd)
        ]

    def members(self) -> list[Member]:
        """The agents whose processes are to be counted."""
        return [Member(agent.name, 0, "", agent.roots) for agent in self._agents.values()]

    def lines(self) -> list[LastLine]:
        """Return the newest lines that have not been told: of the transcript, else of the screen."""
        lines = []
        for agent in self._agents.values():
            line, at = self._line(agent)
            if line != agent.told:
                agent.told = line
                lines.append(LastLine(agent.name, 0, line, at or _now()))
        return lines

    @property
    def ready(self) -> bool:
        """Whether a look makes sense: before tmux was asked nobody knows which Claude is in which session."""
        return self._asked > float("-inf") or not self.tmux.exists()

    def due(self, at: float) -> bool:
        """Return whether the processes are to be looked at now. `at`: seconds on a clock that never jumps."""
        return bool(self._agents) or at >= self._looked + _SELDOM

    def wants_tmux(self, at: float) -> bool:
        """Return whether it is time to ask the user's own tmux server, if there is one."""
        return at >= self._asked + _PAUSE and self.tmux.exists()

    # ------------------------------------------------------------------ looking

    async def ask_tmux(self, at: float) -> None:
        """Ask the user's own tmux server, with one client call. One that does not answer is left alone for a while."""
        wanted = [agent.pane.id for agent in self._agents.values() if agent.pane and not agent.transcript]
        self._asked = at if await self.tmux.ask(wanted) else at + _SULKING

    def look(self, look: ProcessSnapshot, at: float) -> None:
        """See who is there, and what each does. Reads files, so it may take its time."""
        self._looked = at
        if not self.tmux.exists():
            self.tmux.nothing()
        self._tags = {key: tagged for key, tagged in self._tags.items() if key[0] in look.table}
        agents = sorted(self._found(look), key=lambda agent: (agent.created, agent.pid))[:MOST]
        before, self._agents = self._agents, {agent.key: agent for agent in agents}
        for key, agent in before.items():
            if key not in self._agents and agent.file and not _is_there(agent, look):
                self._end(agent)
        _name(agents, self._ended)
        self._mark(agents, look)
        for agent in agents:
            self._ended.pop(agent.name, None)
            if agent.file:
                agent.process = look.table[agent.pid]
                self._see_claude(agent, at)
            else:
                _see_session(agent, look)
            self._see_log(agent, look, at)

    def see_again(self, paths: Collection[str], at: float) -> tuple[AgentSeen, ...]:
        """See those whose files have changed, and say what is known of them. Reads files, so it may take its time."""
        agents = []
        for agent in self._agents.values():
            transcript = agent.transcript.path if agent.transcript else ""
            if agent.file and (agent.file.path in paths or transcript in paths or agent.log in paths):
                agent.process = (LINUX and read_stat(agent.pid)) or agent.process
                self._see_claude(agent, at)
                agents.append(agent.seen())
        return tuple(agents)

    def _mark(self, agents: Sequence[_Agent], look: ProcessSnapshot) -> None:
        """Mark the process of each, and the script that runs one and no other. A shell of somebody's has no mark."""
        scripts = {agent: script_of(agent.pid, look) for agent in agents if agent.file}
        runs = Counter(scripts.values())
        for agent in agents:
            person = not agent.file and is_a_persons(agent.pid, look)
            agent.mark = "" if person else mark_of(agent.pid, self._boot, look)
            script = scripts.get(agent, 0)
            agent.script = mark_of(script, self._boot, look) if script and runs[script] == 1 else ""

    def _end(self, agent: _Agent) -> None:
        """A Claude is there no more: say what is known of its end. How its process exited, only its parent was told."""
        self._see_transcript(agent, float("inf"))
        agent.ended = _now()
        state, detail, until = end_of(agent.transcript, agent.session)
        agent.become(state, agent.ended, detail, until)
        agent.cause = _login_trouble(agent)
        agent.said.clear()
        agent.hear("process", StateClaim("", f"process {agent.pid} is gone"))
        if agent.transcript and state is not State.UNKNOWN:
            agent.hear("transcript", StateClaim(state.value, agent.transcript.ending))
        self._ended.pop(agent.name, None)
        self._ended[agent.name] = agent
        while len(self._ended) > _MOST_ENDED:
            del self._ended[next(iter(self._ended))]
        self._untold.append(agent)

    def _found(self, look: ProcessSnapshot) -> list[_Agent]:
        """Find all agents there are: those known already stay the same."""
        panes = {pane.pid: pane for pane in self.tmux.panes if self._adopted(pane.pid, look)}
        found, taken = [], set()
        for process in self._claudes(look):
            pane = next((panes[pid] for pid in line_up(process.pid, look) if pid in panes), None)
            if pane is None and not self._knows(process) and _in_tmux(process.pid, look) and _age(process) < _UNPLACED:
                continue  # the next look at tmux tells in which session it is
            taken.add((pane.server, pane.session_id) if pane else None)
            found.append(self._claude(process, pane))
        sessions: dict[tuple[int, str], list[UserPane]] = {}
        for pane in panes.values():
            if pane.pid in look.table:
                sessions.setdefault((pane.server, pane.session_id), []).append(pane)
        return found + [self._session(key, there) for key, there in sessions.items() if key not in taken]

    def _claudes(self, look: ProcessSnapshot) -> list[Process]:
        """Return the Claudes of others that are agents: one that another of them has started is a part of that."""
        files_by_key: dict[Key, SessionFile | None] = {}
        for process in look.table.values():
            if process.name in NAMES and not process.zombie:
                key = process.pid, process.start, process.name
                file = self._files[key] if key in self._files else self._file(process, look)
                files_by_key[key] = file
        self._files = files_by_key
        files = {key[0]: file for key, file in files_by_key.items() if file}
        holders = {pid for pid, file in files.items() if (holder := file.read()) and holder.id}
        above = {pid: set(line_up(pid, look)[1:]) for pid in files}
        busy = set().union(*(above[pid] for pid in holders))
        settled = {pid for pid in files if self._knows(look.table[pid]) or _age(look.table[pid]) >= _SETTLED}
        return [
            look.table[pid]
            for pid in files
            if (not above[pid] & holders if pid in holders else pid in settled - busy and not above[pid] & files.keys())
        ]

    def _knows(self, process: Process) -> bool:
        """Return whether a Claude was there at the last look: it stays until it is gone, or its end would be missed."""
        return _key_of(process) in self._agents

    def _file(self, process: Process, look: ProcessSnapshot) -> SessionFile | None:
        """Return where a Claude of others says what it does; None for any other process."""
        if not is_claude(process) or not self._adopted(process.pid, look):
            return None
        home = processes.environment(process.pid).get("HOME", self._home)
        return SessionFile(process) if os.path.realpath(home) == self._home else None

    def _adopted(self, pid: int, look: ProcessSnapshot) -> bool:
        """Return whether neither a process nor any that it descends from carries the tag of an agent."""
        line = [look.table[ancestor] for ancestor in line_up(pid, look)]
        for process in line:
            if (key := (process.pid, process.start)) not in self._tags:
                self._tags[key] = bool(marks_of(process.pid)[0])
        return bool(line) and not any(self._tags[process.pid, process.start] for process in line)

    def _claude(self, process: Process, pane: UserPane | None) -> _Agent:
        key = _key_of(process)
        agent = self._agents.get(key)
        if agent is None:
            called = os.path.basename(processes.folder(process.pid)) or "claude"
            agent = _Agent(key, called, _now() - int(1000 * _age(process) / TICKS), pid=process.pid)
            agent.file = self._files[process.pid, process.start, process.name]
            agent.called = pane.session if pane else called
        agent.pane, agent.roots = pane, (process.pid,)
        return agent

    def _session(self, key: tuple[int, str], panes: list[UserPane]) -> _Agent:
        front = next((pane for pane in panes if pane.front), panes[0])
        agent = self._agents.get(("session", *key)) or _Agent(("session", *key), front.session, front.created * 1000)
        agent.pane, agent.pid = front, front.pid
        agent.roots = tuple(pane.pid for pane in panes)
        return agent

    def _line(self, agent: _Agent) -> tuple[str, int]:
        if agent.transcript and agent.transcript.words:
            return agent.transcript.words, agent.transcript.at
        pane = agent.pane
        return (redact(self.tmux.last_line(pane.id)), pane.activity * 1000) if pane else ("", 0)

    def _see_claude(self, agent: _Agent, at: float) -> None:
        assert agent.file
        session = agent.file.read()
        agent.session = agent.session if agent.file.missing else session
        self._see_transcript(agent, at)
        agent.become(*_state_of(agent, session, _now()))
        agent.cause = _login_trouble(agent)
        before, agent.cwd = agent.cwd, (session.cwd if session else "") or processes.folder(agent.pid)
        _see_payer(agent, at, moved=agent.cwd != before)
        agent.hear("session file", StateClaim(session.state.value, session.words) if session else None)
        stopped = stop_words(agent.process) if agent.process else ""
        agent.hear(
            "process", StateClaim(State.PAUSED.value if stopped else "", stopped or f"process {agent.pid} lives")
        )
        agent.hear(
            "tmux", StateClaim("", f"session {agent.pane.session}, pane {agent.pane.id}") if agent.pane else None
        )

    def _see_log(self, agent: _Agent, look: ProcessSnapshot, at: float) -> None:
        """Find its log file, once there is something in it."""
        if agent.log or at < agent.log_sought + _SELDOM:
            return
        agent.log_sought = at
        path = self._logs.of(agent.pid, agent.pane.session if agent.pane else "", agent.created, look)
        if path and signature(path)[2:] > (0,):
            agent.transcripts += 1
            agent.log, agent.log_segment = path, agent.transcripts

    def _see_transcript(self, agent: _Agent, at: float) -> None:
        if agent.session is None or agent.file is None:
            return
        there = agent.transcript is not None and agent.session.id in agent.transcript.path
        if not there:
            path = likely_transcript(agent.file.projects, agent.session)
            if not path and at >= agent.searched + _SELDOM:
                agent.searched = at
                path = session_transcript(agent.file.projects, agent.session)
            if path:
                agent.transcript, agent.transcripts = Transcript(path), agent.transcripts + 1
        if agent.transcript:
            agent.transcript.read()


def _name(agents: list[_Agent], ended: Collection[str]) -> None:
    """Name every agent, each for good and unlike all others.

    The name of a Claude that has `ended` goes to the next Claude, but to no session that is left without one.
    """
    taken = {agent.name for agent in agents}
    for agent in agents:
        if not agent.name:
            agent.name = adopted_name(agent.called, taken if agent.file else {*taken, *ended})
            taken.add(agent.name)


def _state_of(agent: _Agent, session: Session | None, now: int) -> tuple[State, int, str, int]:
    """Return what a Claude does by what its session file says now, since when, why, and when a limit on it ends."""
    if agent.process and (words := stop_words(agent.process)):
        return State.PAUSED, now, words, 0
    if session is None:
        words = "its session file is gone: it is ending" if agent.session else _BARE
        return State.UNKNOWN, agent.created, words, 0
    trouble = agent.transcript.trouble if agent.transcript else None
    since = session.since or now
    if trouble and trouble.limited and session.waits_for == DIALOG:
        return State.LIMITED, since, f"{trouble.words}; {DIALOG}", trouble.until
    if trouble is None or session.state is not State.IDLE:
        return session.state, since, _told(session), 0
    if trouble.limited and 0 < trouble.until + GOES_ON < now:
        return State.IDLE, since, "its limit is over, and it has not gone on by itself", 0
    return State.LIMITED if trouble.limited else State.IDLE, since, trouble.words, trouble.until


def _see_payer(agent: _Agent, at: float, *, moved: bool) -> None:
    """See who pays; after a change that is not known until what was under way is over. `moved`: to another folder."""
    watch = None if moved else agent.login_watch
    if watch and (changed := watch.change(at)):
        agent.billing, agent.billing_doubt, agent.payer_due = "", changed[:200], at + _PAYER_SETTLES
        return
    if watch and (not agent.billing_doubt or at < agent.payer_due):
        return
    environ, program = processes.environment(agent.pid), processes.program(agent.pid)
    if not environ or program is None:  # it is ending
        return
    watch = agent.login_watch = watch or _watch_login(agent, program.argv, environ)
    agent.billing, agent.billing_doubt = watch.billing, ""
    agent.stray_key = login.stray_login(environ, agent.cwd, arguments=program.argv)[:200]


def _watch_login(agent: _Agent, argv: Sequence[str], environ: Mapping[str, str]) -> login.LoginWatch:
    """Watch how a Claude of others logs in. Its environment, which may hold a key, is read anew for each look."""
    pid, cwd, interactive = agent.pid, agent.cwd, {"-p", "--print"}.isdisjoint(argv)

    def find_login() -> login.Login:
        environ = processes.environment(pid)
        return login.find(environ, cwd, argv, interactive=interactive) if environ else login.Login(login.UNKNOWN, "")

    place = {name: environ[name] for name in ("HOME", "CLAUDE_CONFIG_DIR") if name in environ}
    return login.LoginWatch(place, cwd, argv, find_login)


def _login_trouble(agent: _Agent) -> Cause:
    """Return what the login has to do with it that a Claude does nothing, or has failed."""
    trouble = agent.transcript.trouble if agent.transcript else None
    return trouble.cause if trouble and agent.state in (State.IDLE, State.FAILED) else Cause.NONE


def _see_session(agent: _Agent, look: ProcessSnapshot) -> None:
    """Describe what runs in a session without a Claude, as far as its processes show."""
    tree = [look.table[pid] for pid in look.below(agent.roots) if not look.table[pid].zombie]
    running = [process for process in tree if not is_shell(process.pid, look)]
    lasting = sorted((process.start, process.pid) for process in running if _age(process) >= _LASTING)
    agent.still = 0 if running else agent.still + 1
    since = _now() if agent.since else agent.created
    if lasting:
        name = look.table[lasting[0][1]].name.decode("utf-8", "replace")
        agent.become(State.UNKNOWN, since, f"runs {name}")
        agent.hear("process", StateClaim(State.UNKNOWN.value, f"{name} ({lasting[0][1]}) lives"))
    elif agent.still >= _STILL or (not running and not agent.since):
        agent.become(State.IDLE, since, "a shell in which nothing runs")
        agent.hear("process", StateClaim(State.IDLE.value, f"process {agent.pid} has started nothing that lives"))
    elif not agent.since:
        agent.become(State.UNKNOWN, since)
    agent.cwd = processes.folder(agent.pid)
    if agent.pane:
        agent.hear("tmux", StateClaim("", f"session {agent.pane.session}, pane {agent.pane.id}"))


def _told(session: Session) -> str:
    if session.state is State.WAITING:
        return f"waits: {session.waits_for}" if session.waits_for else ""
    if session.words == "shell":
        return "a background command still runs"
    return f"its session file {session.words}" if session.state is State.UNKNOWN else ""


def _key_of(claude: Process) -> tuple[object, ...]:
    return "claude", claude.pid, claude.start


def _is_there(agent: _Agent, look: ProcessSnapshot) -> bool:
    process = look.table.get(agent.pid)
    return process is not None and not process.zombie and process.start == agent.key[2]


def _in_tmux(pid: int, look: ProcessSnapshot) -> bool:
    return any(look.table[ancestor].name.startswith(b"tmux") for ancestor in line_up(pid, look))


def _age(process: Process) -> int:
    """Return the age of a process in ticks."""
    return processes.now() - process.start


def _now() -> int:
    return time.time_ns() // 1_000_000
