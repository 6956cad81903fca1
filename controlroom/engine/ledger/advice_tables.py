"""Sums for advice, kept by triggers: tokens a minute, and how large requests are.

Sizes of prompts and answers are counted by steps, sixteen to a doubling: the middle of a step is at most 1/32 (3.1 %)
off what was counted there, and exact up to 32 tokens. Only requests with a prompt count.
"""

from collections.abc import Iterator, Sequence

MINUTE = 60_000
"""Milliseconds of one row of the tokens a minute."""

DAY = 86_400_000
"""Milliseconds of one row of the sizes (days of UTC)."""

_TO_A_DOUBLING = 16
_DOUBLINGS = 26
"""Beyond 2^30 tokens all is one step; no prompt is so large (`metering.usage.MOST_TOKENS`)."""


def steps() -> Iterator[int]:
    """Yield the least size of each step, in order."""
    yield from range(_TO_A_DOUBLING)
    for doubling in range(_DOUBLINGS):
        yield from (each << doubling for each in range(_TO_A_DOUBLING, 2 * _TO_A_DOUBLING))


_PROMPT = "({0}.input + {0}.cache_write_5m + {0}.cache_write_1h + {0}.cache_read)"
_FRESH = "{0}.input + {0}.cache_write_5m + {0}.cache_write_1h + {0}.output"
_PAYER = "(select billing from sources where id = {0}.source)"
_STEP = "(select max(least) from steps where least <= {0})"


# ruff: noqa: S608 - only our own words go into these
def _size(row: str, what: str) -> str:
    """Return the step of a size of a message."""
    return f"{row}.at / {DAY}, {row}.model, {_STEP.format(what.format(row))}"


def _counted(column: str, what: str) -> str:
    """Count a new message's size."""
    counts = {"prompts": "1, 0", "outputs": "0, 1"}[column]
    return f"""insert into sizes select {_size("new", what)}, {counts} where {_PROMPT.format("new")} > 0
        on conflict do update set {column} = {column} + 1"""


def _uncounted(column: str, what: str) -> str:
    return f"""update sizes set {column} = {column} - 1
        where (day, model, least) = ({_size("old", what)}) and {_PROMPT.format("old")} > 0"""


_SIZES = {"prompts": _PROMPT, "outputs": "{0}.output"}
_ADDED = "; ".join(
    (
        f"""insert into minutes values (new.at / {MINUTE}, {_PAYER.format("new")}, {_FRESH.format("new")})
        on conflict do update set tokens = tokens + excluded.tokens""",
        *(_counted(*size) for size in _SIZES.items()),
    )
)
_TAKEN = "; ".join(
    (
        f"""update minutes set tokens = tokens - ({_FRESH.format("old")})
        where (minute, billing) = (old.at / {MINUTE}, {_PAYER.format("old")})""",
        *(_uncounted(*size) for size in _SIZES.items()),
    )
)


def _sized(what: str, counts: str) -> str:
    return f"""select at / {DAY} as day, model, {what.format("usage")} as size, {counts} from usage
        where {_PROMPT.format("usage")} > 0 group by 1, 2, 3"""


TRUE = {
    "minutes": f"""select at / {MINUTE}, {_PAYER.format("usage")}, sum({_FRESH.format("usage")}) from usage
        group by 1, 2 having sum({_FRESH.format("usage")}) <> 0""",
    "sizes": f"""select day, model, {_STEP.format("size")}, sum(prompts), sum(outputs)
        from ({_sized(_PROMPT, "count(*) as prompts, 0 as outputs")}
        union all {_sized("{0}.output", "0, count(*)")}) group by 1, 2, 3""",
}
"""By table: the query for what it ought to hold."""

KEPT = {
    "minutes": "select * from minutes where tokens <> 0",
    "sizes": "select * from sizes where prompts > 0 or outputs > 0",
}
"""By table: the query for what it holds; what was taken away from it again may leave a row of nothing."""

ADVICE_TABLES: Sequence[str] = (
    "create table steps (least integer primary key)",
    f"insert into steps values {', '.join(f'({least})' for least in steps())}",
    """create table minutes (minute integer not null, billing text not null, tokens integer not null,
    primary key (minute, billing)) without rowid""",
    """create table sizes (day integer not null, model integer not null, least integer not null,
    prompts integer not null, outputs integer not null, primary key (day, model, least)) without rowid""",
    *(f"insert into {table} {query}" for table, query in TRUE.items()),
    f"create trigger usage_sized after insert on usage begin {_ADDED}; end",
    f"create trigger usage_resized after update on usage begin {_TAKEN}; {_ADDED}; end",
)
"""`minutes`: tokens that were not read from the cache, by who pays; `sizes`: requests, by the least size of a step."""


def middle(least: int) -> int:
    """Return the middle of the step that begins with a size."""
    if least < _TO_A_DOUBLING:
        return least
    width = 1 << (least // _TO_A_DOUBLING).bit_length() - 1
    return least + (width - 1) // 2
