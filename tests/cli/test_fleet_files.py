"""Fleet files as people write them: what they mean, what is refused and where, and that one written reads the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.cli.exits import Stop
from controlroom.cli.fleet_files import read_fleet, write_fleet
from controlroom.domain.fleet_files import AgentEntry, AgentWish, FleetFile, FleetTask
from controlroom.domain.tasks import Source, TaskWish

WHOLE = """
fleet = "site"
[defaults]
profile = "docs"
host = "vm1"
[templates.page]
text = "write {{page}}"
[[agents]]
name = "editor"
keep = true
model = "opus"
text = "answer"
[[agents]]
name = "page"
count = 3
spread = ["vm2", "vm3"]
worktree = true
template = "page"
variables = { page = "install", depth = 2 }
[[tasks]]
key = "links"
file = "links.md"
cost = 1.5
after = "release"
"""


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "fleet.toml"
        path.write_text(text)
        return str(path)

    return write


def test_numbered_agents_are_spread_and_what_is_not_said_the_defaults_say(
    written: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "links.md").write_text("mend the links")
    file = read_fleet(written(WHOLE))
    assert file.name == "site"
    assert file.templates == {"page": "write {{page}}"}
    editor, *pages = file.agents
    assert editor == AgentWish(AgentEntry("editor", "docs", "opus", host="vm1", keep=True), "answer")
    assert [(wish.entry.name, wish.entry.host) for wish in pages] == [
        ("page-1", "vm2"),
        ("page-2", "vm3"),
        ("page-3", "vm2"),
    ]
    assert pages[1].variables == {"number": "2", "page": "install", "depth": "2"}
    assert (pages[0].template, pages[0].entry.worktree) == ("page", "HEAD")
    (task,) = file.tasks
    wanted = TaskWish(text="mend the links", key="links", profile="docs", host="vm1", after=("release",))
    assert task == FleetTask(replace(wanted, source=Source.FILE, max_cost=1_500_000))


def test_a_file_without_a_name_is_called_by_its_own(written: Callable[[str], str]) -> None:
    assert read_fleet(written("")).name == "fleet"


AGENT = '[[agents]]\nname = "a"\ntext = "x"\n'
TASK = '[[tasks]]\nkey = "k"\ntext = "x"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("agents = 3", "agents: expected entries that begin with [[agents]]"),
        ("[[agent]]", "'agent' is not a key of it: did you mean agents?"),
        ("[[agents]]\ntext = 'x'", "agents[1]: it has no name"),
        (AGENT + "modle = 'opus'", "agents[1] (a): 'modle' is not a key of it: did you mean model?"),
        (AGENT + "count = 0", "agents[1] (a).count: expected a whole number from 1 to 1000"),
        (AGENT + "count = true", "agents[1] (a).count: expected a whole number"),
        (AGENT + "host = 3", "agents[1] (a).host: expected text in quotes"),
        (AGENT + "spread = []", "agents[1] (a).spread: it names no host"),
        (AGENT + "host = 'vm1'\nspread = ['vm2']", "say one of the two"),
        (AGENT + "template = 't'", "agents[1] (a): it has text and template: say its text once"),
        (AGENT + "variables = { a = 'b' }", "variables are a template's"),
        (AGENT + "keep = 'yes'", "agents[1] (a).keep: expected true or false"),
        (AGENT + "command = ['rm']", "'command' is not a key of it"),
        ("[[agents]]\nname = 'a'\nfile = 'nowhere.md'", "agents[1] (a).file: the text cannot be read from"),
        (TASK + "verify = [['make']]", "what is run to check it is not taken from a file"),
        (TASK + "cost = 'much'", "tasks[1] (k): cost is not a number"),
        (TASK + "cost = nan", "tasks[1] (k): cost is not a number"),
        (TASK + "cost = -inf", "tasks[1] (k): cost is not a number"),
        (TASK + "hours = 1e400", "tasks[1] (k): hours is not a number"),
        ("[[tasks]]\ntext = 'x'", "tasks[1]: it has no key"),
        (TASK + "labels = ['bug']", "tasks[1] (k): 'labels' is not a key of it"),
        ("fleet = ", "that is not TOML"),
        ("x = " + "[" * 3000, "that is nested too deeply"),
        ("\n".join(f'[[agents]]\nname = "a{number}"\ncount = 1000' for number in range(3)), "at most 2000 agents"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_its_path_and_its_place(
    written: Callable[[str], str], text: str, words: str
) -> None:
    path = written(text)
    with pytest.raises(Stop) as refused:
        read_fleet(path)
    assert refused.value.sentence.startswith(f"{path}: ")
    assert words in refused.value.sentence


def test_what_looks_like_a_key_is_read_out_of_no_file(written: Callable[[str], str], tmp_path: Path) -> None:
    """A fleet file may be somebody else's, and name any file of whoever applies it."""
    secret = tmp_path / "id_ed25519"
    secret.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----\n")
    for entry in (f"[[agents]]\nname = 'a'\nfile = '{secret}'", f"[[tasks]]\nkey = 'k'\nfile = '{secret}'"):
        with pytest.raises(Stop, match="holds what looks like a key: it is given to no agent"):
            read_fleet(written(entry))


def test_a_file_that_counts_millions_of_agents_is_refused_at_once(written: Callable[[str], str]) -> None:
    path = written('[[agents]]\nname = "a"\ncount = 1000\n' * 20_000)
    with pytest.raises(Stop, match="at most 2000 agents"):
        read_fleet(path)


def test_texts_are_bounded_together(written: Callable[[str], str]) -> None:
    long = "x" * 2_000
    with pytest.raises(Stop, match="its texts have more than 1048576 characters together"):
        read_fleet(written(f'[[agents]]\nname = "a"\ncount = 600\ntext = "{long}"'))
    shared = f'[templates.t]\ntext = "{long}"\n[[agents]]\nname = "a"\ncount = 600\ntemplate = "t"'
    assert len(read_fleet(written(shared)).agents) == 600


def test_what_no_toml_can_hold_makes_no_file_that_nobody_can_read(written: Callable[[str], str]) -> None:
    entry = AgentEntry("a", cwd="/src/\udcff")
    again = read_fleet(written(write_fleet(FleetFile("site", (AgentWish(entry, "x"),)))))
    assert again.agents[0].entry.cwd == "/src/\ufffd"


texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text.strip())
words = st.sampled_from(["", "docs", "a b", 'q"\\'])
entries = st.builds(
    lambda name, profile, host, labels, keep, text: AgentWish(
        AgentEntry(name, profile, host=host, labels=tuple(labels), keep=keep), text
    ),
    st.sampled_from(["a", "b", "c"]),
    words,
    words,
    st.lists(st.sampled_from(["big", "gpu"])),
    st.booleans(),
    texts,
)
wishes = st.builds(
    lambda key, text, priority, cents, after: FleetTask(
        TaskWish(text=text, key=key, priority=priority, max_cost=cents * 10_000, after=tuple(after), source=Source.FILE)
    ),
    st.sampled_from(["k1", "k2"]),
    texts,
    st.integers(-5, 5),
    st.integers(0, 10**6),
    st.lists(st.sampled_from(["k1", "t7"]), unique=True),
)


@given(st.lists(entries, max_size=3), st.lists(wishes, max_size=2))
def test_what_is_written_reads_the_same(agents: list[AgentWish], tasks: list[FleetTask]) -> None:
    file = FleetFile("site", tuple(agents), tuple(tasks))
    text = write_fleet(file)
    path = Path.cwd() / "unused"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("controlroom.cli.fleet_files.read_text", lambda *_: text)
        assert read_fleet(str(path)) == file
    assert all(sign.isprintable() or sign == "\n" for sign in text), "nothing in it that a terminal obeys"
