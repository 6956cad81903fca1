"""The runner of kind interactive around plain programs on the terminal of a real tmux session."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.text.host_sample import HostSample
from controlroom.text.states import TellKind
from controlroom.wire.messages import AgentSeen, Kill, Spawn, Tell
from controlroom.wire.records import segment_number, unpack_all
from controlroom.wire.spec import AgentSpec
from tests.lab.answering import chosen, told
from tests.lab.node_client import NodeClient
from tests.lab.processes import look
from tests.lab.waiting import wait_for
from tests.lab.world import World

# Like Claude: ready when its session file says so, then it says again what is typed.
READY = """
mkdir -p ~/.claude/sessions; cd ~/.claude/sessions; stty -echo; printf '\\033[?2004h'
printf '{"pid":%d,"status":"idle","sessionId":"s"}' $$ >new; mv new $$.json
exec cat
"""

# Like a Claude whose transcript does not say what it asks: only its screen does, until a key is pressed.
ASKING = READY.replace(
    "exec cat",
    """
say() { printf '{"pid":%d,"sessionId":"s","statusUpdatedAt":%d,%s}' $$ $1 "$2" >new; mv new $$.json; }
clear; cat ~/screen
say 7 '"status":"waiting","waitingFor":"WAITS"'
stty -icanon; key=$(head -c 1)
clear; echo "key:$(printf %s "$key" | od -An -c)"; say 8 '"status":"idle"'
exec cat
""",
)
SCREENS = Path(__file__).parent / "screens"


def spawn(node: NodeClient, script: str, task: str = "", **more: float) -> None:
    spec = AgentSpec(kind="interactive", command=("sh", "-c", script), **more)  # type: ignore[arg-type]
    assert node.ask(lambda number: Spawn(number, "talk", 1, spec, task)).outcome == "done"


def wait(node: NodeClient, state: str) -> AgentSeen:
    return node.wait_agent("talk", lambda seen: seen.state == state, 30)


def keys(*names: str) -> None:
    subprocess.run(["tmux", "-L", "controlroom", "send-keys", "-t", "=talk:", *names], check=True, timeout=60)


def screen() -> str:
    command = ["tmux", "-L", "controlroom", "capture-pane", "-p", "-t", "=talk:"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def log(home: World) -> list[str]:
    folder: Path = home.home / ".local/state/controlroom/agents/talk.1"
    names = sorted(one for one in folder.iterdir() if segment_number(one.name))
    return [f"{one.stream} {one.body.decode()}" for name in names for one in unpack_all(name.read_bytes())]


def test_it_has_the_terminal_and_ends_like_any_agent(node: NodeClient) -> None:
    spawn(node, "stty size; tty; cat; exit 0")
    wait_for(lambda: "39 120" in screen() or "40 120" in screen())
    wait_for(lambda: "/dev/pts/" in screen())
    keys("hello", "Enter")
    wait_for(lambda: screen().count("hello") == 2)
    keys("C-d")
    seen = wait(node, "done")
    assert (seen.exit_code, seen.detail, seen.pid) == (0, "it was left on its terminal", 0)


def test_what_it_said_when_it_failed_is_kept(node: NodeClient, home: World) -> None:
    spawn(node, "echo the config is broken; exit 3")
    seen = wait(node, "failed")
    assert (seen.exit_code, seen.detail) == (3, "exit 3: the config is broken")
    assert "e the config is broken" in log(home)


def test_ctrl_z_does_not_leave_it_asleep(node: NodeClient) -> None:
    spawn(node, "cat")
    seen = node.wait_agent("talk", lambda seen: seen.pid)
    wait_for(lambda: screen().strip() == "")
    keys("C-z")
    wait_for(lambda: "^Z" in screen())
    keys("awake", "Enter")
    wait_for(lambda: screen().count("awake") == 2)
    assert look(seen.pid)


def test_ctrl_c_is_the_agents_own(node: NodeClient) -> None:
    spawn(node, "trap 'echo caught' INT; while :; do sleep 0.05; done")
    node.wait_agent("talk", lambda seen: seen.pid)

    def caught() -> bool:
        keys("C-c")
        return "caught" in screen()

    wait_for(caught)
    assert node.ask(lambda number: Kill(number, "talk", 1)).outcome == "done"
    assert wait(node, "done").detail == "killed"


def test_what_is_typed_and_not_taken_is_told(node: NodeClient, home: World) -> None:
    spawn(node, READY, "$(touch never)\nits task")
    seen = node.wait_agent("talk", lambda seen: "not taken" in seen.detail, 40)
    assert seen.state == "waiting"
    assert "its task" in screen()
    assert any("the task was not given: it was typed" in line for line in log(home))
    assert not list(home.home.rglob("never"))
    reply = node.ask(lambda number: Tell(number, "talk", 1, TellKind.MESSAGE, "hello"))
    assert (reply.outcome, reply.reason) == ("refused", "it was typed, but Claude has not taken it: attach and look")


def test_its_time_is_limited(node: NodeClient) -> None:
    spawn(node, "cat", max_hours=0.0003)
    assert wait(node, "failed").detail == "stopped after 0.0003 h (max_hours)"


def test_a_closed_session_is_its_end(node: NodeClient) -> None:
    spawn(node, "trap '' HUP; cat")
    seen = node.wait_agent("talk", lambda seen: seen.pid)
    subprocess.run(["tmux", "-L", "controlroom", "kill-session", "-t", "=talk:"], check=True, timeout=60)
    assert wait(node, "failed").detail in ("its tmux session was closed", "its runner was killed")
    assert look(seen.pid) is None


def test_a_server_of_an_earlier_version_gets_the_way_out(node: NodeClient) -> None:
    server = ["tmux", "-L", "controlroom"]
    spawn(node, "cat")
    subprocess.run([*server, "bind-key", "-T", "prefix", "&", "kill-window"], check=True, timeout=60)

    def keys() -> str:
        return subprocess.run([*server, "list-keys"], capture_output=True, text=True, timeout=60, check=True).stdout

    assert "kill-window" in keys()
    with NodeClient() as other:
        other.greet(room="another room")
        other.wait(HostSample)
        assert "kill-window" in keys()
    with NodeClient() as again:
        again.greet()
        wait_for(lambda: "kill-window" not in keys())
        assert "detach-client" in keys()


def test_its_size_comes_back_when_a_viewer_has_left(node: NodeClient) -> None:
    spawn(node, "cat")
    node.wait_agent("talk", lambda seen: seen.pid)
    server = ["tmux", "-L", "controlroom"]
    subprocess.run([*server, "resize-window", "-t", "=talk:", "-x", "45", "-y", "20"], check=True, timeout=60)

    def shape() -> str:
        words = ["display-message", "-p", "-t", "=talk:", "#{window_width}x#{window_height} #{window-size}"]
        return subprocess.run([*server, *words], capture_output=True, text=True, timeout=60, check=True).stdout.strip()

    wait_for(lambda: shape() == "120x40 latest")


@pytest.mark.parametrize(
    ("name", "waits", "asks", "verdict", "words", "key"),
    [
        ("bash", "permission prompt", "asks: touch made.txt && rm -rf build", "allow", "", "1"),
        ("bash", "permission prompt", "asks: touch made.txt && rm -rf build", "deny", "", "033"),
        ("choices", "input needed", "asks: Which region?", "allow", "2", "2"),
    ],
)
def test_what_only_its_screen_asks_can_be_answered(
    node: NodeClient, home: World, name: str, waits: str, asks: str, verdict: str, words: str, key: str
) -> None:
    shutil.copy(SCREENS / f"{name}.txt", home.home / "screen")
    spawn(node, ASKING.replace("WAITS", waits))
    seen = node.wait_agent("talk", lambda seen: seen.question, 30)
    assert (seen.state, seen.detail) == ("waiting", asks)
    answers = (chosen(int(words)),) if words else ()
    reply = node.ask(lambda number: told(number, "talk", seen.question, verdict, "", *answers))
    assert (reply.outcome, reply.reason) == ("done", "")
    assert wait(node, "idle").question is None
    assert f"key: {key:>3}" in screen()


def test_what_it_asks_before_its_task_is_seen_as_taken_is_answered_at_once(node: NodeClient, home: World) -> None:
    """No transcript says that the task was taken: for two seconds that is open, the question is not."""
    shutil.copy(SCREENS / "bash.txt", home.home / "screen")
    takes_a_line = ASKING.replace("clear; cat ~/screen", "IFS= read -r line; clear; cat ~/screen")
    spawn(node, takes_a_line.replace("WAITS", "permission prompt"), "make a file")
    asked = node.wait_agent("talk", lambda seen: seen.question, 30).question
    assert asked

    def say(text: str) -> str:
        return node.ask(lambda number: Tell(number, "talk", 1, TellKind.MESSAGE, text)).reason

    assert say("hello") == "it waits for something else: look at what it asks"
    late = node.ask(lambda number: told(number, "talk", replace(asked, id="another"), "allow"))
    assert late.reason == "this question is no longer open"
    assert node.ask(lambda number: told(number, "talk", asked, "allow")).reason == ""
    wait_for(lambda: "key:   1" in screen())


def test_a_prompt_that_has_changed_under_the_answer_is_not_answered(node: NodeClient, home: World) -> None:
    shutil.copy(SCREENS / "bash.txt", home.home / "screen")
    spawn(node, ASKING.replace("WAITS", "permission prompt"))
    asks = node.wait_agent("talk", lambda seen: seen.question, 30).question
    assert asks
    command = ["tmux", "-L", "controlroom", "display-message", "-p", "-t", "=talk:", "#{pane_tty}"]
    terminal = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    other = (SCREENS / "bash.txt").read_text().replace("made.txt", "else.txt").replace("\n", "\r\n")
    Path(terminal).write_text(f"\x1b[H\x1b[2J{other}")
    wait_for(lambda: "touch else.txt" in screen())
    reply = node.ask(lambda number: told(number, "talk", asks, "allow"))
    assert reply.outcome == "refused"
    node.wait_agent("talk", lambda seen: seen.detail == "asks: touch else.txt && rm -rf build", 30)
    assert "key" not in screen()
