from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain import events, intents
from controlroom.domain.model import Agent, State
from controlroom.domain.questions import QuestionKind
from controlroom.engine.hosts.translate import (
    MAX_ADOPTED,
    HostContext,
    long,
    short,
    to_events,
    to_met,
    to_node,
    to_reply,
)
from controlroom.text.checks import CheckRun, Checks, CheckState
from controlroom.text.host_sample import HostSample
from controlroom.text.names import agent_name_problem
from controlroom.text.states import AgentKind, Item, ItemAnswer, Option, Outcome, TellKind, Uncounted, Verdict
from controlroom.wire import messages as wire
from controlroom.wire.codec import decode
from controlroom.wire.spec import AgentSpec, Credential
from controlroom.wire.usage import UsageGap, UsageGaps

NOW = 1_795_307_427_677
SETTING = HostContext("vm1", "room", NOW)
KEY = "sk-ant-REDACTED"

nasty = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["\x1b]52;c;AAAA\x07", "\x9b2J", "\u202egnp", "[/]", "a\nb", KEY, f"x{KEY}", "\ud800", "é" * 9000]),
)
whole = st.integers(-(2**62), 2**62)
real = st.floats(-(2.0**62), 2.0**62)
names = st.sampled_from(["docs-1", "a", "", "A", "#(id)", "x" * 42, "a/b", "a\n", "=a:"])

evidence = st.builds(wire.EvidenceSeen, source=nasty, state=nasty, value=nasty, at=whole)
option = st.builds(Option, label=nasty, description=nasty, preview=nasty)
item = st.builds(Item, question=nasty, header=nasty, options=st.lists(option, max_size=3).map(tuple))
question = st.builds(
    wire.QuestionSeen,
    id=st.one_of(st.just("q1"), nasty),
    tool=nasty,
    text=nasty,
    at=whole,
    kind=st.one_of(st.sampled_from(["permission", "plan", "choices"]), nasty),
    items=st.lists(item, max_size=3).map(tuple),
)
agent = st.builds(
    wire.AgentSeen,
    name=names,
    epoch=st.one_of(st.just(1), whole),
    kind=nasty,
    state=st.one_of(st.sampled_from([str(state) for state in State]), nasty),
    since=whole,
    detail=nasty,
    profile=nasty,
    model=nasty,
    cwd=nasty,
    task=nasty,
    pid=whole,
    session=nasty,
    started=whole,
    ended=whole,
    exit_code=st.one_of(st.none(), whole),
    exit_signal=st.one_of(st.none(), whole),
    question=st.one_of(st.none(), question),
    limited_until=whole,
    denied=whole,
    subagents=st.one_of(st.none(), whole),
    log_bytes=whole,
    evidence=st.lists(evidence, max_size=12).map(tuple),
)
readings = {field.name: st.one_of(st.none(), real) for field in dataclasses.fields(HostSample) if field.name != "at"}
for name in readings:
    if not name.startswith(("cpu_", "load_", "iowait_")):
        readings[name] = st.one_of(st.none(), whole)
message = st.one_of(
    st.builds(HostSample, at=whole, **readings),
    st.builds(
        wire.AgentsSeen,
        agents=st.lists(agent, max_size=4).map(tuple),
        complete=st.booleans(),
        gone=st.lists(names, max_size=4).map(tuple),
    ),
    st.builds(wire.AdoptedSeen, agents=st.lists(agent, max_size=4).map(tuple)),
    st.builds(
        wire.LastLines,
        lines=st.lists(st.builds(wire.LastLine, name=names, epoch=whole, text=nasty, at=whole), max_size=4).map(tuple),
    ),
    st.builds(
        wire.Loads,
        at=whole,
        agents=st.lists(
            st.builds(wire.AgentLoad, name=names, epoch=whole, rss=whole, cpu_percent=real, processes=whole), max_size=4
        ).map(tuple),
    ),
    st.builds(
        UsageGaps,
        gaps=st.lists(
            st.builds(UsageGap, since=whole, until=whole, why=st.sampled_from(Uncounted), where=nasty), max_size=4
        ).map(tuple),
    ),
    st.builds(wire.Notice, text=nasty),
)
welcome = st.builds(
    wire.Welcome,
    version=nasty,
    hostname=nasty,
    user=nasty,
    home=nasty,
    platform=nasty,
    python=nasty,
    machine_id=nasty,
    boot_id=nasty,
    cores=whole,
    memory_total=whole,
    clock=whole,
    tmux=nasty,
    owner=nasty,
    owner_epoch=whole,
)


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value in an event, with the name of its field."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from leaves(getattr(value, field.name), field.name)
    elif isinstance(value, tuple):
        for item in value:
            yield from leaves(item, name)
    else:
        yield name, value


def assert_tame(event: events.Event) -> None:
    """No control, bidi or surrogate, no key, nothing too long, no number out of range."""
    for name, value in leaves(event):
        if isinstance(value, str):
            plain = value.replace("\n", "") if name == "text" else value
            assert not [c for c in plain if unicodedata.category(c) in ("Cc", "Cs", "Co") or c in "\u202e\u2066"], name
            assert KEY not in value
            assert len(value) <= {"text": 8000}.get(name, 400)
        elif isinstance(value, (int, float)) and name != "clock_offset":
            assert 0 <= value <= max(2**53, NOW + 400 * 86_400_000), name


@given(message, whole)
def test_whatever_a_host_says_is_tame(said: Any, ahead: int) -> None:
    for event in to_events(said, dataclasses.replace(SETTING, ahead=ahead)):
        assert_tame(event)
        agents = event.agents if isinstance(event, events.AgentsObserved) else ()
        assert not [seen for seen in agents if agent_name_problem(seen.name)]


@given(welcome)
def test_whatever_a_host_says_of_itself_is_tame(said: wire.Welcome) -> None:
    assert_tame(to_met(said, SETTING))


@given(nasty, st.integers(2, 300))
def test_cut_text_is_as_long_as_it_may_be(text: str, limit: int) -> None:
    assert len(short(text, limit)) <= limit
    assert len(long(text, limit)) <= limit
    assert "\n" not in short(text, limit)


def seen(**changes: Any) -> wire.AgentSeen:
    return wire.AgentSeen(**{"name": "a", "epoch": 1, "kind": "command", "state": "working", "since": NOW, **changes})


def observed(*agents: wire.AgentSeen, setting: HostContext = SETTING) -> Agent:
    event = to_events(wire.AgentsSeen(agents), setting)[0]
    assert isinstance(event, events.AgentsObserved)
    return event.agents[0]


def test_an_agent_keeps_all_that_is_true_of_it() -> None:
    agent = observed(
        seen(
            kind="headless",
            detail="exit 1",
            profile="careful",
            model="opus",
            cwd="/srv/app",
            task="do\nthis",
            pid=77,
            session="0a-b",
            started=NOW - 5000,
            ended=NOW - 10,
            exit_code=1,
            exit_signal=9,
            question=wire.QuestionSeen("req_1", "Bash", "git push\n  origin", NOW - 20),
            limited_until=NOW + 3_600_000,
            denied=3,
            subagents=2,
            log_bytes=99,
        )
    )
    assert (agent.id, agent.epoch, agent.state, agent.kind) == ("vm1/a", 1, State.WORKING, "headless")
    assert (agent.detail, agent.profile, agent.model, agent.cwd, agent.task) == (
        "exit 1",
        "careful",
        "opus",
        "/srv/app",
        "do␤this",
    )
    assert (agent.pid, agent.session, agent.started, agent.ended) == (77, "0a-b", NOW - 5000, NOW - 10)
    assert (agent.exit_code, agent.exit_signal, agent.denied, agent.log_bytes) == (1, 9, 3, 99)
    assert agent.subagents == 2
    assert agent.limited_until == NOW + 3_600_000
    assert agent.question is not None
    assert (agent.question.id, agent.question.kind, agent.question.title, agent.question.text) == (
        "req_1",
        "permission",
        "run: git push (and 1 line more)",
        "git push\n  origin",
    )


def test_times_of_the_host_become_ours_and_nothing_has_happened_in_the_future() -> None:
    ahead = dataclasses.replace(SETTING, ahead=7_200_000)
    host_now = NOW + 7_200_000
    agent = observed(
        seen(since=host_now - 1000, started=host_now + 99_999, limited_until=host_now + 60_000), setting=ahead
    )
    assert (agent.since, agent.started, agent.limited_until) == (NOW - 1000, NOW, NOW + 60_000)
    assert observed(seen(started=0, limited_until=0)).started == 0
    assert observed(seen(limited_until=0)).limited_until is None
    assert observed(seen(limited_until=2**61)).limited_until is None


@pytest.mark.parametrize(
    ("source", "says", "state", "agrees"),
    [
        ("stream", "working", "working", True),
        ("session file", "idle", "working", False),
        ("process", "working", "waiting", True),
        ("process", "working", "failed", False),
        ("tmux", "done", "failed", True),
        ("stream", "no such word", "working", True),
        ("process", "done", "working", False),
    ],
)
def test_evidence_that_contradicts_is_marked(source: str, says: str, state: str, agrees: bool) -> None:
    evidence_seen = wire.EvidenceSeen(source, says, "pid 7", NOW)
    assert observed(seen(state=state, evidence=(evidence_seen,))).evidence[0].agrees is agrees


def test_names_that_break_the_rule_are_left_out_and_said() -> None:
    said = wire.AgentsSeen((seen(), seen(name="#(touch /tmp/x)"), seen(name="b", epoch=0)), gone=("ok", "$(id)"))
    happened = to_events(said, SETTING)
    first, notice = happened
    assert isinstance(first, events.AgentsObserved)
    assert ([agent.name for agent in first.agents], first.gone) == (["a"], ("ok",))
    assert isinstance(notice, events.HostNoticed)
    assert "left out 2 agent(s)" in notice.text


def test_use_that_nobody_can_count_is_an_alarm_of_its_host_with_its_age_until_there_is_none() -> None:
    since = NOW - 3_600_000
    gap = UsageGap(since, NOW, Uncounted.NO_TRANSCRIPT, "/srv/\x1b[31mwork")
    (happened,) = to_events(UsageGaps((gap, replace(gap, since=NOW, why=Uncounted.GONE))), SETTING)
    assert isinstance(happened, events.Alarmed)
    assert happened.alarm
    assert (happened.about, happened.alarm.since) == ("gaps vm1", since)
    assert happened.alarm.text == (
        "what adopted Claudes cost on vm1 is not known in full, since 2026-11-21 23:30 UTC: "
        "one keeps no transcript (--no-session-persistence) (/srv/work), and 1 more"
    )
    assert to_events(UsageGaps(), SETTING) == [events.Alarmed("gaps vm1", None)]


def test_a_question_that_nobody_could_answer_is_said() -> None:
    asked = seen(question=wire.QuestionSeen("a b\n", "Bash", "rm", NOW))
    first, notice = to_events(wire.AgentsSeen((asked,)), SETTING)
    assert isinstance(first, events.AgentsObserved)
    assert first.agents[0].question is None
    assert isinstance(notice, events.HostNoticed)
    assert "cannot be asked here" in notice.text


CHOICES = Item("Which?", "Part\x1b[2J", (Option("a\nb", "\x07c", "d\n\x1b[31me\u202e"),), True, True)


def test_choices_are_sanitized_and_their_digest_is_that_of_what_came() -> None:
    asked = wire.QuestionSeen("q1", "AskUserQuestion", "Which?", NOW, "choices", (CHOICES,))
    question = observed(seen(question=asked)).question
    assert question
    assert (question.kind, question.title, question.digest) == (QuestionKind.CHOICES, "Which?", asked.digest)
    (item,) = question.items
    shown = [item.question, item.header, *(text for one in item.options for text in one)]
    assert all(sign.isprintable() for text in shown for sign in text.replace("\n", ""))
    assert "\n" in item.options[0].preview
    others = (
        replace(asked, text="Which!"), replace(asked, kind="plan"),
        replace(asked, items=(CHOICES._replace(several=False),)),
        replace(asked, items=(CHOICES._replace(options=(Option("a\nb", "\x07c"),)),)), replace(asked, tool="Bash"),
    )  # fmt: skip
    assert len({asked.digest, *(other.digest for other in others)}) == 6
    assert replace(asked, at=1).digest == asked.digest


@pytest.mark.parametrize("kind", ["host_key", "secret", "", "anything"])
def test_an_agent_never_asks_for_a_key_or_a_secret(kind: str) -> None:
    question = observed(seen(question=wire.QuestionSeen("q1", "Bash", "ls", NOW, kind))).question
    assert question
    assert question.kind is QuestionKind.PERMISSION


def test_questions_that_nobody_could_be_shown_are_left_out() -> None:
    for items in ((CHOICES,) * 7, (CHOICES._replace(options=CHOICES.options * 10),)):
        asked = wire.QuestionSeen("q1", "AskUserQuestion", "Which?", NOW, "choices", items)
        first, notice = to_events(wire.AgentsSeen((seen(question=asked),)), SETTING)
        assert isinstance(first, events.AgentsObserved)
        assert first.agents[0].question is None
        assert isinstance(notice, events.HostNoticed)


def test_readings_out_of_range_are_not_known() -> None:
    bad = {"cpu_percent": 250.0, "memory_used": -1, "memory_total": 2**60, "iowait_percent": -1.0, "network_out": 2**60}
    said = HostSample(NOW, load_1m=0.5, disk_free=7, network_in=9, **bad)  # type: ignore[arg-type]
    (event,) = to_events(said, SETTING)
    assert [observed(seen(subagents=many)).subagents for many in (None, -1, 2**60, 20_000)] == [
        None,
        None,
        None,
        20_000,
    ]
    assert isinstance(event, events.HostSampled)
    sample = event.sample
    assert (sample.cpu_percent, sample.memory_used, sample.memory_total) == (None, None, None)
    assert (sample.load_1m, sample.disk_free) == (0.5, 7)
    assert (sample.iowait_percent, sample.network_in, sample.network_out) == (None, 9, None)


def test_lines_and_loads_name_the_agent_of_the_fleet() -> None:
    (lines,) = to_events(wire.LastLines((wire.LastLine("a", 2, "x\x1b[31my", NOW),)), SETTING)
    assert lines == events.LinesSeen("vm1", (events.LineSeen("vm1/a", 2, "xy", NOW),), NOW)
    (loads,) = to_events(
        wire.Loads(NOW, (wire.AgentLoad("a", 2, 5, 1.5, 3), wire.AgentLoad("b", 1, -5, 1, 1))), SETTING
    )
    assert loads == events.LoadsSeen("vm1", (events.LoadSeen("vm1/a", 2, 5, 1.5, 3),), NOW)


@pytest.mark.parametrize(("owner", "owned"), [("", True), ("room", True), ("other", False)])
def test_only_our_own_or_nobodys_host_is_owned(owner: str, owned: bool) -> None:
    hello = wire.Welcome("0", "h", "u", "/", "linux", "3.11", "m", "b", 2, 10, NOW, "3.3a", owner, 4)
    facts = to_met(hello, SETTING).facts
    assert (facts.owned, facts.owner_epoch, facts.tmux, facts.cores) == (owned, 4, "3.3a", 2)


def test_an_outcome_that_no_host_can_know_is_unknown() -> None:
    strange = decode(wire.Reply, {"id": 1, "outcome": "excellent", "reason": "\x1b[2Jx"})
    assert to_reply(strange) == wire.Reply(1, Outcome.UNKNOWN, "␛x")
    assert to_reply(wire.Reply(1, Outcome.ASKED)).outcome == "unknown"
    assert to_reply(wire.Reply(1, Outcome.DONE)).outcome == "done"


def test_effects_become_what_a_node_understands() -> None:
    profile = AgentSpec(
        model="opus",
        cwd="/p",
        env={"A": "1"},
        permission_mode="plan",
        credential=Credential(plan=True),
        max_hours=2,
    )
    spawn = intents.SpawnOn(
        "vm1", "a", 3, "task\n$(x)", AgentKind.HEADLESS, "careful", "sonnet", "", ("claude",), "sess", 2
    )
    assert to_node(spawn, 9, profile) == wire.Spawn(
        9,
        "a",
        3,
        profile._replace(kind="headless", profile="careful", model="sonnet", command=("claude",), resume="sess"),
        "task\n$(x)",
        2,
    )
    assert to_node(intents.KillOn("vm1", "a", 3), 9, profile) == wire.Kill(9, "a", 3)
    assert to_node(intents.ForgetOn("vm1", "a", 3), 9, profile) == wire.Forget(9, "a", 3)
    assert to_node(intents.TakeOn("vm1"), 9, profile) == wire.Take(9)
    tell = intents.TellOn("vm1", "a", 3, TellKind.ANSWER, "no", "q1", Verdict.DENY)
    assert to_node(tell, 9, profile) == wire.Tell(9, "a", 3, TellKind.ANSWER, "no", "q1", Verdict.DENY)
    chosen = replace(tell, digest="d", answers=(ItemAnswer((1, 3), "w"),))
    assert to_node(chosen, 9, profile) == wire.Tell(
        9, "a", 3, TellKind.ANSWER, "no", "q1", Verdict.DENY, "d", (ItemAnswer((1, 3), "w"),)
    )


def test_agents_of_others_are_what_we_call_them_and_ask_nothing() -> None:
    asked = wire.QuestionSeen("q1", "Bash", "rm -rf /", NOW)
    lie = wire.AgentSeen(
        "~work", 7, "headless", "waiting", 1, question=asked, place="tmux \x1b[31m#(x)", pane="%1; kill"
    )
    bad = [dataclasses.replace(lie, name=name) for name in ("work", "~", "~A", "~a b", "~" + "x" * 41, "../x")]
    (event,) = to_events(wire.AdoptedSeen((lie, *bad)), SETTING)
    assert isinstance(event, events.AdoptedObserved)
    (seen,) = event.agents
    assert (seen.id, seen.epoch, seen.kind, seen.question, seen.pane) == ("vm1/~work", 0, "adopted", None, "")
    assert seen.place == "tmux #(x)"
    (own, notice) = to_events(wire.AgentsSeen((lie,)), SETTING)
    assert isinstance(own, events.AgentsObserved)
    assert not own.agents, "only a list of their own can hold them"
    assert isinstance(notice, events.HostNoticed)
    many = tuple(dataclasses.replace(lie, name=f"~a{number}") for number in range(10_000))
    (event,) = to_events(wire.AdoptedSeen(many), SETTING)
    assert len(event.agents) == MAX_ADOPTED  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (("Bash: ls", "the folder /x"), ("Bash: ls", "the folder /x")),
        ((f"Bash: ls{' ' * 200}; rm -rf /",), ("Bash: ls ‹200 blanks› ; rm -rf /",)),
        (("x" * 401,), ()),
        (("Bash: ls", "x" * 401), ()),
        (tuple(f"Bash: {number}" for number in range(13)), ()),
        (("",), ()),
        ((), ()),
    ],
)
def test_what_always_would_allow_is_shown_whole_or_it_is_no_answer(
    said: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    asked = wire.QuestionSeen("q1", "Bash", "ls", NOW, "permission", always=said)
    question = observed(seen(question=asked)).question
    assert question
    assert question.always == shown
    assert question.digest == asked.digest
    assert (asked.digest != replace(asked, always=()).digest) is bool(said)


def test_a_question_that_is_shown_cut_is_told_to_be_cut_and_an_honest_one_is_shown_whole() -> None:
    label, words, preview = "l" * 300, "d" * 2_000, "p\n" * 1_500
    item = Item(words, label, (Option(label, words, preview),))
    asked = wire.QuestionSeen("q1", "AskUserQuestion", "Which?", NOW, "choices", (item,))
    question = observed(seen(question=asked)).question
    assert question
    assert not question.cut
    shown = question.items[0].options[0]
    assert (shown.label, shown.description, shown.preview) == (label, words, preview)
    bash = wire.QuestionSeen("q1", "Bash", "x\n" * 15_000, NOW, "permission")
    whole = observed(seen(question=bash)).question
    assert whole
    assert (whole.text, whole.cut) == (bash.text, False)
    for bad in (
        replace(bash, text="x" * 40_000), replace(bash, cut=True), replace(bash, tool="B" * 101),
        replace(asked, items=(item._replace(question="q" * 2_501),)),
        replace(asked, items=(item._replace(header="h" * 401),)),
        *(
            replace(asked, items=(item._replace(options=(option,)),))
            for option in (Option("l" * 401), Option("l", "d" * 2_501), Option("l", "", "p" * 3_601))
        ),
    ):  # fmt: skip
        cut = observed(seen(question=bad)).question
        assert cut
        assert cut.cut, bad


def test_what_a_host_says_of_checks_is_made_safe_bounded_and_over_when_its_agent_is() -> None:
    hostile = f"\x1b[2J{KEY}\u202e" * 3
    said = Checks(
        CheckState.RUNNING, tuple(CheckRun(hostile * 99, hostile, -1.0) for _ in range(99)), hostile, 2**40, -1,
        NOW + 10**9, f"{hostile}\n" * 9999, True, hostile, (hostile,) * 99, 7, hostile,
    )  # fmt: skip
    for state, ended, becomes in (("working", 0, CheckState.RUNNING), ("failed", NOW, CheckState.UNFINISHED)):
        seen = wire.AgentSeen("a", 1, "command", state, NOW, ended=ended, checks=said)
        (event,) = to_events(wire.AgentsSeen((seen,)), SETTING)
        assert isinstance(event, events.AgentsObserved)
        got = event.agents[0].checks
        assert got is not None
        assert (got.state, got.at, got.told, got.attempts, got.runs[0].seconds) == (becomes, NOW, 0, 0, 0.0)
        assert (len(got.runs), len(got.guarded), got.more_guarded) == (20, 20, 86)
        assert len(got.output) <= 2_000
        texts = [got.command, got.output, got.commit, got.guards_unknown, *got.guarded]
        texts += [part for run in got.runs for part in (run.command, run.failure)]
        assert not any(sign in text for text in texts for sign in ("\x1b", "\u202e", KEY))
