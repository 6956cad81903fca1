"""`controlroom limits`: what matters first, on a phone's 45 columns too."""

from __future__ import annotations

import pytest

from controlroom.cli import limits, output
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.limits.headroom import unread

NOON = 1_795_348_800_000
ANN = "ann@example.org"
FOUND = [
    Headroom(
        ANN, "5 h", LimitKind.WINDOW, 37, 100, NOON, "stream", NOON - 240_000, buffer=90, shares={"vm1/docs-1": 620}
    ),
    Headroom(ANN, "week", LimitKind.WINDOW, 104, 100, 0, "get_usage", NOON, shares={"v/0": 600}),
    unread("login on vm2"),
    Headroom(
        "API", "requests opus-5-5", LimitKind.BUCKET, 12, 50, 0, "metering, tier Start", NOON, measured=False, buffer=45
    ),
    Headroom("API", "input haiku-5-5", LimitKind.BUCKET, 12_000, None, 0, "metering", NOON, measured=False),
    Headroom(
        "API", "credit", LimitKind.CREDIT, 1_500_000, 100_000_000, NOON, "metering, plan Max", NOON, measured=False
    ),
]
WIDE = """\
                           USED    LEFT  RESETS            OF  AGE  FROM                                USED BY
ann@example.org
  5 h                      37 %    53 %  12:00   90 % of 100%  4m   stream                              vm1/docs-1 62 %
  week                     104%     0 %                  100%  now  get_usage                           v/0 60 %
login on vm2
  plan               no reading                                     comes with its agents' next answer
API
  requests opus-5-5         ~12      33              45 of 50  now  metering, tier Start
  input haiku-5-5          ~12k       –                     –  now  metering
  credit                 ~$1.50  $98.50  12:00        $100.00  now  metering, plan Max
"""
NARROW = """\
                      USED    LEFT  RESETS  …
ann@example.org
  5 h                 37 %    53 %  12:00   …
  week                104%     0 %          …
login on vm2
  plan          no reading                  …
API
  req opus-5-5         ~12      33          …
  in haiku-5-5        ~12k       –          …
  credit            ~$1.50  $98.50  12:00   …
"""


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "clock", lambda at: "12:00")


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int | None) -> str:
    monkeypatch.setattr(output, "width", lambda: width)
    limits.table(FOUND, NOON)
    return capsys.readouterr().out


@pytest.mark.usefixtures("wall")
def test_on_a_wide_terminal_all_of_it_stands_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert printed(capsys, monkeypatch, 200) == WIDE
    limits.table(FOUND, NOON)
    assert "say [api] tier" in capsys.readouterr().err, "one ceiling is not known"
    limits.table(FOUND[:4], NOON)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("wall")
def test_on_a_phone_it_says_what_is_used_and_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert printed(capsys, monkeypatch, 45) == NARROW
