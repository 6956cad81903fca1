"""A git repository whose config, hooks, attributes and submodule name programs; what runs leaves a mark."""

import os
import subprocess
from pathlib import Path

HOOKS = (
    "applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "pre-merge-commit", "prepare-commit-msg",
    "commit-msg", "post-commit", "pre-rebase", "post-checkout", "post-merge", "pre-push", "reference-transaction",
    "post-index-change", "post-rewrite", "fsmonitor-watchman", "update", "pre-receive", "post-receive", "post-update",
)  # fmt: skip


CONFIG = """
[include]
	path = included
[core]
	fsmonitor = {trap} fsmonitor
	sshCommand = {trap} ssh-command
	gitProxy = {trap} git-proxy
	pager = {trap} pager
	editor = {trap} editor
	askPass = {trap} askpass
	alternateRefsCommand = {trap} alternate-refs
[pager]
	log = {trap} pager-log
[filter "evil"]
	clean = {trap} clean
	smudge = {trap} smudge
[diff]
	external = {trap} external
	submodule = diff
[diff "evil"]
	textconv = {trap} textconv
	command = {trap} diff-command
[merge "evil"]
	driver = {trap} merge-driver
[credential]
	helper = !{trap} credential-helper
[gpg]
	program = {trap} gpg
[commit]
	gpgSign = true
[log]
	showSignature = true
[submodule]
	recurse = true
[submodule "inner"]
	active = true
	update = !{trap} submodule-update
	url = ext::{trap} submodule-url
[status]
	submoduleSummary = true
[remote "origin"]
	url = ext::{trap} ext
	fetch = +refs/heads/*:refs/remotes/origin/*
	uploadpack = {trap} uploadpack
	receivepack = {trap} receivepack
[remote "far"]
	url = git@example.invalid:team/docs.git
	vcs = evil
[url "ext::{trap} instead-of "]
	insteadOf = https://example.invalid/
[hook "evil"]
	command = {trap} config-hook
	event = post-checkout
	event = reference-transaction
[gc]
	recentObjectsHook = {trap} gc
[interactive]
	diffFilter = {trap} diff-filter
"""


def git(where: Path, *words: str, check: bool = True) -> str:
    """Run git as anybody would, with no config but the repository's own."""
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(where.parent), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }  # fmt: skip
    argv = ["git", "-C", str(where), *words]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


class HostileRepository:
    """`top` has a branch `main` and a branch `other` that conflicts with it; `ran` names all programs that ran."""

    def __init__(self, folder: Path, *, process: bool = False) -> None:
        """`process`: a filter of the kind that goes on running, at which git as anybody runs it ends at once."""
        self.top, self._marks = folder / "hostile", folder / "marks"
        self._program = folder / "trap"
        self._marks.mkdir()
        self._program.write_text(f'#!/bin/sh\n: > "{self._marks}/$1"\nexit 1\n')
        self._program.chmod(0o755)
        self.top.mkdir()
        self._history(folder)
        self._hooks(self.top / ".git" / "hooks")
        for git_dir in (self.top / ".git", self.top / "inner" / ".git"):
            self._config(git_dir)
            if process:
                with (git_dir / "config").open("a") as file:
                    file.write(f'[filter "evil"]\n\tprocess = {self.trap("process")}\n')

    def trap(self, name: str) -> str:
        """A command that leaves the mark `name`."""
        return f"{self._program} {name}"

    @property
    def ran(self) -> set[str]:
        """The names of what has run."""
        return set(os.listdir(self._marks))

    def forget(self) -> None:
        """Take away all marks: what was run before was meant."""
        for name in self.ran:
            (self._marks / name).unlink()

    def edit(self) -> None:
        """Change files of the work tree and of its submodule, as an agent would."""
        (self.top / "story.evil").write_text("changed by an agent\n")
        (self.top / "inner" / "inner.evil").write_text("changed, too\n")
        (self.top / "new.evil").write_text("new\n")

    def _history(self, folder: Path) -> None:
        inner = folder / "inner-origin"
        inner.mkdir()
        git(inner, "init", "-q", "-b", "main")
        (inner / ".gitattributes").write_text("*.evil filter=evil diff=evil\n")
        (inner / "inner.evil").write_text("within\n")
        git(inner, "add", ".")
        git(inner, "commit", "-q", "-m", "inner")
        git(self.top, "init", "-q", "-b", "main")
        (self.top / ".gitattributes").write_text("*.evil filter=evil diff=evil merge=evil\n")
        (self.top / "story.evil").write_text("once\n")
        git(self.top, "-c", "protocol.file.allow=always", "clone", "-q", str(inner), "inner")
        (self.top / ".gitmodules").write_text(
            f'[submodule "inner"]\n\tpath = inner\n\turl = {inner}\n\tignore = none\n\tupdate = merge\n'
        )
        git(self.top, "add", ".")
        git(self.top, "commit", "-q", "-m", "first")
        git(self.top, "checkout", "-q", "-b", "other")
        (self.top / "story.evil").write_text("the other's\n")
        git(self.top, "commit", "-q", "-a", "-m", "other")
        git(self.top, "checkout", "-q", "main")
        (self.top / "story.evil").write_text("ours\n")
        git(self.top, "commit", "-q", "-a", "-m", "ours")

    def _hooks(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        for name in HOOKS:
            (folder / name).write_text(f"#!/bin/sh\n{self.trap('hook-' + name)}\nexit 0\n")
            (folder / name).chmod(0o755)

    def _config(self, git_dir: Path) -> None:
        included = git_dir / "included"
        included.write_text(
            f'[alias]\n\tst = !{self.trap("alias")}\n[filter "evil"]\n\tclean = {self.trap("included-clean")}\n'
        )
        (git_dir / "info" / "attributes").write_text("* filter=evil diff=evil merge=evil\n")
        trap = str(self._program)
        with (git_dir / "config").open("a") as file:
            file.write(CONFIG.replace("{trap}", trap))
