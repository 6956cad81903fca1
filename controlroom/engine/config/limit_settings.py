"""The tables [api] and [plan] of config.toml: what limits are held against, and where they should end."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from controlroom.domain.limits.tiers import Ceilings
from controlroom.engine.config.tables import Table

BUCKETS = ("requests", "input", "output")
_SHARE = re.compile(r"[1-9][0-9]{0,11}|([1-9][0-9]?|100)%")
_URL = re.compile(r"(https?://[^\s/?#@]+(/[^\s?#]*)?)?")
_MOST = 10**12


def _buffer(value: object) -> Mapping[str, str]:
    """Read one buffer for all, or a table of them, as texts like `45` and `90%`."""
    table = value if isinstance(value, dict) else {"": value}
    said = {name: "" if isinstance(one, bool) else str(one).replace(" ", "") for name, one in table.items()}
    for name, one in said.items():
        if not isinstance(name, str) or not _SHARE.fullmatch(one):
            raise ValueError('expected a number like 45, a share like "90%", or a table with one for each limit')
    return said


def _bucket_buffer(value: object) -> Mapping[str, str]:
    said = _buffer(value)
    if other := said.keys() - {"", *BUCKETS}:
        raise ValueError(f"{ascii(min(other))[:40]} is not a limit: there are {', '.join(BUCKETS)}")
    return said


def _window_buffer(value: object) -> Mapping[str, str]:
    said = _buffer(value)
    if any(not one.endswith("%") for one in said.values()):
        raise ValueError('windows are per cent: expected a share like "90%"')
    return said


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError("expected an address like https://api.anthropic.com")
    return value


class SecretFile(Table):
    """A file on this machine that holds a key."""

    file: str = Field(min_length=1, description="a file on this machine that only you can read")


class SecretCommand(Table):
    """A command on this machine that prints a key."""

    command: list[str] = Field(min_length=1, description="a command on this machine, word by word")


Secret = SecretFile | SecretCommand


class CeilingsTable(Table):
    """What a model class may use in a minute."""

    requests: int = Field(ge=1, le=_MOST, description="requests a minute")
    input: int = Field(ge=1, le=_MOST, description="tokens a minute that are not read from the cache")
    output: int = Field(ge=1, le=_MOST, description="tokens a minute that are produced")

    def ceilings(self) -> Ceilings:
        """Give them in the domain's terms."""
        return Ceilings(self.requests, self.input, self.output)


class ApiTable(Table):
    """What the API lets through in a minute, for agents that use a key."""

    tier: str = Field(
        default="", description="the organisation's tier, start, build, scale or one of plans.toml; empty: unknown"
    )
    ceilings: dict[str, CeilingsTable] = Field(
        default={},
        description="ceilings a minute of your own, by model class: "
        "{ opus-5-5 = { requests = 50, input = 30000, output = 8000 } }",
    )
    buffer: Annotated[Mapping[str, str], BeforeValidator(_bucket_buffer)] = Field(
        default={},
        description='where you want them to end: "90%", or { requests = 45, input = "90%" }; an alarm is raised there',
    )
    admin_key: Secret | None = Field(
        default=None,
        description='reads ceilings from the Rate Limits API once a day: { file = "…" } or { command = ["…"] } on this '
        "machine that gives an admin key",
    )
    probe: bool = Field(
        default=False,
        description="whether to send a message of one token every five minutes for each model at work, to read what is "
        "left from its headers; it needs a key, and costs less than a cent an hour",
    )
    key: Secret | None = Field(default=None, description='the key of the probe: { file = "…" } or { command = ["…"] }')
    credit_usd: float = Field(
        default=0.0,
        ge=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="US dollars of API credit that come with a plan each month; 0: what plans.toml says of [plan] name",
    )
    url: Annotated[str, AfterValidator(_url)] = Field(
        default="", description="where the API is, for admin_key and probe; empty: https://api.anthropic.com"
    )


class PlanTable(Table):
    """The plan that logins have."""

    name: str = Field(default="", description="pro, max, ultra, … or one of plans.toml: for its monthly API credit")
    buffer: Annotated[Mapping[str, str], BeforeValidator(_window_buffer)] = Field(
        default={},
        description='where you want its windows to end: "90%", or { five_hour = "90%", seven_day = "85%" }; an alarm '
        "is raised there",
    )
