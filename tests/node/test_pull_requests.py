"""Pull requests of what agents have committed: the real `gh` makes them at a stand-in forge."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controlroom.node.git.merging import Unsure
from controlroom.node.git.pushing import request_pull
from controlroom.node.spawn import Refusal
from controlroom.wire.branches import RequestPull
from tests.lab.forge import READER, TOKEN, Forge
from tests.lab.host import Host
from tests.node.clones import Clone
from tests.runner.hostile_repository import git

LIST, MAKE, REPOSITORY = "GET repos/team/docs/pulls", "POST repos/team/docs/pulls", "GET repos/team/docs"
PULL = "https://vm1/team/docs/pull/7"
BRANCH = "agents/docs-1"


@pytest.fixture
def clone(ssh_host: Host, tmp_path: Path) -> Clone:
    """An agent has committed something in it."""
    made = Clone(ssh_host, tmp_path)
    made.agent("docs-1", "docs.txt", "words\n")
    return made


@pytest.fixture
def forge(clone: Clone, need: Callable[..., str], tmp_path: Path) -> Iterator[Forge]:
    """What is pushed there lies in the repository of a forge, to which `gh` is logged in."""
    need("gh")
    with Forge(tmp_path, "vm1", "team/docs", clone.bare) as forge:
        clone.environ |= {**forge.environ, "GH_ENTERPRISE_TOKEN": TOKEN}
        yield forge


def ask(clone: Clone, seconds: float = 60.0, **wanted: object) -> str:
    fields: dict[str, object] = {"title": "Docs 'n more", "body": "It is *done*.", **wanted}
    return request_pull(clone.job("docs-1"), RequestPull(1, "docs-1", 1, **fields), seconds)  # type: ignore[arg-type]


def refused(clone: Clone) -> str:
    with pytest.raises(Refusal) as refusal:
        ask(clone)
    return str(refusal.value)


def test_a_pull_request_is_made_once_and_shown_when_asked_for_again(clone: Clone, forge: Forge) -> None:
    assert ask(clone, draft=True) == PULL
    (pull,) = forge.pulls
    told = {key: pull[key] for key in ("title", "body", "draft")}
    assert told == {"title": "Docs 'n more", "body": "It is *done*.", "draft": True}
    head = clone.at(BRANCH)
    assert (pull["head"], pull["base"]) == ({"ref": BRANCH, "sha": head}, {"ref": "main"})
    assert head == git(clone.folder / "docs-1", "rev-parse", "HEAD")
    more = clone.commit(clone.folder / "docs-1", "docs.txt", "more words\n", "more")
    assert ask(clone) == f"{PULL} was there already, and {BRANCH} is pushed to it"
    assert (len(forge.pulls), clone.at(BRANCH)) == (1, more)


def test_of_a_request_into_another_branch_and_after_one_was_closed_there_is_a_new_one(
    clone: Clone, forge: Forge
) -> None:
    git(clone.bare, "branch", "next", "main")
    ask(clone)
    assert ask(clone, into="next").endswith("/pull/8")
    forge.pulls[0]["state"] = "closed"
    assert ask(clone).endswith("/pull/9")


def test_where_gh_has_no_login_nothing_is_pushed_and_the_commands_are_shown(clone: Clone, forge: Forge) -> None:
    by_hand = (
        "controlroom push docs-1, and where you are logged in: controlroom collect docs-1 --markdown | gh pr "
        "create --repo vm1/team/docs --head agents/docs-1 --base main --title 'Docs '\"'\"'n more' --body-file -"
    )
    clone.environ["GH_ENTERPRISE_TOKEN"] = "gho_wrong"
    assert refused(clone) == f"gh is not logged in at vm1 on this host: {by_hand}"
    del clone.environ["GH_ENTERPRISE_TOKEN"]
    assert refused(clone) == f"gh is not logged in at vm1 on this host: {by_hand}"
    (clone.home / ".config" / "gh").mkdir(parents=True)
    (clone.home / ".config" / "gh" / "hosts.yml").write_text("vm2:\n  oauth_token: x\n")
    assert refused(clone) == f"gh is not logged in at vm1 on this host: {by_hand}"
    assert (clone.at(BRANCH), forge.pulls) == ("", [])


def test_the_command_that_is_shown_makes_the_pull_request(clone: Clone, forge: Forge) -> None:
    clone.environ["GH_ENTERPRISE_TOKEN"] = "gho_wrong"
    command = shlex.split(refused(clone).rpartition(" | ")[2])
    git(clone.folder / "docs-1", "push", "-q", str(clone.bare), BRANCH)
    environ = {**clone.environ, "GH_ENTERPRISE_TOKEN": TOKEN}
    made = subprocess.run(
        command, input="It is done.", cwd="/", env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (made.returncode, made.stdout) == (0, f"{PULL}\n"), made.stderr
    (pull,) = forge.pulls
    assert (pull["title"], pull["body"], pull["base"]["ref"]) == ("Docs 'n more", "It is done.", "main")


ODD: list[tuple[str, Any, str]] = [
    (
        REPOSITORY,
        (404, {"message": "Not Found"}),
        "vm1 does not show team/docs to the login of gh: HTTP 404: Not Found",
    ),
    (REPOSITORY, (503, {}), "vm1 does not show team/docs to the login of gh: HTTP 503"),
    (LIST, (403, {"message": "API rate limit exceeded"}), "vm1 does not tell its pull requests: HTTP 403: API rate"),
    (LIST, (200, {"message": "odd"}), "its answer cannot be read"),
]


def test_where_the_forge_cannot_be_asked_nothing_is_pushed(clone: Clone, forge: Forge) -> None:
    for path, answer, why in ODD:
        forge.instead = {path: answer}
        words = refused(clone)
        assert words.startswith("nothing was pushed: ")
        assert why in words
    assert (clone.at(BRANCH), MAKE in forge.requests) == ("", False)


def test_what_the_forge_turns_down_is_refused_and_the_push_is_said(clone: Clone, forge: Forge) -> None:
    clone.environ["GH_ENTERPRISE_TOKEN"] = READER
    words = f"{BRANCH} is pushed, and vm1 made no pull request of it: "
    assert refused(clone) == f"{words}HTTP 403: Resource not accessible by personal access token"
    clone.environ["GH_ENTERPRISE_TOKEN"] = TOKEN
    with pytest.raises(Refusal) as invalid:
        ask(clone, into="gone")
    assert str(invalid.value) == f"{words}HTTP 422: Validation Failed; base is invalid"
    assert forge.pulls == []


EXISTS = {"message": "Validation Failed", "errors": [{"message": "A pull request already exists for team:x."}]}


def test_what_was_made_without_a_word_is_seen_when_it_is_looked_at_again(clone: Clone, forge: Forge) -> None:
    forge.and_does_it = True
    for answer in ((502, {"message": "Bad gateway"}), (201, {"number": "7"}), (422, EXISTS), None):
        forge.pulls, forge.instead = [], {MAKE: answer}
        assert ask(clone, seconds=60.0 if answer else 1.5) == PULL
        assert len(forge.pulls) == 1
    forge.and_does_it, forge.pulls, forge.instead = False, [], {MAKE: (502, {"message": "Bad gateway"})}
    with pytest.raises(Unsure, match=r"is not known \(HTTP 502: Bad gateway\), and it shows none yet: ask again"):
        ask(clone)
    forge.instead = {}
    assert ask(clone) == PULL


# --------------------------------------------------------------------------- a gh that nobody should believe

HOSTILE = r"""#!/bin/sh
ok='HTTP/2.0 200 OK\r\nA: b\r\n\r\n'
case "$PWD $*" in
  "/ api --include --hostname vm1 --method GET repos/team/docs") printf "$ok"'{"permissions": {}}' ;;
  "/ api --include --hostname vm1 --method GET "*) printf "$ok"'[]' ;;
  *) cat > "$HOME/given"
     case "$GH_ANSWER" in
       long) head -c 6000000 /dev/zero ;;
       *) printf '%b' "$GH_ANSWER"; printf '* Authorization: token %s\n\033]0;t\007 x' "$GH_TOKEN" >&2; exit 1 ;;
     esac ;;
esac
"""


ANSWERS = {
    "": "is not known (* Authorization: token …",
    "long": "is not known (its answer is too long)",
    r'HTTP/2.0 201 Created\r\n\r\n{"number": -7, "html_url": "https://evil.example/"}': "is not known (HTTP 201)",
    r'HTTP/2.0 403 No\r\n\r\n{"message": "\\u001b[31mred gho_0a1B2c3D4e x"}': "it: HTTP 403: red … x",
    r"HTTP/2.0 400 No\r\n\r\n[[[": "it: HTTP 400",
}


def test_what_gh_says_is_shown_without_controls_and_tokens(clone: Clone) -> None:
    clone.gh(HOSTILE)
    secret = "0123abcd" * 5
    for answer, shown in ANSWERS.items():
        clone.environ |= {"GH_ANSWER": answer, "GH_TOKEN": secret, "GH_FORCE_TTY": "1", "GH_DEBUG": "api"}
        with pytest.raises((Refusal, Unsure)) as raised:
            ask(clone)
        words = str(raised.value)
        assert shown in words
        assert words.isprintable()
        assert secret not in words
        assert "evil" not in words


def test_where_there_is_no_gh_and_what_is_no_work_for_it(clone: Clone) -> None:
    clone.environ["PATH"] = str(clone.folder / "bin")
    clone.gh("")
    (clone.folder / "bin" / "gh").unlink()
    (clone.folder / "bin" / "git").symlink_to("/usr/bin/git")
    assert refused(clone).startswith("gh is not there on this host: controlroom push docs-1")
    with pytest.raises(Refusal, match="push that under a name of its own first"):
        ask(clone, into=BRANCH)
    for path in (f"//vm1{clone.bare}", "//vm1/team/.."):
        git(clone.top, "remote", "set-url", "origin", f"ssh:{path}")
        assert "is no HOST/OWNER/NAME" in refused(clone)
    assert not clone.at(BRANCH)
