"""Kind interactive with the real Claude Code CLI: on the terminal of its tmux session, against a stand-in API."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.text.event_text import LogRecord, last_words
from controlroom.text.states import ItemAnswer, TellKind
from controlroom.wire.messages import AgentSeen, Kill, QuestionSeen, Reply, Spawn, Tell
from controlroom.wire.records import segment_number, unpack_all
from controlroom.wire.spec import AgentSpec, Credential
from tests.lab.answering import chosen, told
from tests.lab.claude import log_in
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient
from tests.lab.processes import look
from tests.lab.waiting import NotInTime, wait_for
from tests.lab.world import World
from tests.runner.claude_agents import texts
from tests.runner.interactive import LATE, screen

NASTY = '!it\'s "quoted" `id` $(touch never) ; rm -rf / & \\ #(touch x) \U0001f39b\ufe0f \x1b[201~\x03 é\r\n'
ASK = '[[tool Bash {"command":"touch made.txt","description":"make a file"}]]'


pytestmark = pytest.mark.usefixtures("login_shell")
SELDOM = pytest.mark.long


def spawn(node: NodeClient, task: str, epoch: int = 1, **more: str) -> Reply:
    spec = AgentSpec(kind="interactive", cwd="project", permission_mode="default", **more)  # type: ignore[arg-type]
    return node.ask(lambda number: Spawn(number, "talk", epoch, spec, task, epoch - 1))


def tell(node: NodeClient, what: str, text: str = "") -> Reply:
    return node.ask(lambda number: Tell(number, "talk", 1, TellKind(what), text))


def answer(node: NodeClient, asked: QuestionSeen, verdict: str, text: str = "", *answers: ItemAnswer) -> Reply:
    return node.ask(lambda number: told(number, "talk", asked, verdict, text, *answers))


def by_rule(node: NodeClient, asked: QuestionSeen, verdict: str, text: str = "") -> Reply:
    return node.ask(lambda number: replace(told(number, "talk", asked, verdict, text), by="touching"))


def commands() -> str:
    """The command lines of all processes here."""
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, timeout=60, check=True).stdout


def wait(node: NodeClient, state: str, fits: Callable[[AgentSeen], object] = lambda seen: True) -> AgentSeen:
    return node.wait_agent("talk", lambda seen: seen.state == state and fits(seen), LATE)


def told_last(api: Api) -> str:
    """The last thing that Claude was told."""
    return json.dumps(api.requests(main=True)[-1]["body"]["messages"][-2:])


def folder(home: World, epoch: int = 1) -> Path:
    return home.home / f".local/state/controlroom/agents/talk.{epoch}"


def log(home: World, epoch: int = 1) -> list[LogRecord]:
    names = sorted(one for one in folder(home, epoch).iterdir() if segment_number(one.name))
    return [record for one in names for record in unpack_all(one.read_bytes())]


def said(home: World, epoch: int = 1) -> list[str]:
    return [words for record in log(home, epoch) if (words := last_words(record.stream, record.body))]


def test_a_task_of_any_text_is_pasted_and_confirmed_and_talk_goes_on(node: NodeClient, home: World, api: Api) -> None:
    rows = NASTY * 400
    assert spawn(node, rows + "[[text all read]]").outcome == "done"
    seen = wait(node, "idle")
    asked = max((part for part in texts(api.requests(main=True)[0]["body"]) if "quoted" in part), key=len)
    shown = NASTY.replace("\x1b", "␛").replace("\x03", "␃").replace("\r\n", "\n")
    assert shown * 400 in asked
    assert not (home.home / "project" / "never").exists()
    wait_for(lambda: "all read" in said(home) and "all read" in screen(), LATE)
    assert seen.session in {json.loads(record.body)["sessionId"] for record in log(home) if record.stream == "a"}
    assert b"quoted" not in Path(f"/proc/{seen.pid}/cmdline").read_bytes()

    assert tell(node, "interrupt").reason == "it is not working on anything that could be stopped"
    assert tell(node, "message", "[[slow 1 300]][[text a long story]]").outcome == "done"
    wait(node, "working")
    assert tell(node, "message", "two lines\n[[text at last]]").outcome == "done"
    assert tell(node, "interrupt").reason == ""
    wait_for(lambda: "at last" in said(home), LATE)
    wait_for(lambda: "interrupted" in said(home), LATE)

    wait(node, "idle")
    assert spawn(node, "[[text gone on]]", 2, resume=seen.session).outcome == "done"
    second = node.wait_agent("talk", lambda seen: seen.epoch == 2 and seen.state == "idle", LATE)
    assert second.session == seen.session
    assert look(seen.pid) is None
    wait_for(lambda: "gone on" in said(home, 2), LATE)
    assert "all read" not in said(home, 2)


def test_a_permission_prompt_waits_for_a_person_and_takes_allow_and_deny(
    node: NodeClient, home: World, api: Api
) -> None:
    made = home.home / "project" / "made.txt"
    spawn(node, ASK + "[[text allowed]]")
    seen = wait(node, "waiting", lambda seen: seen.question)
    assert seen.question
    assert (seen.question.tool, seen.question.text) == ("Bash", "touch made.txt\nmake a file")
    assert seen.detail == "asks: touch made.txt"
    assert tell(node, "message", "hello").reason == "it waits for something else: look at what it asks"
    assert answer(node, replace(seen.question, id="another"), "allow").reason == "this question is no longer open"
    wait_for(lambda: "Esc to cancel" in screen(), LATE)
    always = answer(node, seen.question, "always")
    assert always.outcome == "refused"
    assert "names nothing that `always` could allow" in always.reason, always
    assert not made.exists()
    assert answer(node, seen.question, "allow").reason == ""
    wait(node, "idle")
    assert made.exists()
    made.unlink()

    assert tell(node, "message", ASK).outcome == "done"
    first = seen.question.id
    seen = wait(node, "waiting", lambda now: now.question and now.question.id != first)
    assert seen.question
    wait_for(lambda: "Esc to cancel" in screen(), LATE)
    assert answer(node, seen.question, "deny").outcome == "done"
    wait(node, "idle", lambda seen: seen.detail == "interrupted")
    assert not made.exists()

    assert node.ask(lambda number: Kill(number, "talk", 1)).outcome == "done"
    assert look(seen.pid) is None


def test_a_rule_answers_its_hook_and_a_person_its_dialog(node: NodeClient, home: World, api: Api) -> None:
    made = home.home / "project" / "made.txt"
    spawn(node, ASK + "[[text allowed]]")
    asked = wait(node, "waiting", lambda seen: seen.question and seen.question.input).question
    assert asked
    assert json.loads(asked.input) == {"command": "touch made.txt", "description": "make a file"}
    assert by_rule(node, asked, "always").reason != ""
    assert by_rule(node, asked, "allow").reason == ""
    wait(node, "idle")
    assert made.exists()
    made.unlink()

    assert tell(node, "message", ASK + "[[text and went on]]").outcome == "done"
    again = wait(node, "waiting", lambda seen: seen.question and seen.question.input and seen.question.id != asked.id)
    assert again.question
    assert by_rule(node, again.question, "deny", "Denied by rule none: as it says.").reason == ""
    wait(node, "idle", lambda seen: seen.detail != "interrupted")
    assert "Denied by rule none: as it says." in told_last(api)
    assert not made.exists()

    assert tell(node, "message", ASK).outcome == "done"
    before = again.question.id
    last = wait(node, "waiting", lambda seen: seen.question and seen.question.input and seen.question.id != before)
    wait_for(lambda: "Esc to cancel" in screen(), LATE)
    assert "permission_hook" in commands()
    assert last.question
    assert answer(node, last.question, "allow").reason == ""
    wait(node, "idle")
    assert made.exists()
    wait_for(lambda: "permission_hook" not in commands(), LATE)


def test_a_start_up_dialog_is_told_and_a_killed_runner_takes_claude_along(
    node: NodeClient, home: World, api: Api
) -> None:
    told = json.loads((home.home / ".claude.json").read_text())
    (home.home / ".claude.json").write_text(json.dumps({**told, "projects": {}}))
    spawn(node, "[[text at last]]")
    seen = wait(node, "waiting")
    asks_trust = "start-up dialog: it asks whether you trust its folder; attach to answer it"
    assert wait(node, "waiting", lambda seen: seen.detail == asks_trust).question is None
    assert tell(node, "message", "x").reason == "nothing can be typed to it now: look at its screen"
    assert not api.requests(main=True)
    wait_for(lambda: "trust" in screen(), LATE)
    subprocess.run(["tmux", "-L", "controlroom", "send-keys", "-t", "=talk:", "Down", "Enter"], check=True, timeout=60)
    wait_for(lambda: "at last" in said(home), LATE)
    seen = wait(node, "idle")

    runner = look(seen.pid)
    assert runner
    os.kill(runner.parent, signal.SIGKILL)
    assert wait(node, "failed").detail == "its runner was killed"
    assert look(seen.pid) is None


def test_at_its_plans_limit_it_is_limited_until_then(node: NodeClient, home: World, api: Api) -> None:
    log_in(home.home, "ann@example.org")
    api.configure(ratelimit="unified", mode=429)
    spec = AgentSpec(kind="interactive", cwd="project", permission_mode="default", credential=Credential(plan=True))
    assert node.ask(lambda number: Spawn(number, "talk", 1, spec, "hello", 0)).outcome == "done"
    seen = wait(node, "limited")
    assert "limit" in seen.detail
    assert (0 < seen.limited_until - seen.since <= 7_200_000, seen.ended) == (True, 0)


def planning(node: NodeClient, api: Api, plan: str = "1. first") -> None:
    """Claude on a terminal, in plan mode, with a plan written down."""
    spec = AgentSpec(kind="interactive", cwd="project", permission_mode="plan")
    assert node.ask(lambda number: Spawn(number, "talk", 1, spec, "[[text hello]]")).outcome == "done"
    wait(node, "idle")
    (path,) = set(re.findall(r"/[^\s\"\\]*plans/[^\s\"\\]*\.md", json.dumps(api.requests(main=True)[-1]["body"])))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(f"# The plan\n{plan}\n")


def asks(node: NodeClient, after: str = "") -> QuestionSeen:
    """What it asks, once its dialog is on the screen; `after`: another question than this one."""
    seen = wait(node, "waiting", lambda now: now.question and now.question.id != after)
    wait_for(
        lambda: any(words in screen() for words in ("Esc to cancel", "manually approve edits", "Exit plan mode?")), LATE
    )
    assert seen.question
    return seen.question


@contextlib.contextmanager
def writing_nothing_down(home: World) -> Iterator[None]:
    """Claude cannot write into its transcript, as on a full disk: nobody reads there what it asks.

    Claude Code 2.1.332, on a busy machine: now and then the line of a call is missing there while its dialog is open.
    """
    (path,) = (home.home / ".claude" / "projects").rglob("*.jsonl")
    path.rename(path.with_suffix(".kept"))
    path.mkdir()
    yield
    path.rmdir()
    path.with_suffix(".kept").rename(path)


@pytest.mark.long
def test_a_plan_on_a_terminal_is_turned_down_with_words(node: NodeClient, home: World, api: Api) -> None:
    planning(node, api)
    assert tell(node, "message", "[[tool ExitPlanMode {}]]").outcome == "done"
    asked = asks(node)
    assert (asked.kind, asked.text.startswith("# The plan"), asked.always) == ("plan", True, ())
    assert answer(node, asked, "always").outcome == "refused"
    assert answer(node, asked, "deny", "make it [[text shorter]]").reason == ""
    wait_for(lambda: "shorter" in said(home), LATE)
    wait(node, "idle")
    assert "make it " in told_last(api)


@pytest.mark.long
def test_a_wish_to_begin_without_a_plan_is_answered(node: NodeClient, home: World, api: Api) -> None:
    planning(node, api)
    for path in (home.home / ".claude" / "plans").glob("*.md"):
        path.unlink()
    assert tell(node, "message", "[[tool ExitPlanMode {}]]").outcome == "done"
    asked = asks(node)
    shown = ("plan", "it has written down no plan, and wants to begin", ())
    assert (asked.kind, asked.text, asked.always) == shown
    assert answer(node, asked, "deny").reason == ""
    wait(node, "idle")
    assert tell(node, "message", "[[tool ExitPlanMode {}]][[text begun]]").outcome == "done"
    assert answer(node, asks(node, asked.id), "allow").reason == ""
    wait_for(lambda: "begun" in said(home), LATE)


@pytest.mark.long
def test_an_edit_outside_its_folder_is_offered_no_always(node: NodeClient, home: World, api: Api) -> None:
    made = home.home / "elsewhere.txt"
    spawn(node, f'[[tool Write {{"file_path":"{made}","content":"x"}}]][[text written]]')
    asked = asks(node)
    assert (asked.tool, asked.text, asked.always) == ("Write", f"{made}\nx", ())
    assert answer(node, asked, "allow").reason == ""
    wait_for(lambda: "written" in said(home), LATE)


def test_a_plan_on_a_terminal_is_approved_without_more_rights(node: NodeClient, home: World, api: Api) -> None:
    planning(node, api)
    edit = '[[tool Write {"file_path":"%s/project/new.txt","content":"x"}]]' % home.home  # noqa: UP031
    assert tell(node, "message", "[[tool ExitPlanMode {}]]" + edit).outcome == "done"
    asked = asks(node)
    assert answer(node, asked, "allow").reason == ""
    assert asks(node, asked.id).kind == "permission", "an edit is asked about all the same"
    assert not (home.home / "project" / "new.txt").exists()


@pytest.mark.long
def test_a_plan_that_claude_has_not_written_down_is_read_from_its_screen_and_answered(
    node: NodeClient, home: World, api: Api
) -> None:
    planning(node, api)
    with writing_nothing_down(home):
        assert tell(node, "message", "[[tool ExitPlanMode {}]]").outcome == "done"
        asked = asks(node)
        assert (asked.kind, asked.text, asked.cut) == ("plan", "The plan\n\n1. first", False)
        assert answer(node, replace(asked, text="# The plan"), "allow").outcome == "refused"
        assert answer(node, asked, "deny", "make it [[text shorter]]").reason == ""
        wait_for(lambda: "make it " in told_last(api) and "● shorter" in screen(), LATE)
        wait_for(lambda: tell(node, "message", "[[tool ExitPlanMode {}]][[text approved]]").outcome == "done", LATE)
        assert answer(node, asks(node), "allow").reason == ""
        wait_for(lambda: "User has approved your plan" in told_last(api), LATE)


@pytest.mark.long
def test_a_plan_of_which_its_screen_shows_a_part_can_only_be_turned_down(
    node: NodeClient, home: World, api: Api
) -> None:
    planning(node, api, "\n".join(f"{number}. step" for number in range(1, 200)))
    with writing_nothing_down(home):
        assert tell(node, "message", "[[tool ExitPlanMode {}]]").outcome == "done"
        asked = asks(node)
        assert (asked.kind, asked.cut, asked.text.split("\n")[0]) == (
            "plan",
            True,
            "Its screen shows only a part of the plan, this one:",
        )
        assert ("1. step" in asked.text, "199. step" in asked.text) == (True, False)
        assert "asks more than can be shown" in answer(node, asked, "allow").reason
        assert answer(node, asked, "deny").reason == ""
        wait(node, "idle")


@pytest.mark.long
def test_an_edit_that_claude_has_not_written_down_is_allowed_with_those_to_come(
    node: NodeClient, home: World, api: Api
) -> None:
    assert spawn(node, "[[text hello]]").outcome == "done"
    wait(node, "idle")
    made = [home.home / "project" / f"{number}.txt" for number in range(2)]
    calls = [f'[[tool Write {{"file_path":"{path}","content":"x"}}]]' for path in made]
    with writing_nothing_down(home):
        assert tell(node, "message", "".join(calls) + "[[text written]]").outcome == "done"
        asked = asks(node)
        assert (asked.kind, asked.tool, asked.text) == ("permission", "Write", f"{made[0]}\nx"), "its hook has told it"
        assert asked.always == ("edits of files in its folders, without asking (mode acceptEdits)",)
        assert answer(node, asked, "always").reason == ""
        wait_for(lambda: "● written" in screen(), LATE)
    assert [path.read_text() for path in made] == ["x", "x"], "nobody was asked about the second"


def test_a_plan_is_approved_with_its_edits_and_with_words_where_its_dialog_offers_that(
    node: NodeClient, home: World, api: Api
) -> None:
    settings = home.home / ".claude" / "settings.json"
    settings.parent.mkdir(exist_ok=True)
    kept = json.loads(settings.read_text()) if settings.exists() else {}
    settings.write_text(json.dumps({**kept, "disableAutoMode": "disable"}))
    planning(node, api)
    edit = '[[tool Write {"file_path":"%s/project/new.txt","content":"x"}]]' % home.home  # noqa: UP031
    assert tell(node, "message", f"[[tool ExitPlanMode {{}}]]{edit}[[text written]]").outcome == "done"
    asked = asks(node)
    assert answer(node, asked, "always", "and [[text hurry]]").reason == ""
    wait_for(lambda: "hurry" in said(home), LATE)
    assert (home.home / "project" / "new.txt").read_text() == "x", "nobody was asked about the edit"


def item(question: str, header: str, *labels: str, several: bool = False, preview: str = "") -> dict[str, object]:
    options = [
        {"label": one, "description": f"about {one}", **({"preview": preview} if preview else {})} for one in labels
    ]
    return {"question": question, "header": header, "multiSelect": several, "options": options}


REGION = item("Which region?", "Region", "eu-1", "us-1")
PARTS = item("Which parts?", "Parts", "api", "web", "db", several=True)
LOOK = item("Which look?", "Look", "flat", "round", preview="+--+\n|  |\n+--+")
LONG = item("Which one of them, " + "of all that we have seen, " * 8 + "is it?", "Long", "a " * 70 + "end", "b")


def ask(node: NodeClient, *items: dict[str, object]) -> QuestionSeen:
    """Have it ask these questions; what it is seen to ask once they are on its screen."""
    task = f"[[tool AskUserQuestion {json.dumps({'questions': items})}]][[text answered]]"
    assert tell(node, "message", task).outcome == "done"
    seen = wait(node, "waiting", lambda now: now.question)
    wait_for(lambda: "Esc to cancel" in screen(), LATE)
    assert seen.question
    return seen.question


def ask_in_writing(node: NodeClient, *items: dict[str, object]) -> QuestionSeen:
    """The same, once Claude has written its call down; where it does not, it is turned down and asks again."""
    for _ in range(5):
        asked = ask(node, *items)
        with contextlib.suppress(NotInTime):
            return wait_for(lambda: written(node), 3, "its question from the transcript")
        assert answer(node, asked, "deny").reason == ""
        wait(node, "idle")
    raise AssertionError("Claude has written down none of its five calls")


def written(node: NodeClient) -> QuestionSeen:
    """Its question, unless the screen alone says it."""
    asked = wait(node, "waiting", lambda now: now.question).question
    assert asked is not None
    assert not asked.id.startswith("screen-")
    return asked


@pytest.mark.parametrize(
    ("items", "answers", "heard"),
    [
        ((REGION,), (chosen(2),), {"Which region?": "us-1"}),
        pytest.param((REGION,), (chosen(words="the moon, or 1"),), {"Which region?": "the moon, or 1"}, marks=SELDOM),
        pytest.param((PARTS,), (chosen(3, 1),), {"Which parts?": "api, db"}, marks=SELDOM),
        ((PARTS,), (chosen(2, words="my own part"),), {"Which parts?": "web, my own part"}),
        pytest.param((LOOK,), (chosen(2),), {"Which look?": "round"}, marks=SELDOM),
        (
            (LONG, PARTS, LOOK, REGION),
            (chosen(2), chosen(1, 2, 3), chosen(1), chosen(words="the moon")),
            {LONG["question"]: "b", "Which parts?": "api, web, db", "Which look?": "flat", "Which region?": "the moon"},
        ),
    ],
    ids=["one", "words", "several", "several and words", "previews", "four questions"],
)
def test_what_it_asks_on_its_terminal_is_answered_page_by_page(
    items: tuple[dict[str, object], ...],
    answers: tuple[ItemAnswer, ...],
    heard: dict[str, str],
    node: NodeClient,
    home: World,
    api: Api,
) -> None:
    assert spawn(node, "[[text hi]]").outcome == "done"
    wait(node, "idle")
    asked = ask_in_writing(node, *items)
    assert answer(node, asked, "allow", "", *answers).reason == ""
    for question, words in heard.items():
        wait_for(lambda told=f'"{question}"="{words}"': json.dumps(told)[1:-1] in told_last(api), LATE)  # type: ignore[misc]
    wait_for(lambda: "answered" in said(home), LATE)


@pytest.mark.long
def test_what_it_has_not_written_down_is_answered_where_its_screen_shows_all_of_it_and_else_turned_down(
    node: NodeClient, home: World, api: Api
) -> None:
    assert spawn(node, "[[text hi]]").outcome == "done"
    wait(node, "idle")
    with writing_nothing_down(home):
        asked = ask(node, PARTS)
        assert ([one.several for one in asked.items], asked.cut) == ([True], False)
        assert answer(node, asked, "allow", "", chosen(1, 3)).reason == ""
        wait_for(lambda: "● answered" in screen(), LATE)
        assert 'Which parts?\\"=\\"api, db' in told_last(api)
        wait(node, "idle")
        part = ask(node, REGION, PARTS)
        assert (part.items, part.cut, part.text.split("\n")[0][:33]) == ((), True, "Its screen shows only a part of w")
        assert "asks more than can be shown" in answer(node, part, "allow", "1").reason
        assert answer(node, part, "deny").reason == ""
        wait(node, "idle")


def press(key: str, shows: str) -> None:
    """Press a key on its terminal until the screen shows what it does: the first one may come too early."""

    def shown() -> bool:
        subprocess.run(["tmux", "-L", "controlroom", "send-keys", "-t", "=talk:", key], check=True, timeout=60)
        with contextlib.suppress(AssertionError):
            wait_for(lambda: shows in screen(), 2)
        return shows in screen()

    wait_for(shown, LATE)


@pytest.mark.long
def test_answers_that_a_person_began_on_the_terminal_are_put_right_and_turned_down_with_words(
    node: NodeClient, home: World, api: Api
) -> None:
    assert spawn(node, "[[text hi]]").outcome == "done"
    wait(node, "idle")
    asked = ask_in_writing(node, REGION, PARTS)
    press("1", "☒ Region")
    press("2", "2. [✔] web")
    assert answer(node, asked, "allow", "", chosen(2), chosen(1)).reason == ""
    wait_for(lambda: "answered" in said(home), LATE)
    assert 'Which region?\\"=\\"us-1' in told_last(api)
    assert 'Which parts?\\"=\\"api\\"' in told_last(api)

    wait(node, "idle")
    again = ask_in_writing(node, PARTS, REGION)
    assert answer(node, again, "deny", "[[text ask less]]").reason == ""
    wait_for(lambda: "ask less" in said(home), LATE)


@pytest.mark.long
def test_an_answer_is_refused_where_the_screen_does_not_show_the_whole_question(
    node: NodeClient, home: World, api: Api
) -> None:
    assert spawn(node, "[[text hi]]").outcome == "done"
    wait(node, "idle")
    asked = ask_in_writing(node, LONG, PARTS)
    size = ("tmux", "-L", "controlroom", "resize-window", "-t", "=talk:")
    subprocess.run([*size, "-x", "45", "-y", "8"], check=True, timeout=60)
    wait_for(lambda: len(screen().rstrip("\n").split("\n")) <= 8, LATE)
    refused = answer(node, asked, "allow", "", chosen(1), chosen(1))
    assert (refused.outcome, "make its terminal larger" in refused.reason) == ("refused", True)
    assert wait(node, "waiting").question == asked
    subprocess.run([*size, "-x", "45", "-y", "40"], check=True, timeout=60)
    wait_for(lambda: "Esc to" in screen() and "1. a a" in screen(), LATE)
    assert answer(node, asked, "allow", "", chosen(1), chosen(1)).reason == ""
    wait_for(lambda: "answered" in said(home), LATE)


@pytest.mark.long
def test_what_a_hook_refuses_is_told_with_its_reason_and_is_not_added_to_what_is_said_next(
    node: NodeClient, home: World, api: Api
) -> None:
    settings = home.home / ".claude" / "settings.json"
    settings.parent.mkdir(exist_ok=True)
    kept = json.loads(settings.read_text()) if settings.exists() else {}
    command = "if grep -q forbidden; then echo 'no such work here' >&2; exit 2; fi"
    hooks = {"UserPromptSubmit": [{"hooks": [{"type": "command", "command": command}]}]}
    settings.write_text(json.dumps({**kept, "hooks": hooks}))
    spawn(node, "a forbidden task\nof several\n\nlines [[text done]]")
    wait(node, "idle", lambda seen: seen.detail == "a hook refused what it was told: no such work here")
    assert tell(node, "message", "forbidden, too").reason == "a hook refused it: no such work here"
    assert not api.requests(main=True)
    assert tell(node, "message", "something else [[text gone on]]").reason == ""
    wait_for(lambda: "gone on" in said(home), LATE)
    wait(node, "idle", lambda seen: not seen.detail)
    told = json.dumps([part for part in texts(api.requests(main=True)[-1]["body"]) if "something else" in part])
    assert "forbidden" not in told
    assert "several" not in told


@pytest.mark.long
def test_the_dialog_of_auto_mode_is_no_permission_and_is_left_to_the_person(
    node: NodeClient, home: World, api: Api
) -> None:
    spec = AgentSpec(kind="interactive", cwd="project", permission_mode="auto")
    task = '[[tool Bash {"command":"touch made.txt | sh","description":"make a file"}]]'
    node.ask(lambda number: Spawn(number, "talk", 1, spec, task, 0))
    wait_for(lambda: "Auto mode can't check actions in this session" in screen(), LATE)
    seen = wait(node, "waiting", lambda seen: seen.detail == "dialog open: attach to answer it")
    assert seen.question is None
    assert not (home.home / "project" / "made.txt").exists()
