"""What git and the calls of tools say that an agent has edited, in real repositories, and how a real node tells it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from controlroom.node.adopted.claudes import Transcript
from controlroom.node.git import edit_watch
from controlroom.node.git.edits import Worker, edits_of
from controlroom.node.outbox import Outbox
from controlroom.runner.folder import EDITS
from controlroom.text.states import Outcome
from controlroom.wire.edits import LONGEST_PATH, MOST_PATHS, AgentEdits, EditsSeen, RepositoryEdits
from controlroom.wire.lines import LineSplitter
from controlroom.wire.messages import FromNode, Reply, read_from_node
from tests.lab.node_client import NodeClient, state_folder
from tests.lab.waiting import wait_for, wait_for_async
from tests.lab.world import World

ORIGIN = "https://someone:secret@Example.org/Team/docs.git"
BEFORE = time.time() - 3600


def git(where: Path, *words: str, at: float | None = None) -> str:
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    dates = {} if at is None else {"GIT_COMMITTER_DATE": f"{int(at)} +0000", "GIT_AUTHOR_DATE": f"{int(at)} +0000"}
    argv = ["git", "-C", str(where), *who, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True, env={**os.environ, **dates}).stdout.strip()


def write(path: Path, words: str = "more\n", *, at: float | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(words)
    if at is not None:
        os.utime(path, (at, at))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with three files, an hour old."""
    top = tmp_path / "docs"
    top.mkdir()
    git(top, "init", "-q", "-b", "main")
    git(top, "remote", "add", "origin", ORIGIN)
    for name in ("a.txt", "b.txt", "sub/c.txt"):
        write(top / name, f"{name}\n", at=BEFORE)
    write(top / ".gitignore", "*.log\n", at=BEFORE)
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "first", at=BEFORE)
    return top


def worker(
    folder: Path, *calls: Path, epoch: int = 1, began: float = BEFORE + 60, ended: float = 0, base: str = ""
) -> Worker:
    times = int(began * 1000), int(ended * 1000)
    return Worker("one", epoch, str(folder), *times, base, frozenset(map(str, calls)))


def seen(one: Worker, *, shared: bool = False) -> tuple[RepositoryEdits, ...]:
    return edits_of(one, os.environ, lambda _: shared).repositories


def paths(one: Worker, *, shared: bool = False) -> list[str]:
    return [path for edits in seen(one, shared=shared) for path in edits.paths]


def test_what_is_changed_is_told_with_the_origin_and_without_its_secret(repository: Path) -> None:
    write(repository / "a.txt")
    write(repository / "new" / "d.txt")
    (repository / "sub" / "c.txt").unlink()
    (edits,) = seen(worker(repository / "sub"))
    assert edits == RepositoryEdits(
        str(repository), str(repository / ".git"), "example.org/Team/docs", ("a.txt", "new/d.txt", "sub/c.txt")
    )


def test_what_git_ignores_or_is_as_it_was_is_not_told(repository: Path) -> None:
    write(repository / "out.log")
    write(repository / "a.txt")
    write(repository / "a.txt", "a.txt\n")
    write(repository / "gone.txt")
    (repository / "gone.txt").unlink()
    assert paths(worker(repository, repository / "out.log", repository / "a.txt", repository / "gone.txt")) == []


def test_what_was_changed_before_it_began_or_after_it_ended_is_somebody_elses(repository: Path) -> None:
    now = time.time()
    write(repository / "a.txt", at=now - 500)
    write(repository / "b.txt", at=now - 100)
    (repository / "sub" / "c.txt").unlink()
    assert paths(worker(repository, ended=now - 400)) == ["a.txt"]
    assert paths(worker(repository, began=now + 60)) == []
    assert paths(worker(repository, repository / "b.txt", began=now + 60)) == ["b.txt"]


def test_what_made_a_worktree_ready_is_not_its_agents(repository: Path) -> None:
    base = git(repository, "rev-parse", "HEAD")
    write(repository / "a.txt")
    assert paths(worker(repository, began=time.time() + 60, base=base)) == []
    assert paths(worker(repository, base=base, ended=BEFORE + 120)) == ["a.txt"], "nobody else works in it"


def test_in_a_tree_of_several_agents_only_its_calls_tell(repository: Path) -> None:
    write(repository / "a.txt")
    write(repository / "b.txt")
    assert paths(worker(repository, repository / "b.txt"), shared=True) == ["b.txt"]
    assert paths(worker(repository, repository / "b.txt", epoch=0)) == ["b.txt"], "a person may be at work beside it"


def test_commits_count_until_another_branch_has_them(repository: Path) -> None:
    base = git(repository, "rev-parse", "HEAD")
    git(repository, "worktree", "add", "-q", "-b", "agent/one", str(repository.parent / "one"))
    tree = repository.parent / "one"
    write(tree / "a.txt")
    git(tree, "commit", "-q", "-am", "more")
    write(tree / "b.txt")
    assert paths(worker(tree, base=base)) == ["a.txt", "b.txt"]
    assert paths(worker(tree)) == ["a.txt", "b.txt"], "without a base by when it began"
    git(tree, "update-ref", "refs/remotes/origin/agent/one", "HEAD")
    assert paths(worker(tree, base=base)) == ["a.txt", "b.txt"], "a copy of its branch is not another branch"
    git(repository, "merge", "-q", "--no-ff", "-m", "merge", "agent/one")
    assert paths(worker(tree, base=base)) == ["b.txt"]


def test_what_was_accepted_counts_no_more_though_its_commits_became_others(repository: Path) -> None:
    base = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", "-b", "agent/one")
    write(repository / "a.txt")
    git(repository, "commit", "-q", "-am", "one")
    head = git(repository, "rev-parse", "HEAD")
    assert paths(worker(repository, base=base)._replace(merged=head)) == []
    write(repository / "b.txt")
    git(repository, "commit", "-q", "-am", "two")
    assert paths(worker(repository, base=base)._replace(merged=head)) == ["b.txt"]


def test_commits_of_others_that_it_merges_are_not_its_own(repository: Path) -> None:
    base = git(repository, "rev-parse", "HEAD")
    git(repository, "worktree", "add", "-q", "-b", "agent/one", str(repository.parent / "one"))
    write(repository / "b.txt")
    git(repository, "commit", "-q", "-am", "of somebody else")
    tree = repository.parent / "one"
    write(tree / "a.txt")
    git(tree, "commit", "-q", "-am", "own")
    git(tree, "merge", "-q", "--no-edit", "main")
    assert paths(worker(tree, base=base)) == ["a.txt"]


def test_what_was_committed_and_undone_is_not_told(repository: Path) -> None:
    base = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", "-b", "agent/one")
    write(repository / "a.txt")
    git(repository, "commit", "-q", "-am", "one")
    git(repository, "revert", "--no-edit", "HEAD")
    assert paths(worker(repository, base=base)) == []


def test_a_tree_that_was_dropped_has_nothing_even_inside_another(repository: Path) -> None:
    write(repository / "a.txt")
    assert seen(worker(repository / "trees" / "gone")) == ()


def test_files_outside_of_repositories_count_where_it_works(tmp_path: Path) -> None:
    write(tmp_path / "plain" / "a.txt")
    write(tmp_path / "b.txt")
    one = worker(tmp_path / "plain", tmp_path / "plain" / "a.txt", tmp_path / "b.txt", tmp_path / "plain" / "gone")
    assert seen(one) == (RepositoryEdits(str(tmp_path / "plain"), paths=("a.txt",)),)


def test_another_repository_that_it_edits_is_told_apart(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    write(other / "x.txt")
    write(repository / "a.txt")
    told = {edits.tree: (edits.origin, edits.paths) for edits in seen(worker(repository, other / "x.txt"))}
    assert told == {str(repository): ("example.org/Team/docs", ("a.txt",)), str(other): ("", ("x.txt",))}


def test_more_than_is_told_is_said_to_be_more(repository: Path) -> None:
    for number in range(MOST_PATHS + 3):
        write(repository / f"{number}.txt")
    (edits,) = seen(worker(repository))
    assert len(edits.paths) == MOST_PATHS
    assert edits.more


def test_a_path_that_is_too_long_is_left_out_and_said(repository: Path) -> None:
    write(repository / "/".join(["x" * 100] * 5) / "a.txt")
    (edits,) = seen(worker(repository))
    assert (edits.paths, edits.more) == ((), True)
    assert LONGEST_PATH < 500


def test_odd_names_come_as_they_are_and_whole(repository: Path) -> None:
    for name in ("new\nline", "tab\there", 'quote"d', " blank ", "-dash", "ü.txt"):
        write(repository / name)
    (edits,) = seen(worker(repository))
    assert set(edits.paths) == {"new\nline", "tab\there", 'quote"d', " blank ", "-dash", "ü.txt"}


def test_where_there_is_no_room_for_git_its_calls_are_told_and_the_rest_is_unknown(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    write(repository / "a.txt")
    (edits,) = seen(worker(repository, repository / "a.txt"))
    assert (edits.paths, edits.more) == (("a.txt",), True)


def test_a_repository_that_cannot_be_read_leaves_what_its_calls_say_and_more_unknown(repository: Path) -> None:
    write(repository / "a.txt")
    (repository / ".git" / "index").write_bytes(b"nonsense")
    (edits,) = seen(worker(repository, repository / "a.txt"))
    assert (edits.paths, edits.more) == (("a.txt",), True)


# --------------------------------------------------------------------------- who is told of


def test_the_calls_of_an_adopted_one_are_read_from_its_transcript(tmp_path: Path) -> None:
    path = tmp_path / "transcript.jsonl"
    kept = Transcript(str(path))
    for number, error in ((1, False), (2, True)):
        called = {"type": "tool_use", "id": f"toolu_{number}", "name": "Edit", "input": {"file_path": f"/r/{number}"}}
        answered = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "is_error": error}
        lines = [
            {"type": kind, "message": {"content": [block]}}
            for kind, block in (("assistant", called), ("user", answered))
        ]
        with open(path, "a") as file:
            file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        kept.read()
    assert kept.edited == {"/r/1"}


async def test_a_slow_link_is_told_the_newest_of_each_agent(tmp_path: Path) -> None:
    source, sink = os.pipe()
    os.set_blocking(source, False)
    outbox, splitter, told = Outbox(sink, lambda: None), LineSplitter(), list[FromNode]()
    outbox.send(Reply(1, Outcome.DONE, "x" * 2**20))  # more than a pipe takes
    await asyncio.sleep(0)
    for number in range(100):
        outbox.edits(AgentEdits("one", 1, (RepositoryEdits("/r", paths=(str(number),)),)))
    outbox.edits(AgentEdits("two", 1))

    def all_read() -> bool:
        with contextlib.suppress(BlockingIOError):
            told.extend(read_from_node(line) for line in splitter.feed(os.read(source, 2**20)))
        return len(told) > 1

    await wait_for_async(all_read, poll=0.002)
    (seen,) = told[1:]
    assert isinstance(seen, EditsSeen)
    assert [(agent.name, [each.paths for each in agent.repositories]) for agent in seen.agents] == [
        ("one", [("99",)]),
        ("two", []),
    ]
    await outbox.close(1)
    os.close(source)
    os.close(sink)


class SlowLooks:
    """A clock that moves by what each look takes, and counts them; nothing else takes any time."""

    def __init__(self, took: float) -> None:
        self.took, self.now, self.looks = took, 1000.0, list[str]()

    def __call__(self) -> float:
        return self.now

    def look(self, worker: Worker, *_: object) -> AgentEdits:
        self.looks.append(worker.name)
        self.now += self.took
        return AgentEdits(worker.name, worker.epoch)


async def test_looks_that_take_long_come_seldom_but_for_those_that_calls_wait_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowLooks(took=1.0)
    monkeypatch.setattr(edit_watch, "edits_of", slow.look)
    watch = edit_watch.EditWatch(str(tmp_path), lambda _: None, os.environ, slow)
    watch.take([Worker(name, 1, str(tmp_path), 0) for name in ("one", "two")])
    running = asyncio.ensure_future(watch.run())
    await wait_for_async(lambda: slow.looks == ["one"], poll=0.002)
    watch.touch("two")
    for _ in range(20):  # looks are made in such threads, too
        await asyncio.to_thread(lambda: None)
    assert slow.looks == ["one"], "both together have their share of a core"
    watch.touch("two", called=True)
    await wait_for_async(lambda: slow.looks == ["one", "two"], poll=0.002)
    running.cancel()


# --------------------------------------------------------------------------- a real node


def told(node: NodeClient) -> dict[str, AgentEdits]:
    return {agent.name: agent for message in node.all(EditsSeen) for agent in message.agents}


WRITES = "while sleep 0.05; do if [ -e ../go ]; then rm ../go; echo more >> b.txt; echo done; fi; done"


def test_a_node_tells_of_edits_soon_after_calls_and_after_lines(home: World, repository: Path) -> None:
    trees = {name: repository.parent / name for name in ("one", "two")}
    with NodeClient() as node:
        node.greet()
        for name, tree in trees.items():
            git(repository, "worktree", "add", "-q", "-b", name, str(tree))
            assert node.spawn(name, 1, "sh", "-c", WRITES, cwd=str(tree)).outcome == "done"
        wait_for(lambda: trees.keys() <= told(node).keys(), what="both are looked at")
        write(trees["one"] / "a.txt")
        put_notes(home, "one", trees["one"] / "a.txt")
        wait_for(lambda: told_paths(node, "one") == ["a.txt"], what="a call is told of")
        (repository.parent / "go").touch()
        wait_for(lambda: "b.txt" in told_paths(node, "one") + told_paths(node, "two"), what="a command's edit is told")
        git(trees["one"], "checkout", "-q", ".")
        put_notes(home, "one", trees["one"] / "b.txt")
        wait_for(lambda: told_paths(node, "one") == [], what="what is as it was is told of no more")


def put_notes(home: World, name: str, path: Path) -> None:
    with open(state_folder(home.home) / "agents" / f"{name}.1" / EDITS, "a") as file:
        file.write(json.dumps({"path": str(path)}) + "\n")


def told_paths(node: NodeClient, name: str) -> list[str]:
    return [path for edits in told(node)[name].repositories for path in edits.paths]
