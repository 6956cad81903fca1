"""Agents of others that home has adopted: interrupted and ended by signals to exactly their processes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.node.adopted.signals import is_running
from controlroom.text.states import AdoptedSignal, Outcome
from controlroom.wire.adopted import SignalAdopted
from controlroom.wire.messages import AgentSeen, Reply
from tests.lab.node_client import NodeClient
from tests.lab.processes import everything
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.node.adopted import SESSION, say, session, tmux, under, wait_ended, wait_others


@pytest.fixture
def node(home: World) -> Iterator[NodeClient]:
    with NodeClient() as client:
        client.greet()
        yield client


def signal(node: NodeClient, agent: AgentSeen, how: AdoptedSignal = AdoptedSignal.END, **more: str) -> Reply:
    return node.ask(lambda op: SignalAdopted(op, agent.name, agent.mark, how, agent.script, **more))


def seen(node: NodeClient, name: str, fits: Callable[[AgentSeen], object] = lambda agent: True) -> AgentSeen:
    return wait_others(node, lambda agents: fits(agents[name]))[name]


def sessions() -> list[str]:
    return tmux("list-sessions", "-F", "#{session_name}").split()


def gone(*pids: int) -> bool:
    return not any(is_running(pid) for pid in pids)


def test_a_pipeline_is_ended_with_its_shell_and_nothing_else_is(
    home: World, node: NodeClient, claude_program: Path
) -> None:
    """As somebody's scripts start them: `tmux new -s agent-1 "claude -p … | tee log"`."""
    log = home.home / "agent-1.log"
    pane = session("agent-1", f"'{claude_program}' 600 | tee {log}; true", home.home)
    beside = session("agent-2", f"'{claude_program}' 600 | tee {log}.2; true", home.home)
    typed = session("typed", "exec bash --norc", home.home)
    claude, tee = under(pane, "claude").pid, under(pane, "tee").pid
    agent = seen(node, "~agent-1", lambda agent: agent.script)
    assert agent.mark.split(".")[1] == str(claude)
    assert agent.script.split(".")[1] == str(pane)
    assert seen(node, "~typed").mark == "", "nothing of a shell in which somebody types can be adopted"
    assert signal(node, agent).outcome is Outcome.DONE
    assert gone(pane, claude, tee)
    assert not gone(beside)
    assert not gone(typed)
    assert sessions() == ["agent-2", "typed"]
    assert signal(node, agent).outcome is Outcome.DONE, "what is gone is ended already"


def test_a_claude_below_shells_in_which_somebody_types_is_ended_alone(
    home: World, node: NodeClient, claude_program: Path
) -> None:
    outer = session("work", "exec bash --norc", home.home)
    tmux("send-keys", "-t", "=work:", "bash --norc -i", "Enter", f"'{claude_program}' 600", "Enter")
    claude = under(outer, "claude").pid
    inner = wait_for(lambda: [one.pid for one in everything() if one.parent == outer])[0]
    agent = seen(node, "~work", lambda agent: agent.pid == claude)
    assert agent.script == ""
    assert signal(node, agent).outcome is Outcome.DONE
    assert gone(claude)
    assert not gone(outer)
    assert not gone(inner)


def test_a_script_that_starts_the_next_claude_is_one_agent_and_ends_with_it(
    home: World, node: NodeClient, claude_program: Path
) -> None:
    script = home.home / "loop.sh"
    script.write_text(f"while true; do '{claude_program}' 600; done\n")
    shell = session("loop", "exec bash --norc", home.home)
    tmux("send-keys", "-t", "=loop:", f"bash {script}", "Enter")
    first = under(shell, "claude")
    agent = seen(node, "~loop", lambda agent: agent.script)
    os.kill(first.pid, 9)
    second = wait_for(lambda: under(shell, "claude") if under(shell, "claude").pid != first.pid else None)
    assert second
    again = seen(node, "~loop", lambda agent: agent.pid == second.pid)
    assert again.script == agent.script
    assert signal(node, agent).outcome is Outcome.DONE, "by the first one's mark: it is the script that ends"
    assert gone(second.pid, int(agent.script.split(".")[1]))
    assert not gone(shell)


def test_a_script_that_runs_several_ends_with_none_of_them(home: World, node: NodeClient, claude_program: Path) -> None:
    script = home.home / "many.sh"
    script.write_text(f"'{claude_program}' 600 & '{claude_program}' 601 & wait\n")
    pane = session("many", f"bash {script}; true", home.home)
    agents = wait_others(node, lambda agents: len(agents) == 2)
    assert [agent.script for agent in agents.values()] == ["", ""]
    one, other = agents.values()
    # as if it had been alone when it was adopted: the script has other work by now
    start = Path(f"/proc/{pane}/stat").read_text().rpartition(")")[2].split()[19]
    was = replace(one, script=f"{one.mark.split('.')[0]}.{pane}.{start}")
    assert signal(node, was).outcome is Outcome.DONE
    assert gone(one.pid)
    assert not gone(other.pid)
    assert not gone(pane)


def test_a_later_process_of_the_same_pid_is_not_touched(home: World, node: NodeClient, claude_program: Path) -> None:
    claude = under(session("work", f"exec '{claude_program}' 600", home.home), "claude").pid
    agent = seen(node, "~work", lambda agent: agent.pid == claude)
    boot, pid, start = agent.mark.split(".")
    for mark in (f"{boot}.{pid}.{int(start) - 1}", f"{'0' * 12}.{pid}.{start}"):
        assert signal(node, replace(agent, mark=mark)).outcome is Outcome.DONE, "that one is gone"
        assert not gone(claude)


def test_what_no_mark_may_name_is_refused(home: World, node: NodeClient) -> None:
    shell = session("typed", "exec bash --norc", home.home)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:12]

    def mark_of(pid: int) -> str:
        return f"{boot}.{pid}.{Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"

    server = int(tmux("display-message", "-p", "#{pid}"))
    agent = seen(node, "~typed")
    for pid in (shell, server, node.process.pid):
        reply = signal(node, replace(agent, mark=mark_of(pid)))
        assert reply.outcome is Outcome.REFUSED, reply
        assert not gone(pid)
        signal(node, replace(agent, mark="0.1.1", script=mark_of(pid)))
        assert not gone(pid), "nor as a script"
    assert signal(node, replace(agent, mark="no mark")).outcome is Outcome.REFUSED


def test_what_it_leaves_behind_in_a_session_of_its_own_ends_with_it(
    home: World, node: NodeClient, claude_program: Path
) -> None:
    """Claude runs its tools with setsid (2.1.332, measured): one that is killed leaves them to init."""
    left = f"setsid sleep 600 & echo $! > {home.home}/left; exec -a claude '{claude_program}' 600"
    pane = session("work", f'exec bash -c "{left.replace("$", chr(92) + "$")}"', home.home)
    tool = int(wait_for(lambda: (home.home / "left").read_text().strip()))
    wait_for(lambda: Path(f"/proc/{tool}/comm").read_text().strip() == "sleep")
    agent = seen(node, "~work", lambda agent: agent.pid == pane)
    assert signal(node, agent).outcome is Outcome.DONE
    assert gone(pane, tool)


def test_an_interrupt_is_one_signal_to_its_claude(home: World, node: NodeClient, claude_program: Path) -> None:
    pane = session("work", f"'{claude_program}' 600; exec sleep 601", home.home)
    claude = under(pane, "claude").pid
    agent = seen(node, "~work", lambda agent: agent.pid == claude)
    assert signal(node, agent, AdoptedSignal.INTERRUPT).outcome is Outcome.DONE
    wait_for(lambda: gone(claude))
    assert not gone(pane)
    assert signal(node, agent, AdoptedSignal.INTERRUPT).outcome is Outcome.REFUSED


def test_it_is_not_done_while_another_is_at_work_on_its_session(
    home: World, node: NodeClient, claude_program: Path
) -> None:
    one = under(session("one", f"exec '{claude_program}' 600", home.home), "claude").pid
    other = subprocess.Popen([claude_program, "600"], cwd=home.home)
    try:
        say(home, one, "busy")
        say(home, other.pid, "busy")
        agent = seen(node, "~one", lambda agent: agent.session == SESSION)
        wait_others(node, lambda agents: [each.session for each in agents.values()] == [SESSION, SESSION])
        reply = signal(node, agent, session=SESSION)
        assert (reply.outcome, str(other.pid) in reply.reason) == (Outcome.REFUSED, True), reply
    finally:
        other.kill()
        other.wait()
    wait_ended(node, "~one")
    assert signal(node, agent, session=SESSION).outcome is Outcome.DONE
