"""The tables `[notify.NAME]` of config.toml: who is told of what, how, and when not."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from controlroom.domain.notification_queue import Wish
from controlroom.engine.config.tables import Table
from controlroom.engine.notify.notifier import Way

Kind = Literal["question", "failed", "done", "limited", "paused", "host", "budget", "alarm"]

_QUIET = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


def _span(value: str) -> str:
    if value and not _QUIET.fullmatch(value):
        raise ValueError('expected hours of the day like "22:00-07:00"')
    return value


class FileUrl(Table):
    """An address that stands in a file."""

    file: str = Field(min_length=1)


class NotifyTable(Table):
    """One way to reach somebody who is not looking."""

    desktop: bool = Field(False, description="as a desktop notification of this machine (notify-send)")
    command: list[str] = Field(
        [], description="a program here, word by word; it gets title, body and news as JSON on its stdin"
    )
    url: str | FileUrl = Field(
        "",
        description="an address: https://… gets JSON by POST, any other is for the package apprise "
        '(ntfys://…, tgram://…, mailto://…); { file = "…" }: it is that file\'s first line',
    )
    about: list[Kind] = Field(
        ["question", "failed", "paused", "host", "budget", "alarm"],
        description="of what: question, failed, done, limited, paused, host, budget, alarm",
    )
    pause: float = Field(30.0, ge=0, le=86_400, description="seconds between two messages at least; what comes waits")
    quiet: Annotated[str, AfterValidator(_span)] = Field(
        "", description='hours of the day here in which nothing is sent, like "22:00-07:00"; it is sent after them'
    )
    despite_quiet: list[Kind] = Field(["budget"], description="what is sent in quiet hours too")

    @model_validator(mode="after")
    def _one_way(self) -> "NotifyTable":
        if sum(map(bool, (self.desktop, self.command, self.url))) > 1:
            raise ValueError("say one of desktop = true, command or url")
        return self


def outlets(tables: dict[str, NotifyTable]) -> dict[str, tuple[Way, Wish]]:
    """Give each outlet in the engine's terms; one that names no way is off."""
    on = {name: table for name, table in tables.items() if table.desktop or table.command or table.url}
    return {name: (_way(table), _wish(table)) for name, table in on.items()}


def _way(table: NotifyTable) -> Way:
    if isinstance(table.url, FileUrl):
        return Way(url_file=table.url.file)
    return Way(table.desktop, tuple(table.command), table.url)


def _wish(table: NotifyTable) -> Wish:
    quiet = None
    if found := _QUIET.fullmatch(table.quiet):
        begin_hour, begin, end_hour, end = map(int, found.groups())
        quiet = (begin_hour * 60 + begin, end_hour * 60 + end)
    return Wish(frozenset(table.about), round(table.pause * 1000), quiet, frozenset(table.despite_quiet))
