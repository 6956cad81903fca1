"""What a fleet file must be to be applied at all: the first thing that is wrong, with where it stands."""

from collections import Counter
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from controlroom.domain.fleet_files import (
    MOST_AGENTS,
    MOST_FILLED,
    MOST_TASKS,
    AgentWish,
    FleetFile,
    FleetTask,
)
from controlroom.domain.model import Fleet, Profile
from controlroom.domain.preconditions import (
    Refusal,
    check_base,
    check_credential,
    check_size,
    check_task,
    host_named,
    profile_named,
)
from controlroom.domain.queue.edits import check_labels
from controlroom.domain.queue.restarts import slot_names
from controlroom.domain.words import way_round
from controlroom.text.names import agent_name_problem, is_model

_PATH = 4096


def shown_name(name: str) -> str:
    """A name of an entry as a sentence can have it: a file may be somebody else's."""
    return ascii(name[:60])[1:-1]


def slots(fleet: Fleet) -> Mapping[str, Profile]:
    """The names of agents that profiles keep running."""
    return {name: profile for profile in fleet.profiles.values() for name in slot_names(profile)}


def check_file(file: FleetFile, fleet: Fleet) -> None:
    """See that a file can be applied; its texts are filled in. Raises `Refusal`, which begins with the entry."""
    if problem := agent_name_problem(file.name):
        raise Refusal(f"fleet: {problem.replace('an agent', 'a fleet')}")
    if len(file.agents) > MOST_AGENTS or len(file.tasks) > MOST_TASKS:
        raise Refusal(f"a fleet file has at most {MOST_AGENTS} agents and {MOST_TASKS} tasks: make two of it")
    sizes = (len(wish.text) for wish in file.agents), (len(task.wish.text) for task in file.tasks)
    if sum(map(sum, sizes)) > MOST_FILLED:
        raise Refusal(f"its texts have more than {MOST_FILLED} characters together: put them into files on the hosts")
    _check_names("agents", [wish.entry.name for wish in file.agents], "name")
    _check_names("tasks", [task.wish.key for task in file.tasks], "key")
    kept = slots(fleet)
    for wish in file.agents:
        try:
            if (profile := kept.get(wish.entry.name)) is not None:
                raise Refusal(f"profile {profile.name} keeps an agent of this name running: choose another name")
            _check_agent(wish, fleet)
        except Refusal as no:
            raise Refusal(f"agents.{shown_name(wish.entry.name)}: {no}") from None
    _check_order(file.tasks)


def _check_names(table: str, names: list[str], what: str) -> None:
    for name, times in Counter(names).items():
        if not name:
            raise Refusal(f"{table}: one has no {what}, and it is what applying the file again knows it by")
        if times > 1:
            raise Refusal(f"{table}.{shown_name(name)}: {times} have this {what}")


def _check_agent(wish: AgentWish, fleet: Fleet) -> None:
    entry = wish.entry
    if problem := agent_name_problem(entry.name):
        raise Refusal(problem)
    profile = profile_named(fleet, entry.profile)
    kind = (profile or Profile("")).kind
    check_credential(profile, entry.credential)
    if entry.host:
        host_named(fleet, entry.host)
    check_labels(fleet, entry.labels)
    check_base(entry.worktree)
    if entry.model and not is_model(entry.model):
        raise Refusal(f"{ascii(entry.model)[:60]} cannot be a model: say it as Claude Code names it, like sonnet")
    if len(entry.cwd) > _PATH or not entry.cwd.isprintable():
        raise Refusal(f"a folder has at most {_PATH} characters, all of them printable")
    if wish.text:
        check_size("the text", wish.text)
    check_task(kind, wish.text)


def _check_order(tasks: tuple[FleetTask, ...]) -> None:
    """See that no task of the file comes after itself."""
    try:
        TopologicalSorter({task.wish.key: task.wish.after for task in tasks}).prepare()
    except CycleError as error:
        circle = [shown_name(name) for name in error.args[1]]
        raise Refusal(f"tasks.{circle[0]}: these would wait for each other: {way_round(circle)}") from None
