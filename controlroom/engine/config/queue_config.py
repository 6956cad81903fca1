"""The queue's settings and the templates of tasks, as they stand in config.toml."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from controlroom.domain.tasks import QueueRules
from controlroom.engine.config.toml_tables import Table

_MEBIBYTE = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}")


Outside = Literal["asking", "always", "never"]
OUTSIDE = (
    "whether it carries out tasks whose text was read from a file, and may be somebody else's: always, never, or "
    "asking (unless permission_mode is bypassPermissions)"
)
"""What is said of a profile's setting."""


class QueueTable(Table):
    """What the queue of tasks keeps to."""

    max_tasks: int = Field(200, ge=1, le=100_000, description="how many open tasks it takes")
    max_agents: int = Field(
        10,
        ge=0,
        le=10_000,
        description="how many agents may be at work at once, including those that people start",
    )
    max_agents_per_host: int = Field(
        0,
        ge=0,
        le=10_000,
        description="how many agents may be at work at once on one host; 0: as many as its memory allows",
    )
    stagger_seconds: float = Field(5.0, ge=0, le=3_600, description="seconds between two starts")
    memory_percent: int = Field(80, ge=1, le=100, description="how full a start may make a host's memory, per cent")
    min_disk_mb: int = Field(1024, ge=0, le=1024 * 1024, description="MiB of disk that a host must have free")
    max_attempts: int = Field(
        3, ge=1, le=100, description="how many attempts of a task may fail before the task has failed"
    )
    retry_seconds: float = Field(
        30.0, ge=0, le=86_400, description="seconds before the second attempt; doubled for each further one"
    )
    window_percent: int = Field(
        85, ge=1, le=100, description="per cent of a plan's window from which nothing new starts"
    )
    new_window_percent: int = Field(
        50,
        ge=1,
        le=100,
        description="in the first fifth of a window nothing new starts once so much of it is used, per cent; 100: no "
        "such limit",
    )
    load_percent: int = Field(
        0,
        ge=0,
        le=100_000,
        description="load average over one minute, in per cent of a host's cores, from which nothing starts there; "
        "0: it does not count",
    )
    backoff_seconds: float = Field(
        60.0,
        ge=0,
        le=86_400,
        description="seconds after the API turned agents away (a limit, overload, a login) until one task tries "
        "again for all; doubled each time, up to 15 minutes",
    )
    aging_minutes: float = Field(
        60.0, ge=0, le=525_600, description="minutes of waiting that raise a task's priority by one; 0: never"
    )


class TemplateTable(Table):
    """A text that many tasks have in common."""

    text: str = Field(min_length=1, description="the text; {{name}} stands for a variable")


def _template_names(value: dict[str, TemplateTable]) -> dict[str, TemplateTable]:
    for name in value:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{ascii(name)[:60]} cannot name a template: use 1 to 41 of A-Z a-z 0-9 . _ -")
    return value


Templates = Annotated[dict[str, TemplateTable], AfterValidator(_template_names)]


def rules_of(table: QueueTable) -> QueueRules:
    """Return what the queue keeps to, in the engine's terms."""
    return QueueRules(
        table.max_tasks,
        table.max_agents,
        table.max_agents_per_host,
        round(table.stagger_seconds * 1000),
        table.memory_percent,
        table.min_disk_mb * _MEBIBYTE,
        table.max_attempts,
        round(table.retry_seconds * 1000),
        round(table.aging_minutes * 60_000),
        table.window_percent,
        table.load_percent,
        round(table.backoff_seconds * 1000),
        table.new_window_percent,
    )
