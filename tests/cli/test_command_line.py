"""The command line as it is typed: verbs, arguments, help and exit codes, without an engine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controlroom.cli.arguments import is_address
from controlroom.cli.entry_points import AtBoot, EntryPoints, FirstRun
from controlroom.cli.exits import MEANINGS, Exit
from controlroom.cli.help import overview, parser_of
from controlroom.cli.run import main
from controlroom.cli.verbs import GROUPS, VERBS, find
from controlroom.domain.calculators.estimate import Wish
from controlroom.protocol.messages import Estimated

HEAVY = {"textual", "asyncssh", "pydantic", "asyncio", "sqlite3", "psutil", "libtmux", "rich", "json", "socket"}


def no_boot() -> AtBoot:
    raise AssertionError("nobody asked for that")


def no_bridge(*, read_only: bool, start: bool) -> int:
    raise AssertionError("nobody asked for that")


def no_first_run() -> FirstRun:
    raise AssertionError("nobody asked for that")


def no_mcp(token_file: str) -> int:
    raise AssertionError("nobody asked for that")


def no_estimate(wish: Wish) -> Estimated:
    raise AssertionError("nobody asked for that")


class Called(list[object]):
    """Starters that note what was started."""

    def entry_points(self, reports: Path = Path("/nonexistent")) -> EntryPoints:
        return EntryPoints(
            screen=lambda watching, theme: self._note(("screen", watching, theme), 0),
            engine=lambda: self._note("engine", 3),
            demo=lambda agents, hold: self._note(("demo", agents, hold), 0),
            reports=lambda: reports,
            at_boot=no_boot,
            first_run=no_first_run,
            bridge=lambda *, read_only, start: self._note(("bridge", read_only, start), 0),
            mcp=lambda token_file: self._note(("mcp", token_file), 0),
            estimate=no_estimate,
        )

    def _note(self, what: object, code: int) -> int:
        self.append(what)
        return code


@pytest.fixture
def called() -> Called:
    return Called()


HOST_VERBS = (
    "host add, host list, host check, host answer, host retry, host remove, host take, host drain, host replace, "
    "host relieve, host undrain"
)


@pytest.mark.parametrize(
    ("words", "started", "code"),
    [
        ([], [("screen", False, "")], 0),
        (["--theme", "paper"], [("screen", False, "paper")], 0),
        (["--theme=paper"], [("screen", False, "paper")], 0),
        (["--theme"], [], 2),
        (["--theme", "paper", "status"], [], 2),
        (["watch"], [("screen", True, "")], 0),
        (["watch", "--theme", "paper"], [("screen", True, "paper")], 0),
        (["bridge"], [("bridge", False, True)], 0),
        (["bridge", "--no-start"], [("bridge", False, False)], 0),
        (["bridge", "--read-only"], [("bridge", True, True)], 0),
        (["engine", "--foreground"], ["engine"], 3),
        (["demo"], [("demo", 8, False)], 0),
        (["demo", "--agents", "20", "--hold"], [("demo", 20, True)], 0),
        (["demo", "--agents", "2000"], [], 2),
        (["demo", "--agents", "0"], [], 2),
        (["demo", "--agents", "٣"], [], 2),
    ],
)
def test_what_is_started(called: Called, words: list[str], started: list[object], code: int) -> None:
    assert main(words, called.entry_points()) == code
    assert called == started


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["spwan", "a"], "there is no verb 'spwan': did you mean spawn?; see controlroom --help"),
        (["\x1b[2J"], "there is no verb '\\x1b[2J'; see controlroom --help"),
        (["host"], f"host what? say {HOST_VERBS}"),
        (
            ["host", "ad"],
            f"host what? say {HOST_VERBS}",
        ),
        (["spawn"], "the following arguments are required: NAME; see controlroom spawn --help"),
        (["spawn", "a"], "what should it do? say --task TEXT or --task-file F, or a command after --"),
        (["spawn", "a", "--task", "x", "--task-file", "y"], "not allowed with argument --task"),
        (["spawn", "a", "--mod", "x"], "unrecognized arguments: --mod x"),
        (["reassign", "a"], "what should it do now?"),
        (["stop", "b"], "unrecognized arguments: b"),
        (["answer", "a", "perhaps"], "not 'perhaps'"),
        (["logs", "a", "-n", "-3"], "expected a whole number from 1 up, not '-3'"),
        (["logs", "a", "-n", "many"], "expected a whole number from 1 up, not 'many'"),
        (["host", "add", "-oProxyCommand=x"], "the following arguments are required"),
        (["host", "add", "a b"], "'a b' is not an address of a host; use user@address, user@address:port"),
        (["host", "add", "me@vm1:99999"], "'99999' is not a port; use user@address, user@address:port"),
        (["host", "add", "me@vm1", "--fingerprint", "MD5:aa"], "expected SHA256: and 43 letters"),
        (["spawn", "a", "--task-file", "/nonexistent/task.md"], "the task cannot be read from '/nonexistent/task.md'"),
    ],
)
def test_a_wrong_line_is_one_sentence_and_exit_code_2(
    called: Called, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert main(words, called.entry_points()) == Exit.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert "\x1b" not in said.err
    assert not called


@pytest.mark.parametrize("ask", ["--help", "-h"])
def test_a_word_of_several_verbs_has_help_of_its_own(
    called: Called, capsys: pytest.CaptureFixture[str], ask: str
) -> None:
    assert main(["budget", ask], called.entry_points()) == Exit.DONE
    said = capsys.readouterr()
    assert said.out.startswith("usage: controlroom budget VERB ...")
    assert "budget remove" in said.out
    assert said.err == ""


@pytest.mark.parametrize("address", ["root@fd00::2", "[fd00::2]:22", "me@vm1:2222", "fe80::1%eth0"])
def test_every_address_that_the_engine_takes_can_be_given(address: str) -> None:
    assert is_address(address)
    verb, _ = find(["host", "add"])
    assert verb is not None
    assert parser_of(verb).parse_args([address]).address == address


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_has_help_that_shows_how(called: Called, capsys: pytest.CaptureFixture[str], verb: object) -> None:
    from controlroom.cli.verb import Verb

    assert isinstance(verb, Verb)
    assert main([*verb.name.split(), "--help"], called.entry_points()) == Exit.DONE
    text = capsys.readouterr().out
    assert text.startswith(f"usage: controlroom {verb.name}")
    assert verb.says in text
    for example in verb.examples:
        assert example in text
        assert example.startswith("controlroom ")
    assert callable(verb.load())
    assert verb.group in GROUPS


def test_examples_are_lines_that_parse() -> None:
    import shlex

    for verb in VERBS:
        for example in verb.examples:
            words = shlex.split(example.split(" | ")[0])[1:]
            found, rest = find(words)
            assert found is verb
            parser_of(verb).parse_args(rest[: rest.index("--")] if "--" in rest else rest)


def test_help_names_every_verb_and_exit_code() -> None:
    text = overview()
    assert all(f"  {verb.name} " in text for verb in VERBS)
    assert all(f"{int(code):>3}  {MEANINGS[code]}" in text for code in Exit)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"], ["--version"], ["spawn", "--help"], ["help", "logs"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    ask = "import sys; from controlroom.__main__ import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", ask, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout
    assert {name.split(".")[0] for name in done.stderr.split()} & HEAVY == set()


def test_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "controlroom", "--version"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "controlroom 0.1.0\n", "")


def failing(error: BaseException) -> Callable[[bool, str], int]:
    def fail(watching: bool, theme: str) -> int:
        raise error

    return fail


def test_our_own_mistake_is_a_sentence_and_a_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "new" / "room"
    error = RuntimeError("key sk-ant-api03-secret \x1b[2J")
    entry_points = EntryPoints(
        failing(error),
        lambda: 0,
        lambda agents, hold: 0,
        lambda: folder,
        no_boot,
        no_first_run,
        no_bridge,
        no_mcp,
        no_estimate,
    )
    assert main([], entry_points) == Exit.UNEXPECTED
    said = capsys.readouterr()
    (report,) = folder.iterdir()
    assert str(report) in said.err
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    written = report.read_text()
    assert "RuntimeError" in written
    assert "secret" not in written
    assert "\x1b" not in written
    assert report.stat().st_mode & 0o777 == 0o600


def test_a_report_finds_another_place(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")
    problem = OSError("no room")

    def no_folder() -> Path:
        raise problem

    entry_points = EntryPoints(
        failing(ValueError("x")),
        lambda: 0,
        lambda agents, hold: 0,
        no_folder,
        no_boot,
        no_first_run,
        no_bridge,
        no_mcp,
        no_estimate,
    )
    assert main([], entry_points) == Exit.UNEXPECTED
    assert "it could not be written anywhere" in capsys.readouterr().err


def test_ctrl_c_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    entry_points = EntryPoints(
        failing(KeyboardInterrupt()),
        lambda: 0,
        lambda agents, hold: 0,
        Path,
        no_boot,
        no_first_run,
        no_bridge,
        no_mcp,
        no_estimate,
    )
    assert main([], entry_points) == Exit.INTERRUPTED
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_goes_away_is_no_drama() -> None:
    line = f"{sys.executable} -m controlroom --help | head -c 10; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.endswith(("0\n", "141\n"))
    closed = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m controlroom --help > /dev/full"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in closed.stderr
