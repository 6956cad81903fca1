"""Searching a log where it lies: everything a person would find, nothing else, whatever has become of the files."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.node.logs import search as searching
from controlroom.node.logs import searcher
from controlroom.node.logs.search import LONGEST, Query, QueryProblem, Searching
from controlroom.runner.folder import agent_folder
from controlroom.text.event_text import shown_lines
from controlroom.text.sanitize import sanitize
from controlroom.wire import records
from controlroom.wire.inquiries import Found, Hit, Search
from controlroom.wire.records import MAX_BODY, unpack_all
from tests.lab.log_files import AT, record, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of epoch 1 of the agent `one`, in the state folder `tmp_path`."""
    place = Path(agent_folder(str(tmp_path), "one", 1))
    place.mkdir(parents=True)
    return place


def stopped() -> float:
    return 0.0


def hurried() -> Callable[[], float]:
    """A clock on which every look takes a minute: each piece does as little as it can."""
    minutes = iter(range(10**9))
    return lambda: 60.0 * next(minutes)


def everything(
    folder: Path,
    text: str,
    *,
    clock: Callable[[], float] = stopped,
    start: tuple[int, int] | None = None,
    **how: object,
) -> list[Hit]:
    """Search piece by piece until there is nothing more that way."""
    hits: list[Hit] = []
    forward = bool(how.get("forward"))
    segment, offset = start or ((0, 0) if forward else (-1, 0))
    for _ in range(10_000):
        wanted = Search(1, "one", 1, text, segment=segment, offset=offset, lines=True, **how)  # type: ignore[arg-type]
        query = Query(text, regex=wanted.regex, exact=wanted.exact)
        found = Searching(str(folder), wanted, query, clock).run()
        hits += found.hits
        if found.done:
            return hits
        segment, offset = found.segment, found.offset
    raise AssertionError("the search does not end")


def texts(hits: list[Hit]) -> list[str]:
    return [line.text for hit in hits for line in hit.lines]


def said(text: str) -> bytes:
    event = {"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}}
    return records.pack(AT, records.EVENT, json.dumps(event, ensure_ascii=False).encode())


# -- what is found


def test_newest_first_in_every_segment(folder: Path) -> None:
    write(folder, 1, record("a needle") + record("hay") + record("Needle two"))
    write(folder, 2, record("hay") + record("third NEEDLE"))
    assert texts(everything(folder, "needle")) == ["third NEEDLE", "Needle two", "a needle"]
    assert texts(everything(folder, "needle", forward=True)) == ["a needle", "Needle two", "third NEEDLE"]
    assert texts(everything(folder, "Needle", exact=True)) == ["Needle two"]
    assert texts(everything(folder, "no such thing")) == []


def test_a_hit_says_where_its_record_begins(folder: Path) -> None:
    first = record("hay") + record("more hay")
    write(folder, 3, first + record("needle"))
    (hit,) = everything(folder, "needle")
    assert (hit.segment, hit.offset, hit.at) == (3, len(first), AT)


def test_events_are_searched_as_they_are_read(folder: Path) -> None:
    write(folder, 1, said('He said "stop"\nand went.\tüber alles') + said("something else"))
    assert texts(everything(folder, '"stop"')) == ['He said "stop"']
    assert texts(everything(folder, "AND WENT")) == ["and went.    über alles"]
    assert texts(everything(folder, "ÜBER")) == ["and went.    über alles"]
    assert everything(folder, "assistant") == []
    assert everything(folder, "content") == []
    assert everything(folder, "1795307427677") == []


def test_an_event_written_in_ascii_is_found_too(folder: Path) -> None:
    event = {"type": "assistant", "message": {"content": [{"type": "text", "text": "Größe"}]}}
    write(folder, 1, records.pack(AT, records.EVENT, json.dumps(event).encode()))
    assert texts(everything(folder, "Größe")) == ["Größe"]


def test_colours_do_not_hide_a_word(folder: Path) -> None:
    write(folder, 1, record("plain") + record("a \x1b[31mned\x1b[0mdle") + record("after"))
    write(folder, 1, said("the \x1b[1mned\x1b[0mdle is here"))
    hits = everything(folder, "neddle")
    assert hits[1].offset == len(record("plain"))
    assert len(hits) == 1 + 1


def test_a_word_across_the_pieces_of_a_long_line(folder: Path) -> None:
    long = b"x" * (MAX_BODY - 3) + b"needle" + b"y" * 10
    write(folder, 1, record("hay") + records.pack(AT, records.OUT, long) + record("hay"))
    assert everything(folder, "needle") == []  # a line is shown up to its 20,000th character
    write(folder, 1, records.pack(AT, b"O", b"Pro") + records.pack(AT, b"O", b"c") + records.pack(AT, b"o", b"eed?"))
    (hit,) = everything(folder, "proceed")
    assert [line.text for line in hit.lines] == ["Proceed?"]
    (again,) = everything(folder, "proceed", forward=True)
    assert again == hit


def test_a_key_cannot_be_searched_for(folder: Path) -> None:
    write(folder, 1, record("with sk-ant-api03-abcdefgh now"))
    assert everything(folder, "abcdefgh") == []
    assert texts(everything(folder, "with sk-ant-")) == ["with sk-ant-… now"]


def test_binary_and_invalid_text(folder: Path) -> None:
    write(folder, 1, records.pack(AT, records.OUT, bytes(range(1, 10)) + b"\xff\xfe needle \xc3"))
    write(folder, 1, b"damage without a header needle\n\n\n" + b"\x00" * 100 + b"\n" + record("needle"))
    hits = everything(folder, "needle")
    assert len(hits) == 3
    assert all("\x1b" not in text and "\x01" not in text for text in texts(hits))


# -- pieces

WORDS = st.sampled_from(["ab", "AB", "b", "xab", "\x1b[1ma\x1b[0mb", "ä", "Ä", "", "a", "abab"])
LINES = st.lists(st.tuples(WORDS, st.booleans(), st.sampled_from("oe")), max_size=12)


@given(
    log=st.lists(LINES, min_size=1, max_size=3),
    text=st.sampled_from(["ab", "b", "aB", "ä"]),
    window=st.sampled_from([40, 90, 10_000]),
    regex=st.booleans(),
)
@settings(deadline=None)
def test_whatever_the_pieces_all_is_found_once(
    tmp_path_factory: pytest.TempPathFactory,
    log: list[list[tuple[str, bool, str]]],
    text: str,
    window: int,
    regex: bool,
) -> None:
    folder = tmp_path_factory.mktemp("log")
    expected: list[tuple[int, int]] = []
    for number, segment in enumerate(log, 1):
        lines = [
            records.pack(AT, (stream.upper() if goes_on else stream).encode(), word.encode())
            for word, goes_on, stream in segment
        ]
        write(folder, number, b"".join(lines))
        expected += [(number, offset) for offset in oracle(lines, text)]
    with pytest.MonkeyPatch.context() as patch:
        if not any(goes_on for segment in log for _, goes_on, _ in segment):
            patch.setattr(searching, "WINDOW", window)
        for clock in (stopped, hurried()):
            back = everything(folder, text, clock=clock, regex=regex)
            assert [(hit.segment, hit.offset) for hit in back] == expected[::-1]
            ahead = everything(folder, text, clock=clock, regex=regex, forward=True, count=1)
            assert [(hit.segment, hit.offset) for hit in ahead] == expected


def oracle(lines: list[bytes], text: str) -> list[int]:
    """Where entries begin that show the text."""
    found, entry, offset, begin = [], b"", 0, 0
    for index, line in enumerate(lines):
        begin = begin if entry else offset
        entry += line
        offset += len(line)
        if line[14:15].isupper() and index < len(lines) - 1:
            continue
        shown = [sanitize(one.text).lower() for one in shown_lines(unpack_all(entry))]
        found += [begin] * any(text.lower() in words for words in shown)
        entry = b""
    return found


def test_a_piece_is_bounded_by_hits_and_by_work(folder: Path) -> None:
    write(folder, 1, b"".join(record(f"needle {number}") for number in range(2000)))
    wanted = Search(1, "one", 1, "needle", count=10)
    found = Searching(str(folder), wanted, Query("needle"), stopped).run()
    assert len(found.hits) == 10
    assert not found.done
    many = Searching(str(folder), Search(1, "one", 1, "needle", count=10**9), Query("needle"), stopped).run()
    assert len(many.hits) == searching.HITS
    little = Searching(str(folder), Search(1, "one", 1, "needle", count=100), Query("needle"), hurried()).run()
    assert len(little.hits) <= 1


def test_common_words_beside_rare_ones_are_not_looked_up_again_and_again(folder: Path) -> None:
    """The needles of a quoted text: one everywhere, one nowhere. Counting looks keeps the search linear."""
    write(folder, 1, b"".join(record('say "x"') for _ in range(20_000)))
    query = Query('"x"')
    assert len(query.needles) == 2
    block = searching.Block((folder / records.segment_name(1)).read_bytes(), query)

    class Counted(bytes):
        looks = 0

        def rfind(self, *args: object) -> int:
            if args[0] == b'\\"x\\"':
                Counted.looks += 1
            return bytes.rfind(self, *args)  # type: ignore[arg-type]

    block.text = Counted(block.text)
    assert sum(1 for _ in block.backwards()) == 20_000
    assert Counted.looks == 1


# -- files that change


def test_segments_that_go_and_shrink_meanwhile(folder: Path) -> None:
    for number in (1, 2, 3):
        write(folder, number, b"".join(record(f"needle {number}.{line}") for line in range(5)))
    wanted = Search(1, "one", 1, "needle", count=6, lines=True)
    found = Searching(str(folder), wanted, Query("needle"), stopped).run()
    assert texts(list(found.hits))[-1] == "needle 2.4"
    (folder / records.segment_name(2)).unlink()
    (folder / records.segment_name(1)).write_bytes(record("needle 1.0") + record("needle 1.1")[:-4])
    rest = everything(folder, "needle", start=(found.segment, found.offset))
    assert texts(rest) == ["needle 1.0"]


def test_a_line_of_many_megabytes_without_an_end_is_passed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "WINDOW", 64 * 1024)
    write(folder, 1, record("needle early") + b"x" * 1_000_000 + b"\n" + record("needle late"))
    assert texts(everything(folder, "needle")) == ["needle late", "needle early"]
    assert texts(everything(folder, "needle", forward=True)) == ["needle early", "needle late"]


def test_what_is_still_being_written_is_left_for_later(folder: Path) -> None:
    write(folder, 1, record("needle one") + record("needle two")[:-3])
    assert texts(everything(folder, "needle")) == ["needle one"]
    found = Searching(
        str(folder), Search(1, "one", 1, "needle", forward=True, segment=0), Query("needle"), stopped
    ).run()
    write(folder, 1, record("needle two")[-3:])
    assert found.done
    start = found.segment, found.offset
    assert texts(everything(folder, "needle", forward=True, start=start)) == ["needle two"]


# -- expressions


async def ask(state: Path, text: str, **how: object) -> Found:
    return await searcher.search(str(state), Search(7, "one", 1, text, lines=True, **how))  # type: ignore[arg-type]


async def test_an_expression_is_searched_in_a_process_of_its_own(tmp_path: Path, folder: Path) -> None:
    write(folder, 1, record("took 12 ms") + record("took long") + record("TOOK 340 ms, then 7 ms"))
    found = await ask(tmp_path, r"\b\d+ ms$", regex=True)
    assert texts(list(found.hits)) == ["TOOK 340 ms, then 7 ms", "took 12 ms"]
    assert [hit.marks for hit in found.hits] == [("7 ms",), ("12 ms",)]
    assert found.id == 7
    assert found.done
    assert texts(list((await ask(tmp_path, "TOOK [0-9]+", regex=True, exact=True)).hits)) == ["TOOK 340 ms, then 7 ms"]


@given(
    expression=st.text(st.sampled_from("abc(|)[]*+?{2}^$.\\d"), min_size=1, max_size=14),
    line=st.text(st.sampled_from("abc2d"), max_size=20),
    exact=st.booleans(),
)
@settings(deadline=None)
def test_what_an_expression_must_contain_is_in_all_it_finds(expression: str, line: str, exact: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            query = Query(expression, regex=True, exact=exact)
        except QueryProblem:
            return
    if query.found(line) is not None:
        raw = line.encode() if exact else line.lower().encode()
        assert not query.needles or any(needle in raw for needle in query.needles)


def test_the_text_of_an_expression_is_looked_for_first() -> None:
    def needles(expression: str, exact: bool = True) -> set[bytes]:
        return set(Query(expression, regex=True, exact=exact).needles)

    assert needles(r"took (\d+) seconds?$") == {b" second"}
    assert needles(r"(error): (.*)\bfailed") == {b"error: "}
    assert needles("Err[o0]r|other") == set()
    assert needles("(?i)error") == set()
    assert needles("ab") == set()
    assert needles("ERROR", exact=False) == {b"error"}


async def test_an_expression_without_end_is_ended(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searcher, "EFFORT", 1)
    write(folder, 1, record("a" * 60 + "!"))
    found = await ask(tmp_path, r"(a+)+$", regex=True)
    assert "takes too long" in found.reason
    assert found.hits == ()


async def test_a_host_that_is_too_busy_to_search_is_not_blamed_on_the_expression(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searcher, "PATIENCE", 0.0)
    write(folder, 1, record("hay"))
    assert "is the host very busy?" in (await ask(tmp_path, "h.y", regex=True)).reason


@pytest.mark.parametrize("text", ["(", "a{99999999999999}", "(?P<x", "*", "(" * 500])
async def test_what_is_no_expression_is_said(tmp_path: Path, folder: Path, text: str) -> None:
    write(folder, 1, record("hay"))
    found = await ask(tmp_path, text, regex=True)
    assert "no regular expression" in found.reason


async def test_what_cannot_be_searched_for_is_said(tmp_path: Path, folder: Path) -> None:
    write(folder, 1, record("hay"))
    assert "run 1 of 'two' is on this host" in (await searcher.search(str(tmp_path), Search(1, "two", 1, "hay"))).reason
    assert "run 1 of '../one'" in (await searcher.search(str(tmp_path), Search(1, "../one", 1, "hay"))).reason
    assert "one line" in (await ask(tmp_path, "a\nb")).reason
    assert "one line" in (await ask(tmp_path, "")).reason
    with pytest.raises(QueryProblem):
        Query("x" * (LONGEST + 1))


async def test_the_loop_goes_on_while_a_text_is_searched(tmp_path: Path, folder: Path) -> None:
    write(folder, 1, b"".join(record(f"hay {number}") for number in range(50_000)))
    work = asyncio.ensure_future(ask(tmp_path, "needle"))
    turns = 0
    while not work.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 1
    assert (await work).done
