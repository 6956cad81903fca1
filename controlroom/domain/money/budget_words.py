"""Budgets as people write and read them: limits, ladders, and the sentences that say where one stands."""

import re
from collections.abc import Iterable

from controlroom.domain.gauges import Rung
from controlroom.domain.limits.headroom import window_name
from controlroom.domain.money.budget import BudgetRule, ladder_problem, sorted_rungs
from controlroom.domain.words import count, dollars

_DOLLARS = re.compile(r"\$?([0-9]{1,9})(?:\.([0-9]{1,6}))?")
_TOKENS = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,6}))?([kMGT]?)")
_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def read_limit(text: str, unit: str) -> int:
    """Read a limit: dollars like `8` or `2.50`, tokens like `5M`, per cent like `85`.

    Gives micro-dollars, tokens or per cent. Raises `ValueError` with what was expected.
    """
    if unit in ("billed", "covered"):
        if found := _DOLLARS.fullmatch(text.strip()):
            return int(found[1]) * 1_000_000 + int((found[2] or "").ljust(6, "0"))
        raise ValueError(f'expected dollars like "2.50", not {ascii(text)[:40]}{_other_unit(text.strip())}')
    if unit == "tokens":
        if found := _TOKENS.fullmatch(text.strip()):
            factor = _FACTORS[found[3]]
            return int(found[1]) * factor + int((found[2] or "0").ljust(6, "0")) * factor // 1_000_000
        raise ValueError(f'expected tokens like "500000" or "5M", not {ascii(text)[:40]}')
    share = text.strip().removesuffix("%").strip()
    if share.isascii() and share.isdecimal() and len(share) <= 3:
        return int(share)
    raise ValueError(f'expected per cent like "85", not {ascii(text)[:40]}')


def _other_unit(text: str) -> str:
    """Say which unit an amount that is no dollars may have been meant in."""
    if text.endswith("%"):
        return "; per cent are of a plan's window: unit window, and which window"
    return "; tokens are another unit: unit tokens" if _TOKENS.fullmatch(text) else ""


def read_ladder(text: str) -> tuple[Rung, ...]:
    """Read a ladder like `50:notify,80:hold,95:pause`. Raises `ValueError` with what was expected."""
    rungs = []
    for part in text.split(","):
        percent, _, action = part.strip().partition(":")
        if not (percent.isascii() and percent.isdecimal() and len(percent) <= 3):
            raise ValueError(f"expected a ladder like 50:notify,80:hold,95:pause, not {ascii(text)[:60]}")
        rungs.append(Rung(int(percent), action))
    if wrong := ladder_problem(rungs):
        raise ValueError(wrong)
    return sorted_rungs(rungs)


def ladder(rungs: Iterable[Rung]) -> str:
    """Write a ladder as it is read."""
    return ",".join(f"{rung.percent}:{rung.action}" for rung in rungs)


def described(rule: BudgetRule) -> str:
    """Say what a budget is, in a line."""
    per = f"of {window(rule.window)}" if rule.unit == "window" else f"per {rule.period}"
    dry = "; a dry run: it only says what it would do" if rule.dry_run else ""
    return f"{amount(rule.limit, rule.unit)} {per} for {rule.scope}, {ladder(rule.rungs)}{dry}"


def window(name: str) -> str:
    """Name a plan's window in a sentence: `the 5 h window`."""
    return f"the {window_name(name)} window"


def amount(value: int | None, unit: str) -> str:
    """Write an amount of a unit: $8.00, ≈$8.00 for what a plan covers, 5M tokens, 85 %; a dash for no reading."""
    if value is None:
        return "–"
    if unit == "tokens":
        return f"{count(value)} tokens"
    if unit == "window":
        return f"{value} %"
    return f"≈{dollars(value)}" if unit == "covered" else dollars(value)


def written_limit(value: int, unit: str) -> str:
    """Write a limit as it is read, exactly."""
    if unit in ("billed", "covered"):
        return f"{value // 1_000_000}.{value % 1_000_000:06d}".rstrip("0").rstrip(".")
    return str(value)
