"""How often each rule has answered, in the ledger: a rule whose uses are gone stays so when the engine begins anew."""

from collections.abc import Sequence

from controlroom.engine.ledger.usage_tables import Statement

RULE_TABLES: Sequence[str] = (
    """create table rule_uses (
    name text primary key, mark text not null, used integer not null, last integer not null) without rowid""",
)
"""Format 14. `mark` names what the rule says: another rule of the same name begins at 0."""

RULE_USES = "select name, mark, used, last from rule_uses"


def keep_use(name: str, mark: str, used: int, last: int) -> Statement:
    """Write how often a rule has answered, and when it last did (UTC milliseconds)."""
    return "insert or replace into rule_uses (name, mark, used, last) values (?, ?, ?, ?)", (name, mark, used, last)
