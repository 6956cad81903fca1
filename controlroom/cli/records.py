"""What verbs print with `--json`: each field's name, what it holds, and where it comes from.

One table writes the answers and describes them in the manual. Names are in snake case and say their unit: `usd` (a
decimal text, exact), `bytes`, `seconds`, `percent`. A time is ISO 8601 in UTC; its name ends in `at`, `since` or
`until`. null: not known, or there is none.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from controlroom.cli.branch_records import COLLECTED
from controlroom.cli.diff_records import DIFF_ANSWERS
from controlroom.cli.drain_records import DRAIN
from controlroom.cli.fleet_records import FLEET_ANSWERS
from controlroom.cli.import_records import IMPORTED, IMPORTED_OF_HOST
from controlroom.cli.lead_records import LEAD_ANSWERS
from controlroom.cli.record_fields import Field, Get, Kind, field_of, record
from controlroom.cli.rule_records import RULE_ANSWERS
from controlroom.cli.task_records import CHECKS, FIGURES, TASK_ANSWERS, USED
from controlroom.cli.worktree_records import KEPT_WORKTREE, WORKTREE
from controlroom.domain.budgets import BudgetUnit
from controlroom.domain.display.checkup import is_well
from controlroom.domain.display.limit_rows import left
from controlroom.domain.display.views import fleet_of
from controlroom.domain.gauges import Headroom, urgency
from controlroom.domain.keys.keymap import DEFAULT
from controlroom.domain.money import ladder
from controlroom.domain.money.costs import decimal

VERSION = 1
"""Of all answers. It rises when a field goes, or comes to hold something else; more fields come without that."""


def answer(verb: str, thing: Any) -> dict[str, Any]:
    """Write the answer of a verb."""
    return {"version": VERSION, **record(ANSWERS[verb], thing)}


def _several(kind: Kind, *names: str) -> tuple[Field, ...]:
    return tuple(field_of(kind, name) for name in names)


_text = partial(field_of, Kind.TEXT)
_texts = partial(field_of, Kind.TEXTS)
_time = partial(field_of, Kind.TIME)
_count = partial(field_of, Kind.COUNT)
_flag = partial(field_of, Kind.FLAG)
_usd = partial(field_of, Kind.USD)
_bytes = partial(field_of, Kind.BYTES)
_percent = partial(field_of, Kind.PERCENT)
_number = partial(field_of, Kind.NUMBER)
_seconds = partial(field_of, Kind.SECONDS)


def _record(name: str, fields: tuple[Field, ...], get: Get = None, says: str = "") -> Field:
    return field_of(Kind.RECORD, name, get, says, fields)


def _records(name: str, fields: tuple[Field, ...], get: Get = None, says: str = "") -> Field:
    return field_of(Kind.RECORDS, name, get, says, fields)


# --------------------------------------------------------------------------- status, host list, explain


_QUESTION = (
    _text("id", says="of this asking: an answer to an older one is refused"),
    _text("kind"),
    _text("title"),
    _text("text"),
    _flag("cut", says="it asks more than can be shown: nothing but a no is an answer"),
    _texts("always", says="what `always` also allows until the session ends"),
    _time("asked_at", "asked"),
    _records(
        "items",
        (
            *_several(Kind.TEXT, "question", "header"),
            _records("options", _several(Kind.TEXT, "label", "description", "preview")),
            *_several(Kind.FLAG, "several", "own_words"),
        ),
        says="what is to be chosen",
    ),
)


def _of(part: str, name: str) -> Callable[[Any], Any]:
    """An attribute of a part that may be None."""
    return lambda thing: None if getattr(thing, part) is None else getattr(getattr(thing, part), name)


_HOST = (
    *_several(Kind.TEXT, "name", "address"),
    _text("state", "link", "of its link: connecting, asking, up, lost or refused"),
    _time("state_since", "since"),
    _text("reason", says="why its link is so"),
    _time("last_seen_at", "seen"),
    _percent("cpu_percent", _of("sample", "cpu_percent")),
    *(_bytes(f"{name}_bytes", _of("sample", name)) for name in ("memory_used", "memory_total")),
    *(_bytes(f"{name}_bytes", _of("sample", name)) for name in ("swap_used", "swap_total")),
    *(_number(name, _of("sample", name)) for name in ("load_1m", "load_5m", "load_15m")),
    *(_bytes(f"{name}_bytes", _of("sample", name)) for name in ("disk_free", "disk_total")),
    _percent("iowait_percent", _of("sample", "iowait_percent")),
    _bytes("network_in_bytes_per_second", _of("sample", "network_in")),
    _bytes("network_out_bytes_per_second", _of("sample", "network_out")),
    _count("cores", _of("facts", "cores")),
    *(_text(name, _of("facts", name)) for name in ("hostname", "tmux", "tmux_problem", "python")),
    _flag("owned", _of("facts", "owned"), "whether this room may act there"),
    _seconds("clock_offset_seconds", _of("facts", "clock_offset"), "how far its clock is ahead of ours"),
    _record("question", _QUESTION),
    _text("notice"),
    _texts("labels", says="what tasks and profiles may want of it"),
    _text("size", says="what its provider calls a machine like it; null: nobody says"),
    _record("drain", DRAIN, says="why it takes nothing new; null: it takes work"),
    _record("imported", IMPORTED, says="its transcripts from before; null: none are known"),
)

_EVIDENCE = (*_several(Kind.TEXT, "source", "state", "value"), _time("at"), _flag("agrees"))

_CLAIM = _several(Kind.TEXT, "field", "ordered", "said")


_ASKING = (
    _text("id", says="names what is asked: answer --alike takes it"),
    *(_text(name, f"question.{name}") for name in ("kind", "title")),
    _time("asked_at", "question.asked", "by the first"),
    _records(
        "askers",
        (
            _text("agent", lambda asker: asker.subject if "/" in asker.subject else None, "null: the host asks"),
            _text("host", lambda asker: asker.subject.partition("/")[0]),
            _record("question", _QUESTION),
        ),
        says="those who ask alike, the one who has waited longest first",
    ),
)


class _Of(NamedTuple):
    """An agent and the fleet that it is of."""

    fleet: Any
    agent: Any


def _state(at: _Of) -> str:
    return str(at.fleet.state_of(at.agent).value)


def _agent(name: str) -> str:
    return f"agent.{name}"


_OVERLAP = (
    _text("agent", "other"),
    *_several(Kind.TEXT, "repository", "path"),
    _count("files", says="how many both have edited, as far as is known"),
)


def _edited(name: str) -> Callable[[Any], Any]:
    """A field of what an agent has edited; null: not known."""
    return lambda at: getattr(at.agent.edited, name, None)


def _credential(at: Any) -> str | None:
    return at.agent.ordered.credential if at.agent.ordered else None


_AGENT = (
    *(_text(name, _agent(name)) for name in ("id", "name", "host")),
    _count("run", _agent("epoch"), "which of its runs, from 1"),
    _text("kind", _agent("kind"), "headless, interactive, command or adopted"),
    _text("state", _state, "as in controlroom help states"),
    _text("last_known_state", _agent("state"), "what it was when its host was heard last"),
    _time("state_since", _agent("since")),
    _text("detail", _agent("detail"), "more about the state, in words"),
    _records("evidence", _EVIDENCE, _agent("evidence")),
    _text("pending", lambda at: at.agent.pending.verb if at.agent.pending else None, "the order that is on its way"),
    *(_text(name, _agent(name)) for name in ("profile", "model", "task", "cwd", "session")),
    _text("lead", _agent("lead"), "the lead that began it; null: none did"),
    _record("worktree", WORKTREE, _agent("worktree"), "the git worktree of its own that it works in, as its host says"),
    _text("credential", _credential, "which of those that its profile names"),
    _text("fleet", lambda at: fleet_of(at.fleet, at.agent), "by whose file it was started; null: none"),
    _count("pid", _agent("pid")),
    _bytes("memory_bytes", _agent("rss")),
    _flag("memory_is_bound", _agent("rss_bound"), "its memory is at most that: what it shares is not known"),
    _percent("cpu_percent", _agent("cpu_percent")),
    *(_count(name, _agent(name)) for name in ("processes", "subagents")),
    _text("billing", _agent("billing"), "api: a key pays; plan: a plan covers it; null: not known"),
    _text("billing_doubt", _agent("billing_doubt")),
    _usd("spent_usd", _agent("spent"), "by all its runs, at list prices"),
    _time("started_at", _agent("started")),
    _time("ended_at", _agent("ended")),
    *(_count(name, _agent(name)) for name in ("exit_code", "exit_signal")),
    _time("limited_until", lambda at: at.agent.limited_until or 0),
    _count("denied", _agent("denied"), "how many things it was not allowed"),
    _record("checks", CHECKS, _agent("checks"), "what came of the checks of its work; null: none have run"),
    _flag("nothing_changed", _agent("nothing_changed"), "it is done, has changed no file and answered nothing"),
    _record("question", _QUESTION, _agent("question")),
    _text("last_line", _agent("last_line")),
    _time("last_line_at", _agent("last_line_at")),
    _bytes("log_bytes", lambda at: at.agent.log_bytes if at.agent.has_ended else None),
    _count(
        "edited_files", _edited("files"), "files in repositories that it has changed, and that are not merged or undone"
    ),
    _flag("edited_in_part", _edited("in_part"), "there may be more such files, of which nothing is known"),
    _records("overlaps", _OVERLAP, _edited("overlaps"), "other agents that have edited the same file"),
    _text("place", _agent("place"), "where an adopted one lives"),
    _text("taken_over_as", lambda at: at.agent.called if at.agent.adoption else None, "by adopt; null: it was not"),
    _flag("ordered_here", lambda at: at.agent.ordered is not None, "whether this room ordered its run"),
    _records("claims", _CLAIM, _agent("claims"), "what its host says otherwise than was ordered"),
    _texts(
        "waits_for_budgets",
        lambda at: [budget.name for budget in ladder.pausing(at.fleet, at.agent)],
        "names of the budgets that have paused it",
    ),
)

_ALARM = (
    _text("about", itemgetter(0), "names it for good: budget day, ledger, …"),
    _text("level", lambda pair: pair[1].level, "notice, warning or danger"),
    _time("since", lambda pair: pair[1].since),
    _text("agent", lambda pair: pair[1].agent),
    _text("text", lambda pair: pair[1].text, "what to tell people"),
)


def _hosts(asked: Any) -> list[Any]:
    return sorted(asked.fleet.hosts.values(), key=attrgetter("name"))


def _agents(asked: Any) -> list[_Of]:
    return [_Of(asked.fleet, agent) for agent in sorted(asked.agents, key=attrgetter("id"))]


class Asked(NamedTuple):
    """The fleet at a moment, UTC milliseconds, and the agents that were asked for."""

    fleet: Any
    at: int
    agents: Iterable[Any] = ()
    figures: Any = None
    """`domain.figures.Figures`; None: they cannot be read."""


_STATUS = (
    _time("at"),
    _record(
        "money",
        tuple(_usd(f"{name}_usd", name) for name in ("hour_billed", "hour_covered", "day_billed", "day_covered")),
        "fleet.money",
        "spent since the hour and the day began; what a plan covers at list prices",
    ),
    _records("hosts", _HOST, _hosts),
    _records("agents", _AGENT, _agents),
    _records("alarms", _ALARM, lambda asked: sorted(asked.fleet.alarms.items(), key=lambda pair: urgency(pair[1]))),
    _record("figures", FIGURES, says="how well work flows; null: the ledger cannot be read"),
    _records("limits", USED, lambda asked: sorted(asked.fleet.headroom.values(), key=attrgetter("key"))),
)


class Explained(NamedTuple):
    """What `explain` is about."""

    fleet: Any
    agent: Any
    told: Any


_STEP = (
    _text("action", says="as `[keys]` of config.toml names it"),
    _text("key", lambda step: step.key(DEFAULT), "on the screen"),
    _text("command"),
    _text("text", "words", "what it is good for"),
)

_EXPLAIN = (
    _record("agent", _AGENT, lambda asked: _Of(asked.fleet, asked.agent)),
    _record("host", _HOST, lambda asked: asked.fleet.hosts.get(asked.agent.host)),
    _flag("stale", "told.stale", "its host cannot be asked now"),
    _text(
        "decided_by",
        lambda asked: next((view.source for view in asked.told.views if view.decides), None),
        "the source whose word the state is; null: none of its own",
    ),
    _records("sources", (*_EVIDENCE, _flag("decides")), "told.views"),
    _record(
        "order",
        (_text("verb"), _text("who"), _time("at")),
        "agent.pending",
        "one that was given and not answered yet",
    ),
    _records("steps", _STEP, "told.steps", "what can be done next, the likeliest first"),
)


# --------------------------------------------------------------------------- money and limits


_UNITS = {BudgetUnit.TOKENS: "tokens", BudgetUnit.WINDOW: "percent"}


def _in_units(
    name: str, get: Callable[[Any], Any], unit: Callable[[Any], str | None], kinds: Mapping[str, Kind]
) -> Iterator[Field]:
    """A field for each unit that an amount can be in; those of other units are null."""

    def where(suffix: str) -> Callable[[Any], Any]:
        return lambda thing: get(thing) if unit(thing) == suffix else None

    return (field_of(kind, f"{name}_{suffix}", where(suffix)) for suffix, kind in kinds.items())


def _amounts(name: str, get: str) -> Iterator[Field]:
    kinds = {"usd": Kind.USD, "tokens": Kind.COUNT, "percent": Kind.PERCENT}
    return _in_units(name, attrgetter(get), lambda budget: _UNITS.get(budget.unit, "usd"), kinds)


_BUDGET = (
    *_several(Kind.TEXT, "name", "scope"),
    _text(
        "period", lambda budget: budget.window or budget.period, says="hour, day, week, month, or the window of a plan"
    ),
    _text("unit", says="billed, covered, tokens or window"),
    *_amounts("limit", "limit"),
    *_amounts("stop", "stop"),
    *_amounts("spent", "spent"),
    *_amounts("granted", "granted"),
    *_amounts("overshoot", "overshoot"),
    _percent("spent_of_limit_percent", "percent"),
    _time("began_at", "began"),
    _time("resets_at", "ends", "when its period ends"),
    _time("runs_out_at", lambda budget: budget.runs_out or 0, "when the stop line is reached at this rate"),
    _records("ladder", (_percent("at_percent", "percent"), _text("do", "action")), "rungs"),
    _count("rungs_reached", "reached"),
    _flag("armed", lambda budget: not budget.dry_run, "false: it only says what it would do"),
)

_ROOM = {"percent": Kind.PERCENT, "per_minute": Kind.COUNT, "usd": Kind.USD}
_OF_KIND = {"window": "percent", "bucket": "per_minute", "credit": "usd"}


def _room(name: str, get: Callable[[Headroom], Any]) -> Iterator[Field]:
    return _in_units(name, get, lambda limit: _OF_KIND.get(limit.kind), _ROOM)


_LIMIT = (
    _text("account"),
    _text("limit", "name"),
    _text("kind", says="window, bucket (a minute) or credit"),
    *_room("used", attrgetter("used")),
    *_room("limit", attrgetter("limit")),
    *_room("buffer", attrgetter("buffer")),
    *_room("left", left),
    _time("resets_at", "resets"),
    _time("read_at", "at"),
    _text("source"),
    _flag("measured", says="false: worked out, not read"),
    _texts("disputed_by", "disputed", "hosts that contradict each other about it"),
    _records(
        "used_by",
        (_text("agent", itemgetter(0)), _percent("percent", lambda pair: pair[1] / 10)),
        lambda limit: sorted(limit.shares.items()),
        "shares of what is used",
    ),
)


class CostOf(NamedTuple):
    """A row of costs, with how long its agents ran (milliseconds) and what an hour of that has cost."""

    row: Any
    ran: int | None
    rate: int | None
    share: float | None
    """Per cent of all that its kind of account pays; None: that is nothing."""


class Spent(NamedTuple):
    """What was spent in a span, by what."""

    by: str
    since: int
    until: int
    rows: list[CostOf]
    totals: list[CostOf]


COST = (
    _text("key", "row.key", "of what `by` says; null: not known"),
    _text("billing", "row.billing", "api: a key pays; plan: a plan covers it; null: not known"),
    _count("messages", "row.messages"),
    _count("input_tokens", "row.input"),
    _count("output_tokens", "row.output"),
    _count("cache_write_5m_tokens", "row.cache_write_5m"),
    _count("cache_write_1h_tokens", "row.cache_write_1h"),
    _count("cache_read_tokens", "row.cache_read"),
    _count("web_searches", "row.web_searches"),
    _percent("cache_hit_percent", lambda at: None if at.row.hit_rate is None else 100 * at.row.hit_rate),
    _usd("list_price_usd", "row.micro"),
    _percent("share_percent", "share", "of the list price of all that is billed alike"),
    *(_usd(f"{name}_usd", f"row.{name}") for name in ("unpriced", "estimated", "unattributed", "doubted")),
    _seconds("ran_seconds", "ran", "how long its agents ran, together"),
    _usd("agent_hour_usd", "rate", "what an hour of an agent has cost"),
)

_COSTS = (
    _text("by"),
    *_several(Kind.TIME, "since", "until"),
    _records("rows", COST),
    _records("totals", COST, says="one for each `billing`; their `key` is null"),
)

_WAY = (
    _text("way", "key"),
    *_several(Kind.TEXT, "name", "kind"),
    _usd("month_usd", "month"),
    _usd("break_even_usd", lambda way: way.month if way.fixed else None),
    _flag("holds", says="whether it carries this use; null: nobody knows"),
    _text("note"),
)

_PLAN = (
    _count("asked_days"),
    _number("measured_days", "days"),
    _records(
        "parts",
        (
            _text("billing"),
            _count("messages"),
            _usd("booked_usd", "spent"),
            _usd("month_usd", "month"),
            _number("mean_tokens_per_minute", "mean"),
            _count("peak_tokens_per_minute", "peak"),
            _text("cheapest", lambda part: part.cheapest().key),
            _text("cheapest_that_holds", lambda part: part.cheapest(sure=True).key),
            _records("ways", _WAY),
        ),
    ),
    _texts("assumptions", "said"),
)


class Wished(NamedTuple):
    """A wish, and what it would need."""

    wish: Any
    found: Any


def _share(name: str) -> Field:
    return _percent(f"{name}_percent", lambda fit: None if (part := getattr(fit, name)) is None else 100 * part)


_TIER = (_text("tier", "key"), _flag("holds"), *map(_share, ("requests", "input", "output", "spend")))

_ESTIMATE = (
    _count("agents", "wish.agents"),
    _number("hours_per_day", "wish.hours"),
    _count("days_per_month", "wish.days"),
    _number("requests_per_hour", "wish.per_hour"),
    _text("model", "found.model"),
    _number("requests_per_minute", "found.requests_a_minute"),
    _count("requests_per_month", "found.requests_a_month"),
    _percent("cache_hit_percent", lambda at: 100 * at.found.hit_rate),
    _records(
        "cases",
        (
            _text("case", "name"),
            _count("prompt_tokens", "prompt"),
            _count("output_tokens", "output"),
            _number("input_tokens_per_minute", "input_a_minute"),
            _number("output_tokens_per_minute", "output_a_minute"),
            _usd("month_usd", "month"),
        ),
        "found.cases",
    ),
    _usd("mean_month_usd", "found.mean"),
    _records("tiers", _TIER, "found.tiers", "shares of each ceiling in the high case"),
    _bytes("memory_per_agent_bytes", "found.memory"),
    _records(
        "machines",
        (
            _text("provider", "machine.provider"),
            _text("size", "machine.name"),
            _bytes("memory_bytes", "machine.memory"),
            _count("vcpus", "machine.vcpus"),
            _count("agents_each", "each"),
            _count("machines"),
            _text("month_price", lambda housing: decimal(housing.month), "a decimal text, in the currency"),
            _text("currency", "machine.currency"),
            _text("as_of", "machine.as_of", "the day of which the price is"),
        ),
        "found.housings",
    ),
    _texts("assumptions", "found.said"),
)


# --------------------------------------------------------------------------- the room


class Checked(NamedTuple):
    """A host, what was found there, and why not more was."""

    host: Any
    checks: Any
    reason: str


_CHECK = (_text("name"), _text("verdict", says="ok, warn, bad or unknown"), _text("found"), _text("fix", "mend"))
_CHECKED = (
    _text("host", "host.name"),
    _flag("ok", lambda asked: is_well(asked.checks) and not asked.reason),
    _text("reason", says="why it could not be looked at"),
    _records("checks", _CHECK),
)

_FRONT_END = (
    _text("who"),
    _text("role", says="tui, cli or watch"),
    _text("rights", says="all or look"),
    _time("since"),
    _text("terminal"),
    _flag("bridged", says="it comes over SSH"),
    _flag("asks", says="it is the one that asks"),
)

_AUDIT = (
    _time("at"),
    *_several(Kind.TEXT, "who", "verb", "target"),
    _count("run", lambda line: line.epoch or None),
    _text("outcome", says="done, refused or unknown"),
    _text("reason"),
)


class Done(NamedTuple):
    """What became of an action on one agent."""

    agent: Any
    epoch: int
    outcome: str
    reason: str


_DONE = (
    _text("agent", "agent.id"),
    _count("run", lambda done: done.epoch or None, "that it has now"),
    _text("outcome", says="done, refused or unknown"),
    _text("reason"),
)

_DOUBTED = (
    _count("number"),
    _time("at"),
    _text("agent"),
    _text("message", says="of the API; null: what Claude reports of a run"),
    _count("tokens"),
    _usd("claimed_usd", "claimed"),
    _usd("counted_usd", "counted"),
    _text("settled", says="struck or accepted; null: open"),
)


def _each(name: str, fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """The answer that is a list of records alone."""
    return (_records(name, fields, lambda things: things),)


ANSWERS: Mapping[str, tuple[Field, ...]] = {
    "status": _STATUS,
    "costs": _COSTS,
    "costs import": (_records("hosts", (_text("host", "name"), *IMPORTED_OF_HOST), lambda hosts: hosts),),
    "limits": _each("limits", _LIMIT),
    "plan": _PLAN,
    "estimate": _ESTIMATE,
    "explain": _EXPLAIN,
    "questions": _each("questions", _ASKING),
    "attached": _each("front_ends", _FRONT_END),
    "budget show": _each("budgets", _BUDGET),
    "host list": (_records("hosts", _HOST, _hosts),),
    "host check": _CHECKED,
    **dict.fromkeys(("adopt", "pause", "resume", "model"), _each("agents", _DONE)),
    "collect": _each("agents", COLLECTED),
    **RULE_ANSWERS,
    **LEAD_ANSWERS,
    **FLEET_ANSWERS,
    "worktree list": _each("worktrees", KEPT_WORKTREE),
    "audit": _each("lines", _AUDIT),
    "ledger doubted": _each("bookings", _DOUBTED),
    **DIFF_ANSWERS,
    **TASK_ANSWERS,
}
"""By the verb; beside these fields each has its `version`."""
