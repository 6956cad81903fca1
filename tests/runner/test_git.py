"""git on a hostile repository: it reads and writes, and nothing that came with the repository runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from controlroom.runner import git
from controlroom.runner.git import REMOTE, GitFailed, Identity, Repository, opened, remove_tree
from tests.runner.hostile_repository import HostileRepository
from tests.runner.hostile_repository import git as plain_git

SOMEBODY = Identity("Somebody", "somebody@example.org")


@pytest.fixture(params=[False, True], ids=["filters", "filter-process"])
def hostile(tmp_path: Path, request: pytest.FixtureRequest) -> HostileRepository:
    return HostileRepository(tmp_path, process=request.param)


def environ(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home)}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    top = tmp_path / "repository"
    top.mkdir()
    plain_git(top, "init", "-q", "-b", "main")
    (top / "file").write_text("one\n")
    plain_git(top, "add", ".")
    plain_git(top, "commit", "-q", "-m", "first")
    return top


def test_git_as_anybody_runs_it_starts_what_the_repository_names(tmp_path: Path) -> None:
    hostile = HostileRepository(tmp_path)
    hostile.edit()
    for words in (
        ("status",),
        ("diff",),
        ("log", "-p", "-1"),
        ("checkout", "-q", "other"),
        ("add", "-A"),
        ("commit", "-m", "x"),
        ("fetch", "origin"),
        ("fetch", "https://example.invalid/x"),
    ):
        plain_git(hostile.top, *words, check=False)
    assert {"fsmonitor", "clean", "smudge", "textconv", "diff-command"} <= hostile.ran


def use_it_all(repository: Repository) -> None:
    """Read and write by each subcommand, as the review, the results and the worktrees do."""
    run = repository.run
    run("status", "--porcelain", "-z")
    run("diff")
    run("diff", "--stat", "HEAD")
    run("diff-index", "--name-status", "-z", "HEAD")
    run("diff-files", "-p")
    run("log", "-p", "-2")
    run("show", "HEAD")
    repository.add_all()
    tree = repository.text("write-tree")
    commit = run("commit-tree", tree, "-p", "HEAD", "-m", "work", identity=SOMEBODY).text
    run("update-ref", "refs/heads/main", commit)
    run("reset", "--hard", "main")
    run("checkout", "-b", "ours")
    run("read-tree", "HEAD")
    run("checkout", "--detach", "other")
    run("checkout", "ours")
    run("merge-tree", "--write-tree", "main", "other", check=False)


def join_it_all(repository: Repository) -> None:
    """Join branches by each subcommand that does."""
    run = repository.run
    run("checkout", "-b", "joined", "main")
    assert run("merge", "other", check=False, identity=SOMEBODY).code == 1
    assert b"<<<<<<<" in run("diff").out
    run("reset", "--hard")
    run("merge", "-s", "ours", "other", identity=SOMEBODY)
    run("reset", "--hard", "main")
    assert run("cherry-pick", "other", check=False, identity=SOMEBODY).code == 1
    run("reset", "--hard")
    assert run("rebase", "other", check=False, identity=SOMEBODY).code == 1


def test_nothing_that_came_with_a_repository_runs(hostile: HostileRepository, tmp_path: Path) -> None:
    hostile.edit()
    with opened(str(hostile.top), environ(tmp_path)) as repository:
        use_it_all(repository)
        assert repository.text("show", "main:new.evil") == "new"
        assert repository.text("show", "main:story.evil") == "changed by an agent"
    assert hostile.ran == set()


@pytest.mark.parametrize("words", [("merge", "other"), ("rebase", "other"), ("cherry-pick", "other")])
def test_where_a_submodule_is_checked_out_nothing_that_would_enter_it_is_run(
    hostile: HostileRepository, tmp_path: Path, words: tuple[str, ...]
) -> None:
    hostile.edit()
    with opened(str(hostile.top), environ(tmp_path)) as repository:
        with pytest.raises(GitFailed, match="would enter the submodule inner"):
            repository.run(*words, identity=SOMEBODY)
        assert repository.submodules() == ["inner"]
    assert hostile.ran == set()


def test_no_remote_that_a_repository_names_is_spoken_to(hostile: HostileRepository, tmp_path: Path) -> None:
    with opened(str(hostile.top), environ(tmp_path)) as repository:
        for url in ("origin", f"ext::{hostile.trap('direct')}", str(hostile.top), "https://example.invalid/x"):
            for words in (("fetch", url), ("push", url, "main"), ("ls-remote", url)):
                with pytest.raises(GitFailed):
                    repository.run(*words, remote=REMOTE)
    assert hostile.ran == set()


def test_a_worktree_of_a_hostile_repository_is_made_and_used_without_running_anything(
    hostile: HostileRepository, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    with opened(str(hostile.top), environ(tmp_path)) as repository:
        repository.add_worktree(str(tree), "main", "work")
    with opened(str(tree), environ(tmp_path), common=str(hostile.top / ".git")) as repository:
        repository.run("reset", "--hard")
        assert (tree / "story.evil").read_text() == "ours\n"
        use_it_all(repository)
        join_it_all(repository)
    assert hostile.ran == set()
    assert "prunable" not in plain_git(hostile.top, "worktree", "list")


def test_a_worktree_whose_git_file_leads_elsewhere_is_refused(
    hostile: HostileRepository, repository: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    plain_git(repository, "worktree", "add", "-q", str(tree))
    (tree / ".git").write_text(f"gitdir: {hostile.top}/.git\n")
    with (
        pytest.raises(GitFailed, match="does not belong to the repository"),
        opened(str(tree), environ(tmp_path), common=str(repository / ".git")),
    ):
        pass


def test_a_repository_is_seen_as_git_itself_sees_it(repository: Path, tmp_path: Path) -> None:
    (repository / "file").write_text("two\n")
    (repository / "näw \n.txt").write_text("x")
    plain_git(repository, "branch", "feature")
    plain_git(repository, "pack-refs", "--all")
    with opened(str(repository / "."), environ(tmp_path)) as mine:
        assert mine.run("status", "--porcelain", "-z").fields == [" M file", "?? näw \n.txt"]
        assert mine.text("rev-parse", "HEAD") == plain_git(repository, "rev-parse", "HEAD")
        mine.run("update-ref", "refs/heads/made", "HEAD")
        mine.run("branch", "-D", "feature")
    assert plain_git(repository, "branch", "--format=%(refname:short)").split() == ["made", "main"]
    assert plain_git(repository, "fsck") == ""


def test_a_bare_repository_and_one_of_sha256_are_read(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    plain_git(bare, "init", "-q", "--bare", "--object-format=sha256")
    with opened(str(bare), environ(tmp_path)) as repository:
        assert len(repository.run("hash-object", "-w", "--stdin", given=b"x").text) == 64
        assert repository.place.top == ""


def test_what_ignores_files_is_kept_and_what_names_filters_is_not(repository: Path, tmp_path: Path) -> None:
    (repository / ".git" / "info" / "exclude").write_text("*.log\n")
    (repository / "x.log").write_text("")
    with opened(str(repository), environ(tmp_path)) as mine:
        assert mine.run("status", "--porcelain", "-z").fields == []


def test_the_person_of_a_commit_is_the_repositorys_or_the_accounts(repository: Path, tmp_path: Path) -> None:
    with opened(str(repository), environ(tmp_path)) as mine:
        assert mine.identity() is None
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = Person\n\temail = p@example.org\n")
    with opened(str(repository), environ(tmp_path)) as mine:
        assert mine.identity() == Identity("Person", "p@example.org")
    plain_git(repository, "config", "user.name", "Own <name>")
    with opened(str(repository), environ(tmp_path)) as mine:
        assert mine.identity() == Identity("Own name", "p@example.org")


def test_output_and_time_are_bounded(repository: Path, tmp_path: Path) -> None:
    (repository / "large").write_text("line\n" * 200_000)
    plain_git(repository, "add", ".")
    with opened(str(repository), environ(tmp_path)) as mine:
        output = mine.run("diff", "--cached", check=False, limit=10_000)
        assert (output.cut, output.code, len(output.out)) == (True, None, 10_000)
        with pytest.raises(GitFailed, match="said too much"):
            mine.run("diff", "--cached", limit=10_000)
        assert mine.run("hash-object", "--stdin", check=False, seconds=0.0, given=b"x").late


@pytest.mark.parametrize("words", [("gc",), ("-c",), ("diff", "--ext-diff"), ("rebase", "--exec=make"), ("st",)])
def test_a_subcommand_or_option_that_nobody_has_looked_at_is_not_run(
    repository: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    with opened(str(repository), environ(tmp_path)) as mine, pytest.raises(ValueError, match="not run with these"):
        mine.run(*words)


def test_a_failure_says_what_where_and_why_without_a_password(repository: Path, tmp_path: Path) -> None:
    with opened(str(repository), environ(tmp_path)) as mine, pytest.raises(GitFailed) as failed:
        mine.run("fetch", "https://somebody:secret@127.0.0.1:1/x", remote=REMOTE)
    assert str(failed.value).startswith(f"git fetch in {repository} failed: ")
    assert "secret" not in str(failed.value)


def test_what_is_no_repository_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(GitFailed, match="is in no git repository"), opened(str(tmp_path), environ(tmp_path)):
        pass
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    with pytest.raises(GitFailed, match="which is no git directory"), opened(str(tmp_path), environ(tmp_path)):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="the folder of another system's root has no git to look for")
def test_git_is_looked_for_in_absolute_folders_only(repository: Path, tmp_path: Path) -> None:
    here = {"PATH": ".:", "HOME": str(tmp_path)}
    with pytest.raises(GitFailed, match="git is not there on this host"), opened(str(repository), here):
        pass


@pytest.mark.parametrize(
    ("url", "told", "spoken"),
    [
        ("git@Example.org:team/docs.git", "example.org/team/docs", True),
        ("ssh://git@example.org:2222/team/docs.git", "example.org/team/docs", True),
        ("https://me:secret@example.org/team/docs.git", "example.org/team/docs", True),
        ("https://example.org/team/docs/?token=secret", "example.org/team/docs", True),
        ("/srv/git/docs.git", "/srv/git/docs.git", False),
        ("file:///srv/git/docs.git", "/srv/git/docs.git", False),
        ("ext::sh -c evil", "", False),
        ("ext::evil", "", False),
        ("git://example.org/docs", "", False),
        ("ssh://-oProxyCommand=evil/x", "", False),
        ("-oProxyCommand=evil:x", "", False),
        ("--upload-pack=evil", "", False),
        ("host:pa\nth", "", False),
        ("/srv/\x1b[2J", "/srv/␛", False),
    ],
)
def test_a_remote_is_told_without_credentials_and_spoken_to_by_ssh_or_https_only(
    url: str, told: str, spoken: bool
) -> None:
    assert (git.origin(url), git.reachable(url)) == (told, spoken)


def test_folders_that_may_only_be_read_are_removed_and_what_a_link_leads_to_is_not(tmp_path: Path) -> None:
    package, kept = tmp_path / "tree" / "modules" / "package", tmp_path / "kept"
    package.mkdir(parents=True)
    kept.mkdir(0o500)
    (package / "source").touch()
    (package.parent / "link").symlink_to(kept)
    for folder in (tmp_path, kept, *package.parents[:2], package):
        os.chown(folder, 65534 if os.getuid() == 0 else -1, -1)
    for folder in (package, package.parent):
        folder.chmod(0o500)
    child = os.fork()
    if child == 0:  # root may write everywhere
        try:
            os.chdir(tmp_path)
            if os.getuid() == 0:
                os.setuid(65534)
            remove_tree("tree")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert not (tmp_path / "tree").exists()
    assert kept.stat().st_mode & 0o777 == 0o500
