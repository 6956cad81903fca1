"""What a link to a host is told."""

from dataclasses import field

from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class RetryLink:
    """Try the link to a host now."""

    host: str


@dataclass(frozen=True)
class TrustKey:
    """Accept (or turn down) the key that a host showed, and go on (or not)."""

    host: str
    question: str
    accept: bool


@dataclass(frozen=True)
class GiveSecret:
    """Tell a link what a person said to its question; None: nothing, and the host is left alone."""

    host: str
    question: str
    secret: str | None = field(repr=False)
