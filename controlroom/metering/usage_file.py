"""Records of usage.jsonl: what each message used, what Claude reports a session to have cost, what was refused.

Claude reports more than its transcripts hold, for titles and classifiers stand in none. Claude Code 2.1.330, observed:
a `result` event gives `total_cost_usd`, and the part of it that is new since the last one by model; the transcript's
`cost-state` line, written when Claude ends in peace, gives `totalCostUSD`. Both are totals of the session: a resumed
one goes on from its last `cost-state` (what a run that was killed has cost is lost to it), and a fork from that of its
parent. So what one run has cost is its total less what it began with.
"""

import json
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

from controlroom.metering.prices import DOLLAR
from controlroom.metering.usage import LINE_LIMIT, Damaged, Message, Usage, count_in, name_in, refused
from controlroom.text.json_fields import table, whole
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern

MOST_REPORTED = 10**17
"""Pico-dollars that one run can have cost: 100,000 dollars. More is damage."""

_COST_STATE = b'{"type":"cost-state"'
_MOST_MODELS = 100


class Report(NamedTuple):
    """What Claude says one run of it has cost by now."""

    run: str
    """15 hexadecimal digits, drawn by lot: a process of Claude and a session in it."""
    pico: int
    """Pico-dollars, without what the session had cost before."""
    at: int
    """UTC milliseconds."""


class Refusal(NamedTuple):
    """A request that the API refused: 429, 529 or another status."""

    id: str
    status: int
    at: int
    """UTC milliseconds."""


def result_costs(event: dict[str, Any]) -> tuple[int, int] | None:
    """Return the session's total in a `result` event, and how much of it is new since the last one, in pico-dollars.

    None: it tells no total. An event that does not tell what is new (-1) comes from another version of Claude.
    """
    total = pico_of(event.get("total_cost_usd"))
    models = event.get("model_usage_since_last_result")
    if total is None or not isinstance(models, dict) or len(models) > _MOST_MODELS:
        return None if total is None else (total, -1)
    new = [pico_of(table(used).get("costUSD")) for used in models.values()]
    costs = [pico for pico in new if pico is not None]
    return total, sum(costs) if len(costs) == len(new) else -1


def transcript_total(line: bytes) -> int | None:
    """Return the total in a `cost-state` line of a transcript, in pico-dollars; None: this line tells none."""
    if not line.startswith(_COST_STATE) or len(line) > LINE_LIMIT:
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return pico_of(entry.get("totalCostUSD")) if isinstance(entry, dict) else None


def pico_of(dollars: object) -> int | None:
    """Return dollars out of JSON as pico-dollars, rounded once; None for what is no sum of money that can be."""
    if isinstance(dollars, bool) or not isinstance(dollars, (int, float)):
        return None
    if not 0 <= dollars <= MOST_REPORTED // DOLLAR:  # NaN is not, either
        return None
    above, below = dollars.as_integer_ratio()
    return (2 * above * DOLLAR + below) // (2 * below)


_FORMAT = 2
_READ = (1, 2)
"""Format 1 knew no runs, reports or estimates."""
_MOST_CLAIMED = 10**15
"""Tokens of one kind that a line can claim: what cannot be true is judged at home, where a person is told of it."""
_FLAGS = ("fast", "us", "batch", "estimated")
"""As they stand in `Message`, from the sixth field on."""
_RUN = pattern("[0-9a-f]{15}")
LONGEST = 3_600_000
"""Milliseconds that an answer can have taken; what took longer is not known."""

Record = Message | Report | Refusal


def to_line(record: Record) -> bytes:
    """Write one line of a runner's usage.jsonl, newline included. There are many: no encoder is made for each."""
    if isinstance(record, Report):
        line = f'"run":{_quoted(record.run)},"reported":{record.pico},"at":{record.at}'
    elif isinstance(record, Refusal):
        line = f'"refused":{record.status},"id":{_quoted(record.id)},"at":{record.at}'
    else:
        flags = [f'"{name}"' for name, is_set in zip(_FLAGS, record[5:9], strict=True) if is_set]
        line = (
            f'"id":{_quoted(record.id)},"request":{_quoted(record.request)},"at":{record.at},'
            f'"model":{_quoted(record.model)},"counts":[{",".join(map(str, record.usage))}],"flags":[{",".join(flags)}]'
        )
        if record.run:
            line += f',"run":{_quoted(record.run)}'
        if record.took:
            line += f',"took":{record.took}'
    return f'{{"format":{_FORMAT},{line}}}\n'.encode()


def from_line(line: bytes) -> Record:
    """Read one line of usage.jsonl, without its newline. Raises `Damaged`."""
    try:
        entry = json.loads(line, parse_constant=refused)
        if (version := entry["format"]) not in _READ:
            raise Damaged(f"it has format {ascii(version)[:20]}, this one reads {_FORMAT}")
        if "reported" in entry:
            return Report(_run(entry), count_in(entry, "reported", MOST_REPORTED), count_in(entry, "at", 2**53))
        if "refused" in entry:
            status = count_in(entry, "refused", 999)
            return Refusal(name_in(entry, "id"), status, count_in(entry, "at", 2**53))
        flags = entry["flags"]
        if not entry["id"] and not entry["request"]:
            raise Damaged("it names neither a message nor a request")
        return Message(
            name_in(entry, "id"),
            name_in(entry, "request"),
            count_in(entry, "at", 2**53),
            name_in(entry, "model"),
            Usage._make(count_in({"count": count}, "count", _MOST_CLAIMED) for count in entry["counts"]),
            **{name: name in flags for name in _FLAGS},
            run=_run(entry) if "run" in entry else "",
            took=took if (took := whole(entry.get("took"))) <= LONGEST else 0,
        )
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise Damaged(f"it is no usage: {error}"[:200]) from None


def _run(table: dict[str, Any]) -> str:
    value = table.get("run")
    if isinstance(value, str) and _RUN.fullmatch(value):
        return value
    raise Damaged(f"run is {ascii(value)[:60]}")
