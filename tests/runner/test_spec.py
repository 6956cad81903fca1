"""What home orders is what a runner reads in its folder, and what it says of itself is what home reads."""

import json

import pytest

from controlroom.runner.outcome import Unfit
from controlroom.runner.spec import Order, read_order
from controlroom.runner.status_file import first
from controlroom.text.checks import CheckOrder
from controlroom.wire.codec import decode, encode
from controlroom.wire.messages import AgentSeen
from controlroom.wire.spec import AgentSpec, Credential

CHECKS = CheckOrder((("make", "test"), ("a b",)), 1.5, 0, True, ("tests/*",))


def order(**spec: object) -> bytes:
    return json.dumps({"format": 1, "name": "a", "epoch": 1, "namespace": "", "spec": spec}).encode()


def test_every_field_survives_the_way() -> None:
    sent = AgentSpec(
        kind="command", command=("a", "b"), env={"A": "1"}, max_hours=2, max_turns=3, max_budget_usd="1.5",
        credential=Credential(command=("c",)), cwd="~/x", resume="r", checks=CHECKS,
    )  # fmt: skip
    got = read_order(
        json.dumps({"format": 1, "name": "a", "epoch": 2, "namespace": "n", "spec": encode(sent)}).encode()
    )
    assert got == Order(
        "a", 2, "n", 0,
        AgentSpec("command", ("a", "b"), env={"A": "1"}, max_hours=2.0, max_turns=3, max_budget_usd="1.5",
             credential=Credential(command=("c",)), cwd="~/x", resume="r", checks=CHECKS),
    )  # fmt: skip
    assert got.tag == "n/a.2"


def test_the_first_status_is_one_the_wire_can_read() -> None:
    fields = json.loads(json.dumps(first(read_order(order(profile="p")), "do it \ud800", 5)))
    assert decode(AgentSeen, fields) == AgentSeen(
        "a", 1, "headless", "starting", 5, started=5, profile="p", task="do it ?"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{", b"[" * 200_000, b'{"format":1}', b'{"format":1,"name":"a"}',
        order(command="ls"), order(env={"A": 1}), order(max_turns=True), order(credential="x"), order(command=[1]),
        order(max_hours="2"), order(checks={"commands": [[]]}), order(checks={"commands": ["make"]}), order(checks=[]),
        order(checks={"commands": [[1]]}), order(checks={"attempts": "3"}), order(checks={"guarded": [1]}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(Unfit, match=r"spec\.json"):
        read_order(data)
