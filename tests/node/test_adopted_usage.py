"""What the Claudes of others use: read once while they are at work, sent as it is booked, the same for every node."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from controlroom.metering.usage_file import Report
from controlroom.node.adopted.claudes import RunningClaude
from controlroom.node.adopted.usage import AdoptedUsage
from controlroom.runner.money.usage_meter import Metered
from controlroom.wire.usage import SendUsage, UsageSeen
from tests.lab.node_client import NodeClient
from tests.lab.world import World
from tests.node.adopted import NEXT, RUN, SESSION, Session, say, session, tmux
from tests.node.on_host import Books
from tests.runner.usage import BEGAN, line, stamped, total

EARLIER = "2026-11-22T04:00:00Z"


@pytest.fixture
def work(tmp_path: Path) -> Session:
    return Session(tmp_path)


def test_a_session_counts_from_its_beginning_and_as_it_goes_on(work: Session) -> None:
    work.add(line(1, at=EARLIER), total(0.5), line(2))
    work.add(line(3), inside="subagents/agent-a.jsonl")
    work.ask()
    work.settle(work.running())
    assert sorted(work.told()) == [("msg_1", ""), ("msg_2", RUN), ("msg_3", RUN)]
    work.add(line(4), total(0.75))
    work.settle(work.running())
    assert work.told()[3:] == [("msg_4", RUN)]
    assert [record for record in work.records if isinstance(record, Report)] == [Report(RUN, 250_000 * 10**6, BEGAN)]


def test_nothing_is_read_before_home_asks_nor_of_what_nobody_is_at_work_on(work: Session) -> None:
    work.add(line(1))
    assert work.look(work.running()) == []
    work.ask()
    assert work.look() == []


def test_another_node_goes_on_where_home_is(work: Session) -> None:
    work.add(line(1, at=EARLIER), total(0.5), line(2))
    work.ask()
    work.settle(work.running())
    work.usage = work.another_node()
    work.add(line(3), total(1.25))
    work.ask()
    work.settle(work.running())
    assert work.told() == [("msg_1", ""), ("msg_2", RUN), ("msg_3", RUN)]
    assert Report(RUN, 750_000 * 10**6, BEGAN) in work.records


def test_a_file_that_is_another_one_is_read_anew(work: Session) -> None:
    work.add(line(1), line(2))
    work.ask()
    work.settle(work.running())
    work.path.write_bytes(line(7))
    work.settle(work.running())
    assert work.told()[2:] == [("msg_7", RUN)]


def test_a_great_deal_comes_in_pieces_one_at_a_time(work: Session) -> None:
    work.add(*(line(number) for number in range(2000)))
    work.ask()
    first = work.look(work.running())
    assert len(first) == 1
    assert len(first[0].data) < 64 * 1024
    assert len(work.usage.look([work.running()], BEGAN)) == 1
    assert work.usage.look([work.running()], BEGAN) == [], "the one before is not booked"
    work.ask()
    work.settle(work.running())
    assert {name for name, _ in work.told()} == {f"msg_{number}" for number in range(2000)}


def test_an_idle_session_is_left_alone_until_its_file_changes(work: Session) -> None:
    work.add(line(1))
    work.ask()
    work.settle(work.running(busy=False))
    work.add(line(2), inside="subagents/agent-a.jsonl")
    assert work.look(work.running(busy=False)) == []
    work.add(b"{}\n")
    work.settle(work.running(busy=False))
    assert [name for name, _ in work.told()] == ["msg_1", "msg_2"]


def asked(number: int) -> bytes:
    request = {"type": "api-request", "id": f"asked-{number}", "params": {"model": "claude-opus-5-5"}}
    return json.dumps(request, separators=(",", ":")).encode() + b"\n"


def test_the_last_of_one_that_ended_is_read_and_what_was_under_way_is_estimated_once(work: Session) -> None:
    work.add(line(1))
    work.ask()
    work.settle(work.running())
    work.add(line(2), asked(3))
    work.settle()
    assert work.told() == [("msg_1", RUN), ("msg_2", RUN), ("asked-3", "")]
    work.add(line(4))
    work.settle()
    assert len(work.told()) == 3


def test_the_rest_of_one_that_ended_is_sent_though_home_asks_anew(work: Session) -> None:
    work.add(line(1))
    work.ask()
    work.settle(work.running())
    work.add(line(2))
    work.usage.look([], BEGAN)
    work.ask()
    work.settle()
    assert work.told() == [("msg_1", RUN), ("msg_2", RUN)]


def test_one_that_goes_on_with_a_session_is_another_run(work: Session) -> None:
    work.add(line(1), asked(2))
    work.ask()
    work.settle(work.running())
    later = work.running(run=NEXT, began=BEGAN + 1000)
    work.add(line(3, at="2026-11-22T05:00:02Z"))
    work.settle(later)
    assert work.told() == [("msg_1", RUN), ("msg_3", NEXT)]


def goes_on(work: Session, at: int = BEGAN + 9000) -> None:
    """A runner of ours goes on with the session from here on, as it notes before its Claude begins."""
    work.noted.append(Metered(SESSION, str(work.path.parent), "/p", "", at, work.path.stat().st_size))


@pytest.mark.parametrize("dead", [True, False], ids=["its end was seen", "its end is yet to be seen"])
def test_what_a_runner_of_ours_adds_to_a_session_is_not_told_of_who_had_it_before(work: Session, dead: bool) -> None:
    alive = [] if dead else [work.running()]
    work.add(line(1), total(0.25))
    work.ask()
    work.settle(work.running())
    work.add(line(2, at=stamped(BEGAN + 5000)), total(0.5))
    work.add(line(3, at=stamped(BEGAN + 5000)), inside="subagents/agent-a.jsonl")
    goes_on(work)
    work.add(line(4, at=stamped(BEGAN + 9500)), total(1.0), asked(5))
    for name in ("a", "b"):
        work.add(line(f"{name}6", at=stamped(BEGAN + 9500)), inside=f"subagents/agent-{name}.jsonl")
    work.settle(*alive)
    work.settle()
    assert work.told() == [("msg_1", RUN), ("msg_2", RUN), ("msg_3", RUN)]
    reports = [record for record in work.records if isinstance(record, Report)]
    assert [report.pico for report in reports] == [250_000 * 10**6, 500_000 * 10**6]
    assert work.usage.unread == []


def test_nor_is_it_by_a_node_that_was_not_there(work: Session) -> None:
    work.add(line(1))
    work.ask()
    work.settle(work.running())
    work.add(line(2), asked(3))
    goes_on(work)
    work.add(line(4, at=stamped(BEGAN + 9500)), total(1.0))
    work.usage = work.another_node()
    work.ask()
    work.usage.add([work.running()])
    work.settle()
    assert work.told() == [("msg_1", RUN), ("msg_2", RUN), ("asked-3", "")]
    assert work.usage.unread == []


def test_what_a_runner_adds_while_a_file_is_being_read_is_not_told_either(work: Session) -> None:
    """It goes on, and its Claude answers, after it was seen how far the file goes."""
    work.add(line(1))
    work.ask()
    noted = work.noted

    def goes_on_now() -> dict[str, tuple[Metered, ...]]:
        read = {SESSION: tuple(noted)}
        goes_on(work)
        work.add(line(2, at=stamped(BEGAN + 9500)))
        return read

    work.usage = AdoptedUsage(goes_on_now)
    work.ask()
    work.look(work.running())
    work.usage = work.another_node()
    work.ask()
    work.settle(work.running())
    assert work.told() == [("msg_1", RUN)]


def test_one_that_lives_on_beside_a_runner_is_told_on(work: Session) -> None:
    work.add(line(1))
    work.ask()
    work.settle(work.running())
    goes_on(work)
    work.add(line(2, at=stamped(BEGAN + 90_000)))
    work.settle(work.running())
    assert work.told() == [("msg_1", RUN)]
    work.pieces(work.usage.look([work.running()], BEGAN + 90_000))
    work.settle()
    assert work.told() == [("msg_1", RUN), ("msg_2", RUN)]


def test_one_that_goes_on_after_a_runner_is_told_as_before(work: Session) -> None:
    work.add(line(1))
    goes_on(work, at=BEGAN)
    work.add(line(2, at=stamped(BEGAN + 1000)))
    work.ask()
    work.settle(work.running(began=BEGAN + 2000))
    work.add(line(3, at=stamped(BEGAN + 3000)))
    work.settle(work.running(began=BEGAN + 2000))
    assert work.told() == [("msg_1", ""), ("msg_2", ""), ("msg_3", RUN)]


def test_one_whose_transcript_went_before_it_was_read_to_its_end_is_said_to_be_missing_once(work: Session) -> None:
    work.add(line(1))
    work.ask()
    work.settle(work.running())
    work.path.unlink()
    assert work.usage.gone() == []
    work.settle()
    assert work.usage.gone() == [work.running()]
    assert (work.usage.gone(), work.usage.unread) == ([], [])


def test_what_says_nothing_of_use_is_not_read_again(work: Session) -> None:
    work.add(line(1), b" " * (len(line(7)) - 1) + b"\n")
    work.ask()
    work.settle(work.running())
    with open(work.path, "r+b") as file:
        file.seek(len(line(1)))
        file.write(line(7))
    work.add(line(2))
    work.settle(work.running())
    assert work.told() == [("msg_1", RUN), ("msg_2", RUN)]


@pytest.mark.parametrize("kind", ["fifo", "symlink", "folder", "damaged", "hole"])
def test_what_is_no_transcript_costs_nothing(work: Session, tmp_path: Path, kind: str) -> None:
    (tmp_path / "elsewhere").write_bytes(line(9))
    if kind == "fifo":
        os.mkfifo(work.path)
    elif kind == "folder":
        work.path.mkdir()
    elif kind == "symlink":
        work.path.symlink_to(tmp_path / "elsewhere")
    elif kind == "damaged":
        work.add(b'{"usage":NaN}\n', b'"usage"' * 100_000, b"\n", b"\0" * 5_000_000)
    else:
        work.add(b"")
        os.truncate(work.path, 2**40)
    work.ask()
    work.settle(work.running())
    work.settle()
    assert work.records == []


def test_a_claude_in_somebodys_tmux_is_metered_under_its_name(
    home: World, node: NodeClient, claude_program: Path
) -> None:
    slug = "".join(letter if letter.isalnum() else "-" for letter in str(home.home))
    transcript = home.home / ".claude" / "projects" / slug / f"{SESSION}.jsonl"
    transcript.parent.mkdir(parents=True)
    transcript.write_bytes(line(1) + line(2))
    kept = {"accessToken": "x", "scopes": ["user:inference"], "subscriptionType": "max"}
    (home.home / ".claude" / ".credentials.json").write_text(json.dumps({"claudeAiOauth": kept}))
    node.send(SendUsage())
    pid = session("work", f"exec {claude_program} 600")
    say(home, pid, "busy")
    books = Books(node)
    books.wait(2)
    assert {name for name, _ in books.places} == {"~work"}
    with open(transcript, "ab") as file:
        file.write(line(3))
    books.wait(3)
    assert {piece.billing for piece in node.all(UsageSeen)} == {"plan"}
    tmux("kill-session", "-t", "=work")


def names(pieces: Sequence[UsageSeen]) -> set[str]:
    return {piece.place.name for piece in pieces}


def test_a_terminal_of_the_same_name_is_another_session(work: Session, tmp_path: Path) -> None:
    other = RunningClaude("~work", SESSION.replace("1", "2"), NEXT, BEGAN, str(tmp_path / "x.jsonl"), busy=True)
    other = other._replace(transcript=str(tmp_path / f"{other.session}.jsonl"))
    work.add(line(1))
    Path(other.transcript).write_bytes(line(2))
    work.ask()
    pieces = work.usage.look([work.running(), other], BEGAN)
    assert names(pieces) == {"~work"}
    assert len({(piece.place.epoch, piece.session) for piece in pieces}) == 2


@pytest.mark.parametrize("seconds", [-86_400, -10, 0, 86_400])
def test_a_clock_that_is_turned_back_changes_nothing(work: Session, seconds: int) -> None:
    work.add(line(1))
    work.ask()
    boot, wall = 1000.0, BEGAN
    work.pieces(work.usage.look([work.running()], wall, boot))
    wall, boot = wall + 1000 * seconds + 5000, boot + 5
    work.add(line(2, at=stamped(wall)), inside="subagents/agent-a.jsonl")
    for step in range(1, 4):
        work.pieces(work.usage.look([work.running()], wall + 1000 * step, boot + step))
    assert sorted(work.told()) == [("msg_1", RUN), ("msg_2", RUN)]


def test_all_of_a_session_that_began_with_its_process_is_its_own_whatever_the_clock_said(work: Session) -> None:
    work.add(line(1, at=EARLIER), total(0.5), line(2))
    work.ask()
    work.settle(work.running()._replace(fresh=True))
    assert work.told() == [("msg_1", RUN), ("msg_2", RUN)]
    assert [record.pico for record in work.records if isinstance(record, Report)] == [500_000 * 10**6]
