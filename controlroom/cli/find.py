"""From the names that people type to agents, hosts and profiles; from files and arguments to task texts."""

import sys
from collections.abc import Iterable

from controlroom.cli.exits import Exit, Stop
from controlroom.domain.model import Agent, Fleet, Host
from controlroom.domain.preconditions import MAX_TASK
from controlroom.domain.words import nearest


def agent_of(fleet: Fleet, text: str) -> Agent:
    """The agent that `text` means. Raises `Stop` when there is none, or several."""
    agents = fleet.find(text)
    if len(agents) == 1:
        return agents[0]
    if agents:
        ids = sorted(agent.id for agent in agents)
        raise Stop(Exit.NOT_FOUND, f"{text} is the name of {len(ids)} agents: say {' or '.join(ids)}")
    raise Stop(Exit.NOT_FOUND, _no_agent(fleet, text))


def host_of(fleet: Fleet, name: str) -> Host:
    """The host of that name. Raises `Stop` when there is none."""
    if name in fleet.hosts:
        return fleet.hosts[name]
    raise Stop(Exit.NOT_FOUND, f"there is no host {_quoted(name)}{_near(name, fleet.hosts)}; see controlroom host list")


def check_profile(fleet: Fleet, name: str) -> None:
    """See that a profile is there (or none is named). Raises `Stop`."""
    if name and name not in fleet.profiles:
        names = f" (there are {', '.join(sorted(fleet.profiles))})" if fleet.profiles else ": the config has none"
        changed = f"; {fleet.alarms['config'].text}" if "config" in fleet.alarms else ""
        near = _near(name, fleet.profiles) or names
        raise Stop(Exit.NOT_FOUND, f"there is no profile {_quoted(name)}{near}{changed}")


def task_text(task: str | None, file: str | None) -> str | None:
    """The task from `--task` or `--task-file`, None when neither was said. Raises `Stop`."""
    if task is not None:
        return typed(task, "the task")
    return None if file is None else read_text(file, "the task")


def typed(text: str, what: str) -> str:
    """Text from the command line. Raises `Stop` when its bytes are no UTF-8."""
    return _decoded(text.encode("utf-8", "surrogateescape"), what)


def read_text(file: str, what: str) -> str:
    """Read text from a file, or from stdin for `-`. Raises `Stop`."""
    try:
        if file == "-":
            content = sys.stdin.buffer.read(MAX_TASK + 1)
        else:
            with open(file, "rb") as opened:
                content = opened.read(MAX_TASK + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Stop(Exit.USAGE, f"{what} cannot be read from {_quoted(file)}: {reason}") from None
    return _decoded(content, what)


def _decoded(content: bytes, what: str) -> str:
    if len(content) > MAX_TASK:
        raise Stop(
            Exit.REFUSED, f"{what} is longer than {MAX_TASK} bytes: put it into a file on the host, and name that file"
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Stop(
            Exit.USAGE, f"{what} is not UTF-8 text: byte {error.start} is 0x{content[error.start]:02x}"
        ) from None


def _no_agent(fleet: Fleet, text: str) -> str:
    away = sorted(host.name for host in fleet.hosts.values() if not host.seen)
    unseen = f"; not heard yet: {', '.join(away)}" if away else ""
    names = [agent.name for agent in fleet.agents.values()]
    near = _near(text, [*fleet.agents, *names])
    gone = "" if near or "~" not in text else "; what others started is kept for a day after its end"
    return f"there is no agent {_quoted(text)}{near}{gone}; see controlroom status{unseen}"


def _near(text: str, known: Iterable[str]) -> str:
    return nearest(text[:80], known)


def _quoted(text: str) -> str:
    return ascii(text)[:90]
